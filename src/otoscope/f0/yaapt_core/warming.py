"""Compiling the core before it is needed."""

from __future__ import annotations

import time

import numpy as np

__all__ = ["warm_up"]


def warm_up() -> float:
    """Run both trackers once, so that numba compiles what they need and keeps it.

    Returns
    -------
    float, seconds
        How long it took: some ten seconds the first time on a machine, less than one from then on.
    """
    start = time.perf_counter()
    from otoscope.f0.yaapt_core.causal import causal_f0
    from otoscope.f0.yaapt_core.centered import centered_f0
    from otoscope.f0.yaapt_core.settings import Plan

    plan = Plan(16_000, 400, 160, 60.0, 400.0)
    phase = 2 * np.pi * 150.0 * np.arange(8_000) / 16_000
    samples = np.sum([0.1 * np.cos(k * phase) / k for k in range(1, 9)], axis=0).astype(np.float32)
    causal_f0(samples, plan=plan)
    centered_f0(samples, n_frames=48, plan=plan)
    return time.perf_counter() - start

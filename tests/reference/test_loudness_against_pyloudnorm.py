"""pyloudnorm's gating is trusted; its filters round the shelf's frequency and quality, which costs up to 0.1 LU."""

import numpy as np
import pytest

from otoscope.features.programme_loudness import integrated_loudness

pyloudnorm = pytest.importorskip("pyloudnorm")

TOL_LU = 0.15


@pytest.mark.parametrize("seed", range(3))
def test_loudness_of_noise_in_steps_agrees(seed):
    rng = np.random.default_rng(seed)
    levels = np.repeat(10 ** (rng.uniform(-60, -5, 12) / 20), 24_000)
    samples = (levels * np.clip(rng.standard_normal(levels.size), -3, 3) / 3).astype(np.float32)
    samples = np.convolve(samples, rng.standard_normal(8) / 3)[: levels.size].astype(np.float32)
    wanted = pyloudnorm.Meter(48_000).integrated_loudness(samples.astype(np.float64))
    assert integrated_loudness(samples, 48_000) == pytest.approx(wanted, abs=TOL_LU)

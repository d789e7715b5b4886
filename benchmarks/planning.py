"""`python -m benchmarks.planning [--threads 1 2] [--json]`: what `otoscope pitch plan` says, beside what comes true.

Forward passes of encoders with random weights, of the sizes of HuBERT-base and HuBERT-large, against what their size
alone says; and the parts of a pass against what a rehearsal on made-up states says.
"""

from __future__ import annotations

import argparse
import json
import os
import time

import torch
from transformers import HubertConfig, HubertModel

from otoscope.f0.kaldi import KaldiTracker
from otoscope.representations.upstreams.cards import find
from otoscope.studies.pitch.prepare import threads_for_block
from otoscope.studies.pitch.shapes import ModelShape
from otoscope.studies.pitch.speed import EFFICIENCY, measure_speed, products_per_s

LARGE = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "do_stable_layer_norm": True,
    "feat_extract_norm": "layer",
    "conv_bias": True,
}
SIZES = {"facebook/hubert-base-ls960": {}, "facebook/hubert-large-ll60k": LARGE}
SECONDS = 10


def forward(name, threads, repeats):
    """Time the forward pass in turn with the products that stand for it."""
    torch.manual_seed(0)
    model = HubertModel(HubertConfig(**SIZES[name])).eval().requires_grad_(False)
    shape, sound = ModelShape.of_card(find(name)), torch.randn(1, 16_000 * SECONDS)
    ratios, spent = [], []
    with threads_for_block(threads):
        model(sound[:, :16_000])
        for _ in range(repeats):
            said = shape.forward_flops / (EFFICIENCY * products_per_s())
            start = time.perf_counter()
            model(sound)
            spent.append((time.perf_counter() - start) / SECONDS)
            ratios.append(said / spent[-1])
    middle = sorted(ratios)[len(ratios) // 2]
    return {
        "model": name,
        "threads": threads,
        "parameters_m": sum(p.numel() for p in model.parameters()) / 1e6,
        "gflop_per_audio_s": shape.forward_flops / 1e9,
        "measured_s_per_audio_s": min(spent),
        "estimate_over_measured": middle,
        "worst": max(ratios, key=lambda r: max(r, 1 / r)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    rows = [forward(name, n, arguments.repeats) for name in SIZES for n in arguments.threads]
    start = time.perf_counter()
    speed = measure_speed([ModelShape.of_card(find(name)) for name in SIZES], KaldiTracker(), n_sources=102)
    took = time.perf_counter() - start
    for name, each in speed.models.items():
        parts = {key: getattr(each, key) for key in ("pass_s", "score_s", "pack_s", "solve_s")}
        rows.append({"model": name, "what": "rehearsal, 102 languages", **parts})
    rows.append({"what": "measure_speed of both", "wall_s": took})
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        print("  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()))


if __name__ == "__main__":
    main()

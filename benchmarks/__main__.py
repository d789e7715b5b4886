"""`python -m benchmarks [--clips N] [--json]`: what the pitch study costs beside the forward pass of its model.

All figures of a run come from one process, forward pass and the rest in turn on the same clips. Absolute seconds
belong to the machine; the ratios are what to compare.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.hubert import RandomHubert, Remembered
from otoscope.corpora.base import Clip, Corpus, Failure
from otoscope.f0.labels import LabelCache
from otoscope.f0.registry import open_tracker
from otoscope.probes.moments import MomentAccumulator
from otoscope.studies.pitch.cells import accumulate, fold_shards
from otoscope.studies.pitch.plan import make_plan
from otoscope.studies.pitch.reader import ClipReader
from otoscope.studies.pitch.score import ShardScorer
from otoscope.studies.pitch.settings import PitchSettings
from otoscope.studies.pitch.solve import solve_layer
from otoscope.testing.signals import speechlike

LANGUAGES = ("en_us", "cmn_hans_cn")


class Speechlike:
    """Ten seconds of speech-like sound, seeded by the clip."""

    def read(self, clip_id, *, sample_rate):
        waveform, _, _ = speechlike(int(clip_id.rpartition("-")[2]), duration_s=10.0)
        return type(waveform)(waveform.samples, waveform.sample_rate, clip_id)

    def describe(self):
        return "speechlike"

    def stamp(self):
        return "speechlike"


def corpus(n_clips):
    clips = []
    for i in range(n_clips):
        split = ("train", "dev", "test")[i % 3]
        clips.append(
            Clip(f"clip-{i}", Speechlike(), LANGUAGES[(i // 3) % len(LANGUAGES)], {"sentence": f"s{i}"}, split)
        )
    return Corpus("speechlike", tuple(clips), "none", "none")


def timed(function):
    wall, cpu = time.perf_counter(), time.process_time()
    result = function()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def pitch_cost(n_clips, folder):
    """Time forward pass, labels, train pass and test pass per second of audio."""
    settings = PitchSettings()
    plan = make_plan(corpus(n_clips), settings)
    tracker = open_tracker("kaldi")
    reader = ClipReader(plan, settings, tracker, LabelCache(folder))
    hubert = RandomHubert()
    spent = dict.fromkeys(("forward", "labels", "train pass", "test pass", "solving (per layer)"), (0.0, 0.0))
    seconds = dict.fromkeys(spent, 0.0)

    def note(name, wall, cpu, audio_s):
        spent[name] = (spent[name][0] + wall, spent[name][1] + cpu)
        seconds[name] += audio_s

    hubert.forward(next(iter(plan.shards)).clips[0].read(sample_rate=16_000).samples[:16_000])  # warm
    shifts, cells, states = {}, {"train": {}, "dev": {}}, {}
    for shard in plan.shards:
        for clip in shard.clips:
            waveform = clip.read(sample_rate=16_000)
            _, wall, cpu = timed(lambda w=waveform: tracker.track(w))
            note("labels", wall, cpu, waveform.duration_s)
            states[clip.clip_id], wall, cpu = timed(lambda w=waveform: hubert.forward(w.samples))
            note("forward", wall, cpu, waveform.duration_s)
            heard = reader.hear(clip)
            assert not isinstance(heard, Failure)
            if not shifts:
                shifts = {i: s.mean(axis=0, dtype=np.float64) for i, s in enumerate(states[clip.clip_id])}
    model = Remembered(hubert, states)
    accumulate(plan.shards[0], model, shifts, reader, plan, settings)  # warm
    for shard in plan.shards:
        if shard.split == "test":
            continue
        audio_s = sum(reader.hear(clip).waveform.duration_s for clip in shard.clips)
        done, wall, cpu = timed(lambda s=shard: accumulate(s, model, shifts, reader, plan, settings))
        note("train pass", wall, cpu, audio_s)
        cells[shard.split].setdefault(shard.language, []).append(done)
    folded = {split: {c: fold_shards(parts) for c, parts in by.items()} for split, by in cells.items()}

    def of_layer(split, layer):
        return {
            code: type(c)({k: m for k, m in c.moments.items() if k.layer == layer}, c.failures, c.clips)
            for code, c in folded[split].items()
        }

    probes = {}
    for layer in shifts:
        probes[layer], wall, cpu = timed(
            lambda i=layer: solve_layer(plan, shifts[i], of_layer("train", i), of_layer("dev", i), probe="ridge")
        )
        note("solving (per layer)", wall, cpu, 0.0)
    for shard in plan.shards:
        if shard.split != "test":
            continue
        audio_s = sum(reader.hear(clip).waveform.duration_s for clip in shard.clips)
        scorer = ShardScorer(plan, shard.language, probes)
        _, wall, cpu = timed(lambda s=shard, k=scorer: accumulate(s, model, shifts, reader, plan, settings, k))
        note("test pass", wall, cpu, audio_s)

    forward = [value / seconds["forward"] for value in spent["forward"]]
    rows = []
    for name, (wall, cpu) in spent.items():
        if name == "solving (per layer)":
            rows.append({"what": name, "wall_s": wall / len(shifts), "cpu_s": cpu / len(shifts)})
            continue
        per = (wall / seconds[name], cpu / seconds[name])
        rows.append(
            {
                "what": name,
                "wall_s_per_audio_s": per[0],
                "cpu_s_per_audio_s": per[1],
                "wall_of_forward": per[0] / forward[0],
                "cpu_of_forward": per[1] / forward[1],
            }
        )
    return rows


def precision_cost():
    """Compare single with double precision products, in turn, on the same frames."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20_000, 768)).astype(np.float32), rng.normal(size=(20_000, 15))
    columns, spent = tuple(f"y{i}" for i in range(15)), {"float64": [], "float32": []}
    for _ in range(5):
        for precision, times in spent.items():
            accumulator = MomentAccumulator(768, columns, np.zeros(768), precision=precision)
            _, wall, _ = timed(lambda a=accumulator: (a.add(x, y), a.moments()))
            times.append(wall)
    ratio = float(np.median(np.array(spent["float32"]) / np.array(spent["float64"])))
    return [
        {
            "what": "moments, float32 / float64",
            "wall_ratio": ratio,
            "frames_per_s_float64": 20_000 / float(np.median(spent["float64"])),
        }
    ]


def memory():
    """Measure what the accumulators of 13 layers of 768 dimensions, two masks, take."""
    script = (
        "import psutil, numpy as np\n"
        "from otoscope.probes.moments import MomentAccumulator\n"
        "import scipy.linalg.blas\n"
        "x, y = np.ones((5000, 768), np.float32), np.ones((5000, 15))\n"
        "before = psutil.Process().memory_info().rss\n"
        "kept = [MomentAccumulator(768, [f'y{i}' for i in range(15)], np.zeros(768)) for _ in range(26)]\n"
        "for a in kept: a.add(x, y)\n"
        "print((psutil.Process().memory_info().rss - before) / 2**20)\n"
    )
    grown = float(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)
    return [{"what": "26 accumulators (13 layers x 2 masks, 768 + 15)", "mb": grown}]


def start_up(runs=7):
    """Time `otoscope --help` and an empty Python, in turn."""
    program = Path(sys.executable).with_name("otoscope")
    spent = {"otoscope --help": [], "python -c pass": []}
    for _ in range(runs):
        for name, command in (
            ("otoscope --help", [str(program), "--help"]),
            ("python -c pass", [sys.executable, "-c", "pass"]),
        ):
            _, wall, _ = timed(lambda c=command: subprocess.run(c, capture_output=True, check=True))
            spent[name].append(wall)
    return [{"what": name, "wall_s_median": float(np.median(times))} for name, times in spent.items()]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=48, help="of ten seconds each; a multiple of 6")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    with tempfile.TemporaryDirectory() as folder:
        rows = start_up() + pitch_cost(arguments.clips, Path(folder)) + precision_cost() + memory()
    rows.append(
        {"what": "peak memory of this process", "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
    )
    about = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    if arguments.json:
        print(json.dumps({"about": about, "rows": rows}, indent=1))
        return
    print(about)
    for row in rows:
        print("  ".join(f"{k} {v:.4g}" if isinstance(v, float) else str(v) for k, v in row.items()))


if __name__ == "__main__":
    main()

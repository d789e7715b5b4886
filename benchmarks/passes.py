"""`python -m benchmarks.passes [ratio | memory] [--device cpu]`: what a pass costs beside the bare network.

ratio: the same clips through the bare network and through the train pass of a run (labels cached, states added up to
the cells of all layers), in turn, in one process. memory: resident memory of a run over 100 and over 1,000 clips.
The checkpoint is of the size of HuBERT-base with random weights: its cost is real, its states are not.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from otoscope.corpora.base import Clip, Corpus
from otoscope.f0.labels import LabelCache
from otoscope.f0.registry import open_tracker
from otoscope.representations.registry import open_model
from otoscope.studies.pitch.cells import accumulate
from otoscope.studies.pitch.plan import make_plan
from otoscope.studies.pitch.reader import ClipReader
from otoscope.studies.pitch.settings import PitchSettings
from otoscope.testing.signals import speechlike

SHARD = 64


class Speechlike:
    """Speech-like sound, one of sixteen, so that making it costs little."""

    kept: dict[tuple[int, float], object] = {}  # noqa: RUF012

    def __init__(self, duration_s):
        self.duration_s_wanted = duration_s

    def read(self, clip_id, *, sample_rate):
        seed = int(clip_id.rpartition("-")[2]) % 16
        key = (seed, self.duration_s_wanted)
        if key not in self.kept:
            self.kept[key] = speechlike(seed, duration_s=self.duration_s_wanted)[0]
        made = self.kept[key]
        return type(made)(made.samples, made.sample_rate, clip_id)

    def describe(self):
        return "speechlike"

    def stamp(self):
        return "speechlike"


def corpus(n_clips, duration_s):
    clips = [
        Clip(f"clip-{i}", Speechlike(duration_s), "en_us", {"sentence": f"s{i}"}, "test" if i % 20 == 0 else "train")
        for i in range(n_clips)
    ]
    return Corpus("speechlike", tuple(clips), "none", "none")


def checkpoint(folder):
    import torch
    from transformers import HubertConfig, HubertModel, Wav2Vec2FeatureExtractor

    torch.manual_seed(0)
    HubertModel(HubertConfig()).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=False, return_attention_mask=False).save_pretrained(folder)
    return folder


def bare_forward(folder, device):
    """Give a function that runs the library's own network, nothing around it."""
    import torch
    from transformers import HubertModel

    network = HubertModel.from_pretrained(folder).eval().to(device)

    def run(samples):
        with torch.no_grad():
            network(torch.from_numpy(np.array(samples))[None].to(device))
        if device != "cpu":
            torch.cuda.synchronize()

    return run


def ratio(folder, *, device, n_clips, duration_s, rounds):
    """Time a shard through the bare network and through the pass, in turn."""
    import torch

    if device != "cpu":
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
    settings = PitchSettings(shard_clips=SHARD)
    plan = make_plan(corpus(n_clips, duration_s), settings)
    model = open_model(str(checkpoint(folder / "ckpt")), device=device)
    bare = bare_forward(folder / "ckpt", device)
    labels, tracker = LabelCache(folder / "labels"), open_tracker("kaldi")
    shards = plan.of("en_us", "train")
    shifts = {layer.index: np.zeros(layer.dim) for layer in model.info.layers}
    audio_s = duration_s * sum(len(shard.clips) for shard in shards)
    spent = {"bare": [], "pass": []}

    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"), ClipReader(plan, settings, tracker, labels) as reader:
        for round_ in range(rounds + 1):  # the first one warms up, and finds the labels
            began = time.perf_counter()
            for shard in shards:
                for clip in shard.clips:
                    bare(clip.read(sample_rate=16_000).samples)
            middle = time.perf_counter()
            reader.follow(shards)
            for shard in shards:
                accumulate(shard, model, shifts, reader, plan, settings)
                reader.forget(shard)
            end = time.perf_counter()
            if round_:
                spent["bare"].append(middle - began)
                spent["pass"].append(end - middle)
    each = np.array(spent["pass"]) / np.array(spent["bare"])
    return {
        "what": f"train pass over bare forward, {device}",
        "ratio_median": float(np.median(each)),
        "ratios": [round(float(r), 3) for r in each],
        "bare_s_per_audio_s": float(np.median(spent["bare"])) / audio_s,
        "pass_s_per_audio_s": float(np.median(spent["pass"])) / audio_s,
        "clips": sum(len(shard.clips) for shard in shards),
        "clip_s": duration_s,
        "torch_threads": torch.get_num_threads(),
    }


def memory_of(folder, *, device, n_clips, duration_s):
    """Run a whole study in a process of its own, and give its resident memory as it goes."""
    script = (
        "import json, sys, threading, time, psutil\n"
        "from pathlib import Path\n"
        "from benchmarks.passes import corpus\n"
        "from otoscope.f0.labels import LabelCache\n"
        "from otoscope.studies.pitch.run import run_pitch\n"
        "from otoscope.studies.pitch.settings import PitchSettings\n"
        "folder, n, seconds, device = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]\n"
        "peak, me = [0], psutil.Process()\n"
        "def watch():\n"
        "    while True:\n"
        "        peak[0] = max(peak[0], me.memory_info().rss)\n"
        "        time.sleep(0.05)\n"
        "threading.Thread(target=watch, daemon=True).start()\n"
        "run_pitch(corpus(n, seconds), [str(folder / 'ckpt')], folder / f'run{n}', PitchSettings(shard_clips=16),\n"
        "          labels=LabelCache(folder / 'labels'), devices=[device])\n"
        "print(json.dumps(peak[0] / 2**20))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder), str(n_clips), str(duration_s), device],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.splitlines()[-1])


def memory(folder, *, device, duration_s):
    checkpoint(folder / "ckpt")
    peaks = {n: memory_of(folder, device=device, n_clips=n, duration_s=duration_s) for n in (100, 1000)}
    return {
        "what": "peak resident memory, MB",
        **{str(n): mb for n, mb in peaks.items()},
        "grown": peaks[1000] / peaks[100] - 1,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", default=["ratio", "memory"], choices=["ratio", "memory", []])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--clips", type=int, default=68)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    about = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    print(json.dumps(about))
    for what in arguments.what:
        with tempfile.TemporaryDirectory() as folder:
            if what == "ratio":
                found = ratio(
                    Path(folder),
                    device=arguments.device,
                    n_clips=arguments.clips,
                    duration_s=arguments.seconds,
                    rounds=arguments.rounds,
                )
            else:
                found = memory(Path(folder), device=arguments.device, duration_s=2.0)
        print(json.dumps(found))


if __name__ == "__main__":
    main()

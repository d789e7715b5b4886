"""`python -m benchmarks.yaapt speed|memory|first-use|folder [--folder F] [--json]`: our YAAPT beside AMFM_decompy.

speed: CPU time on the same clips, tracker after tracker in one process, one thread, repeated; ratios of medians.
memory: what a process grows by while it tracks a minute, ten and thirty minutes, and how long that takes.
folder: `otoscope f0 track` on 1,000 utterances, by one process and by two, each with an empty cache of labels.
first-use: a process that tracks its first second of sound, with numba's cache empty and with it filled.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import contextlib
import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

RATE = 16_000
REPEATS = 5
LENGTHS = {"25/20": (25.0, 20.0), "35/10": (35.0, 10.0)}
MINUTES = (1, 10, 30)
UTTERANCES = 1000
GROW = """
import resource, sys, time
import numpy as np
from otoscope.audio import Waveform
from otoscope.f0.registry import open_tracker
from otoscope.testing.signals import speechlike
spec, minutes = sys.argv[1], int(sys.argv[2])
one = speechlike(0, duration_s=10.0)[0].samples
tracker = open_tracker(spec)
tracker.track(Waveform(one.copy(), 16000, "warm"))
waveform = Waveform(np.tile(one, 6 * minutes), 16000, "long")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
cpu = time.process_time()
tracker.track(waveform)
cpu = time.process_time() - cpu
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(grown / 1024 / waveform.duration_s, cpu)
"""
FIRST = """
import time
start = time.perf_counter(), time.process_time()
from otoscope.f0.registry import open_tracker
from otoscope.testing.signals import tone
open_tracker("yaapt").track(tone(150.0))
print(time.perf_counter() - start[0], time.process_time() - start[1])
"""


def waveforms(folder):
    from otoscope.audio import read_audio
    from otoscope.testing.voices import voice_set

    if folder is None:
        return [answer.waveform for answer in voice_set(range(15))]
    paths = sorted(path for path in Path(folder).rglob("*") if path.suffix in {".flac", ".wav"})
    return [read_audio(path, sample_rate=RATE) for path in paths]


def amfm(waveform, frame_length_ms, hop_ms):
    from amfm_decompy import basic_tools, pYAAPT

    with warnings.catch_warnings(), np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        signal = basic_tools.SignalObj(waveform.samples.astype(np.float64), RATE)
        return pYAAPT.yaapt(signal, frame_length=frame_length_ms, frame_space=hop_ms).samp_values


def speed(folder):
    from otoscope.f0.yaapt import YaaptTracker
    from otoscope.f0.yaapt_compat import YaaptCompatTracker

    clips = waveforms(folder)
    runs = {}
    for name, (frame, hop) in LENGTHS.items():
        compat = YaaptCompatTracker(frame_length_ms=frame, hop_ms=hop)
        runs[f"AMFM_decompy {name}"] = lambda clip, frame=frame, hop=hop: amfm(clip, frame, hop)
        runs[f"yaapt-compat {name}"] = compat.track
    for hop in (20.0, 10.0):
        runs[f"yaapt 25/{hop:g}"] = YaaptTracker(hop_ms=hop).track
    spent = {name: [] for name in runs}
    for run in runs.values():
        run(clips[0])
    for _ in range(REPEATS):
        total = dict.fromkeys(runs, 0.0)
        for clip in clips:
            for name, run in runs.items():
                start = time.process_time()
                run(clip)
                total[name] += time.process_time() - start
        for name, each in total.items():
            spent[name].append(each)
    audio_s = sum(clip.duration_s for clip in clips)
    medians = {name: statistics.median(each) for name, each in spent.items()}
    rows = []
    for name, median in medians.items():
        row = {"what": name, "cpu_ms_per_audio_s": 1000 * median / audio_s}
        for length in LENGTHS:
            theirs = spent[f"AMFM_decompy {length}"]
            ratios = [one / other for one, other in zip(theirs, spent[name], strict=True)]
            row[f"times AMFM {length}"] = medians[f"AMFM_decompy {length}"] / median
            row[f"range {length}"] = f"{min(ratios):.1f}-{max(ratios):.1f}"
        rows.append(row)
    return rows


def _run(program, *words, **environment):
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        env={**os.environ, **environment}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [float(word) for word in done.stdout.split()]


def memory(folder):
    del folder
    rows = []
    for spec in ("yaapt", "yaapt-compat", "yaapt-compat:frame_length_ms=35,hop_ms=10"):
        for minutes in MINUTES:
            grown, cpu = _run(GROW, spec, str(minutes))
            rows.append({"what": spec, "minutes": minutes, "mb_per_audio_s": grown, "cpu_s": cpu})
    return rows


def first_use(folder):
    del folder
    with tempfile.TemporaryDirectory() as cache:
        cold = _run(FIRST, NUMBA_CACHE_DIR=cache)
        kept = sum(path.stat().st_size for path in Path(cache).rglob("*") if path.is_file())
        cached = _run(FIRST, NUMBA_CACHE_DIR=cache)
    return [
        {"what": "nothing compiled", "wall_s": cold[0], "cpu_s": cold[1], "cache_mb": kept / 2**20},
        {"what": "compiled before", "wall_s": cached[0], "cpu_s": cached[1], "cache_mb": kept / 2**20},
    ]


def folder_of_a_thousand(folder):
    import soundfile

    clips = waveforms(folder)
    rows = []
    with tempfile.TemporaryDirectory() as place:
        sounds = Path(place) / "sounds"
        sounds.mkdir()
        for i in range(UTTERANCES):  # each of its own level, so that no label is found in the cache
            clip = clips[i % len(clips)]
            soundfile.write(sounds / f"{i:04d}.wav", clip.samples * (1 - i / (2 * UTTERANCES)), RATE, subtype="FLOAT")
        audio_s = sum(clips[i % len(clips)].duration_s for i in range(UTTERANCES))
        for processes in (1, 2):
            command = ["f0", "track", str(sounds), "--out", str(Path(place) / "f0"), "--processes", str(processes)]
            start = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "otoscope.cli.main", *command],
                env={**os.environ, "OTOSCOPE_CACHE": str(Path(place) / f"cache{processes}")}, check=True,
                stdout=subprocess.DEVNULL,
            )  # fmt: skip
            rows.append(
                {"what": f"{UTTERANCES} utterances", "processes": processes, "audio_s": audio_s,
                 "wall_s": time.perf_counter() - start}
            )  # fmt: skip
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "memory", "first-use", "folder"])
    parser.add_argument("--folder", help="of FLAC and WAV files; synthetic voices without it (speed, folder)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    parts = {"speed": speed, "memory": memory, "first-use": first_use, "folder": folder_of_a_thousand}
    rows = parts[arguments.what](arguments.folder)
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        print("  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()))


if __name__ == "__main__":
    main()

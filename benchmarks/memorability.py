"""`python -m benchmarks.memorability [--clips N] [--json]`: features by group, and cross-validation on top of them.

Clips are synthetic music of five seconds. Features are timed in one process on one core, group by group in turn on
the same clips, beside two sets of other packages; cross-validation uses the cores of the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from otoscope.audio import shift_pitch
from otoscope.evaluation.folds import repeated_folds
from otoscope.features.registry import open_groups
from otoscope.features.sound import Sound
from otoscope.predictors.registry import open_predictor
from otoscope.studies.memorability.fitting import Dataset, Task, fit_all
from otoscope.studies.memorability.views import ClipViews
from otoscope.testing.music import draw_plan, play
from otoscope.testing.tables import TableViews

SHARED = ("levelled", "power", "mel_power", "mel_db", "frame_rms_db", "onset_strength")
SHIFTS = (-2.0, -1.0, 1.0, 2.0)


def librosa_wide(samples, rate):
    """Compute what a wide set of librosa features costs: the usual ones, mean and deviation over time."""
    import librosa

    f = librosa.feature
    harmonic, percussive = librosa.effects.hpss(samples)
    parts = [
        f.chroma_cqt(y=samples, sr=rate),
        f.tonnetz(y=samples, sr=rate),
        f.mfcc(y=samples, sr=rate, n_mfcc=20),
        f.spectral_centroid(y=samples, sr=rate),
        f.spectral_bandwidth(y=samples, sr=rate),
        f.spectral_rolloff(y=samples, sr=rate),
        f.spectral_flatness(y=samples),
        f.zero_crossing_rate(samples),
        f.spectral_contrast(y=samples, sr=rate),
        f.rms(y=samples),
        f.rms(y=harmonic),
        f.rms(y=percussive),
    ]
    f.tempo(y=samples, sr=rate)
    return np.concatenate([np.concatenate([part.mean(axis=1), part.std(axis=1)]) for part in parts])


def opensmile_egemaps(samples, rate, made=[]):  # noqa: B006 (made once)
    import opensmile

    if not made:
        made.append(
            opensmile.Smile(
                feature_set=opensmile.FeatureSet.eGeMAPSv02, feature_level=opensmile.FeatureLevel.Functionals
            )
        )
    return made[0].process_signal(samples, rate)


def feature_cost(n_clips):
    """Time every group on one core, in processor seconds per clip of five seconds."""
    import threadpoolctl

    groups = open_groups("default")
    spent: dict[str, list[float]] = {}

    def note(name, function):
        began = time.process_time()
        result = function()
        spent.setdefault(name, []).append(time.process_time() - began)
        return result

    others = {"librosa, a wide set": librosa_wide, "openSMILE, eGeMAPSv02": opensmile_egemaps}
    with threadpoolctl.threadpool_limits(1):
        for index in range(n_clips + 2):
            waveform = play(draw_plan(0, index))
            if index == 2:
                spent.clear()  # the first two warm caches and compilers
            sound = Sound(waveform)
            note("shared spectra", lambda s=sound: [getattr(s, name) for name in SHARED])
            for group in groups:
                note(group.name, lambda g=group, s=sound: g.compute(s))
            note("pitch shift (a copy)", lambda w=waveform: shift_pitch(w, 2.0))
            for name, function in list(others.items()):
                try:
                    note(name, lambda f=function, w=waveform: f(np.array(w.samples), w.sample_rate))
                except ImportError:
                    others.pop(name)
    cost = {name: float(np.mean(values)) for name, values in spent.items()}
    own = {name: cost[name] for name in ("shared spectra", *(group.name for group in groups)) if name != "notes"}
    total = sum(own.values())
    rows = [
        {"what": name, "cpu_s_per_clip": value, "share_of_default": value / total if name in own else None}
        for name, value in cost.items()
    ]
    return [*rows, {"what": "default features, notes apart", "cpu_s_per_clip": total, "share_of_default": 1.0}]


def extraction(n_clips, processes):
    """Time describing a folder with all cores and with one; the cache is empty each time."""
    import soundfile

    groups = open_groups("default")
    with TemporaryDirectory() as name:
        folder = Path(name)
        paths = {}
        for index in range(n_clips):
            paths[f"c{index}"] = folder / f"c{index}.wav"
            waveform = play(draw_plan(1, index))
            soundfile.write(paths[f"c{index}"], waveform.samples, waveform.sample_rate)
        rows = []
        for n in (1, processes):
            os.environ["OTOSCOPE_CACHE"] = str(folder / f"cache{n}")
            began = time.perf_counter()
            ClipViews(paths, groups).prepare(paths, processes=n)
            rows.append(
                {"what": f"{n_clips} clips described by {n} process(es)", "wall_s": time.perf_counter() - began}
            )
        return rows


def cross_validation(processes, *, tracks=235, dims=250, folds=10, repeats=5):
    """Time a tuned SVR on rows with four shifted copies: features as tables, as they come from the cache."""
    rng = np.random.default_rng(0)
    ids = tuple(f"{i:04d}" for i in range(tracks))
    x = rng.normal(size=(tracks, dims))
    y = 0.2 * x[:, :10].sum(axis=1) + rng.normal(size=tracks)
    columns = [f"g{j % 12}.f{j}" for j in range(dims)]
    copies = {shift: x + 0.3 * rng.normal(size=x.shape) for shift in SHIFTS}
    rows_of = {clip: x[i : i + 1] for i, clip in enumerate(ids)}
    copies_of = {(clip, shift): table[i : i + 1] for shift, table in copies.items() for i, clip in enumerate(ids)}
    views = TableViews(tuple(columns), rows_of, copies_of)
    data = Dataset(ids, ids, ids, y, None)
    made = repeated_folds(ids, ids, folds=folds, repeats=repeats, seed=0)
    rows = []
    for spec in ("svr", "ridge", "mlp", "fusion"):
        tasks = [Task(spec, open_predictor(spec, shifts=SHIFTS, seed=0), fold) for fold in made]
        began = time.perf_counter()
        fit_all(tasks, data, views, processes=processes)
        rows.append(
            {
                "what": f"{spec}: {tracks} clips x {1 + len(SHIFTS)} copies x {dims} features, "
                f"{folds} folds x {repeats} repeats, {processes} processes",
                "wall_s": time.perf_counter() - began,
            }
        )
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    rows = [
        *feature_cost(asked.clips),
        *extraction(asked.clips, asked.processes),
        *cross_validation(asked.processes),
    ]
    if asked.json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        shown = "   ".join(
            f"{key} {value:.4f}" for key, value in row.items() if isinstance(value, float) and value is not None
        )
        print(f"{row['what']:90s} {shown}")


if __name__ == "__main__":
    main()

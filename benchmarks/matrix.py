"""`python -m benchmarks.matrix [--languages N] [--layers N] [--dim N] [--json]`: the answer at the size of FLEURS.

Writes a finished run whose cells, probes and sums are drawn, not measured (102 languages, 13 layers and 768
dimensions take 12 GB under build/), and times the matrix of languages and the whole table on it. What was written is
removed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from otoscope.corpora.languages import languages
from otoscope.evaluation.scores import SUMS
from otoscope.probes.moments import Moments
from otoscope.probes.solving import FittedProbe
from otoscope.store import read_table, slug, write_json, write_table
from otoscope.studies.pitch.cells import CellKey, Cells, write_cells
from otoscope.studies.pitch.plan import MATRIX_BLOCKS, plan_token
from otoscope.studies.pitch.score import COLUMNS
from otoscope.studies.pitch.solve import ROLES, LayerProbes, ProbeSet, write_probes
from otoscope.studies.pitch.targets import CONTROLS, DOMAINS, columns_of, domain_columns

MODEL = "drawn"
COPY = f"untrained:{MODEL}#0"
N_UTTERANCES, N_SENTENCES = 350, 350
FRAMES = {"voiced": 60_000, "unvoiced": 100_000}
RANK = 16
LEVEL, SPREAD = 7.3, 0.35  # of log2 F0


def drawn_sums(rng, shape, per_cell):
    """Draw sums that some frames could have: within and between utterances, truth and prediction."""
    n = rng.integers(per_cell // 2, 2 * per_cell, size=shape).astype(np.float64)
    y = LEVEL + SPREAD * rng.normal(size=shape)
    p = y + 0.3 * SPREAD * rng.normal(size=shape)
    cyy, cpp = n * SPREAD**2 * rng.uniform(0.5, 1.5, size=shape), n * SPREAD**2 * rng.uniform(0.2, 1.0, size=shape)
    cyp = rng.uniform(0.3, 0.9, size=shape) * np.sqrt(cyy * cpp)
    said = {
        "n": n,
        "y": n * y,
        "p": n * p,
        "cyy": cyy,
        "cpp": cpp,
        "cyp": cyp,
        "yy": cyy + n * y**2,
        "pp": cpp + n * p**2,
        "yp": cyp + n * y * p,
        "gross": np.floor(0.1 * n),
        "cents": 120 * n,
        "hit": np.floor(0.5 * n),
        "false": np.floor(0.1 * n),
        "miss": np.floor(0.08 * n),
    }
    return np.stack([said[name] for name in SUMS], axis=-1)


def drawn_moments(rng, loadings, maps, columns, n):
    """Give the sums of n frames whose states have a few strong directions, and whose targets are linear in them."""
    dim = loadings.shape[0]
    own = loadings + 0.2 * rng.normal(size=loadings.shape)
    cxx = own @ own.T + 0.3 * np.eye(dim)
    w = maps[:, : len(columns)]
    cxy = cxx @ w
    mean = np.concatenate([[1.0], 0.3 * rng.normal(size=dim), LEVEL + 0.2 * rng.normal(size=len(columns))])
    full = np.outer(mean, mean)
    full[1 : 1 + dim, 1 : 1 + dim] += cxx
    full[1 : 1 + dim, 1 + dim :] += cxy
    full[1 + dim :, 1 + dim :] += w.T @ cxy + 0.05 * np.eye(len(columns))
    return Moments(dim, columns, np.zeros(dim), n * full[np.triu_indices(full.shape[0])])


def drawn_probes(rng, maps, codes):
    """Give the probes of every train set, each a little off the true map."""
    dim = maps.shape[0]
    names = [f"{kind}:{code}" for kind in ("lang", "lolo", "region", "tone") for code in codes]
    sets = {}
    for name in (*names, "pool"):
        for domain in DOMAINS:
            columns = domain_columns(domain)
            at = [columns_of("voiced").index(column) for column in columns]
            weights = maps[:, at] * rng.uniform(0.6, 1.1) + 0.002 * rng.normal(size=(dim, len(columns)))
            level = np.full(len(columns), LEVEL)
            probe = FittedProbe(columns, np.zeros(dim), weights, level, level, np.full(len(columns), 0.1), dim, 1e5)
            sets[name, domain] = ProbeSet(probe, 100_000, 1_500, None)
    return LayerProbes(np.zeros(dim), sets)


def write_run(folder, codes, n_layers, dim, *, copy):
    """Write a finished run of one model; its untrained copy is the same files under another name."""
    rng = np.random.default_rng(0)
    table = languages()
    layers = [{"index": i, "name": f"block {i}"} for i in range(n_layers)]
    models = {MODEL: {"kind": "model", "twin": None, "layers": layers}}
    if copy:
        models[COPY] = {"kind": "untrained", "twin": MODEL, "layers": layers}
    about = {
        "schema": 1,
        "settings": {"seed": 0, "n_resamples": 1000},
        "models": models,
        "notes": [],
        "tested": codes,
        "sources": codes,
        "languages": dict.fromkeys(codes, "drawn"),
        "versions": {},
        "regions": {code: table[code].region for code in codes},
        "tone_types": {code: table[code].tone_type for code in codes},
        "heard": {MODEL: codes[:1]},
    }
    clips = []
    loadings = [rng.normal(size=(dim, RANK)) for _ in layers]
    maps = [0.02 * rng.normal(size=(dim, len(columns_of("voiced")))) for _ in layers]
    for code in codes:
        cells, extra = Cells(clips=[f"{code}/{i}" for i in range(N_UTTERANCES)]), {}
        cells.sound = {clip: f"{rng.integers(2**62):064x}" for clip in cells.clips}
        clips += [{"clip": c, "cluster": f"s{rng.integers(N_SENTENCES)}", "language": code} for c in cells.clips]
        for i in range(n_layers):
            for mask, n in FRAMES.items():
                made = drawn_moments(rng, loadings[i], maps[i], columns_of(mask), n)
                cells.moments[CellKey(i, mask, -1, CONTROLS)] = made
            extra[f"rows.{i}"] = drawn_sums(rng, (N_UTTERANCES, len(ROLES), len(COLUMNS)), 200)
            extra[f"blocks.{i}"] = drawn_sums(rng, (MATRIX_BLOCKS, len(codes)), 2_000)
        write_cells(folder / "test" / slug(MODEL) / f"{code}.test.safetensors", cells, {}, extra)
    for i in range(n_layers):
        write_probes(folder / "probes" / slug(MODEL) / f"{i}.safetensors", drawn_probes(rng, maps[i], codes), {})
    if copy:
        for room in ("test", "probes"):
            shutil.copytree(folder / room / slug(MODEL), folder / room / slug(COPY), copy_function=os.link)
    write_table(folder / "clips.parquet", clips)
    write_json(folder / "failures.json", [])
    write_json(
        folder / "done.json", {name: {"plan": plan_token(about), "probes": "", "sound": ""} for name in models}
    )
    write_json(folder / "run.json", about)


def once(folder, what):
    """Time one question in this process, and say what memory it took at most."""
    from otoscope.studies.pitch.answer import write_answer
    from otoscope.studies.pitch.matrix import matrix_rows

    start, cpu = time.perf_counter(), time.process_time()
    if what == "answer":
        write_answer(folder)
        n_rows = len(read_table(folder / "table.parquet"))
    else:
        n_rows = len(matrix_rows(folder, metric="r2" if what == "matrix, r2" else None, models=[MODEL]))
    spent = {"wall_s": time.perf_counter() - start, "cpu_s": time.process_time() - cpu}
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"what": what, "n_rows": n_rows, **spent, "peak_mb": peak_mb}))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--languages", type=int, default=102, help="at most 102")
    parser.add_argument("--layers", type=int, default=13)
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--copy", action="store_true", help="with an untrained copy, so that layers are compared")
    parser.add_argument("--out", type=Path, default=Path("build/matrix-benchmark"))
    parser.add_argument("--keep", action="store_true", help="leave the run, and use it where it is there")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        once(arguments.out, arguments.only)
        return
    rows = []
    try:
        if not (arguments.out / "run.json").exists():
            start = time.perf_counter()
            codes = sorted(languages())[: arguments.languages]
            write_run(arguments.out, codes, arguments.layers, arguments.dim, copy=arguments.copy)
            sizes = {path.stat().st_ino: path.stat().st_size for path in arguments.out.rglob("*") if path.is_file()}
            spent = time.perf_counter() - start
            rows.append({"what": "writing", "wall_s": spent, "gb": sum(sizes.values()) / 1e9})
        for what in ("matrix, r2", "matrix, all metrics", "answer"):
            command = [sys.executable, "-m", "benchmarks.matrix", "--out", str(arguments.out), "--only", what]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            rows.append(json.loads(done.stdout))
    finally:
        if not arguments.keep:
            shutil.rmtree(arguments.out, ignore_errors=True)
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    about = {"python": platform.python_version(), "cores": os.cpu_count(), "threads": threads}
    if arguments.json:
        print(json.dumps({"about": about, "rows": rows}, indent=1))
        return
    print(about)
    for row in rows:
        print("  ".join(f"{k} {v:.4g}" if isinstance(v, float) else str(v) for k, v in row.items()))


if __name__ == "__main__":
    main()

"""How large the files of a run are, and how much memory it holds, from the shapes of what it adds up.

Sizes of files are exact where they follow from shapes: cells, rows and block sums of test clips, probes and shift
vectors. What is not known beforehand is whether a language has clips with fewer than ten voiced frames; their frames
are cells of their own (:data:`SPARSE`), counted apart.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterator, Mapping, Sequence

from otoscope.evaluation.scores import SUMS
from otoscope.probes.moments import BLOCK_ROWS
from otoscope.studies.pitch.ceiling import CEILINGS
from otoscope.studies.pitch.plan import LAMBDA_BLOCKS, MATRIX_BLOCKS, MIN_GROUPS
from otoscope.studies.pitch.score import COLUMNS, DISPUTED_COLUMNS
from otoscope.studies.pitch.shapes import CHANNELS, STRIDES, ModelShape
from otoscope.studies.pitch.solve import ROLES
from otoscope.studies.pitch.targets import (
    AGREED,
    CONTROLS,
    DISPUTED,
    DOMAINS,
    Mask,
    columns_of,
    domain_columns,
)
from otoscope.studies.pitch.workload import Load, ShardLoad, Workload
from otoscope.studies.provenance import versions

__all__ = [
    "SPARSE",
    "USUAL",
    "USUAL_AGREED",
    "cell_bytes",
    "pass_memory",
    "probe_bytes",
    "safetensors_bytes",
    "shift_bytes",
    "solve_memory",
    "train_sets",
]

USUAL: tuple[Mask, ...] = ("voiced", "unvoiced")
USUAL_AGREED: tuple[Mask, ...] = (AGREED, DISPUTED, "unvoiced")
"""The same, where other trackers are asked whether they agree."""
SPARSE: Mask = "voiced-sparse"
FLOAT = 8  # bytes
DIGEST = "0" * 64
PROGRAM_BYTES = 450_000_000  # Python with torch, scipy and soundfile
_FRONT_END_LIVE = 3  # states of its first and largest layer that are in memory at once


def safetensors_bytes(shapes: Mapping[str, Sequence[int]], about_bytes: int) -> int:
    """Give the size of a file of float64 arrays.

    Parameters
    ----------
    shapes : mapping of str to sequence of int
        Of each array.
    about_bytes : int
        Of what the file says of itself, as JSON within JSON.

    Returns
    -------
    int, bytes
        Header and arrays.
    """
    header, arrays = _header_and_arrays(shapes)
    return 8 + -(-(header + about_bytes) // 8) * 8 + arrays


def _header_and_arrays(shapes: Mapping[str, Sequence[int]]) -> tuple[int, int]:
    digests = {"about": DIGEST[:16], "arrays": dict.fromkeys(shapes, DIGEST[:16])}
    at, header = 0, len('{"__metadata__":{"otoscope":""}}') + _escaped({"sha256": digests})
    for name, shape in sorted(shapes.items()):
        size = FLOAT * math.prod(shape)
        dims = ",".join(map(str, shape))
        header += len(f',"{name}":{{"dtype":"F64","shape":[{dims}],"data_offsets":[{at},{at + size}]}}'.encode())
        at += size
    return header, at


def _escaped(value: object) -> int:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return len(text.encode()) + text.count('"') + text.count("\\")


@functools.cache
def _fixed(folded: bool) -> int:
    keys = ("parts",) if folded else ("clips", "model", "probes", "settings", "shift", "tracker")
    made_of = {"schema": 1, **dict.fromkeys(keys, DIGEST)}
    return _escaped({"made_of": made_of, "clips": [], "failures": [], "sound": {}, "versions": versions()})


def _said(n_clips: int, id_bytes: int, *, folded: bool) -> int:
    """Bytes of what a file of cells says: see :func:`otoscope.studies.pitch.cells.write_cells`."""
    # An id stands twice, in quotes that are escaped; a digest of 64 digits stands beside one of them.
    return _fixed(folded) + 2 * id_bytes + n_clips * (6 + 12 + 64)


def _packed(dim: int, n_columns: int) -> int:
    p = 1 + dim + n_columns
    return p * (p + 1) // 2


@functools.lru_cache(maxsize=4096)
def _cell_arrays(
    layers: tuple[tuple[int, float], ...],
    masks: tuple[Mask, ...],
    n_blocks: int,
    controls: tuple[str, ...],
    n_rows: int | None,
    n_sources: int,
    n_others: int,
) -> tuple[int, int]:
    """Bytes of the header, without what the file says of itself, and of the arrays."""
    shapes: dict[str, tuple[int, ...]] = {}
    for i, (dim, _) in enumerate(layers):
        for mask in masks:
            for block in range(n_blocks) if n_blocks > 1 else (-1,):
                size = _packed(dim, len(columns_of(mask, controls=controls)))
                shapes[f"{i}|{mask}|{block}|{'+'.join(controls)}"] = (size,)
        if n_rows is not None:
            shapes[f"rows.{i}"] = (n_rows, len(ROLES), len(COLUMNS), len(SUMS))
            shapes[f"blocks.{i}"] = (MATRIX_BLOCKS, n_sources, len(SUMS))
            if n_others:
                shapes[f"disputed.{i}"] = (n_rows, len(ROLES), len(DISPUTED_COLUMNS), len(SUMS))
    if n_rows is not None and n_others:
        shapes["ceiling"] = (n_rows, n_others, len(CEILINGS), len(SUMS))
    return _header_and_arrays(shapes)


def _controls(n_clips: int) -> tuple[str, ...]:
    return CONTROLS if n_clips > 1 else tuple(c for c in CONTROLS if c != "swap")


def cell_bytes(
    shape: ModelShape,
    load: Load,
    *,
    shard: ShardLoad | None = None,
    masks: Sequence[Mask] = USUAL,
    n_sources: int = 0,
    n_others: int = 0,
) -> int:
    """Give the size of the file of a language and split, or of one of its shards while it is worked on.

    Parameters
    ----------
    shape : ModelShape
        Of the model.
    load : Load
        The language and split.
    shard : ShardLoad, optional
        One of its shards; the folded file without it.
    masks : sequence of str
        Which there are frames of.
    n_sources : int
        For a test split, how many languages are trained on.
    n_others : int
        Trackers that are asked whether they agree with the labels.

    Returns
    -------
    int, bytes
        Of one model.
    """
    part = load if shard is None else shard
    id_bytes = sum(s.id_bytes for s in load.shards) if shard is None else shard.id_bytes
    about = _said(part.n_clips, id_bytes, folded=shard is None)
    n_rows = part.n_clips if load.split == "test" else None
    controls = _controls(load.n_clips)
    bare = _cell_arrays(shape.layers, tuple(masks), part.n_blocks, controls, n_rows, n_sources, n_others)
    header = bare[0] + about
    return 8 + -(-header // 8) * 8 + bare[1]


def train_sets(workload: Workload) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Name every train set that will be solved, and its languages: see :mod:`otoscope.studies.pitch.solve`.

    Parameters
    ----------
    workload : Workload
        Its languages, and which of them are trained on.

    Yields
    ------
    name : str
        Such as ``lolo:en_us``.
    members : tuple of str
        Codes.
    """
    trained = workload.with_split("train")
    every = sorted(workload.regions)
    for code in trained:
        yield f"lang:{code}", (code,)
    for code in every:
        others = tuple(c for c in trained if c != code)
        if others:
            yield f"lolo:{code}", others
    for name, kind_of in (("region", workload.regions), ("tone", workload.tone_types)):
        for code in every:
            others = tuple(c for c in trained if c != code and kind_of[c] == kind_of[code])
            if others and kind_of[code] is not None:
                yield f"{name}:{code}", others
    if trained:
        yield "pool", trained


def probe_bytes(workload: Workload, dim: int) -> int:
    """Give the size of the file of one layer's probes.

    Parameters
    ----------
    workload : Workload
        Its train sets.
    dim : int
        Of the layer.

    Returns
    -------
    int, bytes
        All train sets, both domains.
    """
    lone = any(load.split == "train" and load.n_clips == 1 for load in workload.loads)
    controls = _controls(1 if lone else 2)
    shapes: dict[str, tuple[int, ...]] = {"shift": (dim,)}
    said: list[dict[str, object]] = []
    frames = {code: 0 for code in workload.regions}
    for load in workload.loads:
        if load.split == "train":
            frames[load.language] = round(50 * load.audio_s)
    sets = list(train_sets(workload))
    for domain in DOMAINS:
        columns = domain_columns(domain, controls=controls)
        for name, members in sets:
            i = len(said)
            n_frames = sum(frames[code] for code in members)
            n_groups = sum(workload.n_groups.get(code, 100) for code in members)
            shapes[f"{i}.weights"] = (dim, len(columns))
            shapes[f"{i}.row"] = (3, len(columns))
            said.append(
                {
                    "name": name,
                    "domain": domain,
                    "columns": list(columns),
                    "rank": dim,
                    "n": float(n_frames if len(members) == 1 else len(members)),
                    "n_frames": n_frames,
                    "n_groups": n_groups,
                    "flag": None if n_groups >= MIN_GROUPS else "x" * 94,
                }
            )
    made_of = {"schema": 1, **dict.fromkeys(("plan", "shards", "sound"), DIGEST)}
    return safetensors_bytes(shapes, _escaped({"made_of": made_of, "sets": said}))


def shift_bytes(shape: ModelShape) -> int:
    """Give the size of the file of a model's shift vectors.

    Parameters
    ----------
    shape : ModelShape
        Of the model.

    Returns
    -------
    int, bytes
        One vector per layer.
    """
    shapes = {str(i): (dim,) for i, (dim, _) in enumerate(shape.layers)}
    return safetensors_bytes(shapes, _escaped({"model": DIGEST}))


def pass_memory(
    shape: ModelShape, workload: Workload, *, shard_clips: int, masks: Sequence[Mask] = (*USUAL, SPARSE)
) -> dict[str, int]:
    """Say what a process holds while clips go through a model.

    Parameters
    ----------
    shape : ModelShape
        Of the model.
    workload : Workload
        Its longest clip, its blocks and its languages.
    shard_clips : int
        Clips that are held at once.
    masks : sequence of str
        Which there are frames of.

    Returns
    -------
    dict of str to int, bytes
        ``program``, ``weights``, ``activations`` of the longest clip, ``accumulators`` (sums, frames that wait to be
        added, and the packed copy at the end), ``clips`` and, in the test pass, ``rows`` of scores and ``probes``.
    """
    longest_s = max((load.longest_s for load in workload.loads), default=0.0)
    n_clips = max(sum(load.n_clips for load in workload.loads), 1)
    mean_s = workload.audio_s / n_clips
    n_blocks = max((load.n_blocks for load in workload.loads), default=1)
    sums = waiting = block = 0
    for dim, _ in shape.layers:
        for mask in masks:
            k = len(columns_of(mask))
            p = 1 + dim + k
            sums += n_blocks * (p * p + _packed(dim, k)) * FLOAT
            waiting += n_blocks * BLOCK_ROWS * (dim * 4 + k * FLOAT)
            block = max(block, BLOCK_ROWS * p * FLOAT)
    n_columns = len(domain_columns("voiced"))
    n_weights = len(ROLES) * len(COLUMNS) + n_columns * len(workload.with_split("train"))
    front = 16_000 / STRIDES[0] * CHANNELS * 4 * _FRONT_END_LIVE if shape.parameters else 0.0
    widest = max(dim * rate for dim, rate in shape.layers) * 4 * 8
    return {
        "program": PROGRAM_BYTES,
        "weights": 4 * shape.parameters,
        "activations": int(max(longest_s, shape.window_s) * (front + widest)),
        "accumulators": sums + waiting + block,
        "clips": int(2 * min(shard_clips, n_clips) * mean_s * 16_000 * 4),
        "rows": min(shard_clips, n_clips) * len(shape.layers) * len(ROLES) * len(COLUMNS) * len(SUMS) * FLOAT,
        "probes": FLOAT * n_weights * sum(dim for dim, _ in shape.layers),
    }


def solve_memory(workload: Workload, dim: int, *, masks: Sequence[Mask] = (*USUAL, SPARSE)) -> int:
    """Say what solving one layer holds: the cells of all languages, and the sums before and after each.

    Parameters
    ----------
    workload : Workload
        Its languages and blocks.
    dim : int
        Of the layer.
    masks : sequence of str
        Which there are frames of.

    Returns
    -------
    int, bytes
        Without the program itself.
    """
    cells = sum(
        load.n_blocks * sum(_packed(dim, len(columns_of(mask))) for mask in masks)
        for load in workload.loads
        if load.split != "test"
    )
    n = len(workload.with_split("train"))
    in_blocks = any(load.n_blocks > 1 for load in workload.loads)
    held = 2 * LAMBDA_BLOCKS if in_blocks else 1  # sums that lambda is fitted and judged on
    walks = 1 + (2 * LAMBDA_BLOCKS if in_blocks else 2)
    domain = _packed(dim, max(len(domain_columns(d)) for d in DOMAINS))
    return FLOAT * (cells + n * domain * (1 + held + 2 * walks) + 12 * dim**2)

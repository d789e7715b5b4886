"""States of chosen layers as files: one safetensors file per clip and layer, on the right clock.

::

    OUT/extract.json                  the model
        failures.json                 clips left out, and why
        index.csv                     which file holds which layer of which clip
        layer-06/<clip>.safetensors   `states` (n_frames, dim) float32, `times_s` (n_frames,) float64, and in the
                                      header what they are: :func:`otoscope.store.read_arrays` gives it

Every file is written whole or not at all. A file that is there, of the same model and the same sound, is kept: an
interrupted extraction goes on where it stopped, and another layer is added without the others being made again.
"""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from otoscope.audio import Waveform
from otoscope.corpora.base import Clip, Corpus, Failure
from otoscope.errors import DataError, RunConflictError, SpecError
from otoscope.representations.base import Layer, LayerInfo, Model, ModelInfo
from otoscope.representations.upstreams.model import UpstreamModel
from otoscope.store import locked, read_about, read_json, slug, write_arrays, write_json, write_text

__all__ = ["Extracted", "Extraction", "choose_layers", "extract_states", "states_path"]

SCHEMA = 1
_AHEAD = 2  # clips decoded while the model works


@dataclass(frozen=True, slots=True)
class Extracted:
    """One file of states.

    Parameters
    ----------
    clip_id : str
        The clip.
    layer : int
        Index of the layer.
    file : str
        Its path below the folder.
    n_frames, dim : int
        The shape of its states.
    duration_s : float, seconds
        Of the clip.
    """

    clip_id: str
    layer: int
    file: str
    n_frames: int
    dim: int
    duration_s: float


@dataclass(frozen=True, slots=True)
class Extraction:
    """What came of an extraction.

    Parameters
    ----------
    folder : Path
        Where everything stands.
    files : tuple of Extracted
        Of these clips and layers, those kept included.
    n_written, n_kept : int
        Files that were made, and files that were there already.
    n_replaced : int
        How many of those that were made stand where the states of another sound stood: the sound has changed, or two
        clips have one name.
    failures : tuple of Failure
        Clips that could not be used.
    """

    folder: Path
    files: tuple[Extracted, ...]
    n_written: int
    n_kept: int
    n_replaced: int
    failures: tuple[Failure, ...]


def choose_layers(words: Iterable[str], info: ModelInfo) -> tuple[LayerInfo, ...]:
    """Read which layers are wanted.

    Parameters
    ----------
    words : iterable of str
        Indices, or ``all``.
    info : ModelInfo
        Of the model.

    Returns
    -------
    tuple of LayerInfo
        In the order of the model, each once.

    Raises
    ------
    SpecError
        If the model has no such layer.
    """
    known = {str(layer.index): layer for layer in info.layers}
    wanted = {word.strip() for word in words}
    strange = sorted(wanted - {"all", *known})
    if strange or not wanted:
        got = ", ".join(strange) or "none"
        raise SpecError(f"{info.name}: layer {got}; choose from {', '.join(known)}, or all")
    return tuple(layer for index, layer in known.items() if "all" in wanted or index in wanted)


def states_path(folder: Path, clip_id: str, layer: int) -> Path:
    """Say where the states of a clip stand.

    Parameters
    ----------
    folder : Path
        Of the extraction.
    clip_id : str
        The clip.
    layer : int
        Index of the layer.

    Returns
    -------
    Path
        Different for different clips; folders in the id are folders there.

    Examples
    --------
    >>> states_path(Path("states"), "anna/one.wav", 6).as_posix()
    'states/layer-06/anna/one.wav.safetensors'
    """
    *folders, name = (_file_name(part) for part in clip_id.split("/"))
    return Path(folder, f"layer-{layer:02d}", *folders, f"{name}.safetensors")


def _file_name(part: str) -> str:
    found = slug(part)
    return f"clip{found}" if found.startswith("-") else found  # a name with a dash in front reads as an option


def extract_states(
    corpus: Corpus,
    model: Model,
    layers: Sequence[LayerInfo],
    folder: Path,
    *,
    advance: Callable[[], None] | None = None,
) -> Extraction:
    """Write the states of chosen layers of every clip.

    Sound is mixed down and brought to the model's rate. What comes after the last layer that is wanted is not
    computed, and a clip whose files are all there is not heard at all.

    Parameters
    ----------
    corpus : Corpus
        What to hear.
    model : Model
        What hears.
    layers : sequence of LayerInfo
        Of this model, in its order.
    folder : Path
        Where; made where it is missing.
    advance : callable, optional
        Called after every clip.

    Returns
    -------
    Extraction
        Also written: the index, and the failures.

    Raises
    ------
    RunConflictError
        If the folder holds states of another model, or another process works there.
    SpecError
        If the folder is a file, or the weights cannot be read.
    """
    if folder.exists() and not folder.is_dir():
        raise SpecError(f"{folder}: is a file; name a folder")
    info = model.info
    with locked(folder / "journal" / "lock"):
        _claim(folder, info)
        files: list[Extracted] = []
        failures = list(corpus.failures)
        n_kept = n_replaced = 0
        try:
            for clip, heard in _decoded(corpus.clips, info.sample_rate):
                if isinstance(heard, DataError):
                    failures.append(Failure(clip.clip_id, "audio", heard.problem))
                else:
                    try:
                        rows, kept, replaced = _extract_one(model, info, layers, heard, folder)
                        files += rows
                        n_kept += kept
                        n_replaced += replaced
                    except DataError as error:
                        failures.append(Failure(clip.clip_id, "model", error.problem))
                if advance is not None:
                    advance()
        finally:
            _write_index(folder, files)
            write_json(folder / "failures.json", [asdict(failure) for failure in failures])
    return Extraction(folder, tuple(files), len(files) - n_kept, n_kept, n_replaced, tuple(failures))


def _claim(folder: Path, info: ModelInfo) -> None:
    """Say whose states the folder holds, or see that they are this model's."""
    about = folder / "extract.json"
    if about.exists():
        held: Any = read_json(about)
        held = held if isinstance(held, dict) else {}
        if held.get("model_digest") != info.digest:
            named = held.get("model", {}).get("name", "another model")
            raise RunConflictError(
                f"{folder}: holds states of {named} (model {str(held.get('model_digest'))[:12]}), and these would be "
                f"of {info.name} (model {info.digest[:12]}); name another folder"
            )
        return
    write_json(about, {"schema": SCHEMA, "model_digest": info.digest, "model": info.describe()})


def _decoded(clips: Sequence[Clip], sample_rate: int) -> Iterator[tuple[Clip, Waveform | DataError]]:
    """Read clips, a few ahead of where they are used."""

    def read(clip: Clip) -> Waveform | DataError:
        try:
            return clip.read(sample_rate=sample_rate)
        except DataError as error:
            return error

    coming: deque[tuple[Clip, Future[Waveform | DataError]]] = deque()
    reader = ThreadPoolExecutor(1, thread_name_prefix="otoscope-reader")
    try:
        for clip in clips:
            coming.append((clip, reader.submit(read, clip)))
            if len(coming) > _AHEAD:
                first, future = coming.popleft()
                yield first, future.result()
        while coming:
            first, future = coming.popleft()
            yield first, future.result()
    finally:
        reader.shutdown(cancel_futures=True)


def _extract_one(
    model: Model, info: ModelInfo, layers: Sequence[LayerInfo], waveform: Waveform, folder: Path
) -> tuple[list[Extracted], int, int]:
    """Write what is missing of one clip; give its rows, how many files were there, and how many of another sound."""
    sound = waveform.digest()
    rows: dict[int, Extracted] = {}
    missing: dict[int, LayerInfo] = {}
    n_other = 0
    for layer in layers:
        path = states_path(folder, waveform.clip_id, layer.index)
        about = read_about(path)
        if about is not None and about.get("model_digest") == info.digest and about.get("sound_digest") == sound:
            rows[layer.index] = _row(about, path, folder)
        else:
            missing[layer.index] = layer
            n_other += about is not None
    n_kept = len(rows)
    if missing:
        for layer in _heard(model, waveform, last=max(missing)):
            if layer.info.index in missing:
                path = states_path(folder, waveform.clip_id, layer.info.index)
                about = _about(info, layer, waveform, sound)
                arrays = {"states": layer.states, "times_s": layer.info.target_times(layer.n_frames)}
                write_arrays(path, arrays, about=about)
                rows[layer.info.index] = _row(about, path, folder)
    return [rows[layer.index] for layer in layers], n_kept, n_other


def _heard(model: Model, waveform: Waveform, *, last: int) -> Iterator[Layer]:
    walk = model.layers(waveform, last=last) if isinstance(model, UpstreamModel) else model.layers(waveform)
    for layer in walk:
        yield layer
        if layer.info.index == last:
            return


def _about(info: ModelInfo, layer: Layer, waveform: Waveform, sound: str) -> dict[str, object]:
    grid = layer.info.grid
    return {
        "schema": SCHEMA,
        "clip_id": waveform.clip_id,
        "sound_digest": sound,
        "n_samples": waveform.samples.size,
        "model": info.name,
        "model_version": info.version,
        "model_digest": info.digest,
        "licence": info.licence,
        "layer": layer.info.index,
        "layer_name": layer.info.name,
        "n_frames": layer.n_frames,
        "dim": layer.info.dim,
        "sample_rate": grid.sample_rate,
        "hop": grid.hop,
        "receptive_field": grid.receptive_field,
        "start": grid.start,
        "lag": layer.info.lag,
    }


def _row(about: dict[str, Any], path: Path, folder: Path) -> Extracted:
    return Extracted(
        clip_id=str(about["clip_id"]),
        layer=int(about["layer"]),
        file=path.relative_to(folder).as_posix(),
        n_frames=int(about["n_frames"]),
        dim=int(about["dim"]),
        duration_s=int(about["n_samples"]) / int(about["sample_rate"]),
    )


def _write_index(folder: Path, files: Sequence[Extracted]) -> None:
    """Write the index of these files and of those that earlier extractions left."""
    path = folder / "index.csv"
    lines: dict[str, dict[str, object]] = {}
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            for line in csv.DictReader(file):
                if (folder / str(line.get("file"))).is_file():
                    lines[str(line["file"])] = dict(line)
    lines.update({row.file: asdict(row) for row in files})
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(Extracted.__dataclass_fields__), extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines[name] for name in sorted(lines))
    write_text(path, text.getvalue())

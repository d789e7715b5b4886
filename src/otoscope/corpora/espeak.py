"""A demo corpus that needs no download: the declaration of human rights, spoken by espeak-ng in many languages.

The speech is synthetic, so a result on it says how well the tools work and little about people. It is made so that
the test is fair all the same. A *voice* (a timbre of espeak-ng with its own pitch, range and rate) and a *sentence*
(its place in the text) each belong to one split, the same in all languages: what a probe is tested on was spoken by
voices, and says sentences, that it never saw, whichever languages it learned from.

On disk it has the layout of FLEURS, where the sentence is the `id` of a recording. Beside the tables,
``voices.tsv`` says who speaks, and ``otoscope-demo.json`` how all was made.

espeak-ng is under the GPL 3. It is no part of otoscope: the optional package `espeakng-loader` brings it, and it is
loaded at run time, in a process of its own, to make this corpus and for nothing else.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from otoscope import __version__
from otoscope.audio import Waveform, resample
from otoscope.corpora import layout
from otoscope.corpora.base import SPLITS, Clip, Corpus, Failure, Split
from otoscope.corpora.espeak_plan import SUPPORTED, Voice, readings_of, sentence_key, sentence_split, voices_of
from otoscope.corpora.files import AudioFile
from otoscope.corpora.sentences import find_package, join_phrases, phrases, read_passages
from otoscope.corpora.wording import counted, did_you_mean, some_of
from otoscope.errors import SpecError
from otoscope.store import atomic_path, read_json, write_json, write_text

__all__ = ["SUPPORTED", "Demo", "make_demo", "read_espeak"]

SCHEMA = 1
ABOUT_FILE = "otoscope-demo.json"
VOICES_FILE = "voices.tsv"
SAMPLE_RATE = 16_000  # Hz, of the files
MOST_SENTENCES = 30  # per language
LEAST_SENTENCES = 20  # of which 8 are test sentences
LENGTHS_S = ((2.4, 4.6), (2.0, 4.0), (1.6, 3.4), (1.4, 2.8))  # fmt: skip
# Least and most length of a sentence; the first pair that gives enough sentences is taken.
ENOUGH_SENTENCES = 25
REFERENCE = Voice("", "MALE", pitch=50, pitch_range=50, rate=165)  # measures the length of phrases
LICENCE = (
    "Synthetic speech. Texts: UN Universal Declaration of Human Rights, as shipped in gflanguages (Apache-2.0). "
    "Made with espeak-ng (GPL-3.0), whose licence does not extend to the sound"
)
CITATION = "espeak-ng, https://github.com/espeak-ng/espeak-ng; the sentences are by the United Nations (1948)"


@dataclass(frozen=True, slots=True)
class Demo:
    """What :func:`make_demo` gives.

    Parameters
    ----------
    folder : Path
        Where it is.
    corpus : Corpus
        Its clips.
    made : bool
        False where it was there already.
    """

    folder: Path
    corpus: Corpus
    made: bool


def make_demo(
    folder: Path,
    *,
    languages: int | Sequence[str] = 12,
    seed: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> Demo:
    """Make the demo corpus.

    Parameters
    ----------
    folder : Path
        Where; it must not be there, be empty, or hold this very corpus.
    languages : int or sequence of str
        How many of `SUPPORTED`, from its beginning, or which.
    seed : int
        Chooses the splits of voices and sentences, the pitch, range and rate of the voices, and who says what.
    progress : callable, optional
        Called after each language with how many are done, how many there are, and its code.

    Returns
    -------
    Demo
        The corpus, and whether it had to be made. Equal seeds, languages and versions give equal bytes; a language
        has the same sound whichever others are made with it.

    Raises
    ------
    SpecError
        If a language is not supported, or the folder holds something else.
    MissingExtraError
        If espeakng-loader or gflanguages is not installed.
    """
    folder = Path(folder)
    codes = _chosen(languages)
    if _is_there(folder, codes, seed):
        return Demo(folder, read_espeak(folder), made=False)
    library = _library()
    for text_id, _ in (SUPPORTED[code] for code in codes):
        read_passages(text_id)  # a missing package is said before any work
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".part-{folder.name}-") as temporary:
        building = Path(temporary) / "corpus"
        engines: set[str] = set()
        for done, code in enumerate(codes, start=1):
            engines.add(_make_language(building, code, seed, library))
            if progress is not None:
                progress(done, len(codes), code)
        write_json(building / ABOUT_FILE, _about(codes, seed, sorted(engines)))
        made = _put(building, folder, codes, seed)
    return Demo(folder, read_espeak(folder), made)


def _put(building: Path, folder: Path, codes: Sequence[str], seed: int) -> bool:
    """Give a finished corpus its name: whole, or not at all. False where another process was faster."""
    if os.name == "nt" and folder.exists():
        folder.rmdir()  # empty, as was checked; elsewhere it is replaced
    try:
        building.replace(folder)
    except OSError:
        if _is_there(folder, codes, seed):
            return False
        raise
    return True


def _chosen(languages: int | Sequence[str]) -> tuple[str, ...]:
    if isinstance(languages, int):
        if not 1 <= languages <= len(SUPPORTED):
            raise SpecError(f"make_demo: {languages} languages are wanted; from 1 to {len(SUPPORTED)} can be spoken")
        return tuple(SUPPORTED)[:languages]
    codes = (languages,) if isinstance(languages, str) else tuple(languages)
    unknown = [code for code in codes if code not in SUPPORTED]
    if unknown or not codes:
        meant = " ".join(filter(None, (did_you_mean(code, SUPPORTED) for code in unknown)))
        raise SpecError(
            f"make_demo: cannot speak {', '.join(unknown) or 'no language at all'}; "
            f"{f'{meant} Choose' if meant else 'choose'} from {some_of(tuple(SUPPORTED))}"
        )
    return tuple(code for code in SUPPORTED if code in codes)


def _is_there(folder: Path, codes: Sequence[str], seed: int) -> bool:
    """Say whether the folder holds this very corpus; refuse anything else."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    way_out = "name another folder, or remove this one"
    if not (folder / ABOUT_FILE).is_file():
        raise SpecError(f"{folder}: is there already and was not made by make_demo; {way_out}")
    about = read_json(folder / ABOUT_FILE)
    wanted = {"schema": SCHEMA, "seed": seed, "languages": list(codes)}
    for name, value in wanted.items():
        found = about.get(name) if isinstance(about, dict) else None
        if found != value:
            raise SpecError(
                f"{folder}: is a demo corpus with {name} {_said(found)}, wanted is {_said(value)}; {way_out}"
            )
    return True


def _said(value: object) -> str:
    if isinstance(value, list):
        return some_of([str(each) for each in cast("list[object]", value)])
    return "unknown" if value is None else str(value)


def _about(codes: Sequence[str], seed: int, engines: Sequence[str]) -> dict[str, object]:
    voices = voices_of(seed)
    return {
        "schema": SCHEMA,
        "seed": seed,
        "languages": list(codes),
        "versions": {
            "otoscope": __version__,
            "espeak-ng": ", ".join(engines),
            "espeakng-loader": _version("espeakng-loader"),
            "gflanguages": _version("gflanguages"),
        },
        "voices": {split: [voice.describe() for voice in voices[split]] for split in SPLITS},
        "sentences": {
            split: [sentence_key(k) for k in range(MOST_SENTENCES) if sentence_split(k, seed) == split]
            for split in SPLITS
        },
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _make_language(root: Path, code: str, seed: int, library: tuple[Path, Path]) -> str:
    """Write one language; give the version of espeak-ng."""
    text_id, espeak_name = SUPPORTED[code]
    sentences = _cut(code, read_passages(text_id), espeak_name, library)
    readings = list(readings_of(code, sentences, seed))
    spoken, version = _speak([(r.text, espeak_name, r.voice) for r in readings], library)
    rows: dict[Split, list[layout.Row]] = {split: [] for split in SPLITS}
    for reading, samples in zip(readings, spoken, strict=True):
        _write_wav(layout.audio_path(root, code, reading.split, reading.file_name), samples)
        rows[reading.split].append(
            layout.Row(
                sentence=reading.index,
                file_name=reading.file_name,
                raw_transcription=reading.text,
                transcription=layout.normalise_text(reading.text),
                n_samples=samples.size,
                gender=reading.voice.gender,
            )
        )
    for split, of_split in rows.items():
        layout.write_rows(layout.table_path(root, code, split), of_split)
    lines = (f"{reading.file_name}\t{reading.voice.name}\n" for reading in readings)
    write_text(root / "data" / code / VOICES_FILE, "".join(lines))
    return version


def _cut(code: str, passages: Sequence[str], espeak_name: str, library: tuple[Path, Path]) -> tuple[str, ...]:
    """Cut a text into sentences of the wanted length, as the reference voice speaks it."""
    pieces = phrases(passages)
    spoken, _ = _speak([(piece, espeak_name, REFERENCE) for piece in pieces], library)
    durations_s = [samples.size / SAMPLE_RATE for samples in spoken]
    best: tuple[str, ...] = ()
    for least_s, most_s in LENGTHS_S:
        sentences = join_phrases(pieces, durations_s, least_s=least_s, most_s=most_s)
        best = max(best, sentences, key=len)
        if len(best) >= ENOUGH_SENTENCES:
            break
    if len(best) < LEAST_SENTENCES:
        raise SpecError(f"{code}: the text gives {len(best)} sentences; at least {LEAST_SENTENCES} are needed")
    return best[:MOST_SENTENCES]


def _library() -> tuple[Path, Path]:
    """Find the library of espeak-ng and the folder of its data."""
    package = find_package("espeakng_loader", "espeakng-loader")
    names = {"Windows": "espeak-ng.dll", "Darwin": "libespeak-ng.dylib"}
    return package / names.get(platform.system(), "libespeak-ng.so"), package


def _speak(
    requests: Sequence[tuple[str, str, Voice]], library: tuple[Path, Path]
) -> tuple[list[NDArray[np.int16]], str]:
    """Speak sentences in a fresh process; give their samples at 16 kHz, and the version of espeak-ng."""
    job = {
        "library": str(library[0]),
        "data": str(library[1]),
        "sentences": [
            [text, f"{name}+{voice.name}" if voice.name else name, voice.rate, voice.pitch, voice.pitch_range]
            for text, name, voice in requests
        ],
    }
    script = Path(__file__).with_name("espeak_process.py")
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(script)], input=json.dumps(job).encode(), capture_output=True, check=False
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        raise SpecError(
            f"espeak-ng failed (status {done.returncode}): {said or 'it said nothing'}; "
            "install it again with: pip install --force-reinstall espeakng-loader"
        )
    head, _, body = done.stdout.partition(b"\n")
    about: dict[str, Any] = json.loads(head)
    return [_at_16_khz(samples, about["sample_rate"]) for samples in _unpack(body)], about["version"]


def _unpack(body: bytes) -> Iterator[NDArray[np.int16]]:
    at = 0
    while at < len(body):
        n_samples = int.from_bytes(body[at : at + 8], "little")
        yield np.frombuffer(body, dtype="<i2", count=n_samples, offset=at + 8)
        at += 8 + 2 * n_samples


def _at_16_khz(samples: NDArray[np.int16], sample_rate: int) -> NDArray[np.int16]:
    if samples.size == 0:
        raise SpecError("espeak-ng gave no sound for a sentence")
    full_scale = np.float32(2**15)
    waveform = Waveform(samples.astype(np.float32) / full_scale, sample_rate, "espeak-ng")
    scaled = np.rint(resample(waveform, SAMPLE_RATE).samples * full_scale)
    return np.clip(scaled, -(2**15), 2**15 - 1).astype(np.int16)


def _write_wav(path: Path, samples: NDArray[np.int16]) -> None:
    import soundfile

    with atomic_path(path) as temporary:
        soundfile.write(temporary, samples, SAMPLE_RATE, format="WAV", subtype="PCM_16")


def read_espeak(folder: Path) -> Corpus:
    """Read a demo corpus from its folder.

    Parameters
    ----------
    folder : Path
        What :func:`make_demo` made.

    Returns
    -------
    Corpus
        Clips with the group keys `sentence` and `voice` and with splits, by language, split and sentence. A line of
        a table that cannot be used, or whose file is gone, is in `failures`.

    Raises
    ------
    SpecError
        If the folder holds no demo corpus, one of a later version, or no usable clip.
    """
    folder = Path(folder)
    if not (folder / ABOUT_FILE).is_file():
        raise SpecError(
            f"{folder}: holds no demo corpus ({ABOUT_FILE} is not there); "
            f"make one with: otoscope corpus make-demo {folder}"
        )
    about = read_json(folder / ABOUT_FILE)
    schema = about.get("schema") if isinstance(about, dict) else None
    if schema != SCHEMA:
        raise SpecError(f"{folder}: has schema {schema}, this version reads {SCHEMA}; make the corpus again")
    clips: list[Clip] = []
    failures: list[Failure] = []
    for code in layout.configs(folder):
        voices = _read_voices(folder / "data" / code / VOICES_FILE)
        for split in SPLITS:
            table = layout.table_path(folder, code, split)
            if not table.is_file():
                failures.append(Failure(f"{code}/{split}.tsv", "corpus", "the table is gone; make the corpus again"))
                continue
            rows, bad = layout.read_rows(table, name=f"{code}/{split}.tsv")
            failures.extend(bad)
            for row in rows:
                clip = _clip(folder, code, split, row, voices)
                if isinstance(clip, Clip):
                    clips.append(clip)
                else:
                    failures.append(clip)
    if not clips:
        raise SpecError(f"{folder}: no clip can be used ({counted(len(failures), 'failure')}); make the corpus again")
    return Corpus(f"espeak:{folder}", tuple(clips), LICENCE, CITATION, tuple(failures))


def _clip(folder: Path, code: str, split: Split, row: layout.Row, voices: Mapping[str, str]) -> Clip | Failure:
    clip_id = f"{code}/{split}/{Path(row.file_name).stem}"
    path = layout.audio_path(folder, code, split, row.file_name)
    if not path.is_file():
        return Failure(clip_id, "corpus", f"there is no file {path}")
    if row.file_name not in voices:
        return Failure(clip_id, "corpus", f"{VOICES_FILE} does not say whose voice it is")
    return Clip(
        clip_id=clip_id,
        source=AudioFile(path, root=folder),
        language=code,
        groups={"sentence": sentence_key(row.sentence), "voice": voices[row.file_name]},
        split=split,
        gender=row.gender.lower(),
        text=row.raw_transcription,
    )


def _read_voices(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    pairs = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}

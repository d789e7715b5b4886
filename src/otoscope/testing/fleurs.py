"""Synthetic corpora in the layout of FLEURS, by every route: archives, folders, Parquet files.

The same arguments give the same recordings in every layout, byte for byte: float32 WAV at 16 kHz, one to three
readings of each sentence, the same sentences in every language. An archive also holds members that the table does not
name, as those of FLEURS do.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import Waveform
from otoscope.corpora.base import SPLITS, Split
from otoscope.corpora.layout import Gender, Row, audio_path, normalise_text, table_path, write_rows
from otoscope.errors import SpecError
from otoscope.store import atomic_path
from otoscope.testing.signals import speechlike

__all__ = ["Layout", "Reading", "fleurs_from", "speak", "write_fleurs", "write_readings"]

Layout = Literal["archives", "folders", "parquet"]
SAMPLE_RATE = 16_000  # Hz
N_UNNAMED = 2  # members of each archive that the table does not name
PARQUET_GROUP = 4  # rows
GENDERS: tuple[Gender, ...] = ("MALE", "FEMALE", "OTHER")  # in the order of their numbers
PARQUET_SPLITS: Mapping[Split, str] = {"train": "train", "dev": "validation", "test": "test"}
_WORDS = ("rain", "river", "market", "window", "stone", "garden", "letter", "morning", "bridge", "winter")


@dataclass(frozen=True, slots=True)
class Reading:
    """One recording.

    Parameters
    ----------
    language : str
        The config.
    split : {"train", "dev", "test"}
        The split.
    row : Row
        Its line of the table.
    wav : bytes
        The file.
    """

    language: str
    split: Split
    row: Row
    wav: bytes


def _seed(*parts: object) -> int:
    return int.from_bytes(hashlib.sha256(":".join(map(str, parts)).encode()).digest()[:4], "little")


def speak(seed: int, gender: Gender) -> Waveform:
    """Make a short sound that has something of speech.

    Parameters
    ----------
    seed : int
        Equal seeds give equal sounds.
    gender : {"MALE", "FEMALE", "OTHER"}
        The longer of two ranges of length is for women, so that a test can see which one was taken.

    Returns
    -------
    Waveform
        One to two seconds at 16 kHz.
    """
    base_s = 1.5 if gender == "FEMALE" else 1.0
    return speechlike(seed, duration_s=base_s + (seed % 40) / 80, sample_rate=SAMPLE_RATE)[0]


def to_wav(samples: NDArray[np.float32]) -> bytes:
    """Write samples as FLEURS does.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples,)
        At 16 kHz.

    Returns
    -------
    bytes
        A WAV file of 32-bit floats.
    """
    data = np.ascontiguousarray(samples, dtype="<f4").tobytes()
    # not by libsndfile, which writes the time of day into the header of floats
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 3, 1, SAMPLE_RATE, 4 * SAMPLE_RATE, 4, 32)
    fact = struct.pack("<4sII", b"fact", 4, samples.size)
    chunks = b"WAVE" + form + fact + struct.pack("<4sI", b"data", len(data)) + data
    return struct.pack("<4sI", b"RIFF", len(chunks)) + chunks


def readings(
    languages: Iterable[str],
    *,
    n_sentences: tuple[int, int, int],
    seed: int,
    voice: Callable[[int, Gender], Waveform],
) -> Iterator[Reading]:
    """Make the recordings, in the order of the tables.

    Parameters
    ----------
    languages : iterable of str
        The configs. A language has the same recordings whichever others there are.
    n_sentences : (int, int, int)
        Of train, dev and test; their ids are shared by all languages.
    seed : int
        Of everything.
    voice : callable
        From a seed and a gender to the sound.

    Yields
    ------
    Reading
        One to three of each sentence; both genders are in every split that has two sentences.
    """
    for code in languages:
        first = 0
        for split, n in zip(SPLITS, n_sentences, strict=True):
            turn = 0
            for sentence in range(first, first + n):
                text = " ".join(_WORDS[_seed(seed, sentence, k) % len(_WORDS)] for k in range(5)).capitalize() + "."
                for take in range(1 + _seed(seed, code, sentence, "takes") % 3):
                    number = _seed(seed, code, sentence, take)
                    gender = GENDERS[turn % 2]
                    turn += 1
                    samples = voice(number, gender).samples
                    name = f"{number:010d}{sentence:04d}{take}.wav"
                    row = Row(sentence, name, text, normalise_text(text), samples.size, gender)
                    yield Reading(code, split, row, to_wav(samples))
            first += n


def write_fleurs(
    folder: Path,
    *,
    layout: Layout = "archives",
    languages: Sequence[str] = ("en_us", "yo_ng"),
    n_sentences: tuple[int, int, int] = (6, 2, 3),
    seed: int = 0,
    voice: Callable[[int, Gender], Waveform] = speak,
) -> Path:
    """Write a synthetic corpus in the layout of FLEURS.

    Parameters
    ----------
    folder : Path
        Where; made if it is not there.
    layout : {"archives", "folders", "parquet"}
        As on the hub; with the sound unpacked; as the hub converts it.
    languages : sequence of str
        The configs.
    n_sentences : (int, int, int)
        Of train, dev and test; the same in every language, with one to three recordings of each.
    seed : int
        Of texts, sounds, and how many recordings there are.
    voice : callable
        From a seed and a gender to the sound, at 16 kHz.

    Returns
    -------
    Path
        The folder.

    Examples
    --------
    >>> import tempfile
    >>> from otoscope.corpora.fleurs import read_fleurs
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     where = write_fleurs(Path(folder), languages=["en_us"], n_sentences=(1, 1, 1))
    ...     len(read_fleurs(where).clips) >= 3
    True
    """
    return write_readings(folder, readings(languages, n_sentences=n_sentences, seed=seed, voice=voice), layout=layout)


def fleurs_from(corpus: Iterable[tuple[str, Split, Row, Waveform]], folder: Path, *, layout: Layout) -> Path:
    """Write recordings that are there already, such as those of the demo corpus, in the layout of FLEURS.

    Parameters
    ----------
    corpus : iterable of (str, Split, Row, Waveform)
        Language, split, line of the table, and sound at 16 kHz. The number of samples is taken from the sound.
    folder : Path
        Where.
    layout : {"archives", "folders", "parquet"}
        How.

    Returns
    -------
    Path
        The folder.
    """

    def converted() -> Iterator[Reading]:
        for code, split, row, waveform in corpus:
            if waveform.sample_rate != SAMPLE_RATE:
                raise SpecError(f"{row.file_name}: is at {waveform.sample_rate} Hz; {SAMPLE_RATE} Hz are needed")
            said = Row(
                row.sentence,
                row.file_name,
                row.raw_transcription,
                row.transcription,
                waveform.samples.size,
                row.gender,
            )
            yield Reading(code, split, said, to_wav(waveform.samples))

    return write_readings(folder, converted(), layout=layout)


def write_readings(folder: Path, found: Iterable[Reading], *, layout: Layout) -> Path:
    """Write recordings in the layout of FLEURS.

    Parameters
    ----------
    folder : Path
        Where.
    found : iterable of Reading
        In the order of the tables.
    layout : {"archives", "folders", "parquet"}
        How.

    Returns
    -------
    Path
        The folder.
    """
    if layout not in get_args(Layout):
        raise SpecError(f"write_fleurs: layout is {layout!r}; choose from {', '.join(get_args(Layout))}")
    parts: dict[tuple[str, Split], list[Reading]] = {}
    for reading in found:
        parts.setdefault((reading.language, reading.split), []).append(reading)
    for (code, split), part in parts.items():
        if layout == "parquet":
            write_parquet(folder / code / PARQUET_SPLITS[split] / "0000.parquet", part)
            continue
        write_rows(table_path(folder, code, split), (reading.row for reading in part))
        if layout == "archives":
            unnamed = [(f"{split}/unnamed-{k}.wav", to_wav(np.full(800, 0.1, np.float32))) for k in range(N_UNNAMED)]
            # the order of the archive is not that of the table
            members = [(f"{split}/{reading.row.file_name}", reading.wav) for reading in part]
            write_archive(
                audio_path(folder, code, split, "x").parent.with_suffix(".tar.gz"), [*unnamed, *members[::-1]]
            )
        else:
            for reading in part:
                path = audio_path(folder, code, split, reading.row.file_name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(reading.wav)
    return folder


def write_archive(path: Path, members: Iterable[tuple[str | tarfile.TarInfo, bytes]]) -> None:
    """Write a ``tar.gz`` archive; equal members give equal bytes.

    Parameters
    ----------
    path : Path
        Where.
    members : iterable of (str or TarInfo, bytes)
        Path and data of each; a TarInfo for what is no plain file.
    """
    with (
        atomic_path(path) as temporary,
        temporary.open("wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for member, data in members:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def write_parquet(path: Path, part: Sequence[Reading], *, group: int = PARQUET_GROUP) -> None:
    """Write recordings as the hub converts them.

    Parameters
    ----------
    path : Path
        Where.
    part : sequence of Reading
        Of one language and split.
    group : int
        Rows per row group.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [reading.row.file_name for reading in part]
    table = pa.table(
        {
            "id": pa.array([reading.row.sentence for reading in part], pa.int32()),
            "num_samples": pa.array([reading.row.n_samples for reading in part], pa.int32()),
            "path": pa.array([f"/cache/extracted/{names[i]}" for i in range(len(part))]),
            "audio": pa.array(
                [{"bytes": reading.wav, "path": f"{reading.split}/{reading.row.file_name}"} for reading in part],
                pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
            ),
            "transcription": pa.array([reading.row.transcription for reading in part]),
            "raw_transcription": pa.array([reading.row.raw_transcription for reading in part]),
            "gender": pa.array([GENDERS.index(reading.row.gender) for reading in part], pa.int64()),
            "lang_id": pa.array([0] * len(part), pa.int64()),
            "language": pa.array([reading.language for reading in part]),
            "lang_group_id": pa.array([0] * len(part), pa.int64()),
        }
    )
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, row_group_size=group)

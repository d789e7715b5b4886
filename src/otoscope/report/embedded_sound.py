"""Clips to be heard from within a report: re-encoded small, as data URIs."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from otoscope.errors import DataError

__all__ = ["HEARD_S", "embed_sounds"]

HEARD_S = 30.0
"""Seconds of a clip that are embedded at most."""
SOUND_RATE = 24_000  # hertz
COMPRESSION = 0.8  # 0 is the best MP3, 1 the smallest


def embed_sounds(found: Mapping[str, Sequence[Path]], tracks: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Give clips as data URIs of MP3, which every browser plays.

    Parameters
    ----------
    found : mapping of str to sequence of Path
        The files of each track, as :func:`otoscope.studies.memorability.labels.find_clips` gives them.
    tracks : sequence of str
        Which clips.

    Returns
    -------
    sounds : dict of str to str
        By track.
    silent : dict of str to str
        Why a clip cannot be heard, by track.
    """
    sounds: dict[str, str] = {}
    silent: dict[str, str] = {}
    for track in tracks:
        paths = found.get(track, ())
        if len(paths) != 1:
            silent[track] = f"there are {len(paths)} files of that name" if paths else "there is no such file"
            continue
        try:
            sounds[track] = _embedded(paths[0])
        except DataError as error:
            silent[track] = error.problem
    return sounds, silent


def _embedded(path: Path) -> str:
    import soundfile  # pyright: ignore[reportMissingTypeStubs]

    from otoscope.audio import read_audio

    waveform = read_audio(path, sample_rate=SOUND_RATE)
    held = io.BytesIO()
    try:
        soundfile.write(
            held,
            waveform.samples[: round(HEARD_S * SOUND_RATE)],
            SOUND_RATE,
            format="MP3",
            subtype="MPEG_LAYER_III",
            compression_level=COMPRESSION,
        )
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise DataError(str(path), f"cannot be written as MP3 here: {error}") from error
    return f"data:audio/mpeg;base64,{base64.b64encode(held.getvalue()).decode()}"

"""Clips made ready for the web: one loudness, one length, one format that every browser decodes.

The format is MP3 unless a study asks for another. ``decodeAudioData`` decodes it in Safari, Chrome and Firefox of
every age that has Web Audio; Ogg (Vorbis, Opus) is unknown to Safari before 18.4, and AAC cannot be written here.
Its files are five times smaller than lossless ones, and a phase of a hundred clips has to be fetched before it
begins. Its weak side is time: a browser that does not skip the coder's delay plays a silence of up to 50 ms first.
That silence is the same for all clips of a player, and clips are never joined without a gap, so that neither the
order nor a difference of reaction times depends on it. ``flac`` and ``wav`` are exact to the sample, for a
laboratory's own network.
"""

from __future__ import annotations

import base64
import hashlib
import io
import secrets
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import read_audio
from otoscope.corpora.folder import SOUND_SUFFIXES
from otoscope.errors import DataError, SpecError
from otoscope.features.programme_loudness import ABSOLUTE_GATE_LUFS, OFFSET_LU, block_power, gated_power, k_weight

__all__ = [
    "MEDIA_TYPES",
    "SAMPLE_RATE",
    "PreparedClip",
    "PreparedClips",
    "encode",
    "find_tracks",
    "loudness",
    "new_clip_id",
    "normalise",
    "prepare_clips",
    "true_peak",
]

Samples = NDArray[np.float32]
SAMPLE_RATE = 44_100
MEDIA_TYPES = {"mp3": "audio/mpeg", "flac": "audio/flac", "wav": "audio/wav"}
_FADE_S = 0.01  # where a clip is cut
_LENGTH_S = 0.02  # a difference of length that is worth a word
_LARGE_GAIN_DB = 20.0
_SHORT_OF_LU = 0.1


@dataclass(frozen=True, slots=True)
class PreparedClip:
    """A clip as it is served.

    Parameters
    ----------
    clip_id : str
        16 random characters, the only name that leaves the server.
    track : str
        Its path below the clips folder.
    duration_s : float, seconds
        As served.
    lufs : float, LUFS
        Loudness before the gain.
    gain_db : float, dB
        What was added.
    sha256 : str
        Of the file that is served.
    bytes : int
        Its size.
    """

    clip_id: str
    track: str
    duration_s: float
    lufs: float
    gain_db: float
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class PreparedClips:
    """All clips of a study, and what has to be said about them.

    Parameters
    ----------
    clips : tuple of PreparedClip
        In the order of their tracks.
    failures : tuple of (str, str)
        Track and problem of every clip that cannot be used.
    warnings : tuple of str
        What a person should know before listeners come.
    clip_s : float, seconds
        The length of all clips.
    """

    clips: tuple[PreparedClip, ...]
    failures: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    clip_s: float


def new_clip_id() -> str:
    """Draw the name under which a clip is served.

    Returns
    -------
    str
        16 lower-case letters and digits, 80 random bits; different too where a file system sees no case.
    """
    return base64.b32encode(secrets.token_bytes(10)).decode().lower()


def find_tracks(folder: Path) -> dict[str, Path]:
    """Find the sound files of a folder.

    Parameters
    ----------
    folder : Path
        Where; folders in it are looked through, hidden files are not seen.

    Returns
    -------
    dict of str to Path
        By track: the path below the folder, in POSIX form, without its suffix where no other file shares it.

    Raises
    ------
    SpecError
        If it is no folder, or holds no sound.
    """
    if not folder.is_dir():
        raise SpecError(f"{folder}: {'is a file' if folder.exists() else 'no such folder'}; name a folder of clips")
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in inside.parts)
        if path.suffix.lower() in SOUND_SUFFIXES and not hidden and path.is_file():
            found[inside.with_suffix("").as_posix()].append(path)
    if not found:
        raise SpecError(f"{folder}: holds no sound file ({' '.join(sorted(SOUND_SUFFIXES))})")
    tracks = {}
    for stem, paths in found.items():
        for path in paths:
            tracks[stem if len(paths) == 1 else path.relative_to(folder).as_posix()] = path
    return dict(sorted(tracks.items()))


def loudness(samples: Samples, sample_rate: int = SAMPLE_RATE) -> float:
    """Measure the loudness of one or two channels [1]_.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples, n_channels)
        Full scale is 1. Every channel weighs the same, as left and right do.
    sample_rate : int, hertz
        Their rate.

    Returns
    -------
    float
        LUFS; NaN where nothing lies above -70 LUFS, or the signal is shorter than 400 ms.

    References
    ----------
    .. [1] Recommendation ITU-R BS.1770-4, annex 1, 2015.
    """
    powers = sum(block_power(k_weight(channel, sample_rate), sample_rate) for channel in samples.T)
    gate = 10 ** ((ABSOLUTE_GATE_LUFS - OFFSET_LU) / 10)
    return float(OFFSET_LU + 10 * np.log10(gated_power(np.asarray(powers), gate)))


def true_peak(samples: Samples) -> float:
    """Measure the highest peak between the samples too, by fourfold oversampling [1]_.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples, n_channels)
        Full scale is 1.

    Returns
    -------
    float
        Decibels re full scale; minus infinity of silence.

    References
    ----------
    .. [1] Recommendation ITU-R BS.1770-4, annex 2, 2015.
    """
    from scipy.signal import resample_poly

    peak = max(float(np.abs(samples).max()), float(np.abs(resample_poly(samples, 4, 1, axis=0)).max()))
    return 20 * float(np.log10(peak)) if peak > 0 else -np.inf


def normalise(samples: Samples, *, lufs: float, peak_dbtp: float) -> tuple[Samples, float, float]:
    """Bring a signal to a loudness, or as near as its peaks allow.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples, n_channels)
        At 44.1 kHz.
    lufs : float, LUFS
        Wanted.
    peak_dbtp : float, dB
        The highest true peak allowed.

    Returns
    -------
    samples : ndarray of float32, shape (n_samples, n_channels)
        One gain for all of it.
    before : float, LUFS
        NaN where it cannot be measured; nothing is changed then.
    gain_db : float, dB
        What was added.
    """
    before = loudness(samples)
    if not np.isfinite(before):
        return samples, float("nan"), 0.0
    gain_db = min(lufs - before, peak_dbtp - true_peak(samples))
    return (samples * np.float32(10 ** (gain_db / 20))).astype(np.float32), before, gain_db


def encode(samples: Samples, kind: str) -> bytes:
    """Write a signal as a file that browsers decode.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples, n_channels)
        At 44.1 kHz, inside full scale.
    kind : {"mp3", "flac", "wav"}
        The format. MP3 has a variable bit rate of high quality; the others 16 bits.

    Returns
    -------
    bytes
        The file.
    """
    import soundfile

    buffer = io.BytesIO()
    if kind == "mp3":
        soundfile.write(
            buffer,
            samples,
            SAMPLE_RATE,
            format="MP3",
            subtype="MPEG_LAYER_III",
            bitrate_mode="VARIABLE",
            compression_level=0.3,
        )
    else:
        soundfile.write(buffer, samples, SAMPLE_RATE, format=kind.upper(), subtype="PCM_16")
    return buffer.getvalue()


def prepare_clips(
    clips_folder: Path,
    out: Path,
    *,
    clip_s: float | None = None,
    lufs: float = -20.0,
    peak_dbtp: float = -1.0,
    kind: str = "mp3",
    progress: Callable[[int, int], None] | None = None,
) -> PreparedClips:
    """Normalise and transcode every clip of a folder.

    Parameters
    ----------
    clips_folder : Path
        The user's own clips; never written to.
    out : Path
        Where the files that are served go, named by clip id.
    clip_s : float or None, seconds
        The length of all; None takes the one that most clips have, to a hundredth. Longer clips are cut, with a fade
        of 10 ms; shorter ones end in silence.
    lufs, peak_dbtp : float
        See :func:`normalise`.
    kind : {"mp3", "flac", "wav"}
        The format.
    progress : callable, optional
        Told how many are done, of how many.

    Returns
    -------
    PreparedClips
        A clip that cannot be used is a failure and stops nothing.

    Raises
    ------
    SpecError
        If no clip can be used.
    """
    tracks = find_tracks(clips_folder)
    lengths, failures = _lengths(tracks)
    if clip_s is None and lengths:
        clip_s = Counter(round(length, 2) for length in lengths.values()).most_common(1)[0][0]
    clips: list[PreparedClip] = []
    warnings: list[str] = []
    for done, track in enumerate(lengths):
        assert clip_s is not None
        try:
            clip, said = _prepare(track, tracks[track], out, clip_s, lufs, peak_dbtp, kind)
        except DataError as error:
            failures[track] = error.problem
        else:
            clips.append(clip)
            warnings += [f"{track}: {words}" for words in said]
        if progress is not None:
            progress(done + 1, len(lengths))
    if not clips:
        first = next(iter(failures.items()))
        raise SpecError(f"{clips_folder}: no clip can be used; the first, {first[0]}: {first[1]}")
    assert clip_s is not None
    return PreparedClips(
        tuple(clips), tuple(sorted(failures.items())), (*warnings, *_same_sound(clips)), round(clip_s, 4)
    )


def _lengths(tracks: dict[str, Path]) -> tuple[dict[str, float], dict[str, str]]:
    import soundfile

    lengths, failures = {}, {}
    for track, path in tracks.items():
        try:
            lengths[track] = float(soundfile.info(path).duration)
        except (soundfile.SoundFileError, OSError):
            try:
                read_audio(path, clip_id=track)
            except DataError as error:
                failures[track] = error.problem
            else:
                failures[track] = "its header cannot be read"
    return lengths, failures


def _prepare(
    track: str, path: Path, out: Path, clip_s: float, lufs: float, peak_dbtp: float, kind: str
) -> tuple[PreparedClip, list[str]]:
    samples = _read(path, track)
    length_s, said = len(samples) / SAMPLE_RATE, []
    n = round(clip_s * SAMPLE_RATE)
    if abs(length_s - clip_s) > _LENGTH_S:
        what = "is cut" if length_s > clip_s else "ends in silence"
        said.append(f"lasts {length_s:.2f} s; the clips last {clip_s:g} s, so that it {what}")
    if len(samples) > n:
        samples = samples[:n].copy()
        fade = min(n, round(_FADE_S * SAMPLE_RATE))
        samples[n - fade :] *= (0.5 + 0.5 * np.cos(np.linspace(0, np.pi, fade, dtype=np.float32)))[:, None]
    samples, before, gain_db = normalise(samples, lufs=lufs, peak_dbtp=peak_dbtp)
    if not np.isfinite(before):
        why = "is shorter than 0.4 s" if len(samples) < 0.4 * SAMPLE_RATE else "is silent (nothing above -70 LUFS)"
        raise DataError(track, f"{why}; its loudness cannot be measured")
    if before + gain_db < lufs - _SHORT_OF_LU:
        said.append(f"has peaks that leave it at {before + gain_db:.1f} LUFS; {lufs:g} were asked for")
    if gain_db > _LARGE_GAIN_DB:
        said.append(f"is very soft ({before:.1f} LUFS); its noise is raised by {gain_db:.0f} dB with it")
    if len(samples) < n:
        samples = np.concatenate([samples, np.zeros((n - len(samples), samples.shape[1]), np.float32)])
    data, safer_db = _encode_inside(samples, kind)
    clip_id = new_clip_id()
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{clip_id}.{kind}").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    return PreparedClip(
        clip_id, track, n / SAMPLE_RATE, round(before, 2), round(gain_db + safer_db, 2), digest, len(data)
    ), said


def _encode_inside(samples: Samples, kind: str) -> tuple[bytes, float]:
    """Encode so that what is decoded stays inside full scale: a lossy coder may raise peaks."""
    import soundfile

    data = encode(samples, kind)
    if kind != "mp3":
        return data, 0.0
    peak = float(np.abs(soundfile.read(io.BytesIO(data), dtype="float32")[0]).max())
    if peak <= 1:
        return data, 0.0
    gain = 0.98 / peak
    return encode((samples * np.float32(gain)).astype(np.float32), kind), 20 * float(np.log10(gain))


def _read(path: Path, track: str) -> Samples:
    """Read one or two channels at the rate that is served; what cannot be used raises as `read_audio` does."""
    import soundfile
    import soxr

    mono = read_audio(path, clip_id=track, sample_rate=None)
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    if samples.shape[1] != 2:
        samples, rate = mono.samples[:, None], mono.sample_rate
    if rate != SAMPLE_RATE:
        samples = soxr.resample(samples, rate, SAMPLE_RATE)
    return np.asarray(samples, np.float32)


def _same_sound(clips: Sequence[PreparedClip]) -> list[str]:
    by_digest: dict[str, list[str]] = defaultdict(list)
    for clip in clips:
        by_digest[clip.sha256].append(clip.track)
    return [
        f"{', '.join(tracks)}: the same sound under {len(tracks)} names; a listener will call the second a repeat"
        for tracks in by_digest.values()
        if len(tracks) > 1
    ]

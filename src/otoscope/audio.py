"""Sound in: read any format, mix down, resample, cut into segments, shift in pitch.

Every reader gives a :class:`Waveform`: mono, float32, finite, with its rate and the id of its clip. What cannot
be read becomes a :class:`~otoscope.errors.DataError` that says why.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import DataError, SpecError

__all__ = [
    "SILENCE_PEAK",
    "Waveform",
    "cut_segments",
    "read_audio",
    "read_audio_bytes",
    "resample",
    "shift_pitch",
    "why_undecodable",
]

SILENCE_PEAK = 1e-4  # -80 dB below full scale, after the mean is taken off
_MOST_SEMITONES = 12
_VOCODER_WINDOW_S = 0.08  # at least: two periods of 25 Hz
_MOST_GAIN = 2.0  # of a shifted copy: 6 dB
_LONGEST_OGG_PAGE = 65_307  # bytes
_SHORTENED = re.compile(r"^\s*(?:data|SSND|Data Size|riff)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)


@dataclass(frozen=True, slots=True, eq=False)
class Waveform:
    """A mono signal with its clock and its name.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples,)
        Finite; full scale is 1. Kept read-only.
    sample_rate : int, hertz
        Samples per second.
    clip_id : str
        The clip that it belongs to.

    Raises
    ------
    DataError
        If the samples are not a finite, non-empty, one-dimensional float32 array.
    """

    samples: NDArray[np.float32]
    sample_rate: int
    clip_id: str

    def __post_init__(self) -> None:
        samples = self.samples
        if samples.ndim != 1 or samples.dtype != np.float32:
            raise DataError(
                self.clip_id,
                f"samples are {samples.dtype} of shape {samples.shape}; "
                "one channel of float32 is needed (read_audio mixes down)",
            )
        if samples.size == 0:
            raise DataError(self.clip_id, "holds no samples")
        bad = int(samples.size - np.count_nonzero(np.isfinite(samples)))
        if bad:
            are = "is" if bad == 1 else "are"
            first = int(np.flatnonzero(~np.isfinite(samples))[0])
            raise DataError(
                self.clip_id,
                f"{bad} of {samples.size} samples {are} NaN or infinite, "
                f"the first at {first / self.sample_rate:.3f} s",
            )
        if self.sample_rate <= 0:
            raise DataError(self.clip_id, f"sample_rate is {self.sample_rate} Hz; it must be above 0")
        kept = samples.view()
        kept.flags.writeable = False
        object.__setattr__(self, "samples", kept)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.samples.size / self.sample_rate

    def digest(self) -> str:
        """Give the SHA-256 of the rate and the samples, in hexadecimal.

        Returns
        -------
        str
            64 characters; equal for equal sound, whatever file it came from.
        """
        hasher = hashlib.sha256(f"{self.sample_rate}:".encode())
        hasher.update(np.ascontiguousarray(self.samples, dtype="<f4").tobytes())
        return hasher.hexdigest()

    def is_silent(self) -> bool:
        """Say whether the signal never leaves its mean by more than -80 dB of full scale.

        Returns
        -------
        bool
            True also for a constant offset.
        """
        return bool(np.max(np.abs(self.samples - self.samples.mean(dtype=np.float64))) < SILENCE_PEAK)


def resample(waveform: Waveform, sample_rate: int) -> Waveform:
    """Bring a waveform to another rate (soxr, high quality, linear phase).

    Parameters
    ----------
    waveform : Waveform
        The signal; returned unchanged where it has that rate already.
    sample_rate : int, hertz
        The rate wanted.

    Returns
    -------
    Waveform
        With ``round(n_samples * sample_rate / waveform.sample_rate)`` samples.
    """
    if waveform.sample_rate == sample_rate:
        return waveform
    if sample_rate <= 0:
        raise SpecError(f"resample: sample_rate is {sample_rate} Hz; it must be above 0")
    import soxr

    samples = soxr.resample(waveform.samples, waveform.sample_rate, sample_rate, quality="HQ")
    return Waveform(np.asarray(samples, dtype=np.float32), sample_rate, waveform.clip_id)


def cut_segments(waveform: Waveform, *, length_s: float, hop_s: float) -> list[Waveform]:
    """Cut a waveform into segments of equal length.

    Parameters
    ----------
    waveform : Waveform
        The signal.
    length_s : float, > 0, seconds
        Of each segment, rounded to samples.
    hop_s : float, > 0, seconds
        From the beginning of one segment to that of the next, rounded to samples.

    Returns
    -------
    list of Waveform
        ``1 + (n_samples - length) // hop`` of them, in order and under the clip's id; what is left over at the end
        is dropped. A clip shorter than one segment gives itself as the only one.

    Raises
    ------
    SpecError
        If a length is not finite or rounds to no sample.

    Examples
    --------
    >>> clip = Waveform(np.ones(80_000, dtype=np.float32), 16_000, "clip")
    >>> len(cut_segments(clip, length_s=1.0, hop_s=0.5))
    9
    """
    length = _whole_samples(length_s, waveform.sample_rate, "length_s")
    hop = _whole_samples(hop_s, waveform.sample_rate, "hop_s")
    samples = waveform.samples
    if samples.size < length:
        return [waveform]
    starts = range(0, samples.size - length + 1, hop)
    return [Waveform(samples[i : i + length], waveform.sample_rate, waveform.clip_id) for i in starts]


def _whole_samples(seconds: float, rate: int, name: str) -> int:
    n = round(seconds * rate) if np.isfinite(seconds) else 0
    if n < 1:
        raise SpecError(f"cut_segments: {name} is {seconds} s at {rate} Hz; at least one sample is needed")
    return n


def shift_pitch(waveform: Waveform, semitones: float) -> Waveform:
    """Shift the pitch of a waveform and keep its duration (phase vocoder, [1]_, then a change of rate).

    What would come to lie above half the sample rate is lost.

    Parameters
    ----------
    waveform : Waveform
        The signal.
    semitones : float, -12 to 12
        By how much: every frequency is multiplied by ``2 ** (semitones / 12)``. 0 gives the same object.

    Returns
    -------
    Waveform
        With the same number of samples, rate, id and root mean square. The level is raised by at most 6 dB, so that
        a sound that lies above half the rate after the shift does not become a loud remainder.

    Raises
    ------
    SpecError
        If it is more than an octave.

    References
    ----------
    .. [1] J. Laroche, M. Dolson: Improved phase vocoder time-scale modification of audio. IEEE Transactions on Speech
       and Audio Processing 7(3), 1999.

    Examples
    --------
    >>> clip = Waveform(np.sin(np.arange(16_000) / 10).astype(np.float32), 16_000, "clip")
    >>> shift_pitch(clip, 3).samples.size
    16000
    """
    if not -_MOST_SEMITONES <= semitones <= _MOST_SEMITONES:
        raise SpecError(
            f"shift_pitch: {semitones} semitones; {-_MOST_SEMITONES} to {_MOST_SEMITONES} semitones are accepted"
        )
    if semitones == 0:
        return waveform
    import librosa

    n, rate = waveform.samples.size, waveform.sample_rate
    window = max(64, 1 << int(np.ceil(np.log2(_VOCODER_WINDOW_S * rate))))
    padded = np.pad(waveform.samples, (0, max(0, window - n)))
    shifted = librosa.effects.pitch_shift(padded, sr=rate, n_steps=semitones, n_fft=window)[:n]
    before, after = (float(np.sqrt(np.mean(np.square(x, dtype=np.float64)))) for x in (waveform.samples, shifted))
    gain = min(before / after, _MOST_GAIN) if after > 0 else 1.0
    return Waveform((shifted * gain).astype(np.float32), rate, waveform.clip_id)


def read_audio(
    path: Path | str,
    *,
    clip_id: str | None = None,
    sample_rate: int | None = 16_000,
    start_s: float | None = None,
    end_s: float | None = None,
) -> Waveform:
    """Read a sound file, or a stretch of it, as one channel.

    Channels are averaged before the rate is changed.

    Parameters
    ----------
    path : path
        Any format that libsndfile reads: WAV, FLAC, Ogg, Opus, MP3, AIFF, AU, CAF ...
    clip_id : str, optional
        Name of the clip in messages; the path without it.
    sample_rate : int or None, hertz
        The rate wanted; None keeps the file's own.
    start_s, end_s : float or None, seconds
        The stretch to cut, rounded to the file's samples; None is its beginning and its end.

    Returns
    -------
    Waveform
        Mono, finite.

    Raises
    ------
    DataError
        If the file is missing, empty, truncated, no sound, or holds no finite signal there.

    Examples
    --------
    >>> read_audio("nowhere.wav")
    Traceback (most recent call last):
    otoscope.errors.DataError: nowhere.wav: no such file
    """
    path = Path(path)
    clip_id = str(path) if clip_id is None else clip_id
    _check_file(path, clip_id)
    try:
        with path.open("rb") as file:
            _check_last_page(file, clip_id)
    except OSError as error:
        raise DataError(clip_id, f"cannot be opened: {error.strerror}") from error
    return _decode(path, clip_id, sample_rate, start_s, end_s, name=None if clip_id == str(path) else str(path))


def read_audio_bytes(
    data: bytes, *, clip_id: str, sample_rate: int | None = 16_000, name: str | None = None
) -> Waveform:
    """Read the bytes of a sound file as one channel, as :func:`read_audio` reads the file.

    Parameters
    ----------
    data : bytes
        A whole sound file, such as a member of an archive.
    clip_id : str
        Name of the clip in messages.
    sample_rate : int or None, hertz
        The rate wanted; None keeps the file's own.
    name : str, optional
        What the sound is called where it is, such as the name of a member of an archive, for messages.

    Returns
    -------
    Waveform
        Mono, finite; the same samples as from a file of these bytes.

    Raises
    ------
    DataError
        If they are empty, truncated, no sound, or hold no finite signal.

    Examples
    --------
    >>> read_audio_bytes(b"", clip_id="en_us/train/1")
    Traceback (most recent call last):
    otoscope.errors.DataError: en_us/train/1: the file is empty (0 bytes)
    """
    if not data:
        raise DataError(clip_id, "the file is empty (0 bytes)")
    file = io.BytesIO(data)
    _check_last_page(file, clip_id)
    file.seek(0)
    return _decode(file, clip_id, sample_rate, None, None, name=name)


def why_undecodable(error: Exception) -> str:
    """Say why libsndfile cannot decode a sound.

    Parameters
    ----------
    error : Exception
        Of soundfile, or of the system.

    Returns
    -------
    str
        Without the name of the file, which soundfile puts before it.
    """
    said = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
    said = str(said).strip().removeprefix("Error : ").rstrip(".")
    if "does not exist" in said:  # it does; libsndfile says so of what it takes for an MP3 and is none
        return "holds no sound in a format that is known"
    return said


def _decode(
    source: Path | BinaryIO,
    clip_id: str,
    sample_rate: int | None,
    start_s: float | None,
    end_s: float | None,
    *,
    name: str | None,
) -> Waveform:
    import soundfile

    try:
        with soundfile.SoundFile(source) as file:
            _check_whole(file.extra_info, clip_id)
            first, last = _stretch(file.frames, file.samplerate, start_s, end_s, clip_id)
            file.seek(first)
            channels = file.read(last - first, dtype="float32", always_2d=True)
            rate, promised = file.samplerate, last - first
    except (soundfile.SoundFileError, OSError) as error:
        raise DataError(
            clip_id, f"cannot be decoded: {f'{name}: ' if name else ''}{why_undecodable(error)}"
        ) from error
    if len(channels) < promised:
        raise DataError(clip_id, f"truncated: {promised} samples are promised and {len(channels)} can be decoded")
    mono = channels[:, 0] if channels.shape[1] == 1 else channels.mean(axis=1, dtype=np.float64)
    waveform = Waveform(np.ascontiguousarray(mono, dtype=np.float32), rate, clip_id)
    return waveform if sample_rate is None else resample(waveform, sample_rate)


def _check_file(path: Path, clip_id: str) -> None:
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise DataError(clip_id, "no such file") from None
    except OSError as error:
        raise DataError(clip_id, f"cannot be opened: {error.strerror}") from error
    except ValueError as error:
        raise DataError(clip_id, "cannot be opened: the path holds a zero byte") from error
    if path.is_dir():
        raise DataError(clip_id, "is a folder; a sound file is needed")
    if size == 0:
        raise DataError(clip_id, "the file is empty (0 bytes)")


def _check_last_page(file: BinaryIO, clip_id: str) -> None:
    """Refuse an Ogg file that ends inside a page: libsndfile takes the pages before it for the whole file."""
    if file.read(4) != b"OggS":
        return
    file.seek(max(0, file.seek(0, os.SEEK_END) - 2 * _LONGEST_OGG_PAGE))
    tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    lengths = page[27 : 27 + page[26]] if len(page) > 26 else b""  # RFC 3533, section 6: the segment table
    if len(page) < 27 or len(page) < 27 + page[26] + sum(lengths):
        raise DataError(
            clip_id, f"truncated: the file ends inside an Ogg page, {len(page)} bytes after its beginning"
        )


def _check_whole(header_log: str, clip_id: str) -> None:
    """Refuse a file whose header promises more bytes than there are.

    libsndfile repairs the length in silence and says so only in its log. A header that was never filled in (a
    recorder that wrote to a pipe) promises 0 or nearly 2^32 bytes and is taken as it is.
    """
    for promised, there in _SHORTENED.findall(header_log):
        if int(there) < int(promised) < 0xFFFF_F000:
            raise DataError(clip_id, f"truncated: the header promises {promised} bytes and {there} are there")


def _stretch(n_frames: int, rate: int, start_s: float | None, end_s: float | None, clip_id: str) -> tuple[int, int]:
    if n_frames == 0:
        raise DataError(clip_id, "holds no samples")
    first = 0 if start_s is None else round(start_s * rate)
    last = n_frames if end_s is None else round(end_s * rate)
    end = n_frames / rate
    if first < 0 or first >= n_frames:
        raise DataError(clip_id, f"start is {start_s} s; the file lasts from 0 to {end:.3f} s")
    if last <= first or last > n_frames:
        raise DataError(
            clip_id,
            f"end is {end_s} s; it must lie after the start ({start_s or 0} s) and "
            f"not after the end of the file ({end:.3f} s)",
        )
    return first, last

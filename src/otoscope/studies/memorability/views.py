"""Lazy, cached views of clips: what predictors see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import Waveform, read_audio, shift_pitch
from otoscope.corpora.base import Failure
from otoscope.engine.local import in_parallel
from otoscope.errors import DataError, SpecError
from otoscope.features.base import FeatureGroup
from otoscope.features.extract import Derivation, FeatureCache, feature_ids
from otoscope.studies.progress import Progress, Quiet

__all__ = ["ClipViews", "describe_windows"]

FEW_WINDOWS = 8  # per process: starting one takes as long as describing some
SPECTROGRAM_RATE = 16_000  # hertz
SPECTROGRAM_MELS = 128


class ClipViews:
    """Features, spectrograms and audio of clips and of their shifted copies, made when first asked for.

    What was computed is kept in memory and, features only, on disk by what was heard. An object may be sent to
    another process; what it has in memory goes with it.

    Parameters
    ----------
    paths : mapping of str to Path
        The file of each clip.
    groups : sequence of FeatureGroup
        Which features.
    segment_s, hop_s : float, seconds
        Segments that features are computed of; a length of 0 keeps clips whole.
    cache : FeatureCache, optional
        Where features are kept on disk.
    """

    def __init__(
        self,
        paths: Mapping[str, Path],
        groups: Sequence[FeatureGroup],
        *,
        segment_s: float = 0.0,
        hop_s: float = 0.0,
        cache: FeatureCache | None = None,
    ) -> None:
        self.paths, self.groups = dict(paths), tuple(groups)
        self.segment_s, self.hop_s = segment_s, hop_s
        self.cache = cache or FeatureCache()
        self.digests: dict[str, str] = {}
        self.durations: dict[str, float] = {}
        self._features: dict[tuple[str, float], NDArray[np.float64]] = {}
        self._spectrograms: dict[tuple[str, float], NDArray[np.float32]] = {}

    @property
    def feature_ids(self) -> tuple[str, ...]:
        """Of the columns of :meth:`features`."""
        return feature_ids(self.groups)

    def features(self, clip: str, shift: float = 0.0) -> NDArray[np.float64]:
        """Give the features of a clip.

        Parameters
        ----------
        clip : str
            Its id.
        shift : float, semitones
            By how much its pitch is shifted.

        Returns
        -------
        ndarray of float64, shape (n_segments, n_features)
            Read-only; NaN where a feature has no value.

        Raises
        ------
        DataError
            If the clip cannot be read or described.
        """
        if (clip, shift) not in self._features:
            self._keep(clip, _features_of(self._path(clip), clip, (shift,), self._job()))
        return self._features[clip, shift]

    def spectrogram(self, clip: str, shift: float = 0.0) -> NDArray[np.float32]:
        """Give the log-mel spectrogram of a clip: 128 bands, 25 ms every 10 ms, at 16,000 Hz.

        Parameters
        ----------
        clip : str
            Its id.
        shift : float, semitones
            By how much its pitch is shifted.

        Returns
        -------
        ndarray of float32, shape (n_frames, 128)
            Natural logarithm of mel power. Read-only.
        """
        if (clip, shift) not in self._spectrograms:
            import librosa

            waveform = shift_pitch(read_audio(self._path(clip), clip_id=clip, sample_rate=SPECTROGRAM_RATE), shift)
            power = librosa.feature.melspectrogram(
                y=np.array(waveform.samples),
                sr=SPECTROGRAM_RATE,
                n_fft=512,
                win_length=400,
                hop_length=160,
                n_mels=SPECTROGRAM_MELS,
                center=False,
            )
            made = np.log(np.maximum(power.T, 1e-10)).astype(np.float32)
            made.flags.writeable = False
            self._spectrograms[clip, shift] = made
        return self._spectrograms[clip, shift]

    def audio(self, clip: str, shift: float = 0.0) -> Waveform:
        """Give the sound of a clip.

        Parameters
        ----------
        clip : str
            Its id.
        shift : float, semitones
            By how much its pitch is shifted.

        Returns
        -------
        Waveform
            At the rate of its file.
        """
        return shift_pitch(read_audio(self._path(clip), clip_id=clip, sample_rate=None), shift)

    def prepare(
        self,
        clips: Iterable[str],
        shifts: Sequence[float] = (0.0,),
        *,
        processes: int | None = None,
        progress: Progress | None = None,
    ) -> list[Failure]:
        """Compute the features of many clips, on all cores.

        Parameters
        ----------
        clips : iterable of str
            Their ids.
        shifts : sequence of float, semitones
            Which copies, besides the clip itself.
        processes : int, optional
            How many; as many as there are cores without it, 1 for none but this one.
        progress : Progress, optional
            Is told of every clip.

        Returns
        -------
        list of Failure
            Clips that cannot be read or described; the others are ready.
        """
        progress = progress or Quiet()
        wanted = tuple(dict.fromkeys((0.0, *map(float, shifts))))
        jobs = [(self._path(clip), clip, wanted, self._job()) for clip in clips]
        progress.begin("describing", len(jobs))
        failures: list[Failure] = []
        for clip, outcome in in_parallel(_try, jobs, processes):
            if isinstance(outcome, str):
                failures.append(Failure(clip, "features", outcome))
            else:
                self._keep(clip, outcome)
            progress.advance()
        return sorted(failures, key=lambda failure: failure.clip_id)

    def renamed(self, ids: Mapping[str, str]) -> ClipViews:
        """Give the same views, of some of the clips and under other ids.

        Parameters
        ----------
        ids : mapping of str to str
            The new id of each clip that is kept.

        Returns
        -------
        ClipViews
            It has in memory what these have.
        """
        other = ClipViews(
            {new: self._path(old) for old, new in ids.items()},
            self.groups,
            segment_s=self.segment_s,
            hop_s=self.hop_s,
            cache=self.cache,
        )
        other.digests = {new: self.digests[old] for old, new in ids.items() if old in self.digests}
        other.durations = {new: self.durations[old] for old, new in ids.items() if old in self.durations}
        other._features = {(ids[old], shift): rows for (old, shift), rows in self._features.items() if old in ids}
        return other

    def _path(self, clip: str) -> Path:
        try:
            return self.paths[clip]
        except KeyError:
            raise SpecError(f"{clip!r} is no clip of these views") from None

    def _job(self) -> tuple[tuple[FeatureGroup, ...], float, float, Path]:
        return self.groups, self.segment_s, self.hop_s, self.cache.root

    def _keep(self, clip: str, outcome: _Outcome) -> None:
        self.digests[clip], self.durations[clip], values = outcome
        for shift, rows in values.items():
            rows.flags.writeable = False
            self._features[clip, shift] = rows


_Outcome = tuple[str, float, dict[float, NDArray[np.float64]]]
_Job = tuple[Path, str, tuple[float, ...], tuple[tuple[FeatureGroup, ...], float, float, Path]]


def _features_of(path: Path, clip: str, shifts: tuple[float, ...], job: Any) -> _Outcome:
    """Read a clip and give its digest, its length and the values of its copies."""
    groups, segment_s, hop_s, root = job
    waveform = read_audio(path, clip_id=clip, sample_rate=None)
    digest, cache = waveform.digest(), FeatureCache(root)
    return (
        digest,
        waveform.duration_s,
        {shift: cache.values(waveform, digest, Derivation(shift, segment_s, hop_s), groups) for shift in shifts},
    )


def _try(job: _Job) -> tuple[str, _Outcome | str]:
    try:
        return job[1], _features_of(*job)
    except DataError as error:
        return job[1], error.problem


def describe_windows(
    windows: Sequence[Waveform],
    derivation: Derivation,
    groups: Sequence[FeatureGroup],
    cache: FeatureCache,
    processes: int | None,
    progress: Progress,
) -> list[NDArray[np.float64] | str]:
    """Compute the features of stretches of sound.

    Parameters
    ----------
    windows : sequence of Waveform
        Each is described by itself.
    derivation : Derivation
        What is done to each.
    groups : sequence of FeatureGroup
        Which features.
    cache : FeatureCache
        Where they are kept on disk.
    processes : int or None
        How many; None for as many as there are cores. Few windows are described in this one.
    progress : Progress
        Is told of every window.

    Returns
    -------
    list of ndarray of float64, shape (n_segments, n_features), or str
        In the order of the windows; a text says why one cannot be described.
    """
    progress.begin("listening", len(windows))
    jobs = [(number, window, derivation, tuple(groups), cache.root) for number, window in enumerate(windows)]
    found: dict[int, NDArray[np.float64] | str] = {}
    for number, outcome in in_parallel(_window, jobs, processes, fewest=FEW_WINDOWS):
        found[number] = outcome
        progress.advance()
    return [found[number] for number in range(len(jobs))]


def _window(
    job: tuple[int, Waveform, Derivation, tuple[FeatureGroup, ...], Path],
) -> tuple[int, NDArray[np.float64] | str]:
    number, window, derivation, groups, root = job
    try:
        return number, FeatureCache(root).values(window, window.digest(), derivation, groups)
    except DataError as error:
        return number, error.problem

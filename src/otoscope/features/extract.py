"""From a sound to the values of its features, each clip alone; values are kept by what was heard."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import Waveform, cut_segments, resample, shift_pitch
from otoscope.errors import DataError, OtoscopeError, SpecError
from otoscope.features.base import FeatureGroup, check_values, group_digest
from otoscope.features.sound import SAMPLE_RATE, Sound
from otoscope.store import cache_root, read_about, read_arrays, write_arrays

__all__ = ["Derivation", "FeatureCache", "derive", "describe", "feature_ids"]

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Derivation:
    """What is done to a clip before it is described.

    Parameters
    ----------
    shift : float, semitones
        By how much its pitch is shifted.
    segment_s, hop_s : float, seconds
        Length and distance of its segments; a length of 0 keeps it whole.
    """

    shift: float = 0.0
    segment_s: float = 0.0
    hop_s: float = 0.0

    def __post_init__(self) -> None:
        if self.segment_s < 0 or (self.segment_s > 0 and not self.hop_s > 0):
            raise SpecError(f"segments of {self.segment_s:g} s every {self.hop_s:g} s cannot be cut")

    @property
    def name(self) -> str:
        """A file name for it."""
        return f"shift{self.shift:+g}-segments{self.segment_s:g}by{self.hop_s:g}"


def derive(waveform: Waveform, derivation: Derivation) -> list[Waveform]:
    """Shift and cut a clip.

    Parameters
    ----------
    waveform : Waveform
        The clip at any rate.
    derivation : Derivation
        What is done to it.

    Returns
    -------
    list of Waveform
        At 22,050 Hz; one where the clip stays whole.
    """
    shifted = shift_pitch(resample(waveform, SAMPLE_RATE), derivation.shift)
    if derivation.segment_s == 0:
        return [shifted]
    return cut_segments(shifted, length_s=derivation.segment_s, hop_s=derivation.hop_s)


def describe(waveform: Waveform, groups: Sequence[FeatureGroup]) -> dict[str, NDArray[np.float64]]:
    """Give the values of some groups for one clip.

    Parameters
    ----------
    waveform : Waveform
        The clip at any rate.
    groups : sequence of FeatureGroup
        Which.

    Returns
    -------
    dict of str to ndarray of float64, shape (n_features,)
        By the name of the group.

    Raises
    ------
    DataError
        If the clip is silent, too short, or cannot be described.
    """
    sound = Sound(waveform)
    return {group.name: check_values(group, _computed(group, sound), waveform.clip_id) for group in groups}


def _computed(group: FeatureGroup, sound: Sound) -> NDArray[np.float64]:
    try:
        return group.compute(sound)
    except OtoscopeError:
        raise
    except Exception as error:  # whatever a group stumbles over: one odd clip is left out, the others are described
        raise DataError(sound.clip_id, f"group {group.name} failed: {type(error).__name__}: {error}") from error


def feature_ids(groups: Sequence[FeatureGroup]) -> tuple[str, ...]:
    """Give the ids of the features of some groups.

    Parameters
    ----------
    groups : sequence of FeatureGroup
        Which.

    Returns
    -------
    tuple of str
        Group by group.
    """
    return tuple(feature.id for group in groups for feature in group.features)


class FeatureCache:
    """Values that were computed before, by the sound that they belong to.

    One file holds all groups of one derivation of one sound. A group whose version or list of features has changed is
    computed again; so is a file that is damaged.

    Parameters
    ----------
    root : Path or None
        Where; None is below the cache of otoscope.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or cache_root() / "features"

    def path(self, audio_digest: str, derivation: Derivation) -> Path:
        """Say where the values of a sound are kept.

        Parameters
        ----------
        audio_digest : str
            Of the clip as it was read, see :meth:`~otoscope.audio.Waveform.digest`.
        derivation : Derivation
            What was done to it.

        Returns
        -------
        Path
            It may not be there yet.
        """
        return self.root / audio_digest[:2] / audio_digest / f"{derivation.name}.safetensors"

    def read(
        self, audio_digest: str, derivation: Derivation, groups: Sequence[FeatureGroup]
    ) -> dict[str, NDArray[np.float64]]:
        """Read what is there.

        Parameters
        ----------
        audio_digest : str
            Of the clip.
        derivation : Derivation
            What was done to it.
        groups : sequence of FeatureGroup
            Which values are wanted.

        Returns
        -------
        dict of str to ndarray of float64, shape (n_segments, n_features)
            By the name of the group; groups that are not there are left out.
        """
        path = self.path(audio_digest, derivation)
        about = read_about(path)
        if about is None or about.get("format") != FORMAT:
            return {}
        there = {group.name for group in groups if about["groups"].get(group.name) == group_digest(group)}
        try:
            return read_arrays(path, only=there.__contains__)[0]
        except SpecError:  # replaced or removed since
            return {}

    def write(
        self,
        audio_digest: str,
        derivation: Derivation,
        groups: Sequence[FeatureGroup],
        values: dict[str, NDArray[np.float64]],
    ) -> None:
        """Add values to what is there.

        Parameters
        ----------
        audio_digest : str
            Of the clip.
        derivation : Derivation
            What was done to it.
        groups : sequence of FeatureGroup
            Those that were computed.
        values : dict of str to ndarray of float64, shape (n_segments, n_features)
            By the name of the group.
        """
        path = self.path(audio_digest, derivation)
        about, arrays = read_about(path), dict[str, NDArray[np.float64]]()
        digests: dict[str, str] = {}
        if about is not None and about.get("format") == FORMAT:
            try:
                arrays, digests = read_arrays(path)[0], dict(about["groups"])
            except SpecError:
                arrays, digests = {}, {}
        arrays |= values
        digests |= {group.name: group_digest(group) for group in groups if group.name in values}
        write_arrays(path, arrays, about={"format": FORMAT, "groups": digests})

    def values(
        self, waveform: Waveform, audio_digest: str, derivation: Derivation, groups: Sequence[FeatureGroup]
    ) -> NDArray[np.float64]:
        """Give the values of a clip, computing those that are not there and keeping them.

        Parameters
        ----------
        waveform : Waveform
            The clip.
        audio_digest : str
            Its digest.
        derivation : Derivation
            What is done to it.
        groups : sequence of FeatureGroup
            Which values.

        Returns
        -------
        ndarray of float64, shape (n_segments, n_features)
            In the order of :func:`feature_ids`.

        Raises
        ------
        DataError
            If the clip, or one of its segments, cannot be described.
        """
        there = self.read(audio_digest, derivation, groups)
        lacking = [group for group in groups if group.name not in there]
        if lacking:
            parts = [describe(part, lacking) for part in derive(waveform, derivation)]
            made = {group.name: np.stack([part[group.name] for part in parts]) for group in lacking}
            with contextlib.suppress(OSError):  # no right or no room to keep them: made anew next time
                self.write(audio_digest, derivation, lacking, made)
            there |= made
        return np.concatenate([there[group.name] for group in groups], axis=1)

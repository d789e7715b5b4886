"""The reference's protocol, to be compared with the corrected one.

The reference (AudMem, ISMIR 2023, arXiv 2405.12847) described nine one-second segments of every clip by harmony,
tempo, the levels of four separated sources and a mood model, and tested in contiguous folds, scaled by their own
statistics, taking the greatest of nine predictions. What cannot be had again is replaced or left out, and the result
says so: see :data:`DIFFERENCES`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import Waveform
from otoscope.corpora.base import Failure
from otoscope.features.extract import FeatureCache
from otoscope.features.registry import open_groups
from otoscope.studies.memorability.views import ClipViews
from otoscope.studies.progress import Progress

__all__ = ["DIFFERENCES", "HOP_S", "SEGMENT_S", "SUFFIX", "RecipeViews", "recipe_feature_ids"]

SEGMENT_S, HOP_S = 1.0, 0.5
SUFFIX = "@audmem"
_NOTES = ("c", "c_sharp", "d", "d_sharp", "e", "f", "f_sharp", "g", "g_sharp", "a", "a_sharp", "b")
_SOURCES = ("vocals", "drums", "bass", "other")
DIFFERENCES = (
    "source levels are estimated without source separation (the reference used spleeter)",
    "the tempo is that of the clip (the reference used the whole song)",
    "valence and arousal are left out (the reference learned them from data that cannot be passed on)",
)


def recipe_feature_ids() -> tuple[str, ...]:
    """Give the features of the reference's protocol.

    Returns
    -------
    tuple of str
        24 of harmony, 8 of levels, 1 of rhythm.
    """
    return (
        *(f"harmony.chroma_{what}_{note}" for what in ("mean", "std") for note in _NOTES),
        *(f"balance.{source}_db_{what}" for source in _SOURCES for what in ("mean", "std")),
        "rhythm.tempo",
    )


class RecipeViews:
    """Views of clips as the reference's protocol has them: nine segments, 33 features, no shifted copies.

    Parameters
    ----------
    paths : mapping of str to Path
        The file of each clip.
    cache : FeatureCache, optional
        Where features are kept on disk.
    """

    def __init__(self, paths: Mapping[str, Path], *, cache: FeatureCache | None = None) -> None:
        self._segments = ClipViews(
            paths, open_groups("harmony,balance"), segment_s=SEGMENT_S, hop_s=HOP_S, cache=cache
        )
        self._whole = ClipViews(paths, open_groups("rhythm"), cache=cache)
        self._columns = [self._segments.feature_ids.index(name) for name in recipe_feature_ids()[:-1]]
        self._tempo = self._whole.feature_ids.index(recipe_feature_ids()[-1])

    @property
    def feature_ids(self) -> tuple[str, ...]:
        """Of the columns of :meth:`features`."""
        return recipe_feature_ids()

    def features(self, clip: str, shift: float = 0.0) -> NDArray[np.float64]:
        """Give the features of a clip's segments; the tempo is that of the whole clip.

        Parameters
        ----------
        clip : str
            Its id.
        shift : float, semitones
            By how much its pitch is shifted.

        Returns
        -------
        ndarray of float64, shape (n_segments, 33)
            Nine segments where the clip lasts five seconds.
        """
        parts = self._segments.features(clip, shift)[:, self._columns]
        tempo = self._whole.features(clip, shift)[0, self._tempo]
        return np.column_stack([parts, np.full(len(parts), tempo)])

    def spectrogram(self, clip: str, shift: float = 0.0) -> NDArray[np.float32]:
        """Give the log-mel spectrogram of a clip.

        Parameters
        ----------
        clip : str
            Its id.
        shift : float, semitones
            By how much its pitch is shifted.

        Returns
        -------
        ndarray of float32, shape (n_frames, 128)
            Of the whole clip.
        """
        return self._whole.spectrogram(clip, shift)

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
        return self._whole.audio(clip, shift)

    def prepare(
        self, clips: Sequence[str], *, processes: int | None = None, progress: Progress | None = None
    ) -> list[Failure]:
        """Compute the features of many clips, on all cores.

        Parameters
        ----------
        clips : sequence of str
            Their ids.
        processes : int, optional
            How many.
        progress : Progress, optional
            Is told of every clip.

        Returns
        -------
        list of Failure
            Clips that cannot be described in segments, each once.
        """
        failures = self._segments.prepare(clips, processes=processes, progress=progress)
        failures += self._whole.prepare(clips, processes=processes, progress=progress)
        return list({failure.clip_id: failure for failure in failures}.values())

    def renamed(self, ids: Mapping[str, str]) -> RecipeViews:
        """Give the same views, of some of the clips and under other ids.

        Parameters
        ----------
        ids : mapping of str to str
            The new id of each clip that is kept.

        Returns
        -------
        RecipeViews
            It has in memory what these have.
        """
        other = RecipeViews({}, cache=self._segments.cache)
        other._segments, other._whole = self._segments.renamed(ids), self._whole.renamed(ids)
        return other

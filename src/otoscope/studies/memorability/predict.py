"""What a trained model says of new sound: a score, how sure it is, why, and where in a song it lies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import Waveform, read_audio
from otoscope.corpora.base import Failure
from otoscope.errors import DataError
from otoscope.features.extract import Derivation, FeatureCache
from otoscope.features.sound import MIN_DURATION_S
from otoscope.predictors.explaining import Explainer, averaged
from otoscope.predictors.wording import Wording, digits_for
from otoscope.studies.memorability.explain import REASONS, features_of
from otoscope.studies.memorability.model import TrainedModel
from otoscope.studies.memorability.unlikeness import WARN_ABOVE, middle_of, percentile_of
from otoscope.studies.memorability.views import describe_windows
from otoscope.studies.progress import Progress, Quiet

__all__ = ["Moment", "Prediction", "Predictions", "predict_files", "windows_of"]

LONGER = 1.5  # times the training clips: what is longer is heard in windows of their length
BATCH_S = 1800.0  # of sound that is held in memory at a time
SAMPLED_WINDOWS = 12  # of a song whose curve was not asked for


@dataclass(frozen=True, slots=True)
class Moment:
    """A stretch of a song.

    Parameters
    ----------
    start_s, end_s : float, seconds
        Where it lies.
    score : float
        What is predicted for it.
    """

    start_s: float
    end_s: float
    score: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is said of one file.

    Parameters
    ----------
    path : str
        The file.
    duration_s : float, seconds
        Its length.
    score : float
        What is predicted; the mean over windows where the file is longer than the training clips.
    low, high : float or None
        The interval of the score that listeners would give one clip; None where the model has none.
    level : float
        Of the interval.
    percentile : float, per cent
        Share of the training clips of which less was predicted.
    unlike : bool
        Whether it is unlike the training clips, so that the score and its interval may not hold.
    unlikeness : float, per cent
        Share of the training clips that lie nearer to the others.
    base : float
        What is predicted of the clips that the reasons compare with, on average.
    groups : dict of str to float
        What each group of features adds to `base`; together they give `score`, or, where there are more than twelve
        windows, the mean score of twelve of them.
    reasons : tuple of str
        The strongest features in words.
    curve : tuple of Moment
        Windows in time; empty where the file was heard whole or the curve was not asked for.
    """

    path: str
    duration_s: float
    score: float
    low: float | None
    high: float | None
    level: float
    percentile: float
    unlike: bool
    unlikeness: float
    base: float
    groups: dict[str, float]
    reasons: tuple[str, ...]
    curve: tuple[Moment, ...] = field(default=())

    @property
    def best(self) -> Moment | None:
        """The window with the greatest score, the first of equals; None where there is no curve."""
        return max(self.curve, key=lambda moment: moment.score, default=None)

    def describe(self) -> dict[str, Any]:
        """Give it as a JSON value.

        Returns
        -------
        dict
            All fields, and `best` where there is a curve.
        """

        def moment(each: Moment) -> dict[str, float]:
            return {"start_s": each.start_s, "end_s": each.end_s, "score": each.score}

        return {
            "path": self.path,
            "duration_s": self.duration_s,
            "score": self.score,
            "low": self.low,
            "high": self.high,
            "level": self.level,
            "percentile": self.percentile,
            "unlike": self.unlike,
            "unlikeness": self.unlikeness,
            "base": self.base,
            "groups": dict(self.groups),
            "reasons": list(self.reasons),
            **({"curve": [moment(each) for each in self.curve]} if self.curve else {}),
            **({"best": moment(self.best)} if self.best is not None else {}),
        }


@dataclass(frozen=True, slots=True)
class Predictions:
    """What is said of several files.

    Parameters
    ----------
    predictions : tuple of Prediction
        In the order in which they were named.
    failures : tuple of Failure
        Files of which nothing can be said, and why.
    """

    predictions: tuple[Prediction, ...]
    failures: tuple[Failure, ...]


def windows_of(duration_s: float, clip_s: float, hop_s: float | None) -> list[tuple[float, float]]:
    """Divide a song into windows of the length of the training clips.

    Parameters
    ----------
    duration_s : float, seconds
        Of the song.
    clip_s : float, seconds
        Of the training clips.
    hop_s : float or None, seconds
        From one window to the next; None for at most twelve, evenly spread.

    Returns
    -------
    list of (float, float), seconds
        Beginning and end of each; the whole where it is not much longer than a training clip.

    Examples
    --------
    >>> windows_of(8.0, 5.0, 1.0)
    [(0.0, 5.0), (1.0, 6.0), (2.0, 7.0), (3.0, 8.0)]
    """
    if duration_s <= LONGER * clip_s and (hop_s is None or duration_s < clip_s + hop_s):
        return [(0.0, duration_s)]
    last = duration_s - clip_s
    if hop_s is None:
        n = min(SAMPLED_WINDOWS, 1 + int(last / (clip_s / 2)))
        starts = np.linspace(0.0, last, n)
    else:
        starts = np.arange(0.0, last + 1e-9, hop_s)
    return [(round(float(start), 6), round(float(start) + clip_s, 6)) for start in starts]


def predict_files(
    model: TrainedModel,
    paths: Sequence[Path],
    *,
    curve: bool = False,
    hop_s: float = 1.0,
    processes: int | None = None,
    progress: Progress | None = None,
) -> Predictions:
    """Predict how well files of sound will be remembered.

    Parameters
    ----------
    model : TrainedModel
        What was learned.
    paths : sequence of Path
        Sound files of any length; each is judged by itself.
    curve : bool
        Whether songs are heard window by window.
    hop_s : float, > 0, seconds
        From one window to the next, where the curve was asked for.
    processes : int, optional
        How many; as many as there are cores without it.
    progress : Progress, optional
        Is told of every window.

    Returns
    -------
    Predictions
        One for each file that can be heard and described.
    """
    progress = progress or Quiet()
    speaker = _Speaker(model)
    derivation = Derivation(0.0, float(model.about["segment_s"]), float(model.about["hop_s"]))
    predictions: list[Prediction] = []
    failures: list[Failure] = []
    for batch in _batches(model, paths, hop_s if curve else None, failures):
        windows = [_cut(heard.waveform, *stretch) for heard in batch for stretch in heard.stretches]
        described = iter(describe_windows(windows, derivation, model.groups, FeatureCache(), processes, progress))
        for heard in batch:
            outcomes = [next(described) for _ in heard.stretches]
            pairs = zip(heard.stretches, outcomes, strict=True)
            there = [(stretch, rows) for stretch, rows in pairs if not isinstance(rows, str)]
            if not there:
                why = next(text for text in outcomes if isinstance(text, str))
                failures.append(Failure(str(heard.path), "features", why))
                continue
            with_curve = curve and len(heard.stretches) > 1
            predictions.append(speaker.say(heard.path, heard.waveform.duration_s, there, curve=with_curve))
    return Predictions(tuple(predictions), tuple(failures))


@dataclass(frozen=True, slots=True, eq=False)
class _Heard:
    """A file and the windows in which it is heard."""

    path: Path
    waveform: Waveform
    stretches: list[tuple[float, float]]


def _batches(
    model: TrainedModel, paths: Sequence[Path], hop_s: float | None, failures: list[Failure]
) -> Iterator[list[_Heard]]:
    """Read files until they fill half an hour, so that many songs need no more memory than some."""
    batch: list[_Heard] = []
    for path in paths:
        try:
            waveform = read_audio(path, clip_id=str(path), sample_rate=None)
            if waveform.duration_s < MIN_DURATION_S:
                raise DataError(
                    str(path), f"lasts {waveform.duration_s:.3g} s; at least {MIN_DURATION_S:g} s are needed"
                )
            if waveform.is_silent():
                raise DataError(str(path), "is silent")
        except DataError as error:
            failures.append(Failure(str(path), "audio", error.problem))
            continue
        batch.append(_Heard(path, waveform, windows_of(waveform.duration_s, model.clip_s, hop_s)))
        if sum(heard.waveform.duration_s for heard in batch) > BATCH_S:
            yield batch
            batch = []
    if batch:
        yield batch


def _cut(waveform: Waveform, start_s: float, end_s: float) -> Waveform:
    first, last = (round(at * waveform.sample_rate) for at in (start_s, end_s))
    return Waveform(waveform.samples[first:last], waveform.sample_rate, waveform.clip_id)


class _Speaker:
    """Puts what a model says of rows of features into predictions."""

    def __init__(self, model: TrainedModel) -> None:
        self.model = model
        self.surroundings = model.surroundings()
        self.explainer = Explainer(model.predictor, model.about["features"], model.features)
        digits = digits_for(float(model.about["score"]["sd"]))
        self.wording = Wording(features_of(model.groups), model.features, digits=digits)

    def say(
        self,
        path: Path,
        duration_s: float,
        there: Sequence[tuple[tuple[float, float], NDArray[np.float64]]],
        *,
        curve: bool,
    ) -> Prediction:
        model = self.model
        rows = np.concatenate([window for _, window in there])
        owner = np.repeat(np.arange(len(there)), [len(window) for _, window in there])

        def by_window(values: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.bincount(owner, weights=values) / np.bincount(owner)

        scores = by_window(model.predictor.on_rows(rows))
        low = high = None
        if model.intervals is not None:
            said = np.array([[by_window(fitted.on_rows(rows)).mean()] for fitted in model.folds])
            lows, highs = model.intervals.interval(said)
            low, high = float(lows[0]), float(highs[0])
        middle = middle_of(rows)
        some = np.unique(np.linspace(0, len(there) - 1, min(len(there), SAMPLED_WINDOWS)).round().astype(int))
        explanation = averaged([averaged(self.explainer.explain(there[i][1])) for i in some])
        unlikeness = float(self.surroundings.rank(middle[None, :])[0])
        score = float(scores.mean())
        moments = (Moment(start, end, float(value)) for ((start, end), _), value in zip(there, scores, strict=True))
        return Prediction(
            path=str(path),
            duration_s=duration_s,
            score=score,
            low=low,
            high=high,
            level=float(model.about["level"]),
            percentile=float(percentile_of(np.array([score]), model.out_of_fold)[0]),
            unlike=unlikeness > WARN_ABOVE,
            unlikeness=unlikeness,
            base=explanation.base,
            groups=explanation.by_group,
            reasons=tuple(each.text for each in self.wording.reasons(middle, explanation.contributions, k=REASONS)),
            curve=tuple(moments) if curve else (),
        )

"""Answers of memorability studies made by hand, so that what a report should say is known beforehand."""

from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest

from otoscope.corpora.base import Failure
from otoscope.studies.memorability.answer import Answer
from otoscope.studies.memorability.summary import PROTOCOLS

METRICS = {
    "spearman_pooled": (0.31, 0.19, 0.42),
    "spearman_fold": (0.29, 0.17, 0.40),
    "pearson": (0.33, 0.20, 0.44),
    "mse": (0.0248, 0.0207, 0.0291),
    "rmse": (0.158, 0.144, 0.171),
    "mae": (0.127, 0.115, 0.138),
    "skill": (0.13, 0.05, 0.20),
    "pair_accuracy": (0.61, 0.57, 0.65),
    "half_width": (0.24, 0.22, 0.26),
}
MEAN = {
    "spearman_pooled": (-0.19, -0.25, -0.12),
    "spearman_fold": None,
    "mse": (0.0285, 0.024, 0.033),
    "rmse": (0.169, 0.155, 0.182),
    "skill": (0.0, -0.01, 0.0),
    "pair_accuracy": (0.43, 0.4, 0.46),
    "half_width": (0.27, 0.25, 0.29),
}
NOISE = {"spearman_pooled": (0.02, -0.1, 0.14), "spearman_fold": (0.03, -0.1, 0.15), "skill": (0.0, -0.05, 0.04)}
NO_ORDER = "in no fold both the scores and the predictions vary"


def entry(triple, reason=NO_ORDER):
    """Give a score as it stands in a summary; None where it has no value."""
    if triple is None:
        return {"value": None, "low": None, "high": None, "reason": reason}
    value, low, high = triple
    found = {"value": value, "low": low, "high": high}
    return found if low is not None else {**found, "reason": "3 groups; 8 are needed for an interval"}


def scores(**changes):
    return {name: entry(triple) for name, triple in {**METRICS, **changes}.items()}


def details(kind, *, over_noise=(0.29, 0.12, 0.45), over_mean=(-0.0037, -0.006, -0.0012), p=0.001, n=40):
    found = {
        "kind": kind,
        "protocol": PROTOCOLS["reference" if kind == "reference" else "corrected"],
        "n_tested": n,
        "n_groups": n,
        "permutation": {"p": p, "low": -0.13, "high": 0.14, "n": 1000},
        "of_ceiling": {"spearman_pooled": entry((0.33, 0.2, 0.45)), "spearman_fold": entry((0.31, 0.18, 0.43))},
    }
    if kind != "reference":
        found["above"] = {
            "noise": scores(spearman_pooled=over_noise),
            "mean": scores(mse=over_mean, rmse=(-0.011, -0.018, -0.004)),
        }
    return found


def feature(number, group="brightness", **changes):
    return {
        "id": f"{group}.feature_{number}",
        "group": group,
        "unit": "dB",
        "plain": f"What one hears of {number}.",
        "more": f"brighter in part {number}",
        "less": f"darker in part {number}",
        "mean_abs": 0.02 / number,
        "sign": 1 if number % 2 else -1,
        "stability": 1.0,
        **changes,
    }


def explanation_of(tracks, features=None, **changes):
    features = [feature(number) for number in range(1, 21)] if features is None else features
    return {
        "schema": 1,
        "model": "svr",
        "method": "sampled",
        "n_folds": 10,
        "groups": [
            {"group": "brightness", "title": "Brightness", "n_features": 20, "mean_abs": 0.05},
            {"group": "rhythm", "title": "Beat and rhythm", "n_features": 3, "mean_abs": 0.004},
        ],
        "features": features,
        "clips": [
            {
                "track": track,
                "truth": truth,
                "predicted": 0.5,
                "base": 0.62,
                "groups": {"brightness": -0.13, "rhythm": 0.01},
                "reasons": [
                    {"feature": "brightness.feature_1", "text": "brighter than 80 % of the training clips: -0.13"}
                ],
            }
            for track, truth in tracks.items()
        ],
        **changes,
    }


@pytest.fixture
def answer_of():
    """Give a function that makes answers.

    `models` maps names to (scores, details) and replaces the default ones; `tracks` maps names to scores.
    """

    def make(
        models=None,
        *,
        tracks=None,
        explanation=True,
        ceiling=(0.94, 0.92, 0.96),
        failures=(),
        notes=(),
        settings=(),
        predicted=lambda truth: 0.5 * truth + 0.3,
    ):
        tracks = {f"clip {number:02d}": 0.2 + 0.015 * number for number in range(40)} if tracks is None else tracks
        models = {"svr": (scores(), details("model"))} if models is None else models
        models = {
            **models,
            "mean": (scores(**MEAN), details("control", p=0.99)),
            "noise": (scores(**NOISE), details("control", p=0.4)),
        }
        known = entry(ceiling, "there are no halves and no counts")
        run_settings = {
            "models": [name for name in models if name not in ("mean", "noise") and "@" not in name] or ["mean"],
            "folds": 10,
            "repeats": 5,
            "features": ["default"],
            "shifts": [-1.0, 1.0],
            "segment_s": 0.0,
            "hop_s": 0.0,
            "weights": "n",
            "recipe": None,
            "seed": 0,
            "n_resamples": 1000,
            **dict(settings),
        }
        return Answer(
            Path("answer"),
            {
                "schema": 1,
                "models": {name: found for name, (found, _) in models.items()},
                "details": {name: about for name, (_, about) in models.items()},
                "ceiling": {
                    "source": "none" if ceiling is None else "halves",
                    "agreement": entry(None),
                    "reliability": entry(None),
                    "ceiling": known,
                },
                "n_tracks": len(tracks),
                "n_excluded": len(failures),
                "n_groups": len(tracks),
                "n_features": 23,
                "notes": list(notes),
                "seconds": 12.0,
            },
            {
                "schema": 1,
                "settings": run_settings,
                "clips": "my clips",
                "labels": "labels.csv",
                "features": [f"brightness.feature_{i}" for i in range(20)]
                + [f"rhythm.feature_{i}" for i in range(3)],
                "groups": [
                    {"name": "brightness", "title": "Brightness"},
                    {"name": "rhythm", "title": "Beat and rhythm"},
                ],
                "versions": {"otoscope": "0.1.0", "python": "3.11.7"},
            },
            [
                {
                    "track": track,
                    "repeat": repeat,
                    "fold": 0,
                    "model": name,
                    "truth": truth,
                    "predicted": predicted(truth) + 0.02 * (repeat - 0.5),
                }
                for name in models
                for repeat in range(2)
                for track, truth in tracks.items()
            ],
            explanation_of(tracks) if explanation is True else explanation or None,
            tuple(Failure(*each) for each in failures),
        )

    return make


class Page(HTMLParser):
    """A document taken apart, after a check that every element is closed where it should be."""

    VOID = frozenset({"meta", "br", "input"})

    def __init__(self, html):
        super().__init__()
        self.elements = []
        self.open = []
        self._texts = [[]]
        self.feed(html)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "script" not in self.open and "style" not in self.open:
            self._texts[0].append(data)

    @property
    def text(self):
        """All that is to be read, on one line."""
        return " ".join("".join(self._texts[0]).replace("\N{NO-BREAK SPACE}", " ").split())

    def all(self, tag, **wanted):
        """Give the attributes of elements with a tag and some attributes."""
        return [
            attrs
            for name, attrs in self.elements
            if name == tag and all(attrs.get(key.rstrip("_")) == value for key, value in wanted.items())
        ]


@pytest.fixture
def page_of():
    return Page


@pytest.fixture
def made():
    """Give what answers are made of."""
    return SimpleNamespace(
        metrics=METRICS, entry=entry, scores=scores, details=details, feature=feature, explanation_of=explanation_of
    )

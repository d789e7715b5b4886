"""Rows of a table made by hand, so that what a picture or a table should say is known beforehand."""

import pytest

from otoscope.report.profile import layer_profile

METRICS = ("r2", "within_r")


def row(model, layer, metric, value, **changes):
    """Give one row of log2 F0, mean over the languages, of the role `own`."""
    found = {
        "model": model,
        "layer": layer,
        "layer_name": f"block {layer}",
        "train": "own",
        "test": "mean",
        "target": "log2_f0",
        "mask": "voiced",
        "metric": metric,
        "unit": "1",
        "value": value,
        "low": None if value is None else value - 0.03,
        "high": None if value is None else value + 0.04,
        "n_frames": 0 if value is None else 12_345,
        "n_utterances": 0 if value is None else 60,
        "n_groups": 0 if value is None else 20,
        "control": None if value is None else 0.02,
        "baseline": None,
        "reason": "no frames" if value is None else None,
        "flag": None,
    }
    return {**found, **changes}


def rows_of(models, **changes):
    """Give the rows of models: the values of their layers, or a pair of lists, of r2 and of within_r."""
    found = []
    for model, values in models.items():
        pair = values if isinstance(values, tuple) else (values, values)
        for metric, column in zip(METRICS, pair, strict=True):
            found += [row(model, layer, metric, value, **changes) for layer, value in enumerate(column)]
            found += [
                row(model, layer, metric, value, **{**changes, "test": "en_us"}) for layer, value in enumerate(column)
            ]
    return found


def contrast(model, layer, against, other, value, low, high, **changes):
    """Give one difference from a baseline or an untrained copy, of r within utterances."""
    found = row(model, layer, "within_r", value, low=low, high=high, against=against, other=other, other_layer=0)
    return {**found, **changes}


def kinds_of(models):
    return {
        model: "untrained"
        if model.startswith("untrained")
        else "baseline"
        if model in ("logmel", "mfcc")
        else "model"
        for model in models
    }


def twins_of(models):
    return {
        model: model.removeprefix("untrained:").partition("#")[0] if model.startswith("untrained") else None
        for model in models
    }


class Make:
    """What tests ask for by name."""

    row = staticmethod(row)
    rows_of = staticmethod(rows_of)
    contrast = staticmethod(contrast)

    @staticmethod
    def profile(models, contrasts=(), role="own", **changes):
        rows = rows_of(models, train=role, **changes)
        return layer_profile(rows, contrasts, kinds_of(models), twins_of(models), role)

    @staticmethod
    def deep(role="own", n=13):
        """Give the profile of two models of many layers, two baselines and an untrained copy."""
        rise = [0.30 + 0.45 * (1 - abs(i - 0.45 * n) / (0.6 * n)) for i in range(n)]
        models = {
            "logmel": [0.52],
            "mfcc": [0.45],
            "hubert": [round(v, 3) for v in rise],
            "wav2vec2": [round(0.92 * v, 3) for v in rise],
            "untrained:hubert#0": [round(0.1 + 0.005 * i, 3) for i in range(n)],
        }
        return Make.profile(models, role=role)


@pytest.fixture
def make():
    return Make

"""scikit-learn (1.5 or newer) is the other implementation of R2, mean squared error and F1."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, mean_absolute_error, mean_squared_error, r2_score

from otoscope.evaluation.scores import SUMS, ScoreTable, sums_of

RELATIVE = 1e-10  # of the score


def tabled(pairs, kind):
    table = ScoreTable([f"s{i % 10}" for i in range(len(pairs))], ["en"] * len(pairs))
    return table, table.gather(np.array([sums_of(y, p, kind=kind) for y, p in pairs]).reshape(-1, len(SUMS)))


def drawn(seed, n=30):
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(n):
        truth = rng.normal(7.3, 0.3) + 0.2 * rng.normal(size=int(rng.integers(1, 60)))
        pairs.append((truth, 0.7 * truth + 2.2 + 0.1 * rng.normal(size=truth.size)))
    return pairs, *(np.concatenate(side) for side in zip(*pairs, strict=True))


@pytest.mark.parametrize("seed", range(3))
def test_r2_mse_and_cents_are_those_of_scikit_learn_on_the_stacked_frames(seed):
    pairs, y, p = drawn(seed)
    table, cells = tabled(pairs, "log2")
    expected = {
        "r2": r2_score(y, p),
        "mse": mean_squared_error(y, p),
        "mae_cents": 1200 * mean_absolute_error(y, p),
        "gpe": 100 * np.mean(np.abs(2**p / 2**y - 1) > 0.2),
    }
    assert expected["gpe"] > 0
    for name, value in expected.items():
        assert table.value(name, cells, np.zeros(1)) == pytest.approx(value, rel=RELATIVE)


def test_skill_is_r2_where_the_training_mean_is_the_tested_one():
    pairs, y, p = drawn(3)
    table, cells = tabled(pairs, "other")
    assert table.value("skill", cells, np.array([y.mean()])) == pytest.approx(r2_score(y, p), rel=RELATIVE)
    assert table.value("skill", cells, np.array([y.mean() + 0.5])) > r2_score(y, p)


@pytest.mark.parametrize("seed", range(3))
def test_voicing_f1_is_that_of_scikit_learn_at_a_half(seed):
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(20):
        voiced = (rng.random(40) < 0.6).astype(np.float64)
        said = 0.3 + 0.4 * voiced + 0.3 * rng.normal(size=40)
        said[:3] = 0.5  # the threshold itself says voiced
        pairs.append((voiced, said))
    y, p = (np.concatenate(side) for side in zip(*pairs, strict=True))
    table, cells = tabled(pairs, "voicing")
    assert table.value("f1", cells, np.zeros(1)) == pytest.approx(f1_score(y == 1, p >= 0.5), rel=RELATIVE)


def test_the_squares_of_correlation_and_r2_agree_for_the_best_line():
    pairs, *_ = drawn(4)
    centred = [(a - a.mean(), b - b.mean()) for a, b in pairs]
    yc, pc = (np.concatenate(side) for side in zip(*centred, strict=True))
    slope = (yc @ pc) / (pc @ pc)
    table, cells = tabled(pairs, "other")
    within = table.value("within_r", cells, np.zeros(1))
    assert within**2 == pytest.approx(r2_score(yc, slope * pc), rel=RELATIVE)

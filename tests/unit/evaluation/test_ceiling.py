"""The ceiling is what listeners who answer at random leave of a correlation."""

import numpy as np
import pytest
from scipy import stats

from otoscope.errors import SpecError
from otoscope.evaluation.ceiling import (
    CORRELATIONS,
    binomial_ceiling,
    noise_ceiling,
    normalised,
    split_half_ceiling,
)
from otoscope.evaluation.outoffold import TRACK_METRICS
from otoscope.evaluation.resampling import Estimate


def test_two_halves_make_the_formula_of_spearman_and_brown(rng):
    true = rng.normal(size=200)
    a, b = true + rng.normal(size=200), true + rng.normal(size=200)
    for method, of in (("spearman", stats.spearmanr), ("pearson", stats.pearsonr)):
        r = of(a, b).statistic
        found = split_half_ceiling(a, b, method=method)
        assert found.source == "halves"
        assert found.agreement.value == pytest.approx(r, abs=1e-12)
        assert found.reliability.value == pytest.approx(2 * r / (1 + r), abs=1e-12)
        assert found.ceiling.value == pytest.approx(np.sqrt(2 * r / (1 + r)), abs=1e-12)
        assert found.ceiling.low < found.ceiling.value < found.ceiling.high < 1


def test_the_published_halves_give_the_published_ceiling():
    """A split-half correlation of 0.785 is a reliability of 0.880 and a ceiling of 0.938."""
    r = 0.785
    first = np.array([1.0, -1.0, 1.0, -1.0])
    second = r * first + np.sqrt(1 - r**2) * np.array([1.0, 1.0, -1.0, -1.0])
    found = split_half_ceiling(first, second, method="pearson")
    assert found.agreement.value == pytest.approx(0.785)
    assert found.reliability.value == pytest.approx(0.880, abs=5e-4)
    assert found.ceiling.value == pytest.approx(0.938, abs=5e-4)


def answers(rng, n_tracks, n):
    """Let n listeners answer with the chances of each track: all answers, and the chances."""
    chance = rng.beta(4, 2, size=n_tracks)
    return rng.random((n_tracks, n)) < chance[:, None], chance


def test_both_ways_find_the_correlation_with_the_truth(rng):
    said, chance = answers(rng, 3000, 40)
    score = said.mean(axis=1)
    reached = np.corrcoef(score, chance)[0, 1]
    halves = split_half_ceiling(said[:, ::2].mean(axis=1), said[:, 1::2].mean(axis=1), method="pearson")
    counts = binomial_ceiling(score, np.full(3000, 40.0))
    assert halves.ceiling.value == pytest.approx(reached, abs=0.01)
    assert counts.ceiling.value == pytest.approx(reached, abs=0.01)
    assert counts.source == "counts"
    assert counts.agreement.value is None
    assert counts.ceiling.low < reached < counts.ceiling.high


def test_few_answers_are_not_underrated(rng):
    """With two answers each, p(1-p)/n would take half of the noise for signal."""
    said, chance = answers(rng, 4000, 2)
    reached = np.corrcoef(said.mean(axis=1), chance)[0, 1]
    assert binomial_ceiling(said.mean(axis=1), np.full(4000, 2.0)).ceiling.value == pytest.approx(reached, abs=0.05)


def test_the_binomial_formula_is_worked_by_hand():
    score, n = np.array([0.5, 0.9, 0.1]), np.array([11.0, 10.0, 10.0])
    found = binomial_ceiling(score, n)
    noise = (0.25 / 10 + 0.09 / 9 + 0.09 / 9) / 3
    assert found.reliability.value == pytest.approx(1 - noise / 0.16)
    assert found.ceiling.value == pytest.approx(np.sqrt(1 - noise / 0.16))
    assert found.ceiling.low is None
    assert found.ceiling.reason == "there are 3 groups to resample; 8 are needed"


def test_tracks_that_lack_a_half_or_answers_are_left_out(rng):
    a, b = rng.random(30), rng.random(30)
    a[3], b[7] = np.nan, np.nan
    kept = np.isfinite(a) & np.isfinite(b)
    found = split_half_ceiling(a, b, groups=[f"g{i // 2}" for i in range(30)])
    assert found.agreement.value == pytest.approx(stats.spearmanr(a[kept], b[kept]).statistic)
    assert (found.agreement.n_tracks, found.agreement.n_groups) == (28, 15)
    counts = np.full(30, 12.0)
    counts[:2] = 1, np.nan
    assert binomial_ceiling(rng.random(30), counts).ceiling.n_tracks == 28


def test_halves_that_disagree_have_no_ceiling():
    a = np.arange(20.0)
    found = split_half_ceiling(a, -a)
    assert found.agreement.value == pytest.approx(-1)
    assert found.reliability.value < 0
    assert found.ceiling.value is None
    assert "do not repeat themselves" in found.ceiling.reason
    found = binomial_ceiling(np.array([0.5, 0.4, 0.6]), np.full(3, 2.0))
    assert found.ceiling.value is None
    assert "do not repeat themselves" in found.ceiling.reason


def test_flat_scores_have_no_reliability():
    assert split_half_ceiling(np.zeros(9), np.arange(9.0)).reliability.reason == "the scores do not vary"
    assert binomial_ceiling(np.full(9, 0.5), np.full(9, 30.0)).ceiling.reason == "the scores do not vary"


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({}, "give half_a and half_b, or n"),
        ({"n": np.full(3, 9.0)}, "the scores run from -0.2 to 1.3: only shares from 0 to 1"),
        ({"half_a": np.array([1.0, np.nan, 2.0]), "half_b": np.ones(3)}, r"2 track\(s\) have both halves; 3"),
        ({"half_a": np.zeros(3)}, "give half_a and half_b"),
    ],
)
def test_where_nothing_is_known_the_reason_is(known, words):
    import re

    found = noise_ceiling(np.array([-0.2, 0.5, 1.3]), **known)
    for each in (found.agreement, found.reliability, found.ceiling):
        assert each.value is None
        assert re.search(words, each.reason)


def test_one_answer_each_says_nothing():
    found = noise_ceiling(np.array([0.0, 1.0, 1.0]), n=np.ones(3))
    assert found.ceiling.reason == "0 track(s) have two answers or more; 3 are needed"


def test_halves_come_before_counts(rng):
    a, b = rng.random(20), rng.random(20)
    found = noise_ceiling((a + b) / 2, n=np.full(20, 30.0), half_a=a, half_b=b)
    assert found.source == "halves"
    assert noise_ceiling((a + b) / 2, n=np.full(20, 30.0)).source == "counts"


def test_a_score_is_given_as_a_share_of_the_ceiling(rng):
    a = rng.random(50)
    ceiling = split_half_ceiling(a, a + 0.2 * rng.random(50))
    top = ceiling.ceiling.value
    found = normalised(Estimate("spearman_pooled", 0.4, 0.2, 0.5, 50, 50), ceiling)
    assert found == Estimate("spearman_pooled/ceiling", 0.4 / top, 0.2 / top, 0.5 / top, 50, 50)
    alone = normalised(Estimate("pearson", 0.4, None, None, 5, 5, "too few"), ceiling)
    assert (alone.low, alone.reason) == (None, "too few")
    nothing = normalised(Estimate("pearson", 0.4, 0.2, 0.5, 50, 50), noise_ceiling(a))
    assert nothing.value is None
    assert "nobody knows" in nothing.reason
    undefined = normalised(Estimate("pearson", None, None, None, 50, 50, "flat"), ceiling)
    assert (undefined.value, undefined.reason) == (None, "flat")
    with pytest.raises(SpecError, match="'mse' has no ceiling; choose from spearman_pooled"):
        normalised(Estimate("mse", 0.4, 0.2, 0.5, 50, 50), ceiling)


def test_what_has_a_ceiling_is_a_metric():
    assert set(CORRELATIONS) <= set(TRACK_METRICS)


def test_lengths_must_fit():
    with pytest.raises(SpecError, match="equal ones"):
        split_half_ceiling(np.zeros(3), np.zeros(4))
    with pytest.raises(SpecError, match="equal ones"):
        binomial_ceiling(np.zeros(3), np.zeros(4))
    with pytest.raises(SpecError, match="2 groups for 3 tracks"):
        noise_ceiling(np.zeros(3), groups=["a", "b"])

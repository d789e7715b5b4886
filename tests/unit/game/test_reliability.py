"""Halves of listeners agree as far as theory says that they should."""

import numpy as np
import pytest
from scipy import stats

from otoscope.errors import SpecError
from otoscope.evaluation.ceiling import split_half_ceiling
from otoscope.game.pairs import count
from otoscope.game.reliability import _divisions, spearman_brown, split_half
from otoscope.game.scoring import SCORES
from otoscope.game.synthetic import ListenerModel, plain_slots, simulate_responses

ALIKE = ListenerModel(
    listener_sd=0.0, lag_slope=0.0, crossing=0.0, knew=0.0, timeout=0.0, false_alarm=-30.0, false_alarm_sd=0.0
)


def study(clips, n_listeners, *, model=ALIKE, seed=0, n_targets=None, n_fillers=0):
    slots = plain_slots(n_targets=n_targets or clips.size, n_fillers=n_fillers, seed=seed)
    return simulate_responses(clips, n_listeners=n_listeners, slots=slots, model=model, seed=seed)


def test_binomial_noise_gives_the_closed_form(rng):
    """Everybody answers every clip once: r of halves is V / (V + noise / n), and of all V / (V + noise / 2n)."""
    chance = rng.beta(4, 2, size=600)
    clips = np.log(chance / (1 - chance))
    for n in (20, 60):
        found = split_half(study(clips, n, seed=n), n_splits=40, interval=False)
        variance, noise = chance.var(), (chance * (1 - chance)).mean()
        assert found.pearson.value == pytest.approx(variance / (variance + noise / (n / 2)), abs=0.04)
        assert found.reliability_pearson.value == pytest.approx(variance / (variance + noise / n), abs=0.03)
        assert found.spearman.value == pytest.approx(found.pearson.value, abs=0.05)


def test_the_prophecy_of_spearman_and_brown_holds(rng):
    """Reliability by halves is the correlation with as many other listeners, and the squared one with the truth."""
    model, found = ListenerModel(lag_slope=0.0, crossing=0.0), []
    for seed in range(4):
        clips = 0.8 + rng.normal(size=400)
        one, other = (study(clips, 60, model=model, seed=2 * seed + of, n_targets=250, n_fillers=50) for of in (0, 1))
        halves = split_half(one, n_splits=40, interval=False)
        a, b = (table.hits.sum(axis=0) / table.pairs.sum(axis=0) for table in (count(one), count(other)))
        truth = np.corrcoef(a, 1 / (1 + np.exp(-clips)))[0, 1]
        again = stats.pearsonr(a, b).statistic, stats.spearmanr(a, b).statistic
        found.append([halves.reliability_pearson.value, halves.reliability.value, *again, truth**2])
        assert halves.ceiling.value == pytest.approx(np.sqrt(halves.reliability.value))
    pearson, spearman, again, ranked, true = np.mean(found, axis=0)
    assert pearson == pytest.approx(again, abs=0.025)
    assert pearson == pytest.approx(true, abs=0.025)
    assert spearman == pytest.approx(ranked, abs=0.025)
    assert spearman_brown(spearman_brown(0.4), 0.5) == pytest.approx(0.4)
    assert spearman_brown(spearman_brown(0.2, 3), 5) == pytest.approx(spearman_brown(0.2, 15))


def test_correlations_are_those_of_a_loop_over_divisions(rng):
    table = study(rng.normal(size=9), 11, n_targets=5, n_fillers=2, model=ListenerModel(knew=0.2))
    found = split_half(table, n_splits=25, seed=3, interval=False)
    rho, r = [], []
    for side in _divisions(table.sessions, 25, 3):
        assert side.sum() == 5
        half = set(np.array(table.sessions)[side])
        scores = {True: {}, False: {}}
        firsts = {}
        for row in range(table.n_rows):
            key = table.session[row], table.track[row]
            if table.presentation[row] == 1:
                firsts[key] = table.answer[row]
            elif firsts[key] == "new" and table.answer[row] in ("new", "repeat"):
                scores[key[0] in half].setdefault(key[1], []).append(table.answer[row] == "repeat")
        both = sorted(set(scores[True]) & set(scores[False]))
        if len(both) < 3:
            continue
        a, b = ([np.mean(scores[which][track]) for track in both] for which in (True, False))
        if np.ptp(a) > 0 and np.ptp(b) > 0:
            rho.append(stats.spearmanr(a, b).statistic)
            r.append(stats.pearsonr(a, b).statistic)
    assert found.spearman.value == pytest.approx(np.mean(rho), abs=1e-12)
    assert found.pearson.value == pytest.approx(np.mean(r), abs=1e-12)
    assert found.spearman_sd == pytest.approx(np.std(rho), abs=1e-12)


def test_the_halves_that_are_written_are_typical(rng):
    table = study(rng.normal(size=60), 40, n_targets=40)
    found = split_half(table, interval=False)
    read = split_half_ceiling(found.half_a, found.half_b)
    assert read.agreement.value == pytest.approx(found.spearman.value, abs=0.01)
    assert read.reliability.value == pytest.approx(found.reliability.value, abs=0.01)


def test_intervals_are_about_as_wide_as_studies_differ(rng):
    """Sixteen studies of the same clips: the jackknife's error lies between 0.7 and 1.7 of their spread."""
    clips = 0.8 + 0.9 * rng.normal(size=60)
    found = [split_half(study(clips, 40, seed=seed, n_targets=40), n_splits=30) for seed in range(16)]
    z = np.arctanh([each.spearman.value for each in found])
    widths = np.arctanh([each.spearman.high for each in found]) - np.arctanh([each.spearman.low for each in found])
    assert 0.7 < widths.mean() / (2 * 2.0) / z.std(ddof=1) < 1.7
    for each in found[:3]:
        for name in ("spearman", "pearson", "reliability", "reliability_pearson", "ceiling"):
            estimate = getattr(each, name)
            assert estimate.low < estimate.value < estimate.high
            assert estimate.n_groups == 40
            assert estimate.reason is None


def test_seeds_decide_and_the_order_of_listeners_does_not(rng):
    table = study(rng.normal(size=30), 20, n_targets=20)
    one, same, other = (split_half(table, n_splits=20, seed=seed) for seed in (0, 0, 1))
    assert one.spearman == same.spearman
    assert np.array_equal(one.half_a, same.half_a, equal_nan=True)
    assert one.spearman != other.spearman
    turned = split_half(table.take(rng.permutation(table.n_rows)), n_splits=20)
    assert turned.spearman == one.spearman


def test_every_score_can_be_halved(rng):
    model = ListenerModel(false_alarm_sd=0.0)
    table = study(0.8 + rng.normal(size=40), 40, model=model, n_targets=30)
    found = {name: split_half(table, score=name, n_splits=30, interval=False) for name in SCORES}
    for name in ("shrunk", "lag_adjusted"):
        assert found[name].spearman.value == pytest.approx(found["raw"].spearman.value, abs=0.06)
    assert abs(found["false_alarm"].spearman.value) < 0.25  # false alarms do not depend on the clip here
    assert (
        split_half(table, score="lag_adjusted").spearman.reason == "there is no interval for scores of the lag model"
    )
    assert found["raw"].spearman.reason == "no interval was asked for"


def test_scores_that_mean_nothing_have_no_ceiling():
    found = split_half(study(np.full(80, 0.5), 20, seed=5), n_splits=50, interval=False)
    assert abs(found.spearman.value) < 0.15
    if found.spearman.value <= 0:
        assert found.ceiling.value is None


def test_too_little_is_said_and_not_scored(rng):
    few = study(rng.normal(size=20), 3)
    found = split_half(few)
    assert found.spearman.value is None
    assert "3 sittings and 20 clips" in found.spearman.reason
    assert found.ceiling.reason == found.reliability.reason == found.spearman.reason
    seven = split_half(study(rng.normal(size=20), 7))
    assert seven.spearman.value is not None
    assert seven.spearman.low is None
    assert "7 sittings; 8 are needed" in seven.spearman.reason
    always = split_half(study(np.full(20, 40.0), 10))
    assert "do not vary" in always.spearman.reason
    with pytest.raises(SpecError, match="'best' is not known"):
        split_half(few, score="best")

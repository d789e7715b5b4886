"""Scores are what their definitions say, and find what simulated listeners were given."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from otoscope.errors import SpecError
from otoscope.game.measures import (
    corrected_interval,
    d_prime,
    d_prime_interval,
    fit_beta,
    wilson,
)
from otoscope.game.pairs import ANSWER_RULES, AnswerRule, count, find_pairs
from otoscope.game.responses import ANSWERS, read_responses
from otoscope.game.scoring import SCORES, additive_score, score_responses, write_labels
from otoscope.game.synthetic import ListenerModel, plain_slots, simulate_responses
from otoscope.studies.memorability.labels import read_labels

PLAIN = ListenerModel(listener_sd=0.0, lag_slope=0.0, crossing=0.0, false_alarm_sd=0.0, knew=0.0, timeout=0.0)


def by_hand(responses, first=("new",)):
    """Count hits and pairs by the reference's rule, one row at a time."""
    said = {}
    for row in range(responses.n_rows):
        key = responses.session[row], responses.track[row]
        if responses.role[row] == "target":
            said.setdefault(key, {})[int(responses.presentation[row])] = responses.answer[row]
    scores = {}
    for (_, track), answers in said.items():
        if answers.get(1) in first and answers.get(2) in ("repeat", "new"):
            scores.setdefault(str(track), []).append(answers[2] == "repeat")
    return scores


def every_answer(tmp_path):
    """Write one sitting for each way to answer two presentations of one clip."""
    path = tmp_path / "table.csv"
    lines = ["session,slot,track,answer"]
    for place, (first, second) in enumerate(product(ANSWERS, ANSWERS)):
        lines += [f"s{place},0,x,{first}", f"s{place},1,y,new", f"s{place},2,x,{second}"]
    path.write_text("\n".join(lines))
    return read_responses(path)


def test_the_reference_counts_new_then_repeat_and_new_then_new_and_drops_the_rest(tmp_path):
    table = every_answer(tmp_path)
    pairs = find_pairs(table)
    assert pairs.n == 2
    assert pairs.n_dropped == 14
    assert sorted(pairs.hit.tolist()) == [False, True]
    x, y = score_responses(table).tracks
    assert (x.n, x.hits) == (2, 1)
    assert x.values["raw"][0] == 0.5
    # Four first answers each: new and repeat count, knew and timeout do not.
    assert (x.firsts, x.alarms) == (8, 4)
    assert (y.n, y.firsts, y.alarms) == (0, 16, 0)
    assert "raw" not in y.values
    assert y.values["false_alarm"][0] == 0.0


def test_other_rules_count_other_answers(tmp_path):
    table = every_answer(tmp_path)
    every = find_pairs(table, rule=ANSWER_RULES["every-pair"])
    assert (every.n, every.hit.sum()) == (9, 3)
    late = find_pairs(table, rule=ANSWER_RULES["timeouts-miss"])
    assert (late.n, late.hit.sum()) == (3, 1)
    assert count(table, rule=ANSWER_RULES["every-pair"]).firsts[:, 0].sum() == 12


def test_scores_equal_a_count_by_hand():
    slots = plain_slots(n_targets=20, n_vigilance=5, n_fillers=7, n_phases=2)
    table = simulate_responses(
        np.linspace(-1, 2, 40), n_listeners=30, slots=slots, model=ListenerModel(knew=0.1, timeout=0.05)
    )
    scores, expected = score_responses(table, lag_model=False), by_hand(table)
    assert {track.track for track in scores.tracks if track.n} == set(expected)
    for track in scores.tracks:
        assert track.n == len(expected[track.track])
        assert track.hits == sum(expected[track.track])
        assert track.values["raw"][0] == track.hits / track.n
        assert track.values["corrected"][0] == pytest.approx(track.hits / track.n - track.alarms / track.firsts)
        for name, (value, low, high) in track.values.items():
            assert low <= value <= high, name


def test_d_prime_is_the_log_linear_formula():
    value = d_prime(*(np.array([float(x)]) for x in (10, 10, 0, 20)))
    assert value[0] == pytest.approx(stats.norm.ppf(10.5 / 11) - stats.norm.ppf(0.5 / 21))
    assert np.isnan(d_prime(*(np.array([float(x)]) for x in (0, 0, 1, 2)))[0])


def test_d_prime_of_simulated_listeners_is_found():
    """Half of a million responses: d' within 0.02 of the truth, hit and false-alarm rates within 0.005."""
    slots = plain_slots(n_targets=20)
    truth = stats.norm.ppf(stats.logistic.cdf(1.0)) - stats.norm.ppf(stats.logistic.cdf(-1.5))
    model = ListenerModel(
        listener_sd=0.0, lag_slope=0.0, crossing=0.0, false_alarm=-1.5, false_alarm_sd=0.0, knew=0.1, timeout=0.05
    )
    counted = count(simulate_responses(np.full(20, 1.0), n_listeners=3000, slots=slots, model=model))
    hits, n, alarms, firsts = (
        np.array([part.sum()]) for part in (counted.hits, counted.pairs, counted.alarms, counted.firsts)
    )
    assert d_prime(hits, n, alarms, firsts)[0] == pytest.approx(truth, abs=0.02)
    assert hits[0] / n[0] == pytest.approx(stats.logistic.cdf(1.0), abs=0.005)
    assert alarms[0] / firsts[0] == pytest.approx(stats.logistic.cdf(-1.5), abs=0.005)


def test_wilson_is_that_of_scipy():
    for hits, n in ((0, 5), (3, 7), (50, 60), (9, 9)):
        low, high = wilson(np.array([float(hits)]), np.array([float(n)]))
        expected = stats.binomtest(hits, n).proportion_ci(method="wilson")
        assert low[0] == pytest.approx(expected.low, abs=1e-12)
        assert high[0] == pytest.approx(expected.high, abs=1e-12)


def test_the_difference_of_rates_has_the_published_interval():
    """Newcombe (1998), table II, method 10: 56/70 less 48/80."""
    low, high = corrected_interval(*(np.array([float(x)]) for x in (56, 70, 48, 80)))
    assert low[0] == pytest.approx(0.0524, abs=5e-5)
    assert high[0] == pytest.approx(0.3339, abs=5e-5)


def test_intervals_of_d_prime_hold_the_truth(rng):
    hits, alarms = rng.binomial(40, 0.7, 4000).astype(float), rng.binomial(80, 0.15, 4000).astype(float)
    low, high = d_prime_interval(hits, np.full(4000, 40.0), alarms, np.full(4000, 80.0))
    truth = stats.norm.ppf(0.7) - stats.norm.ppf(0.15)
    assert 0.93 < ((low < truth) & (truth < high)).mean() < 0.97


def test_the_spread_of_clips_is_the_best_on_a_grid_and_is_found(rng):
    chance = rng.beta(6, 3, 500)
    n = rng.integers(5, 60, 500).astype(float)
    hits = rng.binomial(n.astype(int), chance).astype(float)
    fit = fit_beta(hits, n)

    def likelihood(mean, size):
        return stats.betabinom.logpmf(hits, n, mean * size, (1 - mean) * size).sum()

    best = likelihood(fit.mean, fit.alpha + fit.beta)
    for mean, size in product(np.linspace(0.5, 0.8, 13), np.geomspace(2, 60, 25)):
        assert likelihood(mean, size) <= best + 0.05  # the priors may cost it as much
    assert best - likelihood(0.6, 9) == pytest.approx(
        fit.log_likelihood
        - (stats.betabinom.logpmf(hits, n, 5.4, 3.6) - stats.binom.logpmf(hits, n, 0.5) - n * np.log(2)).sum(),
        rel=1e-9,
    )
    assert fit.mean == pytest.approx(6 / 9, abs=0.02)
    assert fit.alpha + fit.beta == pytest.approx(9, rel=0.2)
    assert fit.sd == pytest.approx(stats.beta(6, 3).std(), rel=0.1)
    low, high = fit.interval(hits, n)
    assert low == pytest.approx(stats.beta.ppf(0.025, fit.alpha + hits, fit.beta + n - hits))
    assert 0.93 < ((low < chance) & (chance < high)).mean() < 0.97
    raw, shrunk = hits / n, fit.score(hits, n)
    assert np.mean((shrunk - chance) ** 2) < 0.8 * np.mean((raw - chance) ** 2)


def test_clips_that_differ_by_chance_alone_are_drawn_together(rng):
    n = np.full(200, 20.0)
    hits = rng.binomial(20, 0.65, 200).astype(float)
    fit = fit_beta(hits, n)
    assert fit.score(hits, n).std() < 0.25 * (hits / n).std()
    assert fit.mean == pytest.approx(0.65, abs=0.03)


def test_a_few_answers_do_not_claim_to_know(rng):
    three = np.array([3.0])
    for hits in (three, three * 0):
        fit = fit_beta(hits, three)
        low, high = fit.interval(hits, three)
        assert low[0] < fit.score(hits, three)[0] < high[0]
        assert high[0] - low[0] > 0.3


def test_impossible_counts_are_refused():
    with pytest.raises(SpecError, match="no track has a response"):
        fit_beta(np.zeros(2), np.zeros(2))
    with pytest.raises(SpecError, match="hits must lie"):
        fit_beta(np.array([3.0]), np.array([2.0]))
    with pytest.raises(SpecError, match="counts do not suffice"):
        additive_score("lag_adjusted", *(np.ones(1),) * 4, fit_beta(np.ones(1), np.ones(1)))


def test_labels_are_read_by_the_study_of_memorability(tmp_path):
    slots = plain_slots(n_targets=10, n_fillers=2)
    table = simulate_responses(np.linspace(-2, 2, 12), n_listeners=40, slots=slots, model=PLAIN)
    scores = score_responses(table)
    clips = tmp_path / "clips"
    clips.mkdir()
    for track in scores.tracks:
        (clips / f"{track.track}.wav").touch()
    for label in SCORES:
        halves = scores.column("raw") - 0.01, scores.column("raw") + 0.01
        halves[0][3] = np.nan
        assert write_labels(tmp_path / "labels.csv", scores, label=label, halves=halves) == 0
        read = read_labels(tmp_path / "labels.csv", clips)
        assert read.failures == ()
        assert read.notes == ()
        for made, label_read in zip(scores.tracks, read.labels, strict=True):
            value, low, high = made.values[label]
            assert label_read.track == made.track
            assert (label_read.score, label_read.low, label_read.high) == pytest.approx((value, low, high), rel=1e-5)
            assert label_read.n == (made.firsts if label == "false_alarm" else made.n)
        assert read.labels[3].half_a is None
        assert read.labels[3].half_b is None
        assert read.labels[2].half_b == pytest.approx(halves[1][2], rel=1e-5)


def test_a_clip_without_responses_has_no_score_and_no_row(tmp_path):
    slots = plain_slots(n_targets=3, n_fillers=2)
    table = simulate_responses(np.zeros(5), n_listeners=1, slots=slots, model=PLAIN)
    scores = score_responses(table)
    n_pairs = sum(track.n > 0 for track in scores.tracks)
    assert n_pairs < 5
    assert write_labels(tmp_path / "labels.csv", scores) == 5 - n_pairs
    assert len((tmp_path / "labels.csv").read_text().splitlines()) == 1 + n_pairs
    assert np.isnan(scores.column("raw")).sum() == 5 - n_pairs
    assert np.isnan(scores.column("lag_adjusted")).sum() == 5 - n_pairs


def test_what_cannot_be_scored_is_refused(tmp_path):
    fillers = simulate_responses(np.zeros(4), n_listeners=2, slots=plain_slots(n_targets=0, n_fillers=4))
    scores = score_responses(fillers)
    assert scores.spread is None
    assert scores.lag_fit is None
    with pytest.raises(SpecError, match="none of 4 clips has a score 'raw'"):
        write_labels(tmp_path / "labels.csv", scores)
    with pytest.raises(SpecError, match="'best' is not known"):
        write_labels(tmp_path / "labels.csv", scores, label="best")
    with pytest.raises(SpecError, match="no sitting is left"):
        score_responses(fillers.of_sessions([]))
    with pytest.raises(SpecError, match="halves of"):
        write_labels(tmp_path / "labels.csv", scores, label="false_alarm", halves=(np.ones(2), np.ones(2)))
    with pytest.raises(SpecError, match="both hit and miss"):
        AnswerRule(miss=("repeat",))
    with pytest.raises(SpecError, match="choose one or more"):
        AnswerRule(first=())
    with pytest.raises(SpecError, match="choose one or more"):
        AnswerRule(alarm_roles=("boss",))

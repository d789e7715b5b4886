"""Laws of sums and scores, for any frames."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from otoscope.evaluation.scores import METRICS, SUMS, ScoreTable, sums_of

RELATIVE = 1e-9  # of the largest sum or of the score
ILL = 1e-8  # of the score, where the level is 1,000 times the spread
CENTRED = [SUMS.index(name) for name in ("cyy", "cpp", "cyp")]
ADDITIVE = [i for i in range(len(SUMS)) if i not in CENTRED]
KINDS = st.sampled_from(["log2", "voicing", "other"])
SEEDS = st.integers(0, 10_000)
SIZES = st.lists(st.integers(0, 25), min_size=1, max_size=10)


def frames(seed, n, kind):
    rng = np.random.default_rng([seed, n])
    if kind == "voicing":
        return (rng.random(n) < 0.6).astype(np.float64), rng.normal(0.5, 0.4, n)
    level, spread = rng.normal(7, 2), 10.0 ** rng.uniform(-2, 1)
    truth = level + spread * rng.normal(size=n)
    return truth, 0.8 * truth + 0.2 * level + 0.4 * spread * rng.normal(size=n)


def tabled(pairs, clusters, languages, kind, train=7.0):
    table = ScoreTable(clusters, languages, n_resamples=60)
    cells = table.gather(np.array([sums_of(y, p, kind=kind) for y, p in pairs]))
    return {name: table.score(name, cells, np.full(len(table.languages), train)) for name in METRICS}


@given(SEEDS, SIZES, KINDS)
def test_sums_of_a_concatenation_are_sums_of_its_parts_but_for_those_about_means(seed, sizes, kind):
    parts = [frames(seed + i, n, kind) for i, n in enumerate(sizes)]
    whole = sums_of(*(np.concatenate(side) for side in zip(*parts, strict=True)), kind=kind)
    added = np.sum([sums_of(y, p, kind=kind) for y, p in parts], axis=0)
    scale = np.abs(whole[ADDITIVE]).max()
    np.testing.assert_allclose(added[ADDITIVE], whole[ADDITIVE], rtol=RELATIVE, atol=RELATIVE * scale)
    for i in (SUMS.index("cyy"), SUMS.index("cpp")):
        assert added[i] <= whole[i] * (1 + RELATIVE)  # what lies between utterances is left out


@given(SEEDS, st.integers(1, 40), KINDS, st.randoms(use_true_random=False))
def test_the_order_of_the_frames_changes_no_sum(seed, n, kind, random):
    truth, predicted = frames(seed, n, kind)
    order = list(range(n))
    random.shuffle(order)
    one, other = sums_of(truth, predicted, kind=kind), sums_of(truth[order], predicted[order], kind=kind)
    np.testing.assert_allclose(other, one, rtol=RELATIVE, atol=RELATIVE * np.abs(one).max())


@given(SEEDS, st.integers(8, 25), KINDS, st.randoms(use_true_random=False))
def test_the_order_of_the_utterances_changes_no_score_and_no_interval(seed, n, kind, random):
    pairs = [frames(seed + i, 3 + i % 7, kind) for i in range(n)]
    clusters, languages = [f"s{i % 9}" for i in range(n)], ["zu" if i % 9 < 8 and i > 15 else "en" for i in range(n)]
    order = list(range(n))
    random.shuffle(order)
    one = tabled(pairs, clusters, languages, kind)
    picked = ([part[i] for i in order] for part in (pairs, clusters, languages))
    other = tabled(*picked, kind)
    for name, score in one.items():
        assert other[name].reason == score.reason
        for field in ("value", "low", "high"):
            there, here = getattr(other[name], field), getattr(score, field)
            assert (there is None) == (here is None)
            assert here is None or there == pytest.approx(here, rel=ILL, abs=ILL)


@given(SEEDS, st.integers(2, 40), st.floats(-100, 100), st.floats(0.01, 100), st.booleans())
def test_r_within_utterances_does_not_know_levels_and_scales(seed, n, level, scale, turned):
    truth, predicted = frames(seed, n, "other")
    score = tabled([(truth, predicted)], ["s"], ["en"], "other")["within_r"].value
    sign = -1 if turned else 1
    moved = tabled([(truth, sign * scale * predicted + level)], ["s"], ["en"], "other")["within_r"].value
    assert moved == pytest.approx(sign * score, abs=1e-6)
    assert -1 - RELATIVE <= score <= 1 + RELATIVE


@given(SEEDS, st.integers(3, 40), st.floats(-20, 20), st.floats(0.1, 10))
def test_r2_and_skill_do_not_know_the_unit_and_mse_knows_its_square(seed, n, level, scale):
    truth, predicted = frames(seed, n, "other")
    assume(np.std(truth) > 1e-3)
    one = tabled([(truth, predicted)], ["s"], ["en"], "other", train=6.0)
    moved = [(scale * truth + level, scale * predicted + level)]
    other = tabled(moved, ["s"], ["en"], "other", train=6.0 * scale + level)
    for name, factor in (("r2", 1.0), ("skill", 1.0), ("mse", scale**2)):
        assert other[name].value == pytest.approx(factor * one[name].value, rel=1e-6, abs=1e-6 * factor)


@given(SEEDS, st.integers(2, 40))
def test_a_perfect_prediction_has_the_best_of_all_scores(seed, n):
    truth, _ = frames(seed, n, "other")
    assume(np.ptp(truth) > 0.05)  # raw sums know a variance to 1e-15 of the squared level only
    scores = tabled([(truth, truth)], ["s"], ["en"], "log2")
    best = {"r2": 1.0, "skill": 1.0, "within_r": 1.0, "mse": 0.0, "gpe": 0.0, "mae_cents": 0.0}
    assert {name: scores[name].value for name in best} == pytest.approx(best, abs=RELATIVE)


@given(SEEDS, st.integers(2, 40))
def test_the_mean_of_the_tested_frames_scores_nothing_in_r2(seed, n):
    truth, _ = frames(seed, n, "other")
    scores = tabled([(truth, np.full(n, truth.mean()))], ["s"], ["en"], "other", train=float(truth.mean()))
    assert scores["r2"].value == pytest.approx(0.0, abs=1e-6)
    assert scores["skill"].value == pytest.approx(0.0, abs=1e-6)
    assert scores["mse"].value == pytest.approx(np.var(truth), rel=1e-6)
    assert scores["within_r"].value is None


@given(SEEDS, SIZES, KINDS)
def test_no_score_is_ever_nan(seed, sizes, kind):
    pairs = [frames(seed + i, n, kind) for i, n in enumerate(sizes)]
    for score in tabled(pairs, [f"s{i}" for i in range(len(sizes))], ["en"] * len(sizes), kind).values():
        given_fields = [v for v in (score.value, score.low, score.high) if v is not None]
        assert np.isfinite(given_fields).all()
        assert (score.value is not None and score.low is not None) or score.reason

"""Numbers about out-of-fold predictions are those of each repeat and fold, and intervals hold what they should."""

import numpy as np
import pytest
from scipy import stats

from otoscope.errors import LeakageError, SpecError
from otoscope.evaluation.folds import fold_numbers, repeated_folds
from otoscope.evaluation.outoffold import TRACK_METRICS, OutOfFold, difference, evaluate_predictions
from otoscope.evaluation.resampling import expanded_tails

EXACT = 1e-10
N, REPEATS, FOLDS = 60, 3, 5


def table(rng, *, n=N, skill=0.6, groups=None, repeats=REPEATS, folds=FOLDS):
    ids = tuple(f"t{i:03d}" for i in range(n))
    groups = ids if groups is None else groups
    numbers = fold_numbers(repeated_folds(ids, groups, folds=folds, repeats=repeats), n)
    truth = rng.normal(size=n)
    predicted = skill * truth + 0.5 * rng.normal(size=(repeats, n))
    return OutOfFold(ids, truth, predicted, numbers, groups)


def by_hand(made, rows=None):
    """Compute everything in loops, with SciPy, for some of the tracks (a row per copy)."""
    rows = np.arange(len(made.tracks)) if rows is None else rows
    y = made.truth[rows]
    pooled, folds, linear, mse, of_mean, mae, width = [], [], [], [], [], [], []
    for predicted, numbers, baseline in zip(made.predicted, made.fold, made.baseline, strict=True):
        p = predicted[rows]
        pooled.append(stats.spearmanr(y, p).statistic)
        linear.append(stats.pearsonr(y, p).statistic)
        mse.append(np.mean((y - p) ** 2))
        of_mean.append(np.mean((y - baseline[rows]) ** 2))
        mae.append(np.mean(np.abs(y - p)))
        width.append(np.quantile(np.abs(y - p), 0.9, method="inverted_cdf"))
        for fold in range(FOLDS):
            inside = numbers[rows] == fold
            if np.unique(y[inside]).size > 1:
                folds.append(stats.spearmanr(y[inside], p[inside]).statistic)
    return {
        "spearman_pooled": np.mean(pooled),
        "spearman_fold": np.mean(folds),
        "pearson": np.mean(linear),
        "mse": np.mean(mse),
        "rmse": np.sqrt(np.mean(mse)),
        "mae": np.mean(mae),
        "skill": 1 - np.mean(mse) / np.mean(of_mean),
        "half_width": np.mean(width),
    }


def test_every_number_is_the_one_worked_in_loops(rng):
    made = table(rng)
    found = evaluate_predictions(made, n_resamples=50)
    assert set(found) == set(TRACK_METRICS)
    for name, value in by_hand(made).items():
        assert found[name].value == pytest.approx(value, abs=EXACT), name
        assert found[name].metric == name
    tau = np.mean([stats.kendalltau(made.truth, p).statistic for p in made.predicted])
    assert found["pair_accuracy"].value == pytest.approx((1 + tau) / 2, abs=EXACT)


def test_intervals_are_those_of_tracks_drawn_and_laid_side_by_side(rng):
    from otoscope.evaluation.resampling import draw_weights

    made = table(rng)
    found = evaluate_predictions(made, seed=7, n_resamples=25)
    drawn = draw_weights(made.groups, seed=7, n_resamples=25)
    each = [by_hand(made, np.repeat(np.arange(N), weights.astype(int))) for weights in drawn]
    for name in each[0]:
        values = np.array([numbers[name] for numbers in each])
        if name == "spearman_fold":
            values += found[name].value - values.mean()
        low, high = np.quantile(values, expanded_tails(N))
        assert (found[name].low, found[name].high) == (pytest.approx(low, abs=EXACT), pytest.approx(high, abs=EXACT))


def test_the_mean_predictor_is_what_other_folds_say(rng):
    made = table(rng)
    for repeat in range(REPEATS):
        for row in range(N):
            others = made.truth[made.fold[repeat] != made.fold[repeat, row]]
            assert made.baseline[repeat, row] == pytest.approx(others.mean(), abs=EXACT)
    flat = OutOfFold(made.tracks, made.truth, made.baseline, made.fold)
    found = evaluate_predictions(flat, n_resamples=50)
    assert found["skill"].value == pytest.approx(0, abs=EXACT)
    assert found["spearman_pooled"].value < -0.05
    assert found["spearman_fold"].value is None
    assert found["spearman_fold"].reason == "in no fold both the scores and the predictions vary"


def test_a_given_mean_predictor_is_used(rng):
    made = table(rng)
    known = OutOfFold(made.tracks, made.truth, made.predicted, made.fold, baseline=np.zeros((REPEATS, N)))
    mse = np.mean((made.predicted - made.truth) ** 2)
    expected = 1 - mse / np.mean(made.truth**2)
    assert evaluate_predictions(known, n_resamples=9)["skill"].value == pytest.approx(expected, abs=EXACT)


def test_one_fold_has_no_mean_predictor(rng):
    truth = rng.normal(size=20)
    made = OutOfFold(tuple(map(str, range(20))), truth, truth[None, :] + 0.1, np.zeros((1, 20), dtype=np.intp))
    skill = evaluate_predictions(made, n_resamples=9)["skill"]
    assert skill.value is None
    assert "no mean predictor" in skill.reason


def test_a_fold_without_a_value_is_left_out(rng):
    made = table(rng, repeats=1)
    flat = made.predicted.copy()
    flat[made.fold == 2] = 0.25
    rest = [
        stats.spearmanr(made.truth[made.fold[0] == f], flat[0, made.fold[0] == f]).statistic for f in (0, 1, 3, 4)
    ]
    found = evaluate_predictions(OutOfFold(made.tracks, made.truth, flat, made.fold), n_resamples=50)
    assert found["spearman_fold"].value == pytest.approx(np.mean(rest), abs=EXACT)


def test_no_end_of_an_interval_of_rho_lies_beyond_one(rng):
    found = evaluate_predictions(table(rng, n=12, skill=2.0, folds=5), n_resamples=200)
    for name in ("spearman_pooled", "spearman_fold", "pearson"):
        assert -1 <= found[name].low <= found[name].value <= found[name].high <= 1


def test_a_constant_prediction_orders_nothing(rng):
    made = table(rng)
    flat = OutOfFold(made.tracks, made.truth, np.full((REPEATS, N), 0.3), made.fold)
    found = evaluate_predictions(flat, n_resamples=9)
    assert (found["spearman_pooled"].value, found["pearson"].value) == (None, None)
    assert found["spearman_pooled"].reason == TRACK_METRICS["spearman_pooled"].reason
    assert found["pair_accuracy"].value == 0.5


def test_groups_are_what_the_interval_draws(rng):
    groups = tuple(f"g{i // 6}" for i in range(N))
    made = table(rng, groups=groups)
    found = evaluate_predictions(made, n_resamples=50)["mse"]
    assert (found.n_tracks, found.n_groups) == (N, 10)
    few = table(rng, groups=tuple(f"g{i // 10}" for i in range(N)))
    found = evaluate_predictions(few)["mse"]
    assert (found.low, found.high) == (None, None)
    assert found.reason == "there are 6 groups to resample; 8 are needed"
    assert found.value is not None


def test_a_difference_is_paired(rng):
    one = table(rng)
    other = OutOfFold(one.tracks, one.truth, one.predicted + 0.02 * rng.normal(size=one.predicted.shape), one.fold)
    alone, paired = evaluate_predictions(one), difference(one, other)
    for name in ("spearman_pooled", "mse", "pair_accuracy"):
        expected = alone[name].value - evaluate_predictions(other)[name].value
        assert paired[name].value == pytest.approx(expected, abs=EXACT)
        assert paired[name].high - paired[name].low < 0.2 * (alone[name].high - alone[name].low)
    same = difference(one, one)["spearman_pooled"]
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_a_difference_of_what_is_not_defined_is_not_defined(rng):
    one = table(rng)
    flat = OutOfFold(one.tracks, one.truth, np.zeros_like(one.predicted), one.fold)
    found = difference(one, flat, n_resamples=20)
    assert found["spearman_pooled"].value is None
    assert found["mse"].value is not None


def test_a_difference_needs_the_same_tracks(rng):
    one, other = table(rng), table(rng)
    with pytest.raises(SpecError, match="a paired difference needs the same tracks"):
        difference(one, other)


def rows_of(made):
    repeat, row = np.indices(made.predicted.shape)
    return (
        [made.tracks[i] for i in row.ravel()],
        repeat.ravel().tolist(),
        made.fold.ravel().tolist(),
        made.truth[row.ravel()],
        made.predicted.ravel(),
    )


def test_rows_in_any_order_make_the_same_table(rng):
    made = table(rng, groups=tuple(f"g{i // 2}" for i in range(N)))
    track, repeat, fold, truth, predicted = rows_of(made)
    order = rng.permutation(len(track))
    again = OutOfFold.from_rows(
        [track[i] for i in order],
        [repeat[i] for i in order],
        [fold[i] for i in order],
        truth[order],
        predicted[order],
        groups=dict(zip(made.tracks, made.groups, strict=True)),
    )
    assert again.tracks == made.tracks
    assert again.groups == made.groups
    for name in ("truth", "predicted", "fold", "baseline"):
        assert np.array_equal(getattr(again, name), getattr(made, name)), name


def test_rows_that_do_not_make_a_table_are_refused(rng):
    track, repeat, fold, truth, predicted = rows_of(table(rng, n=10, folds=2))
    with pytest.raises(SpecError, match="repeat 2 has 't009' 0 times; every repeat needs every track once"):
        OutOfFold.from_rows(track[:-1], repeat[:-1], fold[:-1], truth[:-1], predicted[:-1])
    with pytest.raises(SpecError, match="repeat 0 has 't000' 2 times"):
        OutOfFold.from_rows(["t000", "t000", *track[2:]], repeat, fold, truth, predicted)
    other = truth.copy()
    other[3] += 1
    with pytest.raises(SpecError, match="'t003' has more than one score"):
        OutOfFold.from_rows(track, repeat, fold, other, predicted)
    with pytest.raises(SpecError, match="equal lengths"):
        OutOfFold.from_rows(track, repeat, fold, truth[1:], predicted)
    with pytest.raises(SpecError, match="at least one row"):
        OutOfFold.from_rows([], [], [], [], [])


def test_a_divided_group_is_a_leak(rng):
    made = table(rng)
    with pytest.raises(LeakageError, match="repeat 0: the group 'g0' is in folds"):
        OutOfFold(made.tracks, made.truth, made.predicted, made.fold, tuple(f"g{i // 10}" for i in range(N)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tracks": ("a", "a", "c")}, "stands twice"),
        ({"truth": np.zeros(2)}, "as many scores and groups"),
        ({"predicted": np.zeros(3)}, r"\(n_repeats, 3\) is needed"),
        ({"fold": np.zeros((2, 3), dtype=np.intp)}, "equal shapes are needed"),
        ({"baseline": np.zeros((2, 3))}, "equal shapes are needed"),
        ({"predicted": np.array([[0.0, np.inf, 1.0]])}, "not finite"),
    ],
)
def test_a_table_that_cannot_be_is_refused(change, words):
    good = {
        "tracks": ("a", "b", "c"),
        "truth": np.arange(3.0),
        "predicted": np.zeros((1, 3)),
        "fold": np.zeros((1, 3), dtype=np.intp),
    }
    with pytest.raises(SpecError, match=words):
        OutOfFold(**{**good, **change})


def test_a_thousand_resamples_take_no_time(rng):
    import time

    made = table(rng, n=235, repeats=5, folds=5)
    start = time.process_time()
    evaluate_predictions(made)
    assert time.process_time() - start < 2.0


@pytest.mark.slow
def test_intervals_cover_the_truth_as_often_as_they_say(rng):
    level = 0.6 / np.sqrt(0.36 + 0.25)
    rho = 6 / np.pi * np.arcsin(level / 2)
    covered = 0
    for _ in range(300):
        found = evaluate_predictions(table(rng, repeats=1, n=100), n_resamples=400)["spearman_pooled"]
        covered += found.low <= rho <= found.high
    assert 0.91 <= covered / 300 <= 0.98

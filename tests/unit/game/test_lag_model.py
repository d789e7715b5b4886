"""The mixed model finds what was planted, and is the maximum of what it says it maximises."""

import time

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logsumexp
from sklearn.linear_model import LogisticRegression

from otoscope.errors import SpecError
from otoscope.game.lag_model import clip_effects, fit_lag_model
from otoscope.game.laplace import Crossed, _Laplace, effects_given, fit_crossed
from otoscope.game.pairs import Pairs, find_pairs
from otoscope.game.synthetic import ListenerModel, plain_slots, simulate_responses

BETA = np.array([0.8, -0.35, -0.3])


def answers(rng, *, n_listeners, n_clips, each, clip_sd=0.8, listener_sd=0.6, beta=BETA):
    """Draw answers by the model itself: no schedule, no table."""
    listener = np.repeat(np.arange(n_listeners), each)
    clip = np.concatenate([rng.permutation(n_clips)[:each] for _ in range(n_listeners)])
    lag = np.exp(rng.uniform(np.log(10), np.log(270), listener.size)).round()
    crossed = rng.integers(0, 3, listener.size)
    columns = np.column_stack([np.ones(listener.size), np.log(lag / 60), crossed])
    u, v = clip_sd * rng.normal(size=n_clips), listener_sd * rng.normal(size=n_listeners)
    hit = rng.random(listener.size) < expit(columns @ beta + u[clip] + v[listener])
    return Crossed(hit.astype(float), columns, clip, listener, n_clips, n_listeners), lag, crossed, u


def as_pairs(data, lag, crossed):
    names = [
        tuple(f"{kind}{place:03d}" for place in range(n)) for kind, n in (("s", data.n_other), ("t", data.n_one))
    ]
    return Pairs(*names, data.other, data.one, data.hit > 0.5, lag.astype(np.int64), crossed.astype(np.int64), 0)


def naive(data, sd, beta):
    """Give the Laplace objective by dense matrices and a general minimiser."""
    z = np.zeros((data.hit.size, data.n_one + data.n_other))
    z[np.arange(data.hit.size), data.one] = sd[0]
    z[np.arange(data.hit.size), data.n_one + data.other] = sd[1]

    def loss(b):
        eta = data.columns @ beta + z @ b
        return 2 * (np.logaddexp(0, eta).sum() - data.hit @ eta) + b @ b

    def gradient(b):
        return 2 * (z.T @ (expit(data.columns @ beta + z @ b) - data.hit) + b)

    found = minimize(loss, np.zeros(z.shape[1]), jac=gradient, method="BFGS", options={"gtol": 1e-9})
    mean = expit(data.columns @ beta + z @ found.x)
    curvature = z.T @ ((mean * (1 - mean))[:, None] * z) + np.eye(z.shape[1])
    return found.fun + np.linalg.slogdet(curvature)[1]


def test_the_objective_is_that_of_dense_matrices_and_its_gradient_that_of_differences(rng):
    data, *_ = answers(rng, n_listeners=10, n_clips=14, each=9)
    model = _Laplace(data)
    for at in ([0.5, 0.4, 0.3, -0.2, 0.1], [1.5, 0.1, -1.0, 0.5, 0.4], [0.3, 0.0, 0.1, 0.1, 0.1]):
        at = np.array(at)
        value, gradient = model.whole(at)
        assert value == pytest.approx(naive(data, at[:2], at[2:]), rel=1e-9)
        steps = np.eye(at.size) * 1e-5
        assert gradient == pytest.approx(
            [(model.whole(at + s)[0] - model.whole(at - s)[0]) / 2e-5 for s in steps], abs=1e-5
        )


def test_the_fit_is_the_maximum_that_another_search_finds(rng):
    data, *_ = answers(rng, n_listeners=9, n_clips=11, each=9)
    fit = fit_crossed(data)
    other = minimize(
        lambda at: naive(data, at[:2], at[2:]),
        np.array([0.4, 0.4, 0.0, 0.0, 0.0]),
        method="L-BFGS-B",
        bounds=[(0, 5)] * 2 + [(None, None)] * 3,
        options={"ftol": 1e-13, "gtol": 1e-6, "eps": 1e-5},
    )
    assert fit.converged
    assert -2 * fit.log_likelihood <= other.fun + 1e-6
    assert [fit.sd_one, fit.sd_other] == pytest.approx(other.x[:2], abs=5e-3)
    assert fit.fixed == pytest.approx(other.x[2:], abs=5e-3)


def test_which_grouping_comes_first_does_not_matter(rng):
    data, *_ = answers(rng, n_listeners=20, n_clips=31, each=15)
    turned = Crossed(data.hit, data.columns, data.other, data.one, data.n_other, data.n_one)
    one, other = fit_crossed(data), fit_crossed(turned)
    assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-6)
    assert one.one == pytest.approx(other.other, abs=1e-4)
    assert one.one_sd == pytest.approx(other.other_sd, abs=1e-4)
    assert one.other_sd == pytest.approx(other.one_sd, abs=1e-4)


def test_one_random_effect_agrees_with_quadrature(rng):
    """Clips alone: 40 answers each; the Laplace approximation is then close to the integral itself."""
    n_clips, each = 30, 40
    clip = np.repeat(np.arange(n_clips), each)
    u = 0.9 * rng.normal(size=n_clips)
    hit = (rng.random(clip.size) < expit(0.5 + u[clip])).astype(float)
    fit = fit_crossed(Crossed(hit, np.ones((clip.size, 1)), clip, np.zeros_like(clip), n_clips, 1))
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    hits = np.bincount(clip, weights=hit)

    def exact(at):
        eta = at[1] + abs(at[0]) * nodes
        inside = hits[:, None] * eta - each * np.logaddexp(0, eta)
        return -logsumexp(inside, b=weights / weights.sum(), axis=1).sum()

    best = minimize(exact, np.array([0.5, 0.0]), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9})
    assert fit.log_likelihood == pytest.approx(-best.fun, abs=0.3)
    assert fit.sd_one == pytest.approx(abs(best.x[0]), abs=0.01)
    assert fit.fixed[0] == pytest.approx(best.x[1], abs=0.01)
    assert fit.sd_other == pytest.approx(0.0, abs=0.01)


def test_without_random_effects_it_is_logistic_regression(rng):
    """One clip and one listener: nothing is left to vary."""
    data, lag, crossed, _ = answers(rng, n_listeners=40, n_clips=20, each=20, clip_sd=0, listener_sd=0)
    flat = Crossed(data.hit, data.columns, data.one * 0, data.other * 0, 1, 1)
    fit = fit_crossed(flat)
    plain = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(data.columns[:, 1:], data.hit)
    assert fit.sd_one == pytest.approx(0, abs=1e-3)
    assert fit.sd_other == pytest.approx(0, abs=1e-3)
    assert fit.fixed == pytest.approx([plain.intercept_[0], *plain.coef_[0]], abs=1e-4)
    mean = plain.predict_proba(data.columns[:, 1:])[:, 1]
    information = data.columns.T @ ((mean * (1 - mean))[:, None] * data.columns)
    assert fit.fixed_covariance == pytest.approx(np.linalg.inv(information), rel=1e-3)
    pairs = as_pairs(flat, lag, crossed)
    assert fit_lag_model(pairs, reference_lag=60).slope.value == pytest.approx(plain.coef_[0][0], abs=1e-3)


def test_planted_parameters_are_found(rng):
    """Twelve studies: means within 0.05 of slope and crossing, 10 % of the spreads; scores held in 94.5 +- 3 %."""
    found, held = [], []
    for _ in range(12):
        data, lag, crossed, u = answers(rng, n_listeners=80, n_clips=100, each=50)
        fit = fit_lag_model(as_pairs(data, lag, crossed), reference_lag=60)
        found.append([fit.slope.value, fit.crossing.value, fit.clip_sd / 0.8, fit.listener_sd / 0.6])
        truth = expit(BETA[0] + u)
        held.append((fit.low <= truth) & (truth <= fit.high))
        assert np.corrcoef(fit.score, truth)[0, 1] > 0.85
    slope, crossing, clips, listeners = np.mean(found, axis=0)
    assert slope == pytest.approx(-0.35, abs=0.05)
    assert crossing == pytest.approx(-0.3, abs=0.05)
    assert clips == pytest.approx(1, abs=0.1)
    assert listeners == pytest.approx(1, abs=0.1)
    assert np.mean(held) == pytest.approx(0.945, abs=0.03)


@pytest.mark.slow
def test_intervals_hold_as_often_as_they_say():
    """Forty studies through schedule, table and rule: slope and crossing in 95 % of them, give or take 8 %."""
    model = ListenerModel(listener_sd=0.6, lag_slope=-0.35, crossing=-0.3, knew=0.05, timeout=0.02)
    held = {"slope": [], "crossing": [], "score": []}
    for seed in range(40):
        clips = 0.8 + 0.8 * np.random.default_rng(seed).normal(size=120)
        slots = plain_slots(n_targets=60, n_fillers=15, n_phases=3, seed=seed)
        table = simulate_responses(clips, n_listeners=100, slots=slots, model=model, seed=seed)
        fit = fit_lag_model(find_pairs(table), reference_lag=60)
        held["slope"].append(fit.slope.low <= -0.35 <= fit.slope.high)
        held["crossing"].append(fit.crossing.low <= -0.3 <= fit.crossing.high)
        held["score"].append(np.mean((fit.low <= expit(clips)) & (expit(clips) <= fit.high)))
    assert np.mean(held["slope"]) >= 0.87
    assert np.mean(held["crossing"]) >= 0.87
    assert np.mean(held["score"]) == pytest.approx(0.95, abs=0.02)


@pytest.mark.slow
def test_a_study_of_full_size_takes_seconds(rng):
    data, lag, crossed, _ = answers(rng, n_listeners=200, n_clips=235, each=150)
    start = time.process_time()
    fit = fit_lag_model(as_pairs(data, lag, crossed))
    assert time.process_time() - start < 20
    assert fit.converged
    assert fit.n_pairs == 30_000


def test_lag_adjustment_mends_scores_from_unequal_lags(rng):
    """Half of the clips always return soon, half late: raw scores differ, adjusted ones do not."""
    data, _, _, _ = answers(rng, n_listeners=150, n_clips=40, each=30, clip_sd=0.3)
    late = data.one % 2 == 1
    lag = np.where(late, rng.integers(100, 250, late.size), rng.integers(10, 40, late.size))
    # A few of each kind come at the other lags, so that lag and clip can be told apart.
    swapped = rng.random(late.size) < 0.15
    lag = np.where(swapped, rng.permutation(lag), lag)
    hit = rng.random(late.size) < expit(0.8 - 0.6 * np.log(lag / 60))
    pairs = as_pairs(
        Crossed(hit.astype(float), data.columns, data.one, data.other, 40, 150), lag, np.zeros(late.size)
    )
    fit = fit_lag_model(pairs, reference_lag=60)
    raw = np.bincount(data.one, weights=hit) / np.bincount(data.one)
    assert raw[::2].mean() - raw[1::2].mean() > 0.15
    assert abs(fit.score[::2].mean() - fit.score[1::2].mean()) < 0.03
    assert fit.crossing.value is None
    assert fit.crossing.reason == "no pair crosses a rest"


def test_effects_alone_are_those_of_the_fit(rng):
    data, lag, crossed, _ = answers(rng, n_listeners=30, n_clips=40, each=20)
    pairs = as_pairs(data, lag, crossed)
    fit = fit_lag_model(pairs, reference_lag=60)
    assert clip_effects(pairs, fit) == pytest.approx(fit.score, abs=1e-4)
    one, _ = effects_given(data, fixed=BETA, sd_one=0.0, sd_other=0.0)
    assert np.abs(one).max() == 0


@pytest.mark.parametrize("hits", [[1], [0], [1, 1, 1], [0, 1]])
def test_hardly_any_answers_give_finite_scores(hits):
    n = len(hits)
    pairs = Pairs(
        ("s",),
        tuple(f"t{place}" for place in range(n + 1)),
        np.zeros(n, dtype=np.int64),
        np.arange(n),
        np.array(hits, dtype=bool),
        np.full(n, 20),
        np.full(n, 1),
        0,
    )
    fit = fit_lag_model(pairs)
    assert np.isfinite(fit.score[:n]).all()
    assert np.isnan(fit.score[n])
    assert (fit.low[:n] <= fit.score[:n]).all()
    assert (fit.score[:n] <= fit.high[:n]).all()
    assert fit.reference_lag == 20
    assert fit.slope.reason == "all pairs have one lag (20 slots)"
    assert fit.crossing.reason == "all pairs cross the same number of rests"


def test_lags_that_part_hits_from_misses_keep_the_slope_finite():
    hit = np.array([True] * 6 + [False] * 6)
    lag = np.arange(10, 22)
    each = np.arange(12)
    pairs = Pairs(tuple(map(str, each)), tuple(map(str, each)), each, each, hit, lag, np.zeros(12, dtype=np.int64), 0)
    fit = fit_lag_model(pairs)
    assert -20 < fit.slope.value < -2
    assert np.isfinite([fit.slope.low, fit.slope.high]).all()


def test_the_prior_is_not_felt_where_there_are_answers(rng):
    data, lag, crossed, _ = answers(rng, n_listeners=60, n_clips=60, each=40)
    pairs = as_pairs(data, lag, crossed)
    with_prior, without = fit_lag_model(pairs), fit_lag_model(pairs, prior_sd=np.inf)
    assert with_prior.slope.value == pytest.approx(without.slope.value, abs=1e-3)
    assert with_prior.score == pytest.approx(without.score, abs=1e-3)


def test_what_cannot_be_fitted_is_refused(rng):
    data, lag, crossed, _ = answers(rng, n_listeners=5, n_clips=5, each=5)
    with pytest.raises(SpecError, match="no pair"):
        fit_lag_model(
            as_pairs(
                Crossed(*(c[:0] for c in (data.hit, data.columns, data.one, data.other)), 5, 5), lag[:0], lag[:0]
            )
        )
    with pytest.raises(SpecError, match="a lag is not positive"):
        fit_lag_model(as_pairs(data, lag * 0, crossed))
    for reference in (0.0, -3.0, np.inf, np.nan):
        with pytest.raises(SpecError, match="the reference lag is"):
            fit_lag_model(as_pairs(data, lag, crossed), reference_lag=reference)

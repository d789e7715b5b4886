"""Probes scored together, in closed form."""

import numpy as np
import pytest

from otoscope.errors import MergeError
from otoscope.probes.moments import MomentAccumulator, Moments
from otoscope.probes.scoring import pair_moments, pair_moments_of
from otoscope.probes.solving import FittedProbe

COLUMNS = ("log2_f0", "energy", "log2_f0~shift")


def made(rng, *, n=400, dim=7):
    shift = rng.normal(size=dim)
    x, y = shift + rng.normal(size=(n, dim)), rng.normal(size=(n, len(COLUMNS)))
    y[:, 0] += x[:, 0]
    accumulator = MomentAccumulator(dim, COLUMNS, shift)
    accumulator.add(x, y)
    probes = [
        FittedProbe(COLUMNS, shift, rng.normal(size=(dim, 3)), *rng.normal(size=(3, 3)), dim, n) for _ in range(5)
    ]
    return x, y, accumulator.moments(), probes


def test_probes_scored_together_score_as_on_the_frames(rng):
    x, y, cell, probes = made(rng)
    pair = pair_moments_of(probes, cell)
    for i, probe in enumerate(probes):
        error = ((y - probe.predict(x)) ** 2).mean(axis=0)
        np.testing.assert_allclose(pair.mse[i], error, rtol=1e-10)
        np.testing.assert_allclose(pair.r2[i], 1 - error / y.var(axis=0), rtol=1e-10)
        correlation = [np.corrcoef(y[:, j], probe.predict(x)[:, j])[0, 1] for j in range(3)]
        np.testing.assert_allclose(pair.r[i], correlation, atol=1e-12)


def test_probes_scored_together_score_as_each_alone(rng):
    _, _, cell, probes = made(rng)
    pair = pair_moments_of(probes, cell)
    for i, probe in enumerate(probes):
        alone = pair_moments(probe, cell)
        for name in ("mse", "r2", "r", "mean_p", "var_p", "cov"):
            assert getattr(alone, name).shape == (3,)
            np.testing.assert_allclose(getattr(pair, name)[i], getattr(alone, name), rtol=1e-12, atol=1e-13)


def test_a_flat_truth_has_no_r2_for_any_probe(rng):
    x, y, _, probes = made(rng)
    y[:, 1] = 4.0
    accumulator = MomentAccumulator(x.shape[1], COLUMNS, probes[0].shift)
    accumulator.add(x, y)
    r2 = pair_moments_of(probes, accumulator.moments()).r2
    assert np.isnan(r2[:, 1]).all()
    assert np.isfinite(r2[:, [0, 2]]).all()


def test_one_probe_that_does_not_fit_is_refused_among_many(rng):
    _, _, cell, probes = made(rng)
    with pytest.raises(MergeError, match="columns"):
        pair_moments_of([*probes, probes[0].select(COLUMNS[:2])], cell)
    moved = FittedProbe(COLUMNS, probes[0].shift + 1, *(getattr(probes[0], n) for n in ("weights", "intercept")),
                        probes[0].train_mean, probes[0].lambdas, 7, 400.0)  # fmt: skip
    with pytest.raises(MergeError, match="shifts"):
        pair_moments_of([*probes, moved], cell)
    with pytest.raises(MergeError, match="no frames"):
        pair_moments_of(probes, Moments.empty(7, COLUMNS, probes[0].shift))


def test_moments_of_chosen_columns_are_those_of_their_frames(rng):
    x, y, cell, probes = made(rng)
    some = MomentAccumulator(x.shape[1], ("log2_f0~shift", "log2_f0"), probes[0].shift)
    some.add(x, y[:, [2, 0]])
    np.testing.assert_allclose(cell.select(("log2_f0~shift", "log2_f0")).packed, some.moments().packed, rtol=1e-12)
    full = cell.matrix()
    z = np.concatenate([np.ones((len(x), 1)), x - probes[0].shift, y], axis=1)
    np.testing.assert_allclose(full, z.T @ z, rtol=1e-10, atol=1e-10)
    full[0, 0] = -1  # a copy
    assert cell.n == len(x)

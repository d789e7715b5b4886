"""Models vote on which way a feature works."""

import numpy as np
import pytest

from otoscope.errors import SpecError
from otoscope.predictors.directions import Direction, sign_stability

IDS = ("a.up", "a.down", "b.mixed", "b.unused", "c.hump")


def explained(rng, mixed):
    values = rng.normal(size=(30, 5))
    centred = values - values.mean(axis=0)
    return values, np.column_stack(
        [
            0.3 * centred[:, 0],
            -np.tanh(centred[:, 1]),
            mixed * centred[:, 2],
            1e-17 * rng.normal(size=30),
            np.zeros(30),
        ]
    )


def test_the_majority_says_the_direction(rng):
    found = sign_stability(IDS, [explained(rng, mixed) for mixed in (1, 1, 1, -1, 0.5)])
    assert found == (
        Direction("a.up", 1, 1.0),
        Direction("a.down", -1, 1.0),
        Direction("b.mixed", 1, 0.8),
        Direction("b.unused", 0, 0.0),
        Direction("c.hump", 0, 0.0),
    )


def test_a_model_that_does_not_use_a_feature_does_not_agree(rng):
    found = sign_stability(IDS, [explained(rng, mixed) for mixed in (-1, 0, 0, -1)])[2]
    assert found == Direction("b.mixed", -1, 0.5)


def test_equal_parties_have_no_direction(rng):
    assert sign_stability(IDS, [explained(rng, mixed) for mixed in (-1, 1)])[2] == Direction("b.mixed", 0, 0.5)


def test_clips_without_a_value_are_left_out(rng):
    values, contributions = explained(rng, 1)
    values[:5, 0] = np.nan
    contributions[:5, 0] = 99.0
    assert sign_stability(IDS, [(values, contributions)])[0] == Direction("a.up", 1, 1.0)
    values[:, 0] = np.nan
    assert sign_stability(IDS, [(values, contributions)])[0] == Direction("a.up", 0, 0.0)


def test_a_constant_feature_has_no_direction(rng):
    values, contributions = explained(rng, 1)
    values[:, 0] = 2.0
    assert sign_stability(IDS, [(values, contributions)])[0].sign == 0


def test_what_does_not_fit_is_refused(rng):
    values, contributions = explained(rng, 1)
    with pytest.raises(SpecError, match="there are no models"):
        sign_stability(IDS, [])
    with pytest.raises(SpecError, match=r"of model 1; both need the shape \(n_clips, 5\)"):
        sign_stability(IDS, [(values, contributions), (values, contributions[:, 1:])])

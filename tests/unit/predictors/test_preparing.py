import numpy as np
import pytest

from otoscope.errors import SpecError
from otoscope.predictors.preparing import MAX_Z, Preparation, weighted_quantiles

LEVELS = (0.01, 0.25, 0.5, 0.75, 0.99)


def ones(x):
    return np.ones(len(x))


def same(a, b):
    for name, array in a.arrays().items():
        np.testing.assert_allclose(array, b.arrays()[name], rtol=1e-12, atol=1e-14, err_msg=name)


@pytest.mark.parametrize("n", [1, 2, 7, 100, 101])
def test_quantiles_without_weights_are_those_of_numpy(rng, n):
    x = rng.normal(size=(n, 5)).round(1)
    expected = np.quantile(x, LEVELS, axis=0, method="averaged_inverted_cdf")
    np.testing.assert_allclose(weighted_quantiles(x, ones(x), LEVELS), expected, atol=1e-15)


def test_a_row_of_weight_3_is_the_row_three_times_and_the_size_of_weights_does_not_matter(rng):
    x = rng.normal(size=(40, 4))
    x[rng.random(x.shape) < 0.2] = np.nan
    times = rng.integers(1, 4, size=40)
    thrice = np.repeat(x, times, axis=0)
    expected = weighted_quantiles(thrice, ones(thrice), LEVELS)
    np.testing.assert_array_equal(weighted_quantiles(x, times.astype(float), LEVELS), expected)
    np.testing.assert_array_equal(weighted_quantiles(x, times / 7, LEVELS), expected)
    same(Preparation.learn(x, times / 7), Preparation.learn(thrice, ones(thrice)))


def test_quantiles_pass_over_nan(rng):
    x = rng.normal(size=(30, 1))
    with_nan = np.concatenate([x[:10], np.full((5, 1), np.nan), x[10:]])
    np.testing.assert_array_equal(
        weighted_quantiles(with_nan, ones(with_nan), LEVELS), weighted_quantiles(x, ones(x), LEVELS)
    )
    assert np.isnan(weighted_quantiles(np.full((3, 1), np.nan), np.ones(3), LEVELS)).all()


def test_well_behaved_features_are_standardised(rng):
    x = rng.uniform(-1, 1, size=(500, 3)) * [1e-6, 1.0, 1e9] + [5.0, 0.0, -1e10]
    z = Preparation.learn(x, ones(x)).apply(x)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-8)
    np.testing.assert_allclose(z.std(axis=0), 1, atol=1e-8)


def test_scale_and_offset_of_a_feature_change_nothing(rng):
    x = rng.standard_t(2, size=(200, 4))
    moved = x * [1e-3, 1.0, -5.0, 1e4] + [3.0, -1.0, 0.0, 1e4]
    z, other = (Preparation.learn(each, ones(x)).apply(each) for each in (x, moved))
    np.testing.assert_allclose(other, z * [1, 1, -1, 1], atol=1e-8)


def test_an_exploding_value_barely_moves_the_others_and_stays_within_3(rng):
    x = rng.normal(size=(60, 1))
    wild = x.copy()
    wild[0] = 1e12
    z, other = (Preparation.learn(each, ones(x)).apply(each) for each in (x, wild))
    assert abs(other[0, 0]) <= MAX_Z + 1e-9
    assert np.abs(other[1:] - z[1:]).max() < 0.7
    assert np.corrcoef(other[1:, 0], z[1:, 0])[0, 1] > 0.999
    # Without bounds, the other 59 would be one number.
    assert other[1:].std() > 0.7


def test_nothing_that_a_new_clip_brings_goes_beyond_3(rng):
    x = rng.normal(size=(100, 2))
    made = Preparation.learn(x, ones(x))
    z = made.apply(np.array([[1e300, -1e300], [np.inf, -np.inf]]))
    assert np.all(np.abs(z) <= MAX_Z + 1e-9)
    assert np.all(np.sign(z) == [1, -1])


def test_nan_becomes_the_median_of_what_is_there():
    x = np.array([[1.0], [2.0], [6.0], [np.nan]])
    made = Preparation.learn(x, ones(x))
    assert made.median.tolist() == [2.0]
    assert made.apply(np.array([[np.nan]])) == made.apply(np.array([[2.0]]))
    same(made, Preparation.learn(x[:3], np.ones(3)))


def test_a_feature_that_is_constant_or_never_there_is_always_0(rng):
    x = np.stack([np.full(50, 0.1), np.full(50, np.nan), rng.normal(size=50)], axis=1)
    x[0, 0] += 1e-16
    made = Preparation.learn(x, ones(x))
    assert made.n_active == 1
    z = made.apply(np.array([[7.0, 7.0, 7.0], [np.nan, np.nan, np.nan]]))
    assert z[:, :2].tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert np.isfinite(z).all()


def test_a_feature_that_is_mostly_one_value_is_bounded_by_its_outer_percentiles(rng):
    x = np.zeros((200, 1))
    x[:30, 0] = rng.uniform(1, 2, size=30)
    made = Preparation.learn(x, ones(x))
    assert made.n_active == 1
    assert made.apply(np.array([[0.0]]))[0, 0] < made.apply(np.array([[1.5]]))[0, 0] <= MAX_Z


def test_input_is_left_alone(rng):
    x = rng.normal(size=(20, 2))
    x[3, 1] = np.nan
    kept = x.copy()
    x.flags.writeable = False
    Preparation.learn(x, ones(x)).apply(x)
    np.testing.assert_array_equal(x, kept)


def test_arrays_make_the_same_preparation_again(rng):
    x = rng.normal(size=(50, 3))
    made = Preparation.learn(x, ones(x))
    again = Preparation.from_arrays(made.arrays())
    np.testing.assert_array_equal(again.apply(x), made.apply(x))


def test_what_cannot_be_is_refused(rng):
    x = rng.normal(size=(50, 3))
    made = Preparation.learn(x, ones(x))
    with pytest.raises(SpecError, match=r"\(any number, 3\)"):
        made.apply(x[:, :2])
    for change, message in [
        ({"scale": np.zeros(3)}, "scale"),
        ({"low": made.high + 1}, "lower bound"),
        ({"mean": np.full(3, np.nan)}, "not finite"),
        ({"mean": np.zeros(2)}, "shapes"),
    ]:
        with pytest.raises(SpecError, match=message):
            Preparation.from_arrays(made.arrays() | change)
    with pytest.raises(SpecError, match="no array 'mean'"):
        Preparation.from_arrays({name: array for name, array in made.arrays().items() if name != "mean"})

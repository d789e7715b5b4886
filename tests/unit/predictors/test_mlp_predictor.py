import numpy as np
import pytest
import torch

from otoscope.predictors.mlp import MlpPredictor, NetworkRegressor, Training, train_network
from otoscope.testing.tables import planted_table

QUICK = MlpPredictor(bag=2, epochs=12, rate=3e-3, shifts=(-1.0, 1.0))


def fit(predictor, table, n):
    return predictor.fit(*table.part(range(n)), None, table.views)


def test_a_planted_relation_is_found():
    table = planted_table(n_clips=120, n_features=6)
    fitted = fit(MlpPredictor(bag=2, epochs=25, rate=3e-3, shifts=()), table, 90)
    tested = list(range(90, 120))
    predicted = fitted.predict([table.clips[i] for i in tested], table.views)
    assert np.corrcoef(predicted, table.truth[tested])[0, 1] > 0.85
    assert 1 <= fitted.chosen["epochs"] <= 25


def test_equal_seeds_give_equal_networks_and_other_seeds_others():
    table = planted_table(n_clips=30)
    first, second = (fit(QUICK, table, 30) for _ in range(2))
    for name, array in first.regressor.arrays().items():
        np.testing.assert_array_equal(array, second.regressor.arrays()[name])
    other = fit(MlpPredictor(bag=2, epochs=12, rate=3e-3, shifts=(-1.0, 1.0), seed=1), table, 30)
    assert not np.array_equal(other.predict(table.clips, table.views), first.predict(table.clips, table.views))


def test_training_leaves_the_generator_and_the_threads_of_torch_alone():
    table = planted_table(n_clips=30)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        torch.manual_seed(5)
        expected = torch.rand(3)
        torch.manual_seed(5)
        fit(QUICK, table, 30)
        assert torch.equal(torch.rand(3), expected)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def one_epoch(seed=0, **settings):
    rng = np.random.default_rng(0)
    z, y, everywhere = rng.normal(size=(20, 3)), rng.normal(size=20), np.ones(20, dtype=np.bool_)
    nothing = np.zeros((20, 1), dtype=np.bool_)
    training = Training(epochs=1, **settings)
    return train_network(z, y, np.ones(20), nothing, everywhere, training=training, seed=seed)[0]


def test_the_seed_draws_the_first_weights():
    np.testing.assert_array_equal(one_epoch()["weight0"], one_epoch()["weight0"])
    assert np.abs(one_epoch()["weight0"] - one_epoch(seed=1)["weight0"]).mean() > 0.1


@pytest.mark.parametrize(
    "setting",
    [{"drop_output": True}, {"sigmoid": True}, {"dropout": 0.0}, {"rate": 0.1}, {"decay": 1.0}, {"batch": 7}],
)
def test_every_setting_of_the_training_has_an_effect(setting):
    assert not np.array_equal(one_epoch(**setting)["weight1"], one_epoch()["weight1"])


def test_an_output_that_is_dropped_teaches_nothing():
    # With nearly all outputs dropped, an output is 0 whatever the weights, and they stay where they began.
    still = one_epoch(drop_output=True, dropout=0.99999, decay=0.0)
    np.testing.assert_array_equal(still["bias2"], 0.0)
    assert one_epoch(decay=0.0)["bias2"] != 0


def test_the_threads_of_torch_come_back_after_training():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        one_epoch()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_training_works_where_gradients_are_turned_off():
    table = planted_table(n_clips=20)
    with torch.no_grad():
        fit(QUICK, table, 20)


@pytest.mark.parametrize("sigmoid", [False, True])
def test_prediction_is_the_mean_of_what_torch_gives(rng, sigmoid):
    sizes = (5, 100, 32, 1)
    parameters = {}
    for layer in range(3):
        parameters[f"weight{layer}"] = rng.normal(size=(2, sizes[layer], sizes[layer + 1])).astype(np.float32) / 4
        parameters[f"bias{layer}"] = rng.normal(size=(2, 1, sizes[layer + 1])).astype(np.float32)
    z = rng.normal(size=(7, 5))
    members = []
    for member in range(2):
        layers = []
        for layer in range(3):
            linear = torch.nn.Linear(sizes[layer], sizes[layer + 1], dtype=torch.float64)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(parameters[f"weight{layer}"][member].T.astype(np.float64)))
                linear.bias.copy_(torch.from_numpy(parameters[f"bias{layer}"][member, 0].astype(np.float64)))
            layers += [linear, torch.nn.ReLU()]
        layers[-1] = torch.nn.Sigmoid() if sigmoid else torch.nn.Identity()
        with torch.no_grad():
            members.append(torch.nn.Sequential(*layers)(torch.from_numpy(z)).numpy()[:, 0])
    expected = 3.0 + 2.0 * np.mean(members, axis=0)
    made = NetworkRegressor(parameters, 3.0, 2.0, sigmoid)
    np.testing.assert_allclose(made.predict(z), expected, atol=1e-12)
    np.testing.assert_allclose(NetworkRegressor.from_arrays(made.arrays()).predict(z), expected, atol=1e-12)


def test_rows_held_out_are_not_learned_from_and_say_when_to_stop(rng):
    z = rng.normal(size=(60, 3))
    y = z[:, 0].copy()
    held = np.zeros((60, 1), dtype=np.bool_)
    held[:20] = True
    everywhere = np.ones(60, dtype=np.bool_)
    training = Training(epochs=15, rate=3e-3, dropout=0.0)
    wild = y.copy()
    wild[:20] = rng.normal(size=20)
    # The scores of rows that are held out and not watched reach nothing.
    unwatched = np.zeros(60, dtype=np.bool_)
    a, _ = train_network(z, y, np.ones(60), held, unwatched, training=training, seed=0)
    b, _ = train_network(z, wild, np.ones(60), held, unwatched, training=training, seed=0)
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])
    # Where they are noise and watched, training stops early; where they follow, it goes on.
    _, followed = train_network(z, y, np.ones(60), held, everywhere, training=training, seed=0)
    _, noise = train_network(z, wild, np.ones(60), held, everywhere, training=training, seed=0)
    assert followed[0] > noise[0]


def test_the_best_epoch_is_kept_not_the_last(rng):
    z, y = rng.normal(size=(40, 4)), rng.normal(size=40)
    held = np.zeros((40, 1), dtype=np.bool_)
    held[:15] = True
    watched = np.ones(40, dtype=np.bool_)
    long = Training(epochs=40, patience=100, rate=1e-2)
    kept, epochs = train_network(z, y, np.ones(40), held, watched, training=long, seed=0)
    assert 1 <= epochs[0] < 40
    short = Training(epochs=int(epochs[0]), patience=100, rate=1e-2)
    again, _ = train_network(z, y, np.ones(40), held, watched, training=short, seed=0)
    for name in kept:
        np.testing.assert_array_equal(kept[name], again[name])


def test_members_are_trained_as_if_alone_in_what_they_hold_out():
    table = planted_table(n_clips=40)
    fitted = fit(QUICK, table, 40)
    first, second = (fitted.regressor.arrays()["weight0"][member] for member in range(2))
    assert not np.array_equal(first, second)


def test_few_groups_train_for_all_epochs():
    table = planted_table(n_clips=12)
    assert fit(QUICK, table, 12).chosen == {"epochs": 12.0}

import numpy as np
import pytest

from otoscope.errors import SpecError
from otoscope.predictors.noise import NoisePredictor, NoiseViews
from otoscope.testing.tables import planted_table


def test_noise_is_gaussian_and_depends_on_the_clip_and_the_seed_only():
    views = NoiseViews(0, 4000)
    a = views.features("a")
    assert a.shape == (1, 4000)
    assert abs(a.mean()) < 0.06
    assert abs(a.std() - 1) < 0.05
    np.testing.assert_array_equal(views.features("a", 2.0), a)
    assert abs(np.corrcoef(a, views.features("b"))[0, 1]) < 0.06
    assert not np.array_equal(NoiseViews(1, 4000).features("a"), a)
    for ask in (views.audio, views.spectrogram):
        with pytest.raises(SpecError, match="random numbers have no"):
            ask("a")


def test_noise_asks_for_nothing_and_predicts_nothing():
    table = planted_table(n_clips=200, noise=0.0)
    fitted = NoisePredictor().fit(*table.part(range(100)), None, table.views)
    predicted = fitted.predict(table.clips[100:], table.views)
    assert table.views.asked == []
    assert abs(np.corrcoef(predicted, table.truth[100:])[0, 1]) < 0.25
    assert len(fitted.table.feature_ids) == len(table.views.feature_ids)
    with pytest.raises(SpecError, match="explain another predictor"):
        fitted.on_rows(np.zeros((1, 12)))

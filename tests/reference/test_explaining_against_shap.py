"""Explanations are those of the package shap (0.51) where it computes them exactly."""

import numpy as np
import pytest

from otoscope.predictors.explaining import Explainer

pytestmark = pytest.mark.slow  # shap compiles itself when it is first used


class Bells:
    """A sum of bells and a line, as support vector regression is."""

    def __init__(self, rng, n):
        self.centres, self.heights, self.slope = rng.normal(size=(30, n)), rng.normal(size=30), rng.normal(size=n)

    def on_rows(self, rows):
        distances = np.square(rows[:, None, :] - self.centres).sum(axis=2)
        return np.exp(-distances / (2 * rows.shape[1])) @ self.heights + 0.3 * rows @ self.slope


@pytest.mark.filterwarnings("ignore")
def test_contributions_are_those_of_shap(rng):
    import shap

    model, reference, rows = Bells(rng, 9), rng.normal(size=(20, 9)), rng.normal(size=(4, 9))
    exact = shap.ExactExplainer(model.on_rows, shap.maskers.Independent(reference, max_samples=20))(rows)
    found = Explainer(model, [f"g.f{i}" for i in range(9)], reference, n_background=20).explain(rows)
    ours = np.array([each.contributions for each in found])
    np.testing.assert_allclose([each.base for each in found], exact.base_values, atol=1e-9)
    assert np.sqrt(np.mean((ours - exact.values) ** 2)) < 0.02 * exact.values.std()


@pytest.mark.filterwarnings("ignore")
def test_contributions_to_a_sum_are_those_of_shap(rng):
    import shap

    weights, reference, rows = rng.normal(size=6), rng.normal(size=(50, 6)), rng.normal(size=(5, 6))
    masker = shap.maskers.Independent(reference, max_samples=50)
    expected = shap.LinearExplainer((weights, 0.7), masker)(rows)

    class Line:
        def on_rows(self, rows):
            return rows @ weights + 0.7

    found = Explainer(Line(), [f"g.f{i}" for i in range(6)], reference).explain(rows)
    np.testing.assert_allclose([each.contributions for each in found], expected.values, atol=1e-9)

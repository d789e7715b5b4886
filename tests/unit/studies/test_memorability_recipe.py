"""The reference's protocol, against a few independent lines of scikit-learn."""

import numpy as np
import pytest
from sklearn.svm import SVR

from otoscope.features.extract import feature_ids
from otoscope.features.registry import open_groups
from otoscope.studies.memorability.evaluate import evaluate
from otoscope.studies.memorability.labels import read_labels
from otoscope.studies.memorability.recipe import DIFFERENCES, RecipeViews, recipe_feature_ids
from otoscope.studies.memorability.settings import MemorabilitySettings
from otoscope.testing.music import make_music
from otoscope.testing.noises import Hiss


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recipe")
    make_music(folder, tracks=13, seed=4)
    settings = MemorabilitySettings(
        models=("svr", "mean"), recipe="audmem", folds=3, repeats=1, shifts=(), n_resamples=50
    )
    found = evaluate(
        folder / "clips",
        folder / "labels.csv",
        folder / "run",
        settings,
        groups=(Hiss(),),
        explain=False,
        processes=1,
    )
    return folder, found


def by_hand(folder):
    """Nine segments a track; contiguous folds of int(13 / 3) = 4; the fold's own scale; the greatest of nine."""
    labels = read_labels(folder / "labels.csv", folder / "clips").labels
    views = RecipeViews({label.track: label.path for label in labels})
    rows = {label.track: views.features(label.track) for label in labels}
    assert {block.shape for block in rows.values()} == {(9, 33)}
    said = {}
    for fold in range(3):
        test = labels[4 * fold : 4 * fold + 4]
        train = [label for label in labels if label not in test]

        def scaled(part):
            x = np.concatenate([rows[label.track] for label in part])
            mean, sd = np.nanmean(x, axis=0), np.nanstd(x, axis=0)
            return np.nan_to_num((x - mean) / np.where(sd > 0, sd, 1.0))

        model = SVR().fit(scaled(train), np.repeat([label.score for label in train], 9))
        predicted = model.predict(scaled(test)).reshape(4, 9).max(axis=1)
        said |= {label.track: value for label, value in zip(test, predicted, strict=True)}
    return labels, said


def test_its_predictions_are_those_of_scikit_learn(evaluated):
    folder, found = evaluated
    labels, said = by_hand(folder)
    rows = {row["track"]: row for row in found.predictions if row["model"] == "svr@audmem"}
    assert set(rows) == set(said) == {label.track for label in labels[:12]}  # the last one is never tested
    for track, value in said.items():
        assert rows[track]["predicted"] == pytest.approx(value, rel=1e-6)
    truth = {label.track: label.score for label in labels}
    mse = np.mean([(said[track] - truth[track]) ** 2 for track in said])
    assert found.summary["models"]["svr@audmem"]["mse"]["value"] == pytest.approx(mse, rel=1e-6)


def test_it_stands_beside_the_corrected_one_and_is_marked(evaluated):
    _, found = evaluated
    assert set(found.summary["models"]) == {"svr", "mean", "noise", "svr@audmem", "mean@audmem"}
    details = found.summary["details"]
    assert details["svr@audmem"]["kind"] == "reference"
    assert details["svr"]["kind"] == "model"
    assert (details["svr@audmem"]["n_tested"], details["svr"]["n_tested"]) == (12, 13)
    assert "above" not in details["svr@audmem"]
    assert [note for note in found.summary["notes"] if note.startswith("reference protocol: ")] == [
        f"reference protocol: {text}" for text in DIFFERENCES
    ]


def test_its_features_are_those_of_the_groups(evaluated):
    assert len(recipe_feature_ids()) == 33
    assert set(recipe_feature_ids()) <= set(feature_ids(open_groups("harmony,balance,rhythm")))


def test_recipe_views_can_be_renamed_and_give_the_rest_of_the_protocol(evaluated):
    folder, _ = evaluated
    label = read_labels(folder / "labels.csv", folder / "clips").labels[0]
    views = RecipeViews({label.track: label.path})
    assert views.prepare([label.track], processes=1) == []
    other = views.renamed({label.track: "x"})
    np.testing.assert_array_equal(other.features("x"), views.features(label.track))
    assert other.audio("x").samples.size == views.audio(label.track).samples.size
    assert other.spectrogram("x").shape == (497, 128)
    assert other.feature_ids == recipe_feature_ids()

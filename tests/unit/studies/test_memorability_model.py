"""A trained model says the same after it was written and read, knows its limits, and hears songs in windows."""

import shutil

import numpy as np
import pytest
import soundfile

from otoscope.errors import SpecError
from otoscope.features import registry
from otoscope.store import read_json, write_json
from otoscope.studies.memorability import model as model_module
from otoscope.studies.memorability.dataset import counts_of, prepare
from otoscope.studies.memorability.fitting import weights_of
from otoscope.studies.memorability.labels import Label, read_labels
from otoscope.studies.memorability.model import fit_model, read_model, write_model
from otoscope.studies.memorability.predict import predict_files, windows_of
from otoscope.studies.memorability.settings import MemorabilitySettings
from otoscope.studies.memorability.train import train
from otoscope.studies.memorability.unlikeness import Surroundings, percentile_of
from otoscope.testing.noises import SAMPLE_RATE, Hiss, write_noises


@pytest.fixture
def hiss(monkeypatch):
    """Register the group, so that a model on disk can name it."""
    makers = {**registry._makers(), "hiss": Hiss}
    monkeypatch.setattr(registry, "_makers", lambda: makers)
    return makers


@pytest.fixture
def trained(tmp_path, hiss):
    scores = write_noises(tmp_path, 40, noise=0.02)
    settings = MemorabilitySettings(models=("ridge",), features=("hiss",), shifts=(), folds=5)
    made, failures = train(tmp_path / "clips", tmp_path / "labels.csv", tmp_path / "model", settings, processes=1)
    assert not failures
    return tmp_path, made, scores


def files_of(folder):
    return [folder / "clips" / f"noise-{i:02d}.wav" for i in range(40)]


def test_what_was_written_predicts_as_what_was_fitted_and_orders_the_clips(trained):
    folder, made, scores = trained
    read = read_model(folder / "model")
    one, other = (predict_files(each, files_of(folder), processes=1).predictions for each in (made, read))
    assert [p.describe() for p in one] == [p.describe() for p in other]
    said = np.array([p.score for p in one])
    assert np.corrcoef(said, scores)[0, 1] > 0.97
    assert all(p.low < p.score < p.high for p in one)
    assert not (folder / "model" / "model.pkl").exists()
    assert {path.suffix for path in (folder / "model").iterdir()} == {".json", ".safetensors"}


def test_intervals_cover_new_clips_as_often_as_they_promise(trained):
    folder, made, _ = trained
    other = folder / "new"
    truth = write_noises(other, 40, seed=9, noise=0.02)
    found = predict_files(made, [other / "clips" / f"noise-{i:02d}.wav" for i in range(40)], processes=1)
    inside = [p.low <= y <= p.high for p, y in zip(found.predictions, truth, strict=True)]
    assert np.mean(inside) >= 0.75  # 90 % promised, 40 clips
    assert np.mean([p.high - p.low for p in found.predictions]) < 0.5 * np.ptp(truth)


def test_one_clip_alone_gets_what_it_gets_among_others(trained):
    folder, made, _ = trained
    files = files_of(folder)[:5]
    together = predict_files(made, files, processes=1).predictions
    alone = [predict_files(made, [file], processes=1).predictions[0] for file in files]
    assert [p.describe() for p in together] == [p.describe() for p in alone]


def test_reasons_add_up_and_speak_of_the_planted_feature(trained):
    folder, made, scores = trained
    best = int(np.argmax(scores))
    found = predict_files(made, [files_of(folder)[best]], processes=1).predictions[0]
    assert found.base + sum(found.groups.values()) == pytest.approx(found.score, abs=1e-9)
    assert found.reasons[0].startswith("hissier than")
    assert found.percentile > 80


def test_a_song_is_heard_in_windows_and_its_best_stretch_is_named(trained, tmp_path):
    _, made, _ = trained
    rng = np.random.default_rng(1)
    white = rng.normal(size=6 * SAMPLE_RATE)
    dull = np.convolve(white, np.full(16, 0.25), mode="same")
    song = np.where((np.arange(white.size) // SAMPLE_RATE) == 3, white, dull)  # it hisses in the fourth second
    soundfile.write(tmp_path / "song.wav", 0.1 * song / np.abs(song).max(), SAMPLE_RATE)
    found = predict_files(made, [tmp_path / "song.wav"], curve=True, hop_s=0.2, processes=1).predictions[0]
    assert found.best.start_s >= 2.9
    assert found.best.end_s <= 4.1
    assert found.best.end_s - found.best.start_s == pytest.approx(0.6)
    assert found.score == pytest.approx(np.mean([moment.score for moment in found.curve]))
    assert found.describe()["best"]["score"] == max(moment.score for moment in found.curve)
    plain = predict_files(made, [tmp_path / "song.wav"], processes=1).predictions[0]
    assert plain.curve == ()
    assert plain.best is None


@pytest.mark.parametrize(
    ("duration_s", "hop_s", "n", "last"),
    [(5.0, None, 1, 5.0), (7.5, None, 1, 7.5), (60.0, None, 12, 60.0), (10.0, None, 3, 10.0), (4.0, 1.0, 1, 4.0),
     (6.0, 1.0, 2, 6.0), (60.0, 1.0, 56, 60.0), (7.4, 0.5, 5, 7.0)],
)  # fmt: skip
def test_windows_have_the_length_of_the_training_clips(duration_s, hop_s, n, last):
    windows = windows_of(duration_s, 5.0, hop_s)
    assert len(windows) == n
    assert windows[-1][1] == pytest.approx(last)
    assert all(end <= duration_s + 1e-9 for _, end in windows)


def test_a_clip_unlike_the_training_clips_is_flagged(trained, tmp_path):
    folder, made, _ = trained
    times = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    soundfile.write(tmp_path / "hum.wav", 0.9 * np.sin(2 * np.pi * 60 * times), SAMPLE_RATE)
    odd = predict_files(made, [tmp_path / "hum.wav"], processes=1).predictions[0]
    assert odd.unlike
    usual = predict_files(made, files_of(folder), processes=1).predictions
    assert np.mean([p.unlike for p in usual]) <= 0.05


def test_files_that_cannot_be_heard_are_listed(trained, tmp_path):
    folder, made, _ = trained
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    soundfile.write(tmp_path / "silent.wav", np.zeros(SAMPLE_RATE), SAMPLE_RATE)
    soundfile.write(tmp_path / "short.wav", np.ones(100), SAMPLE_RATE)
    paths = [tmp_path / "broken.wav", files_of(folder)[0], tmp_path / "silent.wav", tmp_path / "gone.wav",
             tmp_path / "short.wav"]  # fmt: skip
    found = predict_files(made, paths, processes=1)
    assert [p.path for p in found.predictions] == [str(files_of(folder)[0])]
    assert [f.reason.split(":")[0] for f in found.failures] == [
        "cannot be decoded", "is silent", "no such file", "lasts 0.00454 s; at least 0.5 s are needed"
    ]  # fmt: skip


def test_a_damaged_foreign_or_outdated_model_is_refused(trained, hiss, tmp_path):
    folder, _, _ = trained
    with pytest.raises(SpecError, match="is no trained model"):
        read_model(folder / "clips")

    def copy(name):
        shutil.copytree(folder / "model", tmp_path / name)
        return tmp_path / name

    newer = copy("newer")
    write_json(newer / "model.json", {**read_json(newer / "model.json"), "schema": 99})
    with pytest.raises(SpecError, match="has format 99"):
        read_model(newer)
    cut = copy("cut")
    (cut / "predictor.safetensors").write_bytes(b"x")
    with pytest.raises(SpecError, match="damaged"):
        read_model(cut)
    lacking = copy("lacking")
    about = read_json(lacking / "model.json")
    del about["groups"]
    write_json(lacking / "model.json", about)
    with pytest.raises(SpecError, match="damaged"):
        read_model(lacking)
    hiss["hiss"] = lambda: Hiss(version="2")
    with pytest.raises(SpecError, match="computed otherwise than when the model was trained"):
        read_model(folder / "model")


def test_a_model_is_replaced_and_anything_else_is_kept(trained, tmp_path):
    folder, made, _ = trained
    write_model(made, folder / "model")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("precious")
    with pytest.raises(SpecError, match="no model; name another folder"):
        write_model(made, tmp_path / "thesis")


def test_a_folder_of_something_else_is_refused_before_any_sound_is_read(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("precious")
    with pytest.raises(SpecError, match="no model; name another folder"):
        train(tmp_path / "nowhere", tmp_path / "nothing.csv", tmp_path / "thesis")


def test_few_clips_make_a_model_without_intervals_and_it_says_so(tmp_path, hiss):
    write_noises(tmp_path, 5)
    settings = MemorabilitySettings(models=("ridge",), features=("hiss",), shifts=())
    prepared = prepare(read_labels(tmp_path / "labels.csv", tmp_path / "clips"), settings, processes=1)
    made = fit_model(prepared, settings, processes=1)
    assert made.intervals is None
    assert "predictions have no interval" in made.about["notes"][-1]
    write_model(made, tmp_path / "model")
    said = predict_files(read_model(tmp_path / "model"), [tmp_path / "clips" / "noise-00.wav"], processes=1)
    assert said.predictions[0].low is None
    assert model_module.LEVEL == 0.9


def test_percentiles_count_ties_half_and_leave_gaps_out():
    among = np.array([1.0, 2.0, 2.0, 4.0, np.nan])
    assert percentile_of(np.array([0.0, 1.0, 2.0, 3.0, 9.0]), among).tolist() == [0.0, 12.5, 50.0, 75.0, 100.0]
    assert np.isnan(percentile_of(np.array([np.nan]), among)[0])
    assert np.isnan(percentile_of(np.array([1.0]), np.array([np.nan]))[0])


def test_surroundings_rank_by_distance_whatever_the_units_and_the_gaps(rng):
    points = rng.normal(size=(60, 5))
    points[:, 3] = np.nan
    points[3, 2] = np.nan
    points[:, 4] = 1.0
    one = Surroundings.of(points)
    other = Surroundings.of(points * np.array([1.0, 1000.0, 0.001, 1.0, 5.0]) + 7)
    new = np.array([[0.0, 0, 0, 1, 1], [3.0, 3, 3, 1, 1], [50.0, 50, 50, 1, 1]])
    ranks = one.rank(new)
    assert ranks[0] < 20 < 90 < ranks[1] <= ranks[2] == 100
    np.testing.assert_allclose(other.rank(new * np.array([1.0, 1000.0, 0.001, 1.0, 5.0]) + 7), ranks)
    assert len(one.distances) == 60


def test_weights_rise_with_the_responses_and_less_than_in_proportion(tmp_path):
    labels = [Label(f"t{n}", tmp_path, 0.5, f"t{n}", n=n) for n in (10.0, 20.0, 40.0)]
    counts, notes = counts_of(labels, "n")
    weights = weights_of(counts)
    np.testing.assert_allclose(weights / weights[1], [2 / 3, 1.0, 4 / 3])
    assert weights.mean() == pytest.approx(1.0)
    assert notes == ["scores count by their number of responses (n 10-40)"]
    assert counts_of(labels, "none") == (None, [])
    assert counts_of([*labels, Label("x", tmp_path, 0.5, "x")], "n") == (None, [])

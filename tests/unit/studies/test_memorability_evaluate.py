"""The evaluation finds what was planted, and nothing else; it is honest about what it cannot use."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.stats import spearmanr

from otoscope.audio import read_audio, resample
from otoscope.errors import LeakageError, RunConflictError, SpecError
from otoscope.features.registry import open_groups
from otoscope.predictors import registry
from otoscope.store import read_json, read_table
from otoscope.studies.memorability.answer import read_answer
from otoscope.studies.memorability.dataset import prepare
from otoscope.studies.memorability.evaluate import evaluate
from otoscope.studies.memorability.labels import read_labels
from otoscope.studies.memorability.settings import MemorabilitySettings
from otoscope.testing.music import make_music
from otoscope.testing.noises import Hiss, write_noises

HISS = (Hiss(),)
QUICK = {"folds": 5, "repeats": 2, "shifts": (), "n_resamples": 200}


def run(folder, out="run", *, explain=False, groups=HISS, **settings):
    chosen = MemorabilitySettings(**{"models": ("ridge",), **QUICK, **settings})
    return evaluate(
        folder / "clips", folder / "labels.csv", folder / out, chosen, groups=groups, explain=explain, processes=1
    )


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted")
    write_noises(folder, 40, noise=0.05)
    return folder, run(folder, explain=True)


def test_a_planted_feature_is_found_and_the_controls_find_nothing(planted):
    _, found = planted
    models = found.summary["models"]
    assert models["ridge"]["spearman_pooled"]["value"] > 0.9
    assert models["ridge"]["spearman_pooled"]["low"] > 0.8
    for control in ("mean", "noise"):
        assert models[control]["spearman_pooled"]["high"] < 0.5
        above = found.summary["details"]["ridge"]["above"][control]
        assert above["mse"]["high"] < 0
    assert found.summary["details"]["ridge"]["above"]["noise"]["spearman_pooled"]["low"] > 0.3
    unfair = found.summary["details"]["ridge"]["above"]["mean"]["spearman_pooled"]
    assert (unfair["value"], "by construction" in unfair["reason"]) == (None, True)
    assert found.summary["details"]["ridge"]["permutation"]["p"] == pytest.approx(1 / 201)
    assert models["mean"]["spearman_pooled"]["value"] < 0  # by construction: see evaluation.outoffold


def test_files_and_names_are_as_promised(planted):
    folder, found = planted
    rows = read_table(folder / "run" / "predictions.parquet")
    assert list(rows[0]) == ["track", "repeat", "fold", "model", "truth", "predicted"]
    assert len(rows) == 40 * 2 * 3
    summary = json.loads((folder / "run" / "summary.json").read_text())
    assert {"n_tracks", "n_excluded", "seconds"} <= set(summary)
    assert (summary["n_tracks"], summary["n_excluded"]) == (40, 0)
    for metric in ("spearman_pooled", "spearman_fold", "mse", "rmse", "pair_accuracy"):
        entry = summary["models"]["ridge"][metric]
        assert entry["low"] <= entry["value"] <= entry["high"]
    assert summary["seconds"] > 0
    answer = read_answer(folder / "run")
    assert answer.summary == found.summary
    assert answer.predictions == rows


def test_the_scores_are_those_of_a_few_lines_of_scipy(planted):
    _, found = planted
    rows = [row for row in found.predictions if row["model"] == "ridge"]
    scores = found.summary["models"]["ridge"]
    pooled, folds, squares = [], [], []
    for repeat in (0, 1):
        of_repeat = [row for row in rows if row["repeat"] == repeat]
        truth, said = (np.array([row[key] for row in of_repeat]) for key in ("truth", "predicted"))
        pooled.append(spearmanr(truth, said).statistic)
        squares.append(np.mean((truth - said) ** 2))
        for fold in range(5):
            part = [row for row in of_repeat if row["fold"] == fold]
            assert len(part) == 8
            folds.append(spearmanr([r["truth"] for r in part], [r["predicted"] for r in part]).statistic)
    assert scores["spearman_pooled"]["value"] == pytest.approx(np.mean(pooled), abs=1e-12)
    assert scores["spearman_fold"]["value"] == pytest.approx(np.mean(folds), abs=1e-12)
    assert scores["mse"]["value"] == pytest.approx(np.mean(squares), rel=1e-12)
    assert scores["rmse"]["value"] == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-12)
    truth, said = (np.array([r[key] for r in rows if r["repeat"] == 0]) for key in ("truth", "predicted"))
    one, two = np.triu_indices(40, 1)
    right = np.mean((truth[one] > truth[two]) == (said[one] > said[two]))
    assert scores["pair_accuracy"]["value"] == pytest.approx(right, abs=0.03)


def test_the_direction_of_the_planted_feature_is_explained(planted):
    folder, found = planted
    explanation = read_json(folder / "run" / "explanation.json")
    first = explanation["features"][0]
    assert (first["id"], first["sign"]) == ("hiss.crossings", 1)
    assert first["stability"] == 1.0
    assert first["mean_abs"] > 5 * explanation["features"][1]["mean_abs"]
    clip = max(explanation["clips"], key=lambda each: each["truth"])
    assert clip["reasons"][0]["text"].startswith("hissier than")
    assert sum(clip["groups"].values()) + clip["base"] == pytest.approx(clip["predicted"], abs=1e-9)
    said = {
        row["track"]: row["predicted"] for row in found.predictions if (row["model"], row["repeat"]) == ("ridge", 0)
    }
    assert clip["predicted"] == pytest.approx(said[clip["track"]], abs=1e-9)


def test_shuffled_scores_stay_inside_the_band_of_chance(tmp_path):
    write_noises(tmp_path, 40)
    lines = (tmp_path / "labels.csv").read_text().splitlines()
    names, scores = zip(*(line.split(",") for line in lines[1:]), strict=True)
    shuffled = np.random.default_rng(3).permutation(scores)
    text = "\n".join(f"{n},{s}" for n, s in zip(names, shuffled, strict=True))
    (tmp_path / "labels.csv").write_text(f"track,score\n{text}\n")
    found = run(tmp_path)
    chance = found.summary["details"]["ridge"]["permutation"]
    assert chance["low"] <= found.summary["models"]["ridge"]["spearman_pooled"]["value"] <= chance["high"]
    assert chance["p"] > 0.05


def numbers(found):
    kept = {key: value for key, value in found.summary.items() if key not in {"seconds", "notes"}}
    return json.dumps(kept, sort_keys=True)


def test_the_order_of_rows_and_the_names_of_files_change_nothing(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    write_noises(one, 20)
    order = np.random.default_rng(0).permutation(20)
    write_noises(other, 20, order=order.tolist(), names=[f"{(i * 7) % 20:02d}-song" for i in range(20)])
    a, b = run(one, models=("svr", "ridge")), run(other, models=("svr", "ridge"))
    assert numbers(a) == numbers(b)
    said = {(r["model"], r["repeat"], round(r["truth"], 9)): r["predicted"] for r in a.predictions}
    assert said == {(r["model"], r["repeat"], round(r["truth"], 9)): r["predicted"] for r in b.predictions}


def test_a_copy_of_a_track_in_two_folds_raises_and_a_group_lets_it_be(tmp_path):
    write_noises(tmp_path, 20)
    sound, rate = soundfile.read(tmp_path / "clips" / "noise-00.wav", dtype="float32")
    soundfile.write(tmp_path / "clips" / "copy.wav", sound, rate, subtype="FLOAT")
    labels = tmp_path / "labels.csv"
    text = labels.read_text()
    labels.write_text(text + "copy,0.5\n")
    with pytest.raises(LeakageError, match="noise-00 and copy are the same sound"):
        run(tmp_path)
    lines = text.splitlines()
    grouped = [f"{line},{'twins' if line.startswith('noise-00') else ''}" for line in lines[1:]]
    labels.write_text("\n".join(["track,score,group", *grouped, "copy,0.5,twins"]) + "\n")
    found = run(tmp_path, "grouped")
    folds = {(r["track"], r["repeat"]): r["fold"] for r in found.predictions if r["track"] in {"noise-00", "copy"}}
    assert all(folds["noise-00", repeat] == folds["copy", repeat] for repeat in (0, 1))


@pytest.mark.parametrize("model", ["svr", "ridge", "mlp:epochs=2", "fusion", "noise", "mean"])
def test_augmentation_never_reaches_a_test_row(tmp_path, model, monkeypatch):
    from otoscope.studies.memorability import fitting, views

    asked = {"fit": [], "predict": []}
    stage = ["none"]
    real = views.ClipViews.features

    def watched(self, clip, shift=0.0):
        if stage[0] != "none":
            asked[stage[0]].append((clip, shift))
        return real(self, clip, shift)

    monkeypatch.setattr(views.ClipViews, "features", watched)
    done = fitting._fit

    def staged(number, task, seen, data):
        train = {data.ids[i] for i in task.fold.train}
        asked["fit"], asked["predict"] = [], []
        fit = task.predictor.fit

        class Staged:
            name = task.predictor.name

            def fit(self, *given):
                stage[0] = "fit"
                fitted = fit(*given)
                stage[0] = "predict"
                return fitted

        outcome = done(number, fitting.Task(task.model, Staged(), task.fold), seen, data)
        stage[0] = "none"
        assert {clip for clip, _ in asked["fit"]} <= train
        assert {shift for _, shift in asked["predict"]} <= {0.0}
        assert not {clip for clip, _ in asked["predict"]} & train
        seen_shifts.append({shift for _, shift in asked["fit"]})
        return outcome

    seen_shifts = []
    monkeypatch.setattr(fitting, "_fit", staged)
    write_noises(tmp_path, 12)
    run(tmp_path, models=(model,), shifts=(-1.0, 1.0), folds=3, repeats=1)
    if model.partition(":")[0] in {"svr", "ridge", "mlp", "fusion"}:
        assert {-1.0, 0.0, 1.0} in seen_shifts


def test_missing_and_broken_clips_are_listed_and_the_rest_is_computed(tmp_path):
    write_noises(tmp_path, 20)
    clips, labels = tmp_path / "clips", tmp_path / "labels.csv"
    (clips / "broken.mp3").write_bytes(b"no sound at all")
    (clips / "empty.wav").write_bytes(b"")
    soundfile.write(clips / "silent.wav", np.zeros(22_050), 22_050)
    soundfile.write(clips / "short.wav", 0.1 * np.random.default_rng(0).normal(size=2205), 22_050)
    soundfile.write(clips / "stereo8k.flac", 0.1 * np.random.default_rng(0).normal(size=(8000, 2)), 8000)
    labels.write_text(
        labels.read_text() + "broken,0.5\nempty,0.5\nsilent,0.5\nshort,0.5\ngone,0.5\nstereo8k,0.5\nnoise-00,inf\n"
    )
    found = run(tmp_path)
    assert found.summary["n_tracks"] == 21
    reasons = {failure.clip_id: failure.reason for failure in found.failures}
    assert set(reasons) == {"broken", "empty", "silent", "short", "gone", "noise-00"}
    assert found.summary["n_excluded"] == 5  # the line of noise-00 that cannot be used leaves the other one
    assert "is silent" in reasons["silent"]
    assert "lasts 0.1 s" in reasons["short"]
    assert {f["clip_id"] for f in read_json(tmp_path / "run" / "failures.json")} == set(reasons)


def test_weights_and_the_ceiling_come_from_the_labels(tmp_path):
    scores = np.clip(write_noises(tmp_path, 24), 0.05, 0.95)
    lines = [f"noise-{i:02d},{s:.4f},{20 + i},{s - 0.02:.4f},{s + 0.02:.4f}" for i, s in enumerate(scores)]
    (tmp_path / "labels.csv").write_text("\n".join(["track,score,n,half_a,half_b", *lines]) + "\n")
    found = run(tmp_path)
    ceiling = found.summary["ceiling"]
    assert ceiling["source"] == "halves"
    assert ceiling["ceiling"]["value"] == pytest.approx(1.0, abs=0.02)
    assert "scores count by their number of responses (n 20-43)" in found.summary["notes"]
    share = found.summary["details"]["ridge"]["of_ceiling"]["spearman_pooled"]["value"]
    assert share == pytest.approx(
        found.summary["models"]["ridge"]["spearman_pooled"]["value"] / ceiling["ceiling"]["value"]
    )


def test_a_folder_with_other_settings_or_other_files_is_refused(tmp_path):
    write_noises(tmp_path, 12)
    run(tmp_path, folds=3)
    run(tmp_path, folds=3)  # the same again
    with pytest.raises(RunConflictError, match="folds was 3 and is 4"):
        run(tmp_path, folds=4)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("precious")
    with pytest.raises(RunConflictError, match=r"no run\.json"):
        run(tmp_path, "other")
    (tmp_path / "file").write_text("")
    with pytest.raises(SpecError, match="is a file"):
        run(tmp_path, "file")


def test_what_cannot_be_is_said_before_any_sound_is_read(tmp_path):
    write_noises(tmp_path, 6)
    for changes, message in (
        ({"models": ("svm",)}, "did you mean 'svr'"),
        ({"models": ("svr@audmem",)}, "--recipe audmem"),
        ({"folds": 1}, "folds is 1"),
        ({"shifts": (0.0,)}, "shifts has 0"),
        ({"shifts": (1.0, 1.0)}, "twice"),
        ({"recipe": "audmen"}, "choose from audmem"),
        ({"segment_s": 1.0}, "both must be above 0"),
    ):
        with pytest.raises(SpecError, match=message):
            run(tmp_path, **changes)
    with pytest.raises(SpecError, match=r"6 group\(s\), too few for 7 folds"):
        run(tmp_path, folds=7)
    assert not Path(tmp_path / "run" / "summary.json").exists()


def test_every_registered_predictor_but_the_references_can_be_evaluated(tmp_path):
    write_noises(tmp_path, 15)
    names = tuple(name for name in registry.PREDICTORS if "@" not in name)
    found = run(tmp_path, models=names, folds=3, repeats=1)
    assert set(found.summary["models"]) == set(names)
    for name in names:
        assert np.isfinite(found.summary["models"][name]["mse"]["value"])


def test_other_scores_or_features_do_not_go_into_the_same_folder(tmp_path):
    write_noises(tmp_path, 12)
    run(tmp_path, folds=3)
    with pytest.raises(RunConflictError, match="other clips, scores or features"):
        run(tmp_path, folds=3, groups=(Hiss("other"),))
    labels = tmp_path / "labels.csv"
    labels.write_text(labels.read_text().replace("noise-03", "noise-99"))
    with pytest.raises(RunConflictError, match="other clips, scores or features"):
        run(tmp_path, folds=3)


def test_a_model_that_the_reference_does_not_have_is_said_before_any_work(tmp_path):
    write_noises(tmp_path, 12)
    with pytest.raises(SpecError, match="the reference has none of fusion; name one of svr, mlp, ridge, mean"):
        run(tmp_path, folds=3, models=("fusion",), recipe="audmem")
    assert not (tmp_path / "run").exists()


def test_the_corrected_numbers_stand_where_the_reference_cannot_be_repeated(tmp_path):
    scores = 3 + write_noises(tmp_path, 12, duration_s=1.2)  # its network takes shares only
    lines = [f"noise-{i:02d},{score:.4f}" for i, score in enumerate(scores)]
    (tmp_path / "labels.csv").write_text("\n".join(["track,score", *lines]) + "\n")
    found = run(tmp_path, folds=3, models=("mlp:epochs=2", "fusion", "mean"), recipe="audmem")
    assert {"mlp:epochs=2", "fusion", "mean", "noise", "mean@audmem"} == set(found.summary["models"])
    notes = " ".join(found.summary["notes"])
    assert "reference protocol: it has no fusion" in notes
    assert "mlp@audmem could not be tested" in notes


def test_random_features_are_drawn_anew_in_every_repeat(planted):
    _, found = planted
    said = {
        r: [row["predicted"] for row in found.predictions if (row["model"], row["repeat"]) == ("noise", r)]
        for r in (0, 1)
    }
    tracks = {
        r: {
            row["track"]: row["predicted"]
            for row in found.predictions
            if (row["model"], row["repeat"]) == ("noise", r)
        }
        for r in (0, 1)
    }
    assert len(said[0]) == 40
    same = [np.isclose(tracks[0][track], tracks[1][track], atol=1e-9) for track in tracks[0]]
    assert np.mean(same) < 0.2


def test_few_groups_long_clips_and_copies_under_another_guise_are_noted(tmp_path):
    write_noises(tmp_path, 9)
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "clips" / "noise-04.wav", 0.1 * rng.normal(size=44_100), 22_050)
    notes = " ".join(run(tmp_path, folds=3).summary["notes"])
    assert "with 6 groups to learn from, settings are not chosen" in notes
    assert "1 clip(s) are more than 1.5 times as long as the median of 0.6 s (noise-04)" in notes


def test_a_copy_at_another_rate_is_noted_and_different_clips_are_not(tmp_path):
    make_music(tmp_path, tracks=20, seed=8)
    copy = resample(read_audio(tmp_path / "clips" / "synthetic-007.flac", sample_rate=None), 32_000)
    soundfile.write(tmp_path / "clips" / "copy.wav", copy.samples, 32_000)
    labels = tmp_path / "labels.csv"
    labels.write_text(labels.read_text() + "copy,0.5,40,0.5,0.5\n")
    groups = open_groups("harmony,timbre,brightness,rhythm,balance")
    prepared = prepare(
        read_labels(labels, tmp_path / "clips"), MemorabilitySettings(shifts=()), groups=groups, processes=1
    )
    (note,) = [text for text in prepared.notes if "sound almost the same" in text]
    assert note.startswith("1 pair(s) of clips sound almost the same (")
    assert "copy" in note
    assert "synthetic-007" in note


def test_the_mean_predictor_is_what_skill_is_measured_against(tmp_path):
    scores = np.clip(write_noises(tmp_path, 20), 0, 1)
    lines = [f"noise-{i:02d},{score:.4f},{10 + 3 * i}" for i, score in enumerate(scores)]
    (tmp_path / "labels.csv").write_text("\n".join(["track,score,n", *lines]) + "\n")
    models = run(tmp_path).summary["models"]
    assert models["mean"]["skill"]["value"] == pytest.approx(0.0, abs=1e-12)
    assert models["ridge"]["skill"]["value"] == pytest.approx(
        1 - models["ridge"]["mse"]["value"] / models["mean"]["mse"]["value"]
    )

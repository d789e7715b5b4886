"""What a fold may know, and folds of one clip."""

import numpy as np
import pytest

from otoscope.studies.memorability.evaluate import evaluate
from otoscope.studies.memorability.settings import MemorabilitySettings
from otoscope.testing.noises import Hiss, write_noises


def run(folder, out="run", *, explain=False, **settings):
    chosen = MemorabilitySettings(**{"models": ("ridge",), "shifts": (), "repeats": 1, "n_resamples": 50, **settings})
    return evaluate(
        folder / "clips",
        folder / "labels.csv",
        folder / out,
        chosen,
        groups=(Hiss(),),
        explain=explain,
        processes=1,
    )


def test_folds_of_one_clip_are_explained_without_directions(tmp_path):
    write_noises(tmp_path, 9)
    found = run(tmp_path, explain=True, folds=9)
    assert found.summary["models"]["ridge"]["spearman_fold"]["value"] is None
    assert (tmp_path / "run" / "explanation.json").exists()


def test_the_responses_behind_a_tested_score_do_not_weigh_the_others(tmp_path):
    scores = write_noises(tmp_path, 9, noise=0.3)
    counts = np.array([10, 40, 15, 60, 25, 90, 30, 12, 70])

    def evaluated(out):
        lines = [f"noise-{i:02d},{score:.6f},{n}" for i, (score, n) in enumerate(zip(scores, counts, strict=True))]
        (tmp_path / "labels.csv").write_text("\n".join(["track,score,n", *lines]) + "\n")
        return {(row["track"], row["model"]): row["predicted"] for row in run(tmp_path, out, folds=9).predictions}

    before = evaluated("one")
    counts[4] = 1000
    after = evaluated("two")
    for model in ("ridge", "mean", "noise"):
        assert after["noise-04", model] == pytest.approx(before["noise-04", model], abs=1e-12)
        assert after["noise-00", model] != pytest.approx(before["noise-00", model], abs=1e-6)


def test_a_track_that_is_used_is_not_counted_as_left_out(tmp_path):
    write_noises(tmp_path, 9)
    labels = tmp_path / "labels.csv"
    line = labels.read_text().splitlines()[1].replace(",", ".wav,")
    labels.write_text(labels.read_text() + line + "\n")
    found = run(tmp_path, folds=3)
    assert (found.summary["n_tracks"], found.summary["n_excluded"], len(found.failures)) == (9, 0, 1)

"""From clips to labels and to an answer: listeners who follow a planted quality, through the server, and back."""

import numpy as np
import pytest
import soundfile
from scipy.stats import spearmanr

from otoscope.game.collecting import limits_of, read_study_responses
from otoscope.game.exclusions import exclude
from otoscope.game.scoring import score_responses, write_labels
from otoscope.game.settings import StudySettings
from otoscope.game.simulate import simulate
from otoscope.game.study import Study, new_study
from otoscope.game.synthetic import ListenerModel
from otoscope.studies.memorability.evaluate import evaluate
from otoscope.studies.memorability.settings import MemorabilitySettings
from otoscope.testing.music import SAMPLE_RATE, draw_plan, play


def planted(plan):
    """Give the log odds that a clip is noticed: how bright it is, how high its lead plays, in standard deviations."""
    return 0.7 + (plan.tilt_db + 9.0) / np.sqrt(12.0) + (plan.height - 68.0) / np.sqrt(48.0)


def settings(n_slots, **timing):
    return StudySettings.model_validate(
        {
            "seats": 60,
            "schedule": {
                "n_slots": n_slots,
                "n_phases": 2,
                "lag_bins": [{"low": 4, "high": 9}, {"low": 10, "high": 16}],
            },
            "timing": {"gap_s": 0.5, "window_s": 0.4, "rest_s": 4.0, **timing},
            "sound": {"format": "wav"},
        }
    )


def walk(folder, *, tracks, duration_s, n_slots, players, speed, kill_server, seed=3):
    """Go from clips to an answer; give the simulation, the labels beside the plant, and the evaluation."""
    clips = folder / "clips"
    clips.mkdir()
    plans = {f"clip{index:02}": draw_plan(seed, index) for index in range(tracks)}
    for name, plan in plans.items():
        soundfile.write(clips / f"{name}.wav", play(plan, duration_s=duration_s).samples, SAMPLE_RATE)
    new_study(folder / "study", clips, settings(n_slots))
    study = Study.open(folder / "study")
    odds = {name: planted(plan) for name, plan in plans.items()}
    model = ListenerModel(reference_lag=9.0, listener_sd=0.4, rt_ms=500.0)
    sent = simulate(study, players=players, speed=speed, log_odds=odds, model=model, kill_server=kill_server)

    store = study.store()
    found = read_study_responses(study, store)
    store.close()
    kept = found.of_sessions(exclude(found, limits_of(study)).kept)
    scores = score_responses(kept)
    write_labels(folder / "labels.csv", scores, label="shrunk")
    labels = [(scores.column("shrunk")[place], odds[row.track]) for place, row in enumerate(scores.tracks)]
    asked = MemorabilitySettings(
        models=("ridge",), folds=5, repeats=2, features=("brightness", "melody"), shifts=(), n_resamples=200
    )
    answer = evaluate(clips, folder / "labels.csv", folder / "run", asked, explain=False, processes=1)
    return sent, np.array(labels), answer.summary["models"]


def test_the_quality_that_listeners_followed_is_found_from_their_answers(tmp_path):
    sent, labels, models = walk(
        tmp_path, tracks=36, duration_s=1.0, n_slots=60, players=24, speed=20.0, kill_server=1
    )
    assert sent.holds
    assert (sent.stored, sent.completed, sent.kills) == (24 * 60, 24, 1)
    assert labels.shape == (36, 2)
    assert spearmanr(*labels.T).statistic > 0.7
    assert models["ridge"]["spearman_pooled"]["low"] > 0.3
    assert models["ridge"]["skill"]["low"] > 0  # above predicting the mean
    assert models["noise"]["skill"]["low"] < 0


@pytest.mark.slow
def test_more_listeners_find_it_better(tmp_path):
    sent, labels, models = walk(
        tmp_path, tracks=60, duration_s=2.0, n_slots=90, players=80, speed=15.0, kill_server=2
    )
    assert sent.holds
    assert sent.stored == 80 * 90
    assert spearmanr(*labels.T).statistic > 0.85
    assert models["ridge"]["spearman_pooled"]["low"] > 0.5
    assert models["ridge"]["skill"]["low"] > 0.2

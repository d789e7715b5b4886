"""Synthetic music: its scores follow from what was planted, and its sound is what was planned."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile

from otoscope.errors import SpecError
from otoscope.features.registry import open_groups
from otoscope.features.sound import Sound
from otoscope.testing.music import PLANTED, draw_plan, listen, make_music, play


def test_equal_seeds_give_equal_files_and_labels_say_what_listeners_said(tmp_path):
    plans = make_music(tmp_path / "a", tracks=3, seed=5)
    make_music(tmp_path / "b", tracks=3, seed=5)
    assert plans == [draw_plan(5, i) for i in range(3)]
    lines = (tmp_path / "a" / "labels.csv").read_text().splitlines()
    assert lines == (tmp_path / "b" / "labels.csv").read_text().splitlines()
    assert lines[0] == "track,score,n,half_a,half_b"
    for plan, line in zip(plans, lines[1:], strict=True):
        name, score, n, *_ = line.split(",")
        heard, half = listen(plan), listen(plan).n // 2
        assert (float(score), int(n)) == (pytest.approx(heard.score, abs=1e-4), heard.n)
        assert heard.score == pytest.approx((half * heard.half_a + (heard.n - half) * heard.half_b) / heard.n)
        one, other = (tmp_path / folder / "clips" / f"{name}.flac" for folder in "ab")
        assert one.read_bytes() == other.read_bytes()
        samples, rate = soundfile.read(one)
        assert (rate, samples.size) == (22_050, 5 * 22_050)
        np.testing.assert_allclose(samples, play(plan).samples, atol=1e-4)


def test_scores_are_a_logistic_curve_of_the_two_planted_qualities_and_of_nothing_else():
    plan = replace(draw_plan(0, 0), tilt_db=-9.0, height=68.0)
    assert plan.score == pytest.approx(1 / (1 + np.exp(-0.6)))
    higher, brighter = replace(plan, height=80.0), replace(plan, tilt_db=-3.0)
    assert higher.score == pytest.approx(brighter.score)
    assert higher.score > plan.score
    other = replace(plan, tempo=90.0, scale="minor", root=5, drums=0.9, bass=0.3, chords=0.9, seed=1)
    assert other.score == plan.score
    scores = [draw_plan(1, i).score for i in range(300)]
    assert 0.1 < np.std(scores) < 0.2
    shares = [listen(draw_plan(1, i)).score for i in range(300)]
    assert np.mean(shares) == pytest.approx(np.mean(scores), abs=0.02)
    assert np.corrcoef(shares, scores)[0, 1] > 0.75


def test_what_is_planted_can_be_heard_by_the_features_that_name_it():
    plan = replace(draw_plan(0, 1), drums=0.0)
    values = {}
    for name, changed in {"plain": plan, "bright": replace(plan, tilt_db=plan.tilt_db + 6)}.items():
        sound = Sound(play(changed))
        for group in open_groups(PLANTED):
            said = group.compute(sound)
            values[name] = values.get(name, {}) | dict(zip((f.id for f in group.features), said, strict=True))
    assert values["bright"]["brightness.centroid_mean"] > values["plain"]["brightness.centroid_mean"]
    high = Sound(play(replace(plan, height=plan.height + 12)))
    (melody,) = open_groups("melody")
    said = dict(zip((f.id for f in melody.features), melody.compute(high), strict=True))
    assert said["melody.top_mean"] > values["plain"]["melody.top_mean"] + 3


@pytest.mark.parametrize(
    "wrong",
    [
        lambda folder: make_music(folder, tracks=0),
        lambda folder: make_music(folder, listeners=1),
        lambda folder: play(draw_plan(0, 0), duration_s=0.0),
        lambda folder: play(draw_plan(0, 0), duration_s=float("nan")),
    ],
)
def test_what_cannot_be_made_is_refused(tmp_path, wrong):
    with pytest.raises(SpecError):
        wrong(tmp_path)

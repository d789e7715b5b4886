"""Sentences are true of the training clips, word for word."""

import numpy as np
import pytest

from otoscope.errors import SpecError
from otoscope.features.base import Feature
from otoscope.predictors.wording import Reason, Wording, compared, signed


def feature(name, more, less, plain="How it is."):
    return Feature(name, "1", "as told", plain, more, less)


BRIGHT = feature("timbre.centroid", "brighter", "darker", "How bright the clip sounds.")
EDGE = feature("timbre.rolloff", "sharper at the top", "duller at the top")
NOISE = feature("timbre.flatness", "noisier", "more tonal")
LOUD = feature("loudness.level", "louder", "softer")
PITCH = feature("voice.pitch", "higher in its voice", "lower in its voice", "How high the voice lies.")
SHAKE = feature("voice.jitter", "shakier in its voice", "steadier in its voice")
FEATURES = (BRIGHT, EDGE, NOISE, LOUD, PITCH, SHAKE)


def wording(rng=None, **options):
    """Give a hundred clips with the values 0 to 99: centroid and rolloff in one order, the others each in its own."""
    rng = np.random.default_rng(5) if rng is None else rng
    first = np.arange(100.0)
    others = [rng.permutation(100).astype(float) for _ in range(4)]
    return Wording(FEATURES, np.column_stack([first, first**2, *others]), **options)


@pytest.mark.parametrize(
    ("below", "above", "words"),
    [
        (0.8, 0.2, "brighter than 80 % of the training clips"),
        (0.3, 0.7, "darker than 70 % of the training clips"),
        (0.804, 0.196, "brighter than 80 % of the training clips"),
        (0.999, 0.001, "brighter than 99 % of the training clips"),
        (1.0, 0.0, "brighter than all of the training clips"),
        (0.0, 1.0, "darker than all of the training clips"),
        (0.55, 0.45, "brighter than 55 % of the training clips"),
        (0.54, 0.46, "about the middle of the training clips, neither brighter nor darker"),
        (0.5, 0.5, "about the middle of the training clips, neither brighter nor darker"),
        (0.4, 0.1, "about the middle of the training clips, neither brighter nor darker"),
        (None, None, "no value in this clip (how bright the clip sounds)"),
    ],
)
def test_a_comparison_is_worded_by_where_the_clip_stands(below, above, words):
    assert compared(BRIGHT, below, above) == words


def test_a_gap_may_have_words_of_its_own():
    assert compared(PITCH, None, None, missing="no voice that could be followed") == "no voice that could be followed"
    assert compared(feature("a.b", "more", "less", "MIDI notes."), None, None) == "no value in this clip (MIDI notes)"


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.061, 2, "+0.06"),
        (-0.061, 2, "-0.06"),
        (0.004, 2, "0.00"),
        (-0.004, 2, "0.00"),
        (12.0, 0, "+12"),
        (0, 1, "0.0"),
    ],
)
def test_contributions_carry_their_sign(value, digits, text):
    assert signed(value, digits=digits) == text


def test_the_largest_contributions_are_told_first():
    values = np.array([80.0, 6400, 50, 10, 90, 0])
    contributions = np.array([0.061, 0, -0.012, -0.08, 0.004, 0])
    reasons = wording().reasons(values, contributions, k=3)
    assert [reason.text for reason in reasons] == [
        "softer than 89 % of the training clips: -0.08",
        "brighter than 80 % of the training clips: +0.06",
        "about the middle of the training clips, neither noisier nor more tonal: -0.01",
    ]
    assert reasons[0] == Reason(
        "loudness.level",
        (),
        -0.08,
        0.1,
        0.89,
        "softer than 89 % of the training clips",
        "softer than 89 % of the training clips: -0.08",
    )


def test_features_that_say_the_same_are_told_once():
    values = np.array([80.0, 6400, 50, 50, 50, 50])
    (reason,) = wording().reasons(values, np.array([0.06, 0.03, 0, 0, 0, 0]))
    assert reason.text == "brighter than 80 % of the training clips: +0.09"
    assert (reason.feature_id, reason.with_it) == ("timbre.centroid", ("timbre.rolloff",))
    (reason,) = wording().reasons(values, np.array([0.02, -0.05, 0, 0, 0, 0]))
    assert reason.text == "sharper at the top than 80 % of the training clips: -0.03"


def test_features_of_different_groups_are_told_apart_even_if_they_go_together():
    reference = np.column_stack([np.arange(50.0), np.arange(50.0)])
    made = Wording((BRIGHT, LOUD), reference)
    assert len(made.reasons(np.array([40.0, 40.0]), np.array([0.2, 0.1]))) == 2


def test_features_that_run_against_each_other_are_told_once():
    reference = np.column_stack([np.arange(50.0), -np.arange(50.0)])
    (reason,) = Wording((BRIGHT, NOISE), reference).reasons(np.array([40.0, -40.0]), np.array([0.2, 0.1]))
    assert reason.text == "brighter than 80 % of the training clips: +0.30"


def test_equal_words_are_told_once(rng):
    again = feature("timbre.bands", "brighter", "darker")
    (reason,) = Wording((BRIGHT, again), rng.normal(size=(50, 2))).reasons(np.full(2, 9.0), np.array([0.2, 0.1]))
    assert reason.text == "brighter than all of the training clips: +0.30"


def test_a_group_without_values_is_told_once():
    values = np.array([50.0, 2500, 50, 50, np.nan, np.nan])
    (reason,) = wording().reasons(values, np.array([0, 0, 0, 0, -0.02, -0.03]))
    assert reason.text == "no voice that could be followed: -0.05"
    assert (reason.below, reason.above) == (None, None)
    assert (reason.feature_id, reason.with_it) == ("voice.jitter", ("voice.pitch",))
    reasons = wording(missing={}).reasons(values, np.array([0, 0, 0, 0, -0.02, -0.03]))
    assert [reason.text for reason in reasons] == [
        "no value in this clip (how it is): -0.03",
        "no value in this clip (how high the voice lies): -0.02",
    ]


def test_a_gap_and_a_value_are_told_apart():
    reference = np.column_stack([np.arange(50.0), np.arange(50.0)])
    reasons = Wording((PITCH, SHAKE), reference).reasons(np.array([np.nan, 40.0]), np.array([0.2, 0.1]))
    assert [reason.words for reason in reasons] == [
        "no voice that could be followed",
        "shakier in its voice than 80 % of the training clips",
    ]


def test_a_value_that_no_reference_clip_has_is_not_called_missing():
    reference = np.column_stack([np.arange(9.0), np.full(9, np.nan)])
    (reason,) = Wording((BRIGHT, PITCH), reference).reasons(np.array([4.0, 300.0]), np.array([0, 0.1]))
    assert reason.text == "a value where no training clip has one (how high the voice lies): +0.10"


def test_the_share_is_of_clips_that_have_a_value():
    reference = np.array([[1.0], [2.0], [3.0], [4.0], [np.nan], [np.nan]])
    below, above = Wording((PITCH,), reference).place(np.array([3.0]))
    assert (below[0], above[0]) == (0.5, 0.25)


def test_what_did_nothing_is_not_told():
    assert wording().reasons(np.full(6, 50.0), np.zeros(6)) == ()
    values = np.array([80.0, 6400, 50, 50, 50, 50])
    assert wording().reasons(values, np.array([0.5, -0.5, 0, 0, 0, 0])) == ()


def test_digits_follow_the_scores():
    values = np.array([80.0, 6400, 50, 50, 50, 50])
    (reason,) = wording(digits=0).reasons(values, np.array([7.0, 0, 0, 0, 0, 0]))
    assert reason.text == "brighter than 80 % of the training clips: +7"


def test_what_does_not_fit_is_refused():
    with pytest.raises(SpecError, match=r"\(n_clips, 6\) is needed"):
        Wording(FEATURES, np.zeros((5, 4)))
    with pytest.raises(SpecError, match=r"\(n_clips, 6\) is needed"):
        Wording(FEATURES, np.zeros((0, 6)))
    with pytest.raises(SpecError, match=r"\(6,\) is needed"):
        wording().reasons(np.zeros(5), np.zeros(6))

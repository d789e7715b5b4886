"""What every registered group of features promises."""

import pickle
from functools import cache

import numpy as np
import pytest

from otoscope.audio import Waveform
from otoscope.features.base import check_values, group_digest
from otoscope.features.registry import open_groups
from otoscope.features.sound import Sound

RATE = 22_050  # Hz
TOL_LEVEL = 1e-3  # relative, and absolute below 1: rounding of samples to float32, through statistics with edges
ABOUT_LEVEL = ("loudness.", "opensmile.")  # the second is run as it is, for comparison, at the clip's own level
GROUPS = open_groups("all")
every_group = pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)


def seconds(duration, rate=RATE):
    return np.arange(round(duration * rate)) / rate


def tone(duration=2.0):
    return 0.3 * np.sin(2 * np.pi * 440 * seconds(duration))


def chirp(duration=2.0):
    return 0.3 * np.sin(2 * np.pi * 110 * duration / np.log(16) * 16 ** (seconds(duration) / duration))


def noise(duration=2.0, rate=RATE):
    return 0.1 * np.random.default_rng(1).standard_normal(round(duration * rate))


def click():
    samples = np.zeros(2 * RATE)
    samples[RATE] = 0.8
    return samples


def almost_silent():
    samples = 1e-6 * np.random.default_rng(2).standard_normal(2 * RATE)
    samples[RATE // 3] = 2e-3
    return samples


def music(duration=3.0, rate=RATE):
    """Give plucked notes over a bass, with strokes of noise: four to a second."""
    t = seconds(duration, rate)
    rng = np.random.default_rng(3)
    total = 0.02 * np.sin(2 * np.pi * 110 * t) * (1 + 0.3 * np.sin(2 * np.pi * 0.7 * t))
    for i, start in enumerate(np.arange(0.05, duration - 0.1, 0.25)):
        since = t - start
        envelope = np.where(since >= 0, np.exp(-6 * np.maximum(since, 0)), 0.0)
        hz = 220 * 2 ** ([0, 4, 7, 12, 7, 5, 2, 4][i % 8] / 12)
        total += 0.1 * envelope * sum(np.cos(2 * np.pi * k * hz * since) / k for k in range(1, 6))
        total += 0.1 * np.where(since >= 0, np.exp(-60 * np.maximum(since, 0)), 0.0) * rng.standard_normal(t.size)
    return total


SIGNALS = {
    "tone": (tone, RATE),
    "chirp": (chirp, RATE),
    "noise": (noise, RATE),
    "click": (click, RATE),
    "almost silent": (almost_silent, RATE),
    "music": (music, RATE),
    "8 kHz": (lambda: music(2.0, 8_000), 8_000),
    "noise at 8 kHz": (lambda: noise(2.0, 8_000), 8_000),
    "half a second of music": (lambda: music(0.5), RATE),
    "half a second of a tone": (lambda: tone(0.5), RATE),
    "click at the beginning": (lambda: np.roll(click(), -RATE), RATE),
    "square wave": (lambda: 0.2 * np.sign(tone() + 1e-9), RATE),
}


@cache
def waveform(name, gain=1.0):
    make, rate = SIGNALS[name]
    return Waveform((gain * make()).astype(np.float32), rate, name)


@cache
def sound(name):
    """Give one sound for all groups, as a study does: what one group leaves there, the next one finds."""
    return Sound(waveform(name))


def test_ids_and_sentences_are_unique_over_all_groups():
    features = [feature for group in GROUPS for feature in group.features]
    assert len({feature.id for feature in features}) == len(features)
    sentences = [feature.plain for feature in features]
    assert sorted({text for text in sentences if sentences.count(text) > 1}) == []


@every_group
def test_a_group_says_what_it_is(group):
    assert group.features
    assert {feature.group for feature in group.features} == {group.name}
    for text in (group.title, group.version, group.licence):
        assert text.strip()
    assert group.missing() is None


@every_group
def test_a_group_can_be_sent_to_other_processes(group):
    sent = pickle.loads(pickle.dumps(group))
    assert sent == group
    assert group_digest(sent) == group_digest(group)


@every_group
def test_sentences_are_sentences_and_comparatives_fit(group):
    for feature in group.features:
        assert feature.plain[0].isupper(), feature.id
        assert feature.plain.endswith("."), feature.id
        assert feature.more != feature.less, feature.id
        for text in (feature.more, feature.less):
            assert not text.endswith((".", "than")), feature.id


@every_group
@pytest.mark.parametrize("name", SIGNALS)
def test_values_are_finite_or_nan(group, name):
    check_values(group, group.compute(sound(name)), name)


@every_group
def test_most_values_of_music_are_there(group):
    values = group.compute(sound("music"))
    assert np.mean(np.isfinite(values)) > 0.6


@every_group
def test_values_know_no_other_clip_and_change_nothing(group):
    alone = pickle.loads(pickle.dumps(group)).compute(Sound(waveform("music")))
    before = waveform("music").samples.copy()
    for name in ("tone", "noise", "half a second of music"):
        group.compute(sound(name))
    np.testing.assert_array_equal(group.compute(Sound(waveform("music"))), alone)
    np.testing.assert_array_equal(group.compute(sound("music")), alone)
    np.testing.assert_array_equal(waveform("music").samples, before)


@every_group
@pytest.mark.parametrize("name", ["music", "8 kHz"])
def test_only_what_is_about_level_knows_the_level(group, name):
    values = group.compute(sound(name))
    softer = group.compute(Sound(waveform(name, gain=0.1)))
    for feature, value, other in zip(group.features, values, softer, strict=True):
        if not feature.id.startswith(ABOUT_LEVEL):
            assert other == pytest.approx(value, rel=TOL_LEVEL, abs=TOL_LEVEL, nan_ok=True), feature.id


@pytest.mark.slow
@every_group
def test_a_minute_is_described_too(group):
    long = Waveform(np.tile(music(), 20).astype(np.float32), RATE, "minute")
    check_values(group, group.compute(Sound(long)), "minute")


def test_no_two_features_of_the_default_groups_share_their_words():
    words: dict[tuple[str, str], list[str]] = {}
    for group in open_groups("default"):
        for feature in group.features:
            words.setdefault((feature.more, feature.less), []).append(feature.id)
    assert {pair: ids for pair, ids in words.items() if len(ids) > 1} == {}


def test_words_still_fit_before_than():
    texts = [word for group in open_groups("default") for f in group.features for word in (f.more, f.less)]
    assert [text for text in texts if " than " in f" {text} "] == []

from dataclasses import dataclass, replace
from itertools import count

import numpy as np
import pytest

from otoscope.audio import Waveform, resample
from otoscope.corpora.base import Clip, Corpus, Failure
from otoscope.errors import DataError
from otoscope.testing.corpora import check_corpus


@dataclass(frozen=True)
class Noise:
    seed: int = 0

    def read(self, clip_id, *, sample_rate):
        samples = np.random.default_rng(self.seed).normal(0, 0.1, 16_000).astype(np.float32)
        waveform = Waveform(samples, 16_000, clip_id)
        return waveform if sample_rate is None else resample(waveform, sample_rate)

    def describe(self):
        return f"noise {self.seed}"


class Restless(Noise):
    turns = count()

    def read(self, clip_id, *, sample_rate):
        return Noise(next(self.turns)).read(clip_id, sample_rate=sample_rate)


class Unnamed(Noise):
    def read(self, clip_id, *, sample_rate):
        return super().read("somebody", sample_rate=sample_rate)


class Stubborn(Noise):
    def read(self, clip_id, *, sample_rate):
        return super().read(clip_id, sample_rate=None)


class Hurried(Noise):
    def read(self, clip_id, *, sample_rate):
        waveform = super().read(clip_id, sample_rate=sample_rate)
        return waveform if sample_rate is None else Waveform(waveform.samples[10:], sample_rate, clip_id)


class Broken(Noise):
    def read(self, clip_id, *, sample_rate):
        raise DataError(clip_id, "the file is empty")


class Forgetful(Noise):
    turns = count()

    def describe(self):
        return f"noise {next(self.turns)}"


class Odd(Noise):
    def describe(self):
        return {1, 2}


def clip(name="a", **changed):
    return replace(Clip(name, Noise(), "en_us", {"speaker": name}), **changed)


def corpus(*clips, **changed):
    return replace(Corpus("planted", clips or (clip("a"), clip("b")), "CC0", "nobody"), **changed)


def test_a_sound_corpus_passes():
    check_corpus(corpus())
    check_corpus(corpus(clip("a", split="train"), clip("b", split="test")))


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (corpus(licence=""), "the licence is ''; a text is needed"),
        (corpus(citation=" "), "the citation is ' '"),
        (corpus(name=""), "the name is ''"),
        (replace(corpus(), clips=()), "there is no clip"),
        (corpus(failures=(Failure("x", "corpus", ""),)), "a failure says no reason"),
        (corpus(clip(language="??")), "a: the language '\\?\\?' has not the form of a code"),
        (corpus(clip(groups={})), "a: names no group"),
        (corpus(clip(groups={"speaker": ""})), "a: the group 'speaker' is ''"),
        (corpus(clip("a", split="train"), clip("b")), "1 of 2 clips have a split; all or none must"),
        (corpus(clip(source=Broken())), "a: cannot be read: a: the file is empty"),
        (corpus(clip(source=Restless())), "a: is another sound when read again"),
        (corpus(clip(source=Unnamed())), "a: its waveform is called 'somebody'"),
        (corpus(clip(source=Stubborn())), "a: is at 16000 Hz where 8000 Hz were asked for"),
        (corpus(clip(source=Hurried())), "a: lasts 1.0 s at its own rate and 0.99875 s at 8000 Hz"),
        (corpus(clip(source=Forgetful())), "a: describes itself otherwise the second time"),
        (corpus(clip(source=Odd())), "a: its description is no JSON value"),
    ],
)
def test_each_broken_law_is_named(broken, reason):
    with pytest.raises(AssertionError, match=reason):
        check_corpus(broken)


def test_ids_must_be_unique_even_where_the_corpus_did_not_look():
    made = corpus()
    object.__setattr__(made, "clips", (clip("a"), clip("a")))
    with pytest.raises(AssertionError, match="a: 2 clips have this id"):
        check_corpus(made)


def test_an_unknown_split_is_named_even_where_the_clip_did_not_look():
    made = clip(split="train")
    object.__setattr__(made, "split", "training")
    with pytest.raises(AssertionError, match="a: the split is 'training'"):
        check_corpus(corpus(made))


def test_a_group_in_two_splits_of_two_languages_is_a_leak_where_groups_are_shared():
    leaky = corpus(
        clip("a", groups={"sentence": "s1"}, split="train"),
        clip("b", groups={"sentence": "s1"}, split="test", language="vi_vn"),
    )
    with pytest.raises(AssertionError, match=r"sentence 's1' is in train \(a\) and test \(b\)"):
        check_corpus(leaky)
    check_corpus(leaky, across_languages=False)


def test_values_of_other_keys_are_other_groups():
    check_corpus(
        corpus(
            clip("a", groups={"sentence": "1"}, split="train"),
            clip("b", groups={"speaker": "1"}, split="test"),
        )
    )


def test_all_problems_are_listed_and_many_are_counted():
    many = corpus(*(clip(f"c{i}", groups={}) for i in range(12)), licence="")
    with pytest.raises(AssertionError) as caught:
        check_corpus(many)
    lines = str(caught.value).splitlines()
    assert lines[0] == "planted breaks the contract:"
    assert lines[1].startswith("the licence")
    assert lines[-1] == "and 3 more"
    assert len(lines) == 12

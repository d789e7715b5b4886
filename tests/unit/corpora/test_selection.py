from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otoscope.audio import Waveform
from otoscope.corpora.base import Clip, Corpus
from otoscope.corpora.selection import Selection, select
from otoscope.errors import DataError, SpecError

GENDERS = ("male", "female")


@dataclass(frozen=True)
class Sound:
    name: str
    length_s: float

    def read(self, clip_id, *, sample_rate):
        if self.length_s <= 0:
            raise DataError(clip_id, "broken")
        return Waveform(np.zeros(round(self.length_s * 1000), np.float32), 1000, clip_id)

    def describe(self):
        return self.name

    def stamp(self):
        return ""


def corpus(languages=("aa", "bb", "cc"), n=12, seed=0, **changes):
    """Make recordings: sentences 0 to n-1 in train and n to n+5 in test, one to three of each."""
    clips = []
    for code in languages:
        rng = np.random.default_rng([seed, *code.encode()])
        for split, sentences in (("train", range(n)), ("test", range(n, n + 6))):
            for sentence in sentences:
                if rng.random() < 0.15:
                    continue
                for take in range(rng.integers(1, 4)):
                    clip_id = f"{code}/{split}/{sentence}-{take}"
                    clip = Clip(
                        clip_id,
                        Sound(clip_id, 0.0),
                        code,
                        {"sentence": str(sentence)},
                        split,
                        GENDERS[rng.integers(2)],
                        duration_s=float(rng.uniform(1, 10)),
                    )
                    clips.append(replace(clip, **changes.get(clip_id, {})))
    return Corpus("made", tuple(clips))


def parts(found):
    grouped = {}
    for clip in found.clips:
        grouped.setdefault((clip.language, clip.split), []).append(clip)
    return grouped


def ids(found):
    return {clip.clip_id for clip in found.clips}


def test_nothing_asked_for_is_everything():
    whole = corpus()
    assert select(whole, Selection()) == whole


def test_filters_keep_what_they_say_and_the_order():
    whole = corpus()
    found = select(whole, Selection(splits=("test",), genders=("female",), min_s=2, max_s=8))
    wanted = [c for c in whole.clips if c.split == "test" and c.gender == "female" and 2 <= c.duration_s <= 8]
    assert list(found.clips) == wanted


seeds = st.integers(0, 5)


@given(seeds, st.integers(2, 12), st.booleans())
def test_a_choice_does_not_depend_on_other_languages(seed, clips, balanced):
    selection = Selection(clips=clips, seed=seed, gender_balanced=balanced)
    alone = select(corpus(("bb",)), selection)
    assert ids(alone) == {name for name in ids(select(corpus(), selection)) if name.startswith("bb")}


@given(seeds, st.integers(2, 12), st.booleans(), st.booleans())
def test_more_clips_hold_fewer_clips(seed, clips, balanced, matched):
    make = {"seed": seed, "gender_balanced": balanced, "content_matched": matched}
    fewer, more = (ids(select(corpus(), Selection(clips=n, **make))) for n in (clips, clips + 2))
    assert fewer <= more
    assert more <= ids(select(corpus(), Selection(**make)))


@given(seeds, st.floats(0.003, 0.01), st.booleans())
def test_hours_are_a_bound_that_more_hours_only_extend(seed, hours, balanced):
    make = {"seed": seed, "gender_balanced": balanced}
    small, large = (select(corpus(n=20), Selection(hours=h, **make)) for h in (2 * hours, 3 * hours))
    assert ids(small) <= ids(large)
    for clips in parts(small).values():
        assert sum(clip.duration_s for clip in clips) <= 2 * hours * 3600


def test_the_seed_is_used_and_so_many_clips_are_kept():
    drawn = [ids(select(corpus(), Selection(clips=3, seed=seed))) for seed in range(4)]
    assert len({frozenset(found) for found in drawn}) == 4
    assert all(len(clips) == 3 for clips in parts(select(corpus(), Selection(clips=3))).values())


@given(seeds, st.booleans(), st.sampled_from([None, 2, 5]))
def test_matched_languages_say_the_same_sentences_once(seed, balanced, clips):
    whole = corpus()
    found = select(whole, Selection(content_matched=True, gender_balanced=balanced, clips=clips, seed=seed))
    said = {}
    for (_, split), part in parts(found).items():
        sentences = [clip.groups["sentence"] for clip in part]
        assert len(set(sentences)) == len(sentences)
        said.setdefault(split, set()).add(frozenset(sentences))
    assert all(len(sets) == 1 for sets in said.values())
    everywhere = {
        split: set.intersection(
            *(
                {c.groups["sentence"] for c in whole.clips if (c.language, c.split) == (code, split)}
                for code in whole.languages
            )
        )
        for split in ("train", "test")
    }
    for split, (kept,) in said.items():
        assert kept <= everywhere[split]
        assert len(kept) == min(len(everywhere[split]), clips or 99)


def test_matched_notes_count_the_sentences():
    found = select(corpus(), Selection(content_matched=True, splits=("train",)))
    n = len(found.clips) // 3
    assert f"content_matched: train: {n} of 12 sentences are in all 3 languages" in found.notes


@given(seeds, st.sampled_from([None, 2, 7]))
def test_balanced_parts_have_as_many_men_as_women(seed, clips):
    whole = corpus()
    found = select(whole, Selection(gender_balanced=True, clips=clips, seed=seed))
    for part, kept in parts(found).items():
        men, women = (sum(clip.gender == gender for clip in kept) for gender in GENDERS)
        there = parts(whole)[part]
        fewer = min(sum(clip.gender == gender for clip in there) for gender in GENDERS)
        assert men == women == min(fewer, 99 if clips is None else clips // 2)


def test_balanced_pairs_are_near_in_length():
    clips = [
        Clip(f"m{i}", Sound("m", 1), "aa", gender="male", duration_s=length) for i, length in enumerate((2.0, 5.0))
    ]
    lengths = (1.0, 2.1, 4.8, 9.0, 30.0)
    clips += [Clip(f"f{i}", Sound("f", 1), "aa", gender="female", duration_s=x) for i, x in enumerate(lengths)]
    for seed in range(5):
        found = select(Corpus("made", tuple(clips)), Selection(gender_balanced=True, seed=seed))
        assert ids(found) == {"m0", "m1", "f1", "f2"}


def test_a_part_without_one_gender_is_dropped_and_said():
    whole = corpus()
    clips = [c for c in whole.clips if not (c.language == "bb" and c.split == "test" and c.gender == "male")]
    for matched in (False, True):
        found = select(Corpus("made", tuple(clips)), Selection(gender_balanced=True, content_matched=matched))
        assert ("bb", "test") not in parts(found)
        assert ("bb", "train") in parts(found)
        assert "gender_balanced leaves nothing of bb/test" in found.notes


def test_matched_and_balanced_takes_the_gender_that_has_fallen_behind():
    clips = []
    for sentence in range(10):
        clips.append(Clip(f"m{sentence}", Sound("m", 1), "aa", {"sentence": str(sentence)}, "train", "male"))
        if sentence < 6:
            clips.append(Clip(f"f{sentence}", Sound("f", 1), "aa", {"sentence": str(sentence)}, "train", "female"))
    for seed in range(8):
        found = select(Corpus("made", tuple(clips)), Selection(content_matched=True, gender_balanced=True, seed=seed))
        n_men = sum(clip.gender == "male" for clip in found.clips)
        assert len(found.clips) == 10
        assert 5 <= n_men <= 7
        assert any(
            note.startswith(f"gender_balanced: {n_men} clips of men and {10 - n_men} of") for note in found.notes
        )


def test_a_clip_that_cannot_be_measured_is_a_failure_only_where_lengths_are_needed():
    whole = corpus(("aa",))
    first = whole.clips[0]
    broken = replace(whole, clips=(replace(first, duration_s=None), *whole.clips[1:]))
    assert not select(broken, Selection(splits=("train",))).failures
    found = select(broken, Selection(min_s=0.1))
    assert [(failure.clip_id, failure.stage, failure.reason) for failure in found.failures] == [
        (first.clip_id, "audio", "broken")
    ]
    assert len(found.clips) == len(whole.clips) - 1


def test_without_a_said_length_the_sound_is_measured():
    clip = Clip("a", Sound("a", 3.0), "aa")
    assert select(Corpus("made", (clip,)), Selection(min_s=3, max_s=3)).clips == (clip,)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"splits": ("dev",)}, "no clip is in dev; the corpus has train, test"),
        (
            {"genders": ("femal",)},
            "no clip is of gender femal; the corpus has female, male; did you mean 'female'?",
        ),
        (
            {"genders": ("other",), "splits": ("test",)},
            "no clip is of gender other; the corpus has female, male (kept before: test only)",
        ),
        ({"min_s": 60.0}, "no clip lasts at least 60 s; the longest has {longest:.3g} s"),
        ({"max_s": 0.5}, "no clip lasts at most 0.5 s; the shortest has {shortest:.3g} s"),
        ({"min_s": 11.0, "max_s": 12.0}, "no clip lasts 11 to 12 s; the longest has {longest:.3g} s"),
        (
            {"hours": 1e-6},
            "1e-06 hours (0.0036 s) per language and split is less than the first clip drawn lasts; "
            "{longest:.6g} s are enough for any clip",
        ),
    ],
)
def test_an_empty_choice_says_what_there_is_instead(asked, said):
    whole = corpus()
    lengths = [clip.duration_s for clip in whole.clips]
    with pytest.raises(SpecError) as caught:
        select(whole, Selection(**asked))
    assert str(caught.value) == f"made: {said.format(longest=max(lengths), shortest=min(lengths))}"


def test_lengths_between_which_nothing_lies_are_said_with_the_nearest():
    clips = [Clip(f"c{k}", Sound("c", 1), "aa", gender="male", duration_s=k) for k in (1.0, 2.0, 5.0, 9.0)]
    with pytest.raises(
        SpecError, match=r"^made: no clip lasts 3 to 4 s; the nearest have 2 s and 5 s \(kept before: men"
    ):
        select(Corpus("made", tuple(clips)), Selection(min_s=3, max_s=4, genders=("male",)))


def test_where_nothing_can_be_measured_the_first_reason_is_said():
    clips = tuple(Clip(name, Sound(name, 0.0), "aa") for name in "ab")
    with pytest.raises(SpecError, match=r"^made: the length of no clip can be found; a: broken$"):
        select(Corpus("made", clips), Selection(min_s=1))


def test_a_corpus_without_genders_or_splits_says_so():
    bare = Corpus("made", (Clip("a", Sound("a", 1), "aa"),))
    for asked, said in (
        ({"genders": ("male",)}, "no clip is of gender male; the corpus does not say the gender of any clip"),
        ({"splits": ("dev", "train")}, "no clip is in train or dev; the corpus has no splits"),
        ({"gender_balanced": True}, "nothing can be balanced: .*; the corpus has no gender of any clip"),
    ):
        with pytest.raises(SpecError, match=said):
            select(bare, Selection(**asked))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "every clip"),
        ({"seed": 7}, "every clip"),
        ({"clips": 5, "genders": ("female",)}, "at most 5 clips per language and split; women only"),
        ({"clips": 1, "hours": 1.0}, "at most 1 clip and 1 hour per language and split"),
        ({"hours": 0.3, "seed": 2}, "at most 0.3 hours per language and split; drawn with seed 2"),
        ({"genders": ("male", "female"), "splits": ("test", "train")}, "women and men only; train and test only"),
        ({"genders": ("other", "female")}, "gender female and other only"),
        ({"min_s": 2.0}, "clips of at least 2 s"),
        ({"max_s": 8.5}, "clips of at most 8.5 s"),
        ({"min_s": 2, "max_s": 8}, "clips of 2 to 8 s"),
        (
            {"content_matched": True, "gender_balanced": True},
            "the same sentences in every language; as many women as men",
        ),
    ],
)
def test_a_selection_says_in_words_what_is_asked(asked, words):
    assert Selection(**asked).words() == words


def test_languages_without_a_common_sentence_are_refused():
    clips = [Clip(code, Sound(code, 1), code, {"sentence": code}, "train") for code in ("aa", "bb")]
    with pytest.raises(SpecError, match=r"no sentence is in every language: train: 0 of 2 sentences are in all 2"):
        select(Corpus("made", tuple(clips)), Selection(content_matched=True))
    with pytest.raises(SpecError, match="aa: the corpus does not say which sentence it is"):
        select(Corpus("made", (replace(clips[0], groups={}),)), Selection(content_matched=True))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"splits": ("validation",)}, "choose from train, dev, test"),
        ({"splits": ()}, "choose from train"),
        ({"genders": ()}, "genders names nothing"),
        ({"genders": ("male",), "gender_balanced": True}, "needs male and female, genders keeps male"),
        ({"min_s": 0.0}, "min_s is 0.0; it must be above 0"),
        ({"hours": float("nan")}, "hours is nan"),
        ({"min_s": 3.0, "max_s": 2.0}, "no length is between them"),
        ({"clips": 0}, "at least 1 must be kept"),
        ({"clips": 1, "gender_balanced": True}, "at least 2 must be kept"),
    ],
)
def test_what_cannot_be_selected_is_refused(wrong, said):
    with pytest.raises(SpecError, match=said):
        Selection(**wrong)


def test_a_selection_describes_itself_without_the_order_of_typing():
    one = Selection(splits=("test", "train"), genders=("male", "female"))
    other = Selection(splits=("train", "test"), genders=("female", "male"))
    assert one.describe() == other.describe()
    assert one.describe() != Selection(splits=("train", "test"), genders=("female", "male"), seed=1).describe()

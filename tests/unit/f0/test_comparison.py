"""How much trackers differ: counts against counting by hand, and the laws that they keep."""

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otoscope.audio import Waveform
from otoscope.corpora.base import Clip, Failure
from otoscope.errors import DataError, SpecError
from otoscope.evaluation.scores import SUMS
from otoscope.f0 import disagreement
from otoscope.f0.base import F0Track, TrackerInfo
from otoscope.f0.comparison import (
    COUNTS,
    GRID,
    ClipComparison,
    compare_clip,
    compare_tracks,
    group_key,
    ordered_pairs,
    unordered_pairs,
)
from otoscope.f0.disagreement import disagreements
from otoscope.f0.kaldi import KaldiTracker
from otoscope.f0.labels import LabelCache
from otoscope.f0.scoring import count_errors, pooled
from otoscope.testing.signals import speechlike, tone

N = 60
N_SAMPLES = 400 + 320 * (N - 1)
TOL_CENTS = 0.051  # differences are kept in tenths of a cent


def track(f0_hz, name="mine", clip="clip", hop_s=0.02):
    f0_hz = np.asarray(f0_hz, dtype=np.float64)
    times = 0.0125 + hop_s * np.arange(f0_hz.size)
    return F0Track(times, f0_hz, ~np.isnan(f0_hz), TrackerInfo(name, "1", {}), clip)


def said(seed, clip="clip", n=N):
    """Give what three trackers might say: near each other, with octaves and other voicing here and there."""
    rng = np.random.default_rng(seed)
    base = 140 * 2 ** np.cumsum(rng.normal(0, 0.02, n))
    found = {}
    for name in "abc":
        hz = base * 2 ** (rng.normal(0, 20, n) / 1200)
        hz *= rng.choice([0.5, 1.0, 2.0], n, p=[0.05, 0.9, 0.05])
        hz[rng.random(n) < 0.3] = np.nan
        found[name] = track(hz, name, clip)
    return found


def compared(seed, clip="clip", **more):
    return compare_tracks(said(seed, clip), n_samples=N_SAMPLES, **more)


def many(n=12, languages=("und",)):
    return [
        compared(i, f"clip-{i:03d}", language=languages[i % len(languages)], group=f"group-{i // len(languages):03d}")
        for i in range(n)
    ]


def row(rows, metric, first="a", second="b", language="all"):
    (found,) = [r for r in rows if (r.metric, r.first, r.second, r.language) == (metric, first, second, language)]
    return found


def laid(seeds, name):
    return np.concatenate([said(seed)[name].f0_hz for seed in seeds])


def test_counts_are_those_of_the_scores_of_tracks():
    found, tracks = compared(3), said(3)
    for place, (i, j) in enumerate(unordered_pairs(3)):
        first, second = tracks["abc"[i]], tracks["abc"[j]]
        errors = count_errors(second.f0_hz, second.voiced, first.f0_hz, first.voiced)
        counts = dict(zip(COUNTS, found.pairs[place], strict=True))
        assert counts["frames"] == N
        assert counts["differ"] == errors.n_missed + errors.n_false
        assert (counts["both"], counts["gross"], counts["fine"]) == (errors.n_both, errors.n_gross, errors.n_fine)
        assert counts["squares"] == pytest.approx(errors.sum_square_cents)
        assert found.cents[place].sum() / 10 == pytest.approx(errors.sum_cents, abs=TOL_CENTS * errors.n_fine)


def test_the_sums_of_the_ceiling_count_the_same_gross_differences():
    found = compared(5)
    for place, pair in enumerate(unordered_pairs(3)):
        sums = found.sums[ordered_pairs(3).index(pair)]
        assert sums[SUMS.index("n")] == found.pairs[place, COUNTS.index("both")]
        assert sums[SUMS.index("gross")] == found.pairs[place, COUNTS.index("gross")]


def test_rows_are_those_counted_by_hand_on_all_frames():
    clips = many()
    rows = disagreements(clips, n_resamples=10)
    a, b = laid(range(12), "a"), laid(range(12), "b")
    both = ~np.isnan(a) & ~np.isnan(b)
    cents = 1200 * np.log2(b[both] / a[both])
    gross = np.abs(b[both] / a[both] - 1) > 0.2
    fine = cents[~gross]
    assert row(rows, "voicing").value == pytest.approx(100 * np.mean(np.isnan(a) != np.isnan(b)))
    assert row(rows, "gross").value == pytest.approx(100 * np.mean(gross))
    assert row(rows, "bias").value == pytest.approx(np.median(fine), abs=TOL_CENTS)
    assert row(rows, "median").value == pytest.approx(np.median(np.abs(fine)), abs=TOL_CENTS)
    assert row(rows, "rmse").value == pytest.approx(np.sqrt(np.mean(fine**2)))
    truth, other = np.log2(a[both]), np.log2(b[both])
    assert row(rows, "r2").value == pytest.approx(
        1 - np.sum((truth - other) ** 2) / np.sum((truth - truth.mean()) ** 2)
    )
    assert row(rows, "r2", "b", "a").value == pytest.approx(
        1 - np.sum((truth - other) ** 2) / np.sum((other - other.mean()) ** 2)
    )
    assert row(rows, "voiced", "a", None).value == pytest.approx(100 * np.mean(~np.isnan(a)))
    first = row(rows, "voicing")
    assert (first.n_frames, first.n_both_voiced, first.n_clips, first.n_groups) == (12 * N, both.sum(), 12, 12)


def test_the_correlation_within_utterances_is_of_values_about_each_clips_means():
    rows = disagreements(many(), n_resamples=10)
    tops, ones, others = [], [], []
    for seed in range(12):
        a, b = np.log2(said(seed)["a"].f0_hz), np.log2(said(seed)["b"].f0_hz)
        both = ~np.isnan(a) & ~np.isnan(b)
        da, db = a[both] - a[both].mean(), b[both] - b[both].mean()
        tops.append(da @ db)
        ones.append(da @ da)
        others.append(db @ db)
    assert row(rows, "within_r").value == pytest.approx(sum(tops) / np.sqrt(sum(ones) * sum(others)))


def test_agreement_is_counted_with_each_trackers_labels_and_with_any():
    clips = many(9)
    rows = disagreements(clips, n_resamples=10)
    columns = {name: laid(range(9), name) for name in "abc"}

    def agree(one, other):
        if np.isnan(one) or np.isnan(other):
            return bool(np.isnan(one) and np.isnan(other))
        return abs(1200 * np.log2(other / one)) <= 50

    votes = np.array(
        [[sum(agree(columns[name][i], columns[other][i]) for other in "abc") for i in range(9 * N)] for name in "abc"]
    )
    for need in (2, 3):
        for place, name in enumerate("abc"):
            value = row(rows, f"agreed_{need}", name, None).value
            assert value == pytest.approx(100 * np.mean(votes[place] >= need))
        assert row(rows, f"agreed_{need}", None, None).value == pytest.approx(
            100 * np.mean(votes.max(axis=0) >= need)
        )


@settings(max_examples=20)
@given(st.lists(st.integers(0, 500), min_size=1, max_size=6, unique=True), st.randoms())
def test_clips_added_up_are_the_clips_as_one(seeds, random):
    parts = [compared(seed, f"clip-{seed:03d}") for seed in seeds]
    whole = compare_tracks(
        {name: track(laid(seeds, name), name) for name in "abc"}, n_samples=400 + 320 * (N * len(seeds) - 1)
    )
    np.testing.assert_allclose(sum(part.pairs for part in parts), whole.pairs, rtol=1e-12)
    np.testing.assert_array_equal(sum(part.agreed for part in parts), whole.agreed)
    np.testing.assert_array_equal(sum(part.voiced for part in parts), whole.voiced)
    shuffled = random.sample(parts, len(parts))
    split, joined = disagreements(shuffled, n_resamples=10), disagreements([whole], n_resamples=10)
    for one, other in zip(split, joined, strict=True):
        assert (one.first, one.second, one.metric, one.n_frames) == (
            other.first,
            other.second,
            other.metric,
            other.n_frames,
        )
        if one.metric != "within_r":  # about each clip's own means
            assert one.value == pytest.approx(other.value, rel=1e-9)


def test_counts_add_up_to_pooled_scores():
    scores = pooled(
        count_errors(t["b"].f0_hz, t["b"].voiced, t["a"].f0_hz, t["a"].voiced) for t in map(said, range(12))
    )
    rows = disagreements(many(), n_resamples=10)
    assert row(rows, "voicing").value == pytest.approx(100 * scores.vde)
    assert row(rows, "gross").value == pytest.approx(100 * scores.gpe)
    assert row(rows, "rmse").value == pytest.approx(scores.rmse_cents)


def test_a_tracker_never_differs_from_itself():
    one = said(1)["a"]
    rows = disagreements([compare_tracks({"a": one, "b": one}, n_samples=N_SAMPLES)])
    values = {r.metric: r.value for r in rows if r.second}
    assert values == {"voicing": 0, "gross": 0, "bias": 0, "median": 0, "rmse": 0, "r2": 1, "within_r": 1}
    assert row(rows, "agreed_2", None, None).value == 100


@pytest.mark.parametrize("cents", [-300.0, -30.0, 12.5, 250.0])
def test_a_constant_offset_is_bias_and_nothing_else(cents):
    one = said(2)["a"]
    other = track(one.f0_hz * 2 ** (cents / 1200))
    rows = disagreements([compare_tracks({"a": one, "b": other}, n_samples=N_SAMPLES)])
    assert row(rows, "voicing").value == 0
    assert row(rows, "gross").value == 0
    assert row(rows, "bias").value == pytest.approx(cents, abs=TOL_CENTS)
    assert row(rows, "median").value == pytest.approx(abs(cents), abs=TOL_CENTS)
    assert row(rows, "rmse").value == pytest.approx(abs(cents))
    assert row(rows, "within_r").value == pytest.approx(1)


def test_an_octave_is_gross_and_leaves_no_fine_difference():
    one = said(2)["a"]
    rows = disagreements([compare_tracks({"a": one, "b": track(2 * one.f0_hz)}, n_samples=N_SAMPLES)])
    assert row(rows, "gross").value == 100
    assert row(rows, "bias").value is None
    assert row(rows, "rmse").value is None
    assert "without a gross difference" in row(rows, "bias").reason


@pytest.mark.parametrize(("second_hz", "gross"), [(119.9, 0), (120.1, 100), (80.1, 0), (79.9, 100)])
def test_what_is_gross_is_a_share_of_the_first(second_hz, gross):
    tracks = {"a": track([100.0] * N), "b": track([second_hz] * N)}
    rows = disagreements([compare_tracks(tracks, n_samples=N_SAMPLES)])
    assert row(rows, "gross").value == gross
    assert (row(rows, "bias").value is None) == bool(gross)


def test_naming_a_pair_the_other_way_round_turns_only_the_bias():
    tracks = said(7)
    near = {
        name: track(np.where(np.isnan(each.f0_hz), np.nan, 140.0 + i), name)
        for i, (name, each) in enumerate(tracks.items())
    }
    one, other = (
        disagreements([compare_tracks({name: near[name] for name in names}, n_samples=N_SAMPLES)])
        for names in ("ab", "ba")
    )
    for metric in ("voicing", "gross", "median"):
        assert row(one, metric).value == row(other, metric, "b", "a").value
    assert row(one, "bias").value == -row(other, "bias", "b", "a").value > 0


def test_frames_that_a_tracker_does_not_cover_are_counted_for_none():
    tracks = said(4)
    short = {**tracks, "c": track(tracks["c"].f0_hz[:40], "c")}
    found = compare_tracks(short, n_samples=N_SAMPLES)
    cut = compare_tracks({name: track(each.f0_hz[:40], name) for name, each in tracks.items()}, n_samples=N_SAMPLES)
    assert found.n_frames == 40
    np.testing.assert_array_equal(found.pairs, cut.pairs)
    np.testing.assert_array_equal(found.agreed, cut.agreed)


def test_a_track_of_a_clip_without_frames_leaves_nothing_to_compare():
    none = {name: track([], name) for name in "ab"}
    found = compare_tracks(none, n_samples=200)
    assert found.n_frames == 0
    for each in disagreements([found]):
        assert each.value is None
        assert each.reason


def test_unvoiced_clips_have_voicing_and_no_f0_to_differ_in():
    quiet = {name: track([np.nan] * N, name) for name in "ab"}
    rows = disagreements(
        [replace(compare_tracks(quiet, n_samples=N_SAMPLES), clip_id=str(i), group=str(i)) for i in range(9)]
    )
    assert row(rows, "voicing").value == 0
    for metric in ("gross", "bias", "median", "rmse", "r2", "within_r"):
        found = row(rows, metric)
        assert (found.value, found.low, found.n_both_voiced) == (None, None, 0)
        assert "voiced in both" in found.reason


def test_fewer_than_eight_groups_have_no_interval():
    rows = disagreements(many(7))
    assert {r.low for r in rows} == {None}
    assert {r.reason for r in rows} == {"all has 7 groups to resample; 8 are needed"}
    for each in disagreements(many(8)):
        assert each.low <= each.value <= each.high


def test_clips_that_are_all_alike_have_an_interval_of_no_width():
    clips = [replace(compared(1), clip_id=f"{i}", group=f"{i}") for i in range(10)]
    for each in disagreements(clips, n_resamples=50):
        assert each.low == pytest.approx(each.value)
        assert each.high == pytest.approx(each.value)


def test_clips_of_one_group_are_drawn_together():
    apart = many(16)
    together = [replace(clip, group=f"{i // 2}") for i, clip in enumerate(apart)]
    assert row(disagreements(together), "voicing").n_groups == 8
    doubled = [replace(clip, clip_id=f"{clip.clip_id}-{k}", group=clip.group) for clip in apart[:8] for k in range(2)]
    one, other = disagreements(apart[:8]), disagreements(doubled)
    for metric in ("voicing", "bias", "median", "r2"):
        a, b = row(one, metric), row(other, metric)
        assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high))


def test_resampled_medians_are_those_of_samples_laid_out():
    rng = np.random.default_rng(0)
    clusters = [rng.integers(-20, 20, size=rng.integers(0, 9)).astype(np.int16) for _ in range(9)]
    levels = np.unique(np.concatenate(clusters))
    reached = np.array([[np.sum(each <= level) for level in levels] for each in clusters], dtype=np.float64)
    weights = rng.multinomial(9, np.full(9, 1 / 9), size=200).astype(np.float64)
    found = disagreement._medians_at(levels, reached, weights)
    for value, counts in zip(found, weights, strict=True):
        sample = np.concatenate([np.repeat(each, int(n)) for each, n in zip(clusters, counts, strict=True)])
        assert value == np.median(sample) / 10


def test_many_groups_are_gathered_into_blocks_without_moving_a_value(monkeypatch):
    clips = many(40)
    whole = disagreements(clips, n_resamples=20)
    monkeypatch.setattr(disagreement, "MOST_CLUSTERS", 16)
    blocks = disagreements(clips, n_resamples=20)
    assert row(whole, "voicing").n_groups == 40
    assert 8 <= row(blocks, "voicing").n_groups <= 16
    for one, other in zip(whole, blocks, strict=True):
        assert one.value == pytest.approx(other.value)


def test_languages_come_after_all_clips_and_only_where_there_are_several():
    clips = many(32, languages=("en_us", "vi_vn"))
    rows = disagreements(clips, n_resamples=20)
    assert list(dict.fromkeys(r.language for r in rows)) == ["all", "en_us", "vi_vn"]
    own = {code: [clip for clip in clips if clip.language == code] for code in ("en_us", "vi_vn")}
    for code, part in own.items():
        alone = disagreements(part, n_resamples=20)
        assert {r.language for r in alone} == {code}
        assert alone == [r for r in rows if r.language == code]
    values = [row(rows, "r2", language=code).value for code in own]
    assert row(rows, "r2").value == pytest.approx(np.mean(values))  # as the scores of probes are averaged
    counts = [row(rows, "voicing", language=code).n_frames for code in own]
    shares = [row(rows, "voicing", language=code).value for code in own]
    assert row(rows, "voicing").value == pytest.approx(np.average(shares, weights=counts))


def test_equal_seeds_give_equal_intervals_whatever_the_order():
    clips = [replace(clip, group=clip.group[-1]) for clip in many(60)]
    assert disagreements(clips) == disagreements(clips[::-1])  # to the last bit
    assert row(disagreements(clips), "voicing").low != row(disagreements(clips, seed=1), "voicing").low


def test_pairs_are_named_in_order():
    assert unordered_pairs(4) == list(itertools.combinations(range(4), 2))
    assert set(ordered_pairs(4)) == {(i, j) for i in range(4) for j in range(4) if i != j}


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(SpecError, match="two or more"):
        compare_tracks({"a": said(0)["a"]}, n_samples=N_SAMPLES)
    with pytest.raises(SpecError, match="no clips"):
        disagreements([])
    other = compare_tracks({"x": said(0)["a"], "y": said(0)["b"]}, n_samples=N_SAMPLES)
    with pytest.raises(SpecError, match="different trackers"):
        disagreements([compared(0), other])


@dataclass(frozen=True)
class Sound:
    """A source in memory."""

    waveform: Waveform
    broken: bool = False

    def read(self, clip_id, *, sample_rate):
        if self.broken:
            raise DataError(clip_id, "is no sound")
        assert sample_rate == 16_000
        return Waveform(self.waveform.samples, self.waveform.sample_rate, clip_id)

    def describe(self):
        return "memory"

    def stamp(self):
        return ""


class Refusing:
    """A tracker that can use nothing."""

    sample_rate = 16_000
    info = TrackerInfo("refusing", "1", {})

    def track(self, waveform):
        raise DataError(waveform.clip_id, "is not to its taste")


def test_a_clip_is_tracked_compared_and_kept(tmp_path):
    clip = Clip("one", Sound(speechlike(0)[0]), "en_us")
    trackers = {"strict": KaldiTracker(pov_threshold=0.9), "loose": KaldiTracker()}
    cache = LabelCache(tmp_path)
    first = compare_clip(clip, trackers, group="s1", cache=cache)
    again = compare_clip(clip, trackers, group="s1", cache=cache)
    without = compare_clip(clip, trackers, group="s1")
    assert isinstance(first, ClipComparison)
    assert (cache.misses, cache.hits) == (2, 2)
    assert (first.clip_id, first.language, first.group, first.trackers) == ("one", "en_us", "s1", ("strict", "loose"))
    assert GRID.count(clip.source.waveform.samples.size) - 2 <= first.n_frames
    assert first.voiced[1] > first.voiced[0] > 0
    for other in (again, without):
        np.testing.assert_array_equal(first.pairs, other.pairs)


def test_a_clip_that_fails_names_the_stage_and_the_tracker():
    trackers = {"kaldi": KaldiTracker(), "refusing": Refusing()}
    assert compare_clip(Clip("one", Sound(tone(200.0), broken=True), "und"), trackers) == Failure(
        "one", "audio", "is no sound"
    )
    assert compare_clip(Clip("one", Sound(tone(200.0)), "und"), trackers) == Failure(
        "one", "labels", "refusing: is not to its taste"
    )


def test_the_sentence_is_the_group_where_every_clip_has_one():
    sound = Sound(tone(200.0))
    both = Clip("a", sound, "und", {"voice": "v", "sentence": "s"})
    voice = Clip("b", sound, "und", {"voice": "v"})
    bare = Clip("c", sound, "und")
    assert group_key([both, both]) == "sentence"
    assert group_key([both, voice]) == "voice"
    assert group_key([both, bare]) is None
    assert group_key([]) is None

"""Scores are those of the stacked frames, intervals cover the truth, and what has no value says why."""

import numpy as np
import pytest
from scipy.stats import norm, t

from otoscope.errors import SpecError
from otoscope.evaluation.scores import METRICS, MIN_CLUSTERS, SUMS, Metric, ScoreTable, sums_of

RELATIVE = 1e-10  # of the score
ORDER = 1e-12  # of the score: the same numbers added in another order
CENTRED = ("cyy", "cpp", "cyp")
FRAMES = Metric("frames", "1", True, lambda sums, train, own: sums[..., 0], "never")


def column(sums, name):
    return sums[..., SUMS.index(name)]


def utterances(rng, n, *, noise=0.7, least=2, kind="other"):
    """Draw utterances of unequal length, each about a level of its own: pairs of truth and prediction."""
    drawn = []
    for _ in range(n):
        truth = rng.normal(loc=rng.normal(scale=2), size=int(rng.integers(least, 30)))
        drawn.append((truth, 0.6 * truth + 0.3 + noise * rng.normal(size=truth.size)))
    if kind == "voicing":
        drawn = [((y > 0).astype(np.float64), 0.5 + 0.4 * p) for y, p in drawn]
    return drawn


def rows(pairs, kind="other"):
    return np.array([sums_of(y, p, kind=kind) for y, p in pairs]).reshape(-1, len(SUMS))


def scored(name, pairs, *, clusters=None, languages=None, train=0.0, kind="other", **options):
    clusters = [f"s{i}" for i in range(len(pairs))] if clusters is None else clusters
    table = ScoreTable(clusters, ["en"] * len(pairs) if languages is None else languages, **options)
    return table.score(name, table.gather(rows(pairs, kind)), np.full(len(table.languages), train))


def stacked(pairs):
    return np.concatenate([y for y, _ in pairs]), np.concatenate([p for _, p in pairs])


def test_the_sums_of_an_utterance_are_those_of_its_frames(rng):
    ((y, p),) = utterances(rng, 1, least=20)
    sums = sums_of(y, p, kind="other")
    expected = {
        "n": y.size,
        "y": y.sum(),
        "p": p.sum(),
        "yy": y @ y,
        "pp": p @ p,
        "yp": y @ p,
        "cyy": y.var() * y.size,
        "cpp": p.var() * y.size,
        "cyp": np.cov(y, p, bias=True)[0, 1] * y.size,
        **dict.fromkeys(("gross", "cents", "hit", "false", "miss"), 0.0),
    }
    assert tuple(expected) == SUMS
    np.testing.assert_allclose(sums, list(expected.values()), rtol=1e-12)


def test_the_sums_about_means_are_those_of_each_utterance_alone(rng):
    (one, other) = utterances(rng, 2)
    both = sums_of(*stacked([one, other]), kind="other")
    for name in CENTRED:
        assert column(both, name) != pytest.approx(sum(column(rows([one, other]), name)), rel=0.01)


def test_many_predictions_at_once_are_one_after_another(rng):
    truth = rng.normal(size=40)
    predicted = rng.normal(size=(40, 2, 3))
    for kind in ("log2", "voicing", "other"):
        sums = sums_of(truth, predicted, kind=kind)
        assert sums.shape == (2, 3, len(SUMS))
        for i in range(2):
            for j in range(3):
                np.testing.assert_allclose(sums[i, j], sums_of(truth, predicted[:, i, j], kind=kind), rtol=1e-12)


def test_no_frames_have_sums_of_nothing():
    assert np.array_equal(sums_of(np.zeros(0), np.zeros((0, 4)), kind="log2"), np.zeros((4, len(SUMS))))


def test_sums_leave_their_arguments_alone(rng):
    truth, predicted = rng.normal(size=9), rng.normal(size=(9, 2))
    truth.flags.writeable = predicted.flags.writeable = False
    assert np.isfinite(sums_of(truth, predicted, kind="log2")).all()


def test_r2_mse_and_skill_are_those_of_the_stacked_frames(rng):
    pairs = utterances(rng, 40)
    clusters = [f"s{i % 15}" for i in range(40)]
    y, p = stacked(pairs)
    sse = np.sum((y - p) ** 2)
    expected = {
        "mse": sse / y.size,
        "r2": 1 - sse / np.sum((y - y.mean()) ** 2),
        "skill": 1 - sse / np.sum((y - 1.5) ** 2),
    }
    for name, value in expected.items():
        score = scored(name, pairs, clusters=clusters, train=1.5)
        assert score.value == pytest.approx(value, rel=RELATIVE)
        assert score.low < value < score.high
        assert (score.metric, score.n_frames, score.n_utterances, score.n_groups) == (name, y.size, 40, 15)
        assert score.reason is None


def test_r_within_utterances_is_that_of_the_frames_less_their_utterances_means(rng):
    pairs = utterances(rng, 25)
    y, p = stacked([(y - y.mean(), p - p.mean()) for y, p in pairs])
    value = scored("within_r", pairs).value
    assert value == pytest.approx(np.corrcoef(y, p)[0, 1], rel=RELATIVE)
    assert value < np.corrcoef(*stacked(pairs))[0, 1] - 0.05  # what knowing the register alone would add


def test_gross_errors_are_frames_more_than_a_fifth_off():
    true_hz = np.full(8, 200.0)
    ratio = np.array([1.0, 1.19, 1.21, 2.0, 0.81, 0.79, 0.5, 1.0])
    pairs = [(np.log2(true_hz[:4]), np.log2((true_hz * ratio)[:4])), (np.log2(true_hz[4:]), np.log2(200 * ratio[4:]))]
    assert scored("gpe", pairs, kind="log2").value == 100 * 4 / 8


def test_cents_are_twelve_hundred_to_the_octave():
    truth = np.log2([100.0, 100.0, 100.0, 100.0])
    predicted = np.log2([200.0, 50.0, 100.0 * 2 ** (1 / 12), 100.0])
    assert scored("mae_cents", [(truth, predicted)], kind="log2").value == pytest.approx(
        (1200 + 1200 + 100 + 0) / 4, rel=RELATIVE
    )


def test_f1_counts_hits_false_alarms_and_misses():
    truth = np.array([1.0, 1, 1, 1, 0, 0, 0])
    said = np.array([0.5, 0.9, 0.7, 0.49, 0.6, 0.5, 0.1])
    sums = sums_of(truth, said, kind="voicing")
    assert [column(sums, name) for name in ("hit", "false", "miss")] == [3, 2, 1]
    assert scored("f1", [(truth, said)], kind="voicing").value == pytest.approx(6 / 9, rel=RELATIVE)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("r2", "other"), ("within_r", "other"), ("skill", "other"), ("mse", "other"), ("f1", "voicing")],
)
def test_several_languages_score_the_mean_of_their_scores(rng, name, kind):
    parts = {code: utterances(rng, n, kind=kind) for code, n in (("en", 10), ("th", 30), ("zu", 17))}
    pairs = [pair for part in parts.values() for pair in part]
    languages = [code for code, part in parts.items() for _ in part]
    each = [scored(name, part, train=0.2, kind=kind).value for part in parts.values()]
    score = scored(name, pairs, languages=languages, train=0.2, kind=kind)
    assert score.value == pytest.approx(np.mean(each), rel=RELATIVE)
    assert score.value != pytest.approx(scored(name, pairs, train=0.2, kind=kind).value, rel=1e-4)
    assert score.low < score.value < score.high


def test_each_language_is_measured_against_its_own_training_mean(rng):
    parts = [utterances(rng, 9), utterances(rng, 9)]
    table = ScoreTable([f"s{i}" for i in range(18)], ["en"] * 9 + ["zu"] * 9)
    cells = table.gather(rows(parts[0] + parts[1]))
    each = [scored("skill", part, train=train).value for part, train in zip(parts, (1.0, -3.0), strict=True)]
    assert table.value("skill", cells, np.array([1.0, -3.0])) == pytest.approx(np.mean(each), rel=RELATIVE)


def test_a_value_alone_is_the_value_of_the_score(rng):
    pairs = utterances(rng, 12)
    table = ScoreTable([f"s{i}" for i in range(12)], ["en"] * 12)
    cells = table.gather(rows(pairs))
    for name in ("r2", "within_r", "skill", "mse"):
        assert table.value(name, cells, np.array([0.1])) == table.score(name, cells, np.array([0.1])).value


FLAT = [(np.full(7, 7.3), np.linspace(7, 8, 7)) for _ in range(10)]
STILL = [(np.linspace(7, 8, 7), np.full(7, 7.3)) for _ in range(10)]
NOTHING = [(np.zeros(0), np.zeros(0)) for _ in range(10)]
UNVOICED = [(np.zeros(5), np.zeros(5)) for _ in range(10)]
NO_VARIANCE = "the truth does not vary there"
NOT_WITHIN = "truth or prediction does not vary within an utterance"
NO_FRAMES = "there are no frames"


@pytest.mark.parametrize(
    ("name", "pairs", "kind", "reason"),
    [
        ("r2", FLAT, "other", NO_VARIANCE),
        ("skill", FLAT, "other", NO_VARIANCE),
        ("within_r", FLAT, "other", NOT_WITHIN),
        ("within_r", STILL, "other", NOT_WITHIN),
        ("f1", UNVOICED, "voicing", "no frame is voiced, said or true"),
        *((name, NOTHING, "other", NO_FRAMES) for name in METRICS),
        *((name, [], "other", NO_FRAMES) for name in METRICS),
    ],
)
def test_a_score_that_is_not_defined_is_none_with_a_reason(name, pairs, kind, reason):
    score = scored(name, pairs, kind=kind, train=7.3)
    assert (score.value, score.low, score.high, score.reason) == (None, None, None, reason)
    table = ScoreTable([str(i) for i in range(len(pairs))], ["en"] * len(pairs))
    assert table.value(name, table.gather(rows(pairs, kind)), np.full(len(table.languages), 7.3)) is None


@pytest.mark.parametrize("level", [0.1, 7.1, 7.3, -55.7, 200.3])
@pytest.mark.parametrize("n_frames", [3, 7, 30, 100, 1000])
def test_rounding_is_no_variance(level, n_frames):
    flat = np.full(n_frames, level)
    wave = level + np.sin(np.arange(n_frames))
    for pair in ((flat, flat * 1.01), (flat, wave), (wave, flat)):
        assert scored("within_r", [pair] * 8).value is None
    assert scored("r2", [(flat, wave)] * 8).value is None
    assert scored("within_r", [(wave, 1e-6 * wave)] * 8).value == pytest.approx(1.0, abs=1e-9)


def test_a_prediction_a_hair_off_is_not_better_than_perfect(rng):
    for _ in range(20):
        truth = rng.normal(size=500) - 50
        pairs = [(truth, truth + 1e-9 * rng.normal(size=500))]
        assert 0 <= scored("mse", pairs).value < 1e-11
        assert 1 - 1e-11 < scored("r2", pairs).value <= 1


def test_zero_is_a_number_and_never_stands_for_missing():
    zero = [(np.zeros(4), np.zeros(4))] * 8
    assert scored("mse", zero).value == 0.0
    assert scored("mse", zero).low == scored("mse", zero).high == 0.0
    assert scored("gpe", zero, kind="log2").value == 0.0
    quiet = [(np.ones(4), np.zeros(4))] * 8
    assert scored("f1", quiet, kind="voicing").value == 0.0


def test_one_language_without_a_value_leaves_the_mean_without_one(rng):
    pairs = utterances(rng, 10) + FLAT
    languages = ["en"] * 10 + ["zu"] * 10
    assert scored("r2", pairs, languages=languages).value is None
    assert scored("r2", pairs, languages=languages).reason == NO_VARIANCE
    assert scored("mse", pairs, languages=languages).value is not None


def test_fewer_than_eight_clusters_give_no_interval_and_name_the_language(rng):
    pairs = utterances(rng, 40)
    languages = ["en"] * 20 + ["zu"] * 20
    clusters = [f"s{i}" for i in range(20)] + [f"s{i % 7}" for i in range(20)]
    score = scored("mse", pairs, clusters=clusters, languages=languages)
    assert score.value is not None
    assert (score.low, score.high) == (None, None)
    assert score.reason == "zu has 7 groups to resample; 8 are needed"
    enough = [f"s{i}" for i in range(20)] + [f"s{i % MIN_CLUSTERS}" for i in range(20)]
    score = scored("mse", pairs, clusters=enough, languages=languages)
    assert score.low < score.value < score.high
    assert score.reason is None


def one_voiced_sentence(n):
    """Give n sentences of which the first alone is voiced, and said to be: three frames."""
    return [(np.ones(3), np.ones(3))] + [(np.zeros(3), np.zeros(3))] * (n - 1)


def test_where_most_resamples_have_no_value_there_is_no_interval(monkeypatch):
    # The one voiced sentence is drawn exactly once with probability 1/e, at least once with 1 - 1/e.
    once = Metric("once", "1", True, lambda s, t, o: np.where(s[..., SUMS.index("hit")] == 3, 1.0, np.nan), "never")
    monkeypatch.setitem(METRICS, "once", once)
    pairs = one_voiced_sentence(200)
    score = scored("once", pairs, kind="voicing")
    assert (score.value, score.low, score.high) == (1.0, None, None)
    assert score.reason == "most resamples have no value"
    score = scored("f1", pairs, kind="voicing")
    assert (score.value, score.low, score.high, score.reason) == (1.0, 1.0, 1.0, None)


def test_a_language_without_a_value_in_a_resample_is_left_out_of_its_mean():
    half = [(np.array([1.0, 1.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0, 0.0]))] * 20  # F1 is 1/2, however drawn
    pairs = half + one_voiced_sentence(20)
    table = ScoreTable([f"s{i}" for i in range(40)], ["en"] * 20 + ["zu"] * 20, n_resamples=4000)
    value, resampled = table.values(METRICS["f1"], table.gather(rows(pairs, "voicing")), np.zeros(2))
    assert value == pytest.approx(0.75)
    values, counts = np.unique(resampled.round(12), return_counts=True)
    assert values.tolist() == [0.5, 0.75]
    assert counts[0] / 4000 == pytest.approx(0.95**20, abs=0.03)


def test_clusters_and_languages_are_equally_many():
    with pytest.raises(SpecError, match="ScoreTable: 2 clusters and 1 languages"):
        ScoreTable(["a", "b"], ["en"])


def test_gathering_adds_by_cluster_and_language(rng):
    sums = rng.normal(size=(5, len(SUMS)))
    table = ScoreTable(["b", "a", "b", "a", "b"], ["zu", "en", "zu", "zu", "en"])
    cells = table.gather(sums)
    assert (table.clusters, table.languages) == (["a", "b"], ["en", "zu"])
    expected = np.stack([[sums[1], sums[3]], [sums[4], sums[0] + sums[2]]])
    np.testing.assert_allclose(cells, expected, rtol=1e-15)


def test_the_order_of_the_utterances_changes_nothing(rng):
    pairs = utterances(rng, 24)
    clusters, languages = [f"s{i % 11}" for i in range(24)], ["en" if i < 13 else "zu" for i in range(24)]
    order = rng.permutation(24)
    turned = [[part[i] for i in order] for part in (pairs, clusters, languages)]
    for name in ("r2", "within_r", "skill", "mse"):
        one = scored(name, pairs, clusters=clusters, languages=languages)
        other = scored(name, turned[0], clusters=turned[1], languages=turned[2])
        for field in ("value", "low", "high"):
            assert getattr(other, field) == pytest.approx(getattr(one, field), rel=ORDER)


def test_equal_seeds_give_equal_intervals_and_other_seeds_others(rng):
    pairs = utterances(rng, 20)
    intervals = [(s.low, s.high) for s in (scored("r2", pairs, seed=seed) for seed in (0, 0, 1, 2))]
    assert intervals[0] == intervals[1]
    assert len(set(intervals)) == 3


def test_as_many_resamples_are_drawn_as_asked_for(rng):
    table = ScoreTable([f"s{i}" for i in range(9)], ["en"] * 9, n_resamples=37)
    _, resampled = table.values(FRAMES, table.gather(rows([(np.zeros(2), np.zeros(2))] * 9)), np.zeros(1))
    assert resampled.shape == (37,)
    assert np.all(resampled == 18)  # as many clusters as there are


def test_an_interval_for_a_mean_is_that_of_the_normal_law(rng):
    error = rng.gamma(2.0, size=400)
    pairs = [(np.zeros(5), np.full(5, np.sqrt(e))) for e in error]
    score = scored("mse", pairs, n_resamples=8000)
    half = 1.96 * error.std() / np.sqrt(400)
    # 8,000 resamples: the ends are known to about 0.03 of the standard error.
    assert score.low == pytest.approx(error.mean() - half, abs=0.08 * half)
    assert score.high == pytest.approx(error.mean() + half, abs=0.08 * half)


@pytest.mark.parametrize("name", ["mse", "within_r", "r2"])
def test_an_interval_is_that_of_whole_clusters_drawn_one_by_one(name):
    rng = np.random.default_rng(5)
    pairs = utterances(rng, 36)
    clusters = np.array([f"s{i % 12}" for i in range(36)])
    score = scored(name, pairs, clusters=clusters.tolist(), n_resamples=8000)
    mean = stacked(pairs)[0].mean()
    drawn = []
    for _ in range(2000):
        picked = [i for c in rng.integers(0, 12, 12) for i in np.flatnonzero(clusters == f"s{c}")]
        y, p = stacked([pairs[i] for i in picked])
        if name == "within_r":
            y, p = stacked([(pairs[i][0] - pairs[i][0].mean(), pairs[i][1] - pairs[i][1].mean()) for i in picked])
            drawn.append(np.corrcoef(y, p)[0, 1])
        else:
            sse = np.sum((y - p) ** 2)
            drawn.append(sse / y.size if name == "mse" else 1 - sse / np.sum((y - mean) ** 2))
    tail = 100 * norm.cdf(np.sqrt(12 / 11) * t.ppf(0.025, 11))  # the expanded percentile interval of 12 clusters
    low, high = np.percentile(drawn, [tail, 100 - tail])
    assert (score.low, score.high) == pytest.approx((low, high), abs=0.1 * (high - low))


@pytest.mark.parametrize(("name", "truth"), [("mse", 0.5), ("within_r", 0.6)])
def test_the_interval_covers_the_population_in_about_95_of_100_samples(name, truth):
    n_samples, n_clusters, n_frames = 300, 30, 12
    rng = np.random.default_rng(11)
    table = ScoreTable([f"s{i // 2}" for i in range(2 * n_clusters)], ["en"] * 2 * n_clusters)
    covered = 0
    for _ in range(n_samples):
        own = np.repeat(rng.uniform(0.4, 0.8, n_clusters), 2)[:, None]  # what a sentence's two utterances share
        y = rng.normal(size=(2 * n_clusters, n_frames))
        e = rng.normal(size=y.shape)
        level = rng.normal(scale=3, size=(2, 2 * n_clusters, 1))
        if name == "within_r":  # r within an utterance is `own`, 0.6 on average
            y, p = y + level[0], own * y + np.sqrt(1 - own**2) * e + level[1]
        else:  # the variance of the error is own - 0.1, 0.5 on average
            p = y + np.sqrt(own - 0.1) * e
        score = table.score(name, table.gather(rows(zip(y, p, strict=True))), np.zeros(1))
        covered += score.low <= truth <= score.high
    # The percentile bootstrap covers a little less than it says with 30 clusters; 0.0126 is the standard deviation.
    assert 0.88 <= covered / n_samples <= 0.99


def test_resampling_frames_or_utterances_would_be_too_narrow(rng):
    shared = rng.gamma(1.0, size=12)
    pairs = [(np.zeros(4), np.full(4, np.sqrt(shared[i % 12]))) for i in range(120)]
    by_cluster = scored("mse", pairs, clusters=[f"s{i % 12}" for i in range(120)])
    by_utterance = scored("mse", pairs)
    assert by_cluster.value == pytest.approx(by_utterance.value)
    assert by_cluster.high - by_cluster.low > 2 * (by_utterance.high - by_utterance.low)


@pytest.mark.parametrize("name", ["r2", "within_r", "skill", "mse"])
def test_a_model_differs_from_itself_by_exactly_nothing(rng, name):
    pairs = utterances(rng, 15)
    table = ScoreTable([f"s{i}" for i in range(15)], ["en"] * 15)
    cells = table.gather(rows(pairs))
    score = table.difference(name, cells, cells.copy(), (np.array([0.2]), np.array([0.2])))
    assert (score.value, score.low, score.high, score.reason) == (0.0, 0.0, 0.0, None)


def test_a_difference_is_one_less_the_other_and_turns_with_them(rng):
    good = utterances(rng, 20)
    bad = [(y, p + 0.5 * rng.normal(size=y.size)) for y, p in good]
    table = ScoreTable([f"s{i}" for i in range(20)], ["en"] * 20)
    means = (np.array([0.1]), np.array([0.4]))
    one, other = table.gather(rows(good)), table.gather(rows(bad))
    for name in ("r2", "skill"):
        there, back = table.difference(name, one, other, means), table.difference(name, other, one, means[::-1])
        expected = table.value(name, one, means[0]) - table.value(name, other, means[1])
        assert there.value == pytest.approx(expected, rel=RELATIVE)
        assert there.value > 0
        assert (back.value, back.low, back.high) == pytest.approx((-there.value, -there.high, -there.low))
        assert there.n_frames == sum(y.size for y, _ in good)


def test_errors_that_two_models_share_leave_their_difference_sharp(rng):
    one, other = [], []
    for scale in rng.gamma(1.0, size=20):
        error = scale * rng.normal(size=30)
        one.append((np.zeros(30), error))
        other.append((np.zeros(30), error + 0.1 * rng.normal(size=30)))
    clusters = [f"s{i}" for i in range(20)]
    table = ScoreTable(clusters, ["en"] * 20)
    none = (np.zeros(1), np.zeros(1))
    paired = table.difference("mse", table.gather(rows(one)), table.gather(rows(other)), none)
    apart = [scored("mse", pairs, seed=seed) for seed, pairs in ((0, one), (1, other))]
    unpaired = np.hypot(*(score.high - score.low for score in apart))
    assert paired.high - paired.low < 0.2 * unpaired
    assert paired.low < paired.value < paired.high


def test_a_difference_without_a_value_says_why(rng):
    pairs = utterances(rng, 10)
    table = ScoreTable([f"s{i}" for i in range(10)], ["en"] * 10)
    means = (np.zeros(1), np.zeros(1))
    score = table.difference("within_r", table.gather(rows(pairs)), table.gather(rows(STILL)), means)
    assert (score.value, score.low, score.high, score.reason) == (None, None, None, NOT_WITHIN)
    few = ScoreTable([f"s{i % 7}" for i in range(10)], ["en"] * 10)
    cells = few.gather(rows(pairs))
    score = few.difference("r2", cells, cells, means)
    assert (score.value, score.low, score.high) == (0.0, None, None)
    assert score.reason == "en has 7 groups to resample; 8 are needed"


def opposed(rng):
    """Give 20 sentences in two languages: where one is bad the other is good, so that every pair sums to 2."""
    error = rng.uniform(0, 2, 20)
    pairs = [(np.zeros(6), np.full(6, np.sqrt(e))) for e in (*error, *(2 - error))]
    return pairs, ["en"] * 20 + ["zu"] * 20


def test_sentences_that_two_languages_share_are_drawn_together(rng):
    pairs, languages = opposed(rng)
    score = scored("mse", pairs, clusters=[f"s{i}" for i in range(20)] * 2, languages=languages)
    assert (score.value, score.low, score.high) == pytest.approx((1.0, 1.0, 1.0), rel=1e-12)
    assert score.n_groups == 20


def test_sentences_of_languages_that_share_none_are_drawn_apart(rng):
    pairs, languages = opposed(rng)
    clusters = [f"{language} s{i % 20}" for i, language in enumerate(languages)]
    score = scored("mse", pairs, clusters=clusters, languages=languages)
    assert score.value == pytest.approx(1.0, rel=1e-12)
    assert score.high - score.low > 0.2
    assert score.n_groups == 40


def test_languages_that_share_nothing_keep_their_sizes_and_those_that_share_one_sentence_do_not():
    pairs = [(np.zeros(1), np.zeros(1))] * 24
    languages = ["en"] * 12 + ["zu"] * 12
    apart = [f"{language} {i % 12}" for i, language in enumerate(languages)]
    chained = ["shared", *apart[1:12], "shared", *apart[13:]]
    of_english = Metric("english", "1", True, lambda s, t, o: s[:, :1, 0] if s.ndim == 3 else s[:1, 0], "never")
    spread = {}
    for name, clusters in (("apart", apart), ("chained", chained)):
        table = ScoreTable(clusters, languages)
        _, resampled = table.values(of_english, table.gather(rows(pairs)), np.zeros(2))
        spread[name] = np.std(resampled)
        assert np.mean(resampled) == pytest.approx(12, abs=0.5)
    assert spread["apart"] == 0
    # Of 23 sentences drawn together 12 are English: a binomial with a standard deviation of 2.4.
    assert spread["chained"] == pytest.approx(np.sqrt(23 * 12 / 23 * 11 / 23), rel=0.1)


def test_adding_a_language_changes_no_resample_of_the_others(rng):
    english, zulu = utterances(rng, 12), utterances(rng, 14)
    first = Metric("first", "1", True, lambda s, t, o: METRICS["mse"].of(s, t, o)[..., :1], "never")
    alone = ScoreTable([f"en {i}" for i in range(12)], ["en"] * 12)
    both = ScoreTable([f"en {i}" for i in range(12)] + [f"zu {i}" for i in range(14)], ["en"] * 12 + ["zu"] * 14)
    _, expected = alone.values(METRICS["mse"], alone.gather(rows(english)), np.zeros(1))
    _, got = both.values(first, both.gather(rows(english + zulu)), np.zeros(2))
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_r2_is_resampled_about_the_mean_of_the_whole_cell(rng):
    # Clusters that differ in level only: about its own mean, every resample would have less variance than the cell.
    pairs = [(level + 0.01 * rng.normal(size=20), np.full(20, level + 0.5)) for level in np.linspace(-1, 1, 10)]
    table = ScoreTable([f"s{i}" for i in range(10)], ["en"] * 10, n_resamples=4000)
    value, resampled = table.values(METRICS["r2"], table.gather(rows(pairs)), np.zeros(1))
    y, p = stacked(pairs)
    ratio = np.mean((y - p) ** 2) / np.var(y)
    assert value == pytest.approx(1 - ratio, rel=RELATIVE)
    # The reference of a resample is the sum of its clusters' squares about 0, the mean of the cell.
    assert np.mean(1 / (1 - resampled)) == pytest.approx(1 / ratio, rel=0.02)

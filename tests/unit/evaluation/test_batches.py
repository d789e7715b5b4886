"""Many probes at once say what each says alone."""

from dataclasses import astuple

import numpy as np
import pytest

from otoscope.errors import SpecError
from otoscope.evaluation.batches import add_by_cluster, difference_batch, score_batch
from otoscope.evaluation.scores import METRICS, SUMS, ScoreTable, sums_of

SAME = 1e-12
N_SETS = 4


def drawn(rng, n_utterances, *, kind="log2"):
    """Draw the sums of utterances for several probes: shape (n_utterances, n_sets, n_sums)."""
    found = []
    for _ in range(n_utterances):
        truth = 7 + 0.3 * rng.normal(size=int(rng.integers(2, 20)))
        said = 0.5 * truth[:, None] + 3.5 + 0.2 * rng.normal(size=(truth.size, N_SETS))
        if kind == "voicing":
            truth, said = (truth > 7.4).astype(np.float64), said - 6.4
        found.append(sums_of(truth, said, kind=kind))
    return np.stack(found)


CASES = {
    "one language": lambda i: (f"s{i % 13}", "en"),
    "three languages that share sentences": lambda i: (f"s{i % 11}", ("en", "yo", "zu")[i % 3]),
    "two languages that share none": lambda i: (f"{'enzu'[i % 2 * 2 :][:2]} {i % 22}", ("en", "zu")[i % 2]),
    "some sentences in one language only": lambda i: (f"s{i % 17}", "en" if i % 17 < 9 and i % 2 else "zu"),
    "too few sentences": lambda i: (f"s{i % 5}", "en"),
}


def laid_out(rng, case, *, n=60, kind="log2"):
    pairs = [CASES[case](i) for i in range(n)]
    clusters, languages = [c for c, _ in pairs], np.array([lang for _, lang in pairs])
    table = ScoreTable(clusters, languages.tolist(), n_resamples=150)
    sums = drawn(rng, n, kind=kind)
    parts = []
    for name in table.languages:
        at = np.flatnonzero(languages == name)
        parts.append(add_by_cluster([clusters[i] for i in at], sums[at]))
    return table, sums, parts, 7 + 0.1 * rng.normal(size=(len(table.languages), N_SETS))


def same(found, expected):
    for a, b in zip(astuple(found), astuple(expected), strict=True):
        assert a == (pytest.approx(b, rel=SAME, abs=SAME) if isinstance(b, float) else b)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kind", ["log2", "voicing"])
def test_every_probe_of_a_batch_scores_as_it_does_alone(rng, case, kind):
    table, sums, parts, means = laid_out(rng, case, kind=kind)
    wanted = {name: [2, 0, 3] for name in METRICS}
    scores = score_batch(table, parts, means, wanted)
    for name in METRICS:
        for i, score in zip(wanted[name], scores[name], strict=True):
            same(score, table.score(name, table.gather(sums[:, i]), means[:, i]))


def test_each_metric_is_scored_for_the_sets_that_it_is_asked_of(rng):
    table, sums, parts, means = laid_out(rng, "one language")
    scores = score_batch(table, parts, means, {"r2": range(N_SETS), "gpe": [1, 2], "mse": [3], "skill": []})
    assert {name: len(found) for name, found in scores.items()} == {"r2": 4, "gpe": 2, "mse": 1, "skill": 0}
    same(scores["gpe"][1], table.score("gpe", table.gather(sums[:, 2]), means[:, 2]))
    same(scores["mse"][0], table.score("mse", table.gather(sums[:, 3]), means[:, 3]))


@pytest.mark.parametrize("case", CASES)
def test_every_difference_of_a_batch_is_the_paired_one(rng, case):
    table, sums, parts, means = laid_out(rng, case)
    worse = [part[:, ::-1] for part in parts]
    found = difference_batch(table, parts, worse, (means, means[:, ::-1]), {"within_r": [0], "mse": [1]})
    for name, i in (("within_r", 0), ("mse", 1)):
        j = N_SETS - 1 - i
        one, other = table.gather(sums[:, i]), table.gather(sums[:, j])
        same(found[name][0], table.difference(name, one, other, (means[:, i], means[:, j])))


def test_resamples_without_a_value_are_left_out_of_the_interval_of_their_own_probe():
    """One voiced sentence in twenty: about a third of the resamples miss it. The other probe is always wrong."""
    voiced, quiet = np.array([1.0, 0.0]), np.zeros(2)
    said = np.array([[1.0, 1.0], [0.0, 1.0]])
    sums = np.stack([sums_of(voiced if i == 0 else quiet, said * [i == 0, 1], kind="voicing") for i in range(20)])
    table = ScoreTable([f"s{i:02d}" for i in range(20)], ["en"] * 20)
    scores = score_batch(table, [sums], np.zeros((1, 2)), {"f1": [0, 1]})["f1"]
    for i, score in enumerate(scores):
        same(score, table.score("f1", table.gather(sums[:, i]), np.zeros(1)))
    assert (scores[0].value, scores[0].low, scores[0].high) == (1.0, 1.0, 1.0)
    assert scores[1].low == 0


def test_a_language_without_a_value_in_a_resample_is_left_out_of_its_mean():
    half = sums_of(np.array([1.0, 1.0, 1.0, 0.0]), np.array([[1.0], [0.0], [0.0], [0.0]]), kind="voicing")
    one = sums_of(np.array([1.0, 0.0]), np.array([[1.0], [0.0]]), kind="voicing")
    none = sums_of(np.zeros(2), np.zeros((2, 1)), kind="voicing")
    parts = [np.stack([half] * 20), np.stack([one, *[none] * 19])]
    table = ScoreTable([f"s{i}" for i in range(40)], ["en"] * 20 + ["zu"] * 20)
    score = score_batch(table, parts, np.zeros((2, 1)), {"f1": [0]})["f1"][0]
    assert (score.value, score.low, score.high) == (0.75, 0.5, 0.75)
    same(score, table.score("f1", table.gather(np.concatenate(parts)[:, 0]), np.zeros(2)))


def test_a_probe_that_never_has_a_value_leaves_the_others_theirs(rng):
    table, sums, parts, means = laid_out(rng, "three languages that share sentences")
    empty = [np.concatenate([part, np.zeros_like(part[:, :1])], axis=1) for part in parts]
    scores = score_batch(table, empty, np.column_stack([means, means[:, 0]]), {"r2": [0, N_SETS]})["r2"]
    same(scores[0], table.score("r2", table.gather(sums[:, 0]), means[:, 0]))
    assert (scores[1].value, scores[1].n_frames, scores[1].reason) == (None, 0, "there are no frames")


def test_sums_are_added_by_cluster_in_the_order_of_names(rng):
    names = ["b", "a", "c", "a", "b", "10", "9"]
    sums = rng.normal(size=(7, 2, len(SUMS)))
    expected = [sum(sums[i] for i, n in enumerate(names) if n == name) for name in sorted(set(names))]
    np.testing.assert_allclose(add_by_cluster(names, sums), expected, rtol=1e-15)
    assert add_by_cluster([], np.zeros((0, 3))).shape == (0, 3)
    with pytest.raises(SpecError, match="2 clusters and 7 rows"):
        add_by_cluster(["a", "b"], sums)


def test_nothing_that_is_given_is_changed(rng):
    table, _, parts, means = laid_out(rng, "three languages that share sentences")
    for array in (*parts, means):
        array.flags.writeable = False
    score_batch(table, parts, means, dict.fromkeys(METRICS, range(N_SETS)))

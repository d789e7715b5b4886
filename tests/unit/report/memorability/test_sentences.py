"""What a memorability study says in sentences: never more than its numbers hold."""

import pytest

from otoscope.report.memorability_making import command_of, settings_in_words
from otoscope.report.memorability_sentences import ceiling_sentence, driver_sentence, headline
from otoscope.report.memorability_words import METRICS, clean, joined, metric_text, p_text, score_digits, shown_name


def test_a_model_above_chance_and_both_controls_is_found(answer_of):
    head = headline(answer_of().summary)
    assert head.verdict == "found"
    assert head.sentence == (
        "The model svr ranks clips that it never heard with rho 0.31 (0.19-0.42); random features (rho 0.02) and the "
        "mean predictor do worse; the listeners' own agreement sets the ceiling at 0.94 (0.92-0.96)."
    )
    assert head.finding == "svr stands clear of chance and of both controls"
    assert head.details == (
        "Of two clips it puts the better remembered one first in 61 % (57-65) of cases; guessing gives 50 %, "
        "the mean predictor 43 %.",
        "It misses a score by 0.158 (0.144-0.171) (RMSE), predicting the mean by 0.169; "
        "the difference is -0.011 (-0.018 to -0.004).",
        "With shuffled scores it would reach rho -0.13 to 0.14 in 95 % of cases (p 0.001).",
        "Ceiling: rho 0.94 (0.92-0.96), from how far two halves of the listeners agree; "
        "svr reaches 33 % (20-45) of it.",
        "The mean predictor's pooled rho lies below 0 by construction.",
    )


@pytest.mark.parametrize(
    ("pooled", "compared", "said"),
    [
        ((0.1, -0.08, 0.27), {}, "the interval includes 0, so this may be chance"),
        ((0.1, 0.0, 0.27), {}, "the interval includes 0, so this may be chance"),
        ((0.2, 0.05, 0.3), {"over_noise": (0.05, -0.02, 0.1)}, "not clearly better than random features (rho 0.02)"),
        ((0.2, 0.05, 0.3), {"over_noise": (0.05, 0.0, 0.1)}, "not clearly better than random features (rho 0.02)"),
        (
            (0.2, 0.05, 0.3),
            {"over_mean": (0.001, -0.01, 0.01)},
            "not clearly smaller than those of predicting the mean",
        ),
        (
            (0.2, 0.05, 0.3),
            {"over_mean": (0.02, 0.01, 0.03)},
            "not clearly smaller than those of predicting the mean",
        ),
        ((0.2, None, None), {}, "how sure that is cannot be said (3 groups; 8 are needed for an interval)"),
    ],
)
def test_what_is_not_shown_is_not_claimed(answer_of, made, pooled, compared, said):
    models = {"svr": (made.scores(spearman_pooled=pooled), made.details("model", **compared))}
    head = headline(answer_of(models).summary)
    assert head.verdict == "unsure"
    assert said in head.sentence
    assert "do worse" not in head.sentence
    assert "clear of" not in head.finding


@pytest.mark.parametrize(
    ("pooled", "said"),
    [((-0.42, -0.6, -0.17), "-0.42 (-0.60 to -0.17)"), ((-0.1, -0.3, 0.1), "-0.10 (-0.30 to 0.10)")],
)
def test_an_order_below_0_is_no_order_and_not_worse_than_chance(answer_of, made, pooled, said):
    about = made.details("model", over_noise=(-0.4, -0.6, -0.2))
    head = headline(answer_of({"svr": (made.scores(spearman_pooled=pooled), about)}, ceiling=None).summary)
    assert head.verdict == "unsure"
    assert head.finding == "svr does no better than its controls"
    assert head.sentence == (
        f"The model svr found no order in clips that it never heard: rho {said}, and the mean predictor gets -0.19, "
        "below 0 by construction."
    )
    assert not [each for each in head.details if "by construction" in each]


def test_a_model_above_its_controls_is_not_said_to_be_no_better(answer_of, made):
    models = {"svr": (made.scores(spearman_pooled=(-0.1, -0.2, -0.05)), made.details("model"))}
    assert headline(answer_of(models).summary).finding == "svr found no order"


@pytest.mark.parametrize(
    ("source", "ceiling", "said"),
    [
        (
            "counts",
            (0.5, 0.3, 0.6),
            "chance in so few answers per clip limits any model to about rho 0.50 (0.30-0.60).",
        ),
        (
            "counts",
            (0.9, 0.8, 0.95),
            "chance in the answers per clip limits any model to about rho 0.90 (0.80-0.95).",
        ),
        ("halves", (0.16, 0.0, 0.6), "sets the ceiling at 0.16 (0.00-0.60). The scores may be mostly noise: more "),
        (
            "counts",
            (0.16, 0.0, 0.6),
            "about rho 0.16 (0.00-0.60). The scores may be mostly noise: more listeners are",
        ),
        ("counts", (0.16, None, None), "limits any model to about rho 0.16."),
    ],
)
def test_the_limit_is_told_by_its_source_with_its_interval(answer_of, made, source, ceiling, said):
    for pooled in ((0.31, 0.19, 0.42), (-0.31, -0.42, -0.19)):
        models = {"svr": (made.scores(spearman_pooled=pooled), made.details("model"))}
        summary = answer_of(models, ceiling=ceiling).summary
        summary["ceiling"]["source"] = source
        sentence = headline(summary).sentence
        assert said in sentence
        assert ("agreement" in sentence) == (source == "halves")


def test_noise_in_the_scores_is_told_where_no_model_is_spoken_of(answer_of):
    assert "mostly noise" in headline(answer_of({}, ceiling=(0.16, 0.05, 0.6)).summary).details[0]
    assert "mostly noise" not in headline(answer_of({}, ceiling=(0.5, 0.1, 0.6)).summary).details[0]


def test_a_comparison_without_an_interval_is_no_victory(answer_of, made):
    models = {"svr": (made.scores(), made.details("model", over_noise=None))}
    assert headline(answer_of(models).summary).verdict == "unsure"


def test_random_features_that_give_no_order_are_beaten(answer_of, made):
    answer = answer_of({"svr": (made.scores(), made.details("model", over_noise=None))})
    answer.summary["models"]["noise"]["spearman_pooled"] = made.entry(None)
    head = headline(answer.summary)
    assert head.verdict == "found"
    assert "random features and the mean predictor do worse" in head.sentence


def test_the_first_model_is_spoken_of_not_the_best(answer_of, made):
    models = {
        "weak": (made.scores(spearman_pooled=(0.05, -0.1, 0.2)), made.details("model")),
        "strong": (made.scores(), made.details("model")),
    }
    assert "The model weak" in headline(answer_of(models).summary).sentence


def test_a_score_without_a_value_says_nothing_else(answer_of, made):
    models = {"svr": (made.scores(spearman_pooled=None), made.details("model"))}
    head = headline(answer_of(models).summary)
    assert head.verdict == "nothing"
    assert head.sentence == "Nothing can be said of svr: in no fold both the scores and the predictions vary."


def test_controls_alone_say_nothing(answer_of):
    head = headline(answer_of({}).summary)
    assert (head.model, head.verdict) == (None, "nothing")


def test_without_a_ceiling_none_is_named(answer_of):
    summary = answer_of(ceiling=None).summary
    assert "ceiling" not in headline(summary).sentence
    assert ceiling_sentence(summary) == "Ceiling: \N{EN DASH} (there are no halves and no counts)"


@pytest.mark.parametrize("source", ["halves", "counts"])
def test_the_source_of_the_ceiling_is_named(answer_of, source):
    summary = answer_of().summary
    summary["ceiling"]["source"] = source
    assert {"halves": "two halves", "counts": "numbers of responses"}[source] in ceiling_sentence(summary)


def test_drivers_point_the_way_that_raises_the_score(made):
    features = [
        made.feature(1, sign=-1),
        made.feature(2, sign=0),
        made.feature(3, sign=1, stability=0.7),
        made.feature(4, sign=1, more="x" * 61),
        made.feature(5, sign=1),
        made.feature(6, sign=1, more="brighter in part 5"),
        made.feature(7, sign=1, mean_abs=0.0),
    ]
    told = made.explanation_of({"a": 0.1}, features)
    assert (
        driver_sentence(told)
        == "It predicts a higher score for a clip that is darker in part 1 and brighter in part 5."
    )
    assert "brighter in part 5" not in driver_sentence(told, k=1)
    assert "No feature moves" in driver_sentence(made.explanation_of({"a": 0.1}, features[1:4]))


def test_words_of_every_metric_are_told():
    assert len({metric.name for metric in METRICS}) == 9
    entry = {"value": 0.5, "low": 0.4, "high": 0.6}
    assert metric_text("pair_accuracy", entry, 2) == "0.50 (0.40-0.60)"
    assert metric_text("rmse", entry, 2) == "0.500 (0.400-0.600)"
    assert metric_text("mse", entry, 2) == "0.5000 (0.4000-0.6000)"
    assert metric_text("mse", {"value": None, "low": None, "high": None}, 2) == "\N{EN DASH}"
    assert p_text({"p": None}) == "\N{EN DASH}"


@pytest.mark.parametrize(
    ("scores", "digits"),
    [
        ([0.144, 0.978], 2),
        ([0, 1], 2),
        ([1, 7], 1),
        ([0, 100], 0),
        ([0.5, 0.52], 3),
        ([5, 5], 2),
        ([float("inf"), 0], 2),
    ],
)
def test_digits_fit_the_range_of_scores(scores, digits):
    assert score_digits(scores) == digits


def test_text_from_files_becomes_one_line_without_control_characters():
    assert clean("a\nb\tc") == "a b c"
    assert clean("\x00\x1b\x7f\x9b\ud800") == "\N{REPLACEMENT CHARACTER}" * 5
    assert clean("a\u202eb\u2067") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"
    assert clean("Dvořák 夜 🎵") == "Dvořák 夜 🎵"
    assert shown_name("mean") == "mean predictor"
    assert joined([]) == ""
    assert joined(["a"]) == "a"


def test_settings_are_told_in_words(answer_of):
    said = dict(settings_in_words(answer_of(settings={"shifts": [], "segment_s": 1.0, "hop_s": 0.5}).run["settings"]))
    assert said["copies shifted in pitch, in training only"] == "none"
    assert said["clips are heard"] == "in segments of 1 s every 0.5 s"
    assert (said["folds"], said["repeats"]) == ("10", "5")
    assert "--segments 1/0.5" in command_of(answer_of(settings={"segment_s": 1.0, "hop_s": 0.5}).run)

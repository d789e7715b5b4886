"""What the terminal says of a memorability study: the numbers of the summary, in any width, and no control codes."""

import re
from itertools import pairwise

import pytest
from rich.console import Console

from otoscope.report.remembered import BLOCKS, print_evaluation, print_features, print_prediction, sparkline
from otoscope.studies.memorability.predict import Moment, Prediction

ABOUT = {"score": {"mean": 0.6, "least": 0.1, "greatest": 0.95}}


def console_of(width, *, colours=False, encoding="utf-8"):
    class Fixed(Console):
        @property
        def encoding(self):
            return encoding

    return Fixed(
        width=width,
        record=True,
        highlight=False,
        markup=False,
        emoji=False,
        file=open("/dev/null", "w"),
        force_terminal=colours,
        color_system="truecolor" if colours else None,
    )


@pytest.fixture
def printed():
    """Give a function that prints in a window of some width and gives the text."""

    def run(show, *what, width=120, encoding="utf-8"):
        console = console_of(width, encoding=encoding)
        show(console, *what)
        console.file.close()
        return console.export_text()

    return run


def flat(text):
    return " ".join(text.split())


def prediction(**changes):
    given = {
        "path": "song.mp3",
        "duration_s": 200.0,
        "score": 0.68,
        "low": 0.45,
        "high": 0.91,
        "level": 0.9,
        "percentile": 72.0,
        "unlike": False,
        "unlikeness": 40.0,
        "base": 0.6,
        "groups": {"brightness": 0.08},
        "reasons": (
            "brighter than 80 % of the training clips: +0.06",
            "lower than 66 % of the training clips: -0.02",
        ),
    }
    return Prediction(**{**given, **changes})


def test_an_evaluation_begins_with_its_answer_and_has_the_numbers(answer_of, printed):
    text = printed(print_evaluation, answer_of(notes=["a note"]))
    assert text.startswith("The model svr ranks clips that it never heard with rho 0.31 (0.19-0.42)")
    row = next(line for line in text.splitlines() if line.startswith("svr "))
    said = "svr 0.31 (0.19-0.42) 0.29 (0.17-0.40) 0.0248 0.158 (0.144-0.171) 0.61 0.001"
    assert flat(row) == said
    mean = next(line for line in text.splitlines() if line.startswith("mean predictor"))
    assert "-0.19 (-0.25 to -0.12)" in mean
    assert "\N{EN DASH}" in mean
    for said in (
        "\N{EN DASH} mean predictor: in no fold both the scores and the predictions vary",
        "Ceiling: rho 0.94 (0.92-0.96)",
        "below 0 by construction",
        "Brightness 0.050, Beat and rhythm 0.004",
        "brighter in part 1: raises the score, in all 10 folds",
        "darker in part 2: raises the score, in all 10 folds",
        "a note",
    ):
        assert said in flat(text)


def test_a_model_without_skill_has_a_warning_before_its_reasons(answer_of, made, printed):
    models = {"svr": (made.scores(spearman_pooled=(-0.3, -0.4, -0.2)), made.details("model"))}
    lines = printed(print_evaluation, answer_of(models)).splitlines()
    after = lines[lines.index("What drives svr") + 1]
    assert after == "The model shows no clear skill, so its reasons are no evidence of anything."
    assert not any("predicts a higher score" in line for line in lines)
    assert "no clear skill" not in printed(print_evaluation, answer_of())


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_no_number_is_cut_in_any_window(answer_of, made, printed, width):
    models = {
        "svr": (made.scores(), made.details("model")),
        "svr@audmem": (made.scores(spearman_pooled=(-0.24, -0.41, -0.37)), made.details("reference")),
    }
    text = printed(print_evaluation, answer_of(models), width=width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    for said in ("0.31 (0.19-0.42)", "-0.24 (-0.41 to -0.37)", "0.158", "0.61"):
        assert said in text
    assert "not to be compared" in flat(text)


def test_teal_is_for_models_only(answer_of):
    console = console_of(120, colours=True)
    print_evaluation(console, answer_of())
    console.file.close()
    styled = console.export_text(styles=True)
    row = next(line for line in styled.splitlines() if "0.0248" in line)
    noise = next(
        line for line in styled.splitlines() if "random features" in line and "0.02 (" in line and "model" not in line
    )
    assert "36m" in row or "38;5;36m" in row
    assert "36m" not in noise
    assert "31m" not in styled  # red


def test_without_explanation_ceiling_or_model_it_still_prints(answer_of, made, printed):
    text = printed(print_evaluation, answer_of({}, explanation=None, ceiling=None))
    assert "Only controls were tested" in text
    assert "\N{EN DASH} (there are no halves and no counts)" in text
    assert "What drives" not in text
    nothing = made.explanation_of({"a": 0.1}, [made.feature(1, mean_abs=0.0, sign=0)])
    nothing["groups"] = []
    assert "No feature moves" in printed(print_evaluation, answer_of(explanation=nothing))


def test_no_file_can_send_control_codes_to_the_terminal(answer_of, made, printed):
    evil = "\x1b[2J\x9b31m\x07[bold]:smile:"
    told = made.explanation_of({evil: 0.1, "b": 0.3}, [made.feature(1, more=evil, id=evil)])
    told["groups"][0]["title"] = evil
    models = {evil: (made.scores(), made.details("model"))}
    text = printed(print_evaluation, answer_of(models, explanation=told, notes=[evil]))
    text += printed(print_prediction, prediction(path=evil, reasons=(f"{evil}: +0.1",)), ABOUT)
    text += printed(print_features, [row("a.b", plain=evil, title=evil, licence=evil, missing=evil)])
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
    assert "[bold]:smile:" in text


def test_a_prediction_says_score_interval_rank_and_reasons(printed):
    lines = printed(print_prediction, prediction(), ABOUT).splitlines()
    assert lines[0] == "song.mp3  0.68 (0.45-0.91, 90 %)  more memorable than 72 % of the training clips"
    assert lines[1].strip() == "+0.06  brighter than 80 % of the training clips"
    assert lines[2].strip() == "-0.02  lower than 66 % of the training clips"
    assert not any("unlike" in line or "most memorable" in line for line in lines)


def test_a_prediction_fits_a_narrow_window(printed):
    text = printed(print_prediction, prediction(), ABOUT, width=40)
    assert "0.68 (0.45-0.91, 90 %)" in text
    assert "more memorable than 72 % of the training clips" in flat(text)


@pytest.mark.parametrize(
    ("percentile", "said"), [(0.0, "none"), (0.3, "1 %"), (99.7, "99 %"), (100.0, "all"), (50.4, "50 %")]
)
def test_a_part_is_never_rounded_to_nothing_or_to_the_whole(printed, percentile, said):
    assert f"more memorable than {said} of" in printed(print_prediction, prediction(percentile=percentile), ABOUT)


def test_a_clip_unlike_the_training_clips_is_warned_of(printed):
    curve = tuple(Moment(float(i), 5.0 + i, i / 10) for i in range(10))
    text = flat(printed(print_prediction, prediction(unlike=True, unlikeness=100.0, curve=curve), ABOUT))
    assert text == (
        "song.mp3 stands further from the training clips than any of them does from the rest, so neither score nor "
        "reasons mean much 0.68 (0.45-0.91, 90 %)"
    )
    text = flat(printed(print_prediction, prediction(unlike=True, unlikeness=99.6), ABOUT))
    assert "than 99 % of them do from the rest" in text


@pytest.mark.parametrize(
    ("tested", "warned"),
    [
        ({"rho": None, "rmse": 0.2, "rmse_of_mean": 0.2}, True),
        ({"rho": 0.1, "rmse": 0.21, "rmse_of_mean": 0.2}, True),
        ({"rho": 0.4, "rmse": 0.19, "rmse_of_mean": 0.2}, False),
        (None, False),
    ],
)
@pytest.mark.parametrize("width", [40, 120])
def test_a_model_no_better_than_the_mean_is_warned_of_below_the_score(printed, tested, warned, width):
    text = printed(print_prediction, prediction(), {**ABOUT, "out_of_fold": tested}, width=width)
    assert ("predicts no better than the mean of its training scores: do not rely on it" in flat(text)) == warned
    assert text.splitlines()[1].strip().startswith("this model predicts") == warned


def test_a_missing_interval_has_its_reason(printed):
    text = printed(print_prediction, prediction(low=None, high=None), ABOUT)
    assert "0.68  more memorable" in text
    assert "\N{EN DASH} no interval" in text


def test_scores_of_another_unit_have_their_own_digits(printed):
    about = {"score": {"mean": 50.0, "least": 10.0, "greatest": 90.0}}
    text = printed(print_prediction, prediction(score=67.8, low=44.6, high=91.2), about)
    assert "68 (45-91, 90 %)" in text


def test_the_most_memorable_stretch_is_named_and_the_curve_drawn(printed):
    scores = [0.5, 0.6, 0.74, 0.7] + [0.5] * 100
    curve = tuple(Moment(40.0 + i, 45.0 + i, score) for i, score in enumerate(scores))
    text = printed(print_prediction, prediction(curve=curve), ABOUT)
    assert "most memorable: 0:42-0:47 (0.74)" in text
    assert "0:00 " in text
    assert "3:20" in text
    assert "0.50 to 0.74" in text
    assert not set(BLOCKS) & set(printed(print_prediction, prediction(curve=curve), ABOUT, encoding="ascii"))


@pytest.mark.parametrize(
    ("top", "low", "flat_one"), [(0.61, 0.45, True), (0.62, 0.45, False), (0.51, None, False), (0.61, 0.6, False)]
)
def test_a_curve_that_hardly_moves_has_no_part_that_stands_out(printed, top, low, flat_one):
    curve = tuple(Moment(float(i), 5.0 + i, score) for i, score in enumerate([0.5, top, 0.5]))
    text = printed(print_prediction, prediction(low=low, high=low and 0.91, curve=curve), ABOUT)
    assert ("no part stands out" in text) == flat_one
    assert ("most memorable" in text) != flat_one
    assert set(BLOCKS) & set(text)


def test_a_curve_is_drawn_on_the_scale_of_the_training_scores(printed):
    curve = tuple(Moment(float(i), 5.0 + i, score) for i, score in enumerate([0.1, 0.3, 0.525]))
    assert "0:00 ▁▃▅ 3:20" in printed(print_prediction, prediction(curve=curve), ABOUT)
    assert sparkline([-1.0, 0.0, 1.0, 2.0], columns=9, ends=(0.0, 1.0)) == "▁▁██"


def test_a_curve_of_one_line_keeps_its_shape():
    assert sparkline([1, 2, 3, 4, 5, 6, 7, 8], columns=20) == BLOCKS
    assert sparkline([3.0, 3.0], columns=5) == BLOCKS[3] * 2
    assert sparkline([], columns=5) == ""
    rising = sparkline([float(i) for i in range(1000)], columns=17)
    assert len(rising) == 17
    assert all(BLOCKS.index(a) <= BLOCKS.index(b) for a, b in pairwise(rising))
    assert rising[0] == BLOCKS[0]
    assert rising[-1] == BLOCKS[-1]


def row(name, **changes):
    return {
        "id": name,
        "group": name.partition(".")[0],
        "title": name.partition(".")[0].title(),
        "unit": "Hz",
        "plain": f"What one hears of {name}.",
        "definition": "d",
        "licence": "MIT",
        "missing": None,
        **changes,
    }


@pytest.mark.parametrize("width", [60, 120])
def test_features_are_listed_by_group_with_licence_and_what_is_missing(printed, width):
    long = "rhythm.a_name_of_many_words_that_goes_on_and_on"
    rows = [
        row("rhythm.a", unit="1"),
        row(long),
        row("two.c", licence="research only", missing="needs x; pip install x"),
    ]
    text = printed(print_features, rows, width=width)
    assert f"{long} " in text
    text = flat(text)
    assert "Rhythm rhythm · 2 features · MIT rhythm.a" in text
    assert "Two two · 1 feature · research only · only when named" in text
    assert "\N{EN DASH} does not work here: needs x; pip install x" in text
    assert "rhythm.a What one" in text
    assert "3 features in 2 groups" in text


def test_no_features_are_none(printed):
    assert printed(print_features, []).strip() == "0 features in 0 groups"

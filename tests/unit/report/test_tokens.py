"""How numbers and intervals are written, and whether the colours can be read."""

import re

from hypothesis import given
from hypothesis import strategies as st

from otoscope.report.tokens import DARK, DASH, LIGHT, interval, number

SCORES = st.floats(-1e6, 1e6)
LEAST_CONTRAST_TEXT, LEAST_CONTRAST_MARK = 4.5, 3.0  # WCAG 2.1, 1.4.3 and 1.4.11


@given(value=SCORES, digits=st.integers(1, 4))
def test_a_number_is_the_nearest_in_its_digits_and_zero_has_no_sign(value, digits):
    text = number(value, digits=digits)
    assert re.fullmatch(r"-?\d+(\.\d+)?", text)
    places = len(text.partition(".")[2])
    assert places == max(0, digits - (abs(value) >= 10) - (abs(value) >= 100))
    assert abs(float(text) - value) <= 0.5 * 10.0**-places * (1 + 1e-9)
    assert not (text.startswith("-") and float(text) == 0)


def test_a_missing_number_is_an_en_dash():
    assert number(None) == DASH == "\u2013"
    assert interval(None, None, None) == DASH
    assert interval(None, 0.1, 0.2) == DASH


@given(value=SCORES, low=SCORES, high=SCORES)
def test_an_interval_gives_back_its_three_numbers_in_whatever_sign(value, low, high):
    text = interval(value, low, high)
    found = re.fullmatch(r"(-?[\d.]+) \((-?[\d.]+)(?:-| to )(-?[\d.]+)\)", text)
    assert found.groups() == (number(value), number(low), number(high))
    assert "--" not in text
    assert (" to " in text) == (number(low).startswith("-") or number(high).startswith("-"))


@given(value=SCORES)
def test_half_an_interval_is_none(value):
    assert interval(value, None, value) == interval(value, value, None) == number(value)


def test_known_numbers_are_written_as_expected():
    assert [number(v) for v in (0.0, -0.0, -0.004, 0.005001, 9.994, 12.34, 123.4, -1.5)] == [
        "0.00",
        "0.00",
        "0.00",
        "0.01",
        "9.99",
        "12.3",
        "123",
        "-1.50",
    ]
    assert interval(0.62, 0.58, 0.66) == "0.62 (0.58-0.66)"
    assert interval(-0.2, -0.3, -0.1) == "-0.20 (-0.30 to -0.10)"


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_text_and_marks_stand_out_from_the_paper_in_both_themes():
    assert contrast("#000000", "#FFFFFF") == 21
    for theme in (LIGHT, DARK):
        for kind in ("ink", "model", "baseline"):
            assert contrast(theme[kind], theme["paper"]) >= LEAST_CONTRAST_TEXT, kind
        for kind in ("control", "truth"):
            assert contrast(theme[kind], theme["paper"]) >= LEAST_CONTRAST_MARK, kind
    assert LIGHT.keys() == DARK.keys()

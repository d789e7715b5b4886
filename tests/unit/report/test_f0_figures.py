"""The disagreement of trackers in pictures and in words."""

import xml.etree.ElementTree as ET

import pytest
from rich.console import Console

from otoscope.errors import SpecError
from otoscope.f0.disagreement import Disagreement
from otoscope.report import drawing
from otoscope.report.f0_figures import draw_disagreement, draw_pairs
from otoscope.report.f0_words import (
    ceiling_sentence,
    finding,
    in_order,
    language_name,
    pairs_table,
    spread,
    trackers_table,
)

SVG = "{http://www.w3.org/2000/svg}"
UNITS = {
    "voicing": "%",
    "gross": "%",
    "bias": "cents",
    "median": "cents",
    "rmse": "cents",
    "r2": "1",
    "within_r": "1",
}


def row(first, second, metric, value, language="all", ends=True):
    low, high = (value - 0.1, value + 0.2) if ends and value is not None else (None, None)
    reason = None if low is not None else "there is nothing" if value is None else "all has 2 groups to resample"
    unit = UNITS.get(metric, "%")
    return Disagreement(first, second, language, metric, unit, value, low, high, 4000, 1800, 20, 20, reason)


def rows_of(values, languages=("all",), **more):
    """Give rows: voicing, gross, median and R2 of each pair; the others follow from them."""
    rows = []
    for language in languages:
        for (first, second), (voicing, gross, median, r2) in values.items():
            numbers = (voicing, gross, -median if median else median, median, median, r2, r2)
            rows += [
                row(first, second, metric, value, language, **more)
                for metric, value in zip(UNITS, numbers, strict=True)
            ]
            rows.append(row(second, first, "r2", r2 - 0.01 if r2 else r2, language, **more))
        names = list(dict.fromkeys(name for pair in values for name in pair))
        rows += [row(name, None, "voiced", 45.0, language) for name in names]
        rows += [row(name, None, "agreed_2", 90.0, language) for name in (*names, None)]
    return rows


THREE = {("a", "b"): (6.2, 1.5, 8.0, 0.9), ("a", "c"): (9.0, 0.5, 21.0, 0.8), ("b", "c"): (12.0, 2.0, 20.0, 0.7)}


def words_in(path):
    return [text.text for text in ET.parse(path).iter(f"{SVG}text")]


def axes_of(monkeypatch, draw, rows, path):
    kept = []
    save = drawing.save_figure
    monkeypatch.setattr(drawing, "save_figure", lambda figure, path: (kept.append(figure), save(figure, path)))
    draw(rows, path)
    return kept[0].axes


def test_the_finding_has_the_ends_of_what_pairs_say():
    assert finding(rows_of(THREE)) == (
        "Pairs of trackers differ in voicing on 6.2-12 % of frames; where both are voiced, grossly on 0.5-2.0 %, "
        "else by a median of 8.0-21 cents"
    )


def test_one_pair_is_named_in_the_finding():
    said = finding(rows_of({("a", "b"): (6.2, 1.5, 8.0, 0.9)}))
    assert said.startswith("a and b differ in voicing on 6.2 % of frames")


def test_the_finding_leaves_out_what_has_no_value():
    assert finding(rows_of({("a", "b"): (6.2, None, None, None)})) == "a and b differ in voicing on 6.2 % of frames"
    assert finding(rows_of({("a", "b"): (None, None, None, None)})).startswith("There is no frame")
    assert finding([]).startswith("There is no frame")


def test_the_ceiling_is_the_best_other_tracker_for_each():
    said = ceiling_sentence(rows_of(THREE))
    assert "labels of a 0.90" in said
    assert "b 0.89" in said
    assert "c 0.79" in said
    assert ceiling_sentence(rows_of({("a", "b"): (6.2, None, None, None)})) == ""


@pytest.mark.parametrize(
    ("values", "said"), [([1.0], "1.0 %"), ([1.0, 1.04], "1.0 %"), ([12.0, 3.0, 5.0], "3.0-12 %")]
)
def test_a_range_is_written_once_where_its_ends_read_alike(values, said):
    assert spread(values, "%") == said


def test_languages_stand_by_region_and_tone_type():
    order = in_order(["xx", "vi_vn", "all", "en_us", "th_th", "de_de"])
    assert order[0] == "all"
    assert order[-1] == "xx"
    assert set(order[1:3]) == {"en_us", "de_de"}
    assert {language_name("en_us"), language_name("xx")} == {"English", "xx"}


@pytest.mark.parametrize("draw", [draw_disagreement, draw_pairs])
@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_two_drawings_are_the_same_bytes(draw, suffix, tmp_path):
    one, other = (draw(rows_of(THREE), tmp_path / f"{i}.{suffix}") for i in range(2))
    assert one.read_bytes() == other.read_bytes()


def test_one_group_names_pairs_and_several_name_languages(monkeypatch, tmp_path):
    alone = words_in(draw_disagreement(rows_of(THREE), tmp_path / "one.svg"))
    assert {"a : b", "a : c", "b : c"} <= set(alone)
    assert "all" not in alone
    several = words_in(draw_disagreement(rows_of(THREE, ("all", "en_us", "vi_vn")), tmp_path / "two.svg"))
    assert {"all", "English", "Vietnamese", "a : b"} <= set(several)
    assert any("20 clips, 4,000 frames" in word for word in several)


def test_dots_and_lines_are_the_values_and_their_intervals(monkeypatch, tmp_path):
    voicing, gross, fine = axes_of(monkeypatch, draw_disagreement, rows_of(THREE), tmp_path / "one.png")
    for axes, place in ((voicing, 0), (gross, 1), (fine, 2)):
        marks = [line for line in axes.lines if line.get_marker() not in ("None", None, "")]
        assert [line.get_xdata()[0] for line in marks] == [values[place] for values in THREE.values()]
        assert len({line.get_marker() for line in marks}) == 3
        ends = [line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 2 and line.get_linewidth() > 1.5]
        assert [list(each) for each in ends] == [
            pytest.approx([values[place] - 0.1, values[place] + 0.2]) for values in THREE.values()
        ]
        assert axes.get_xlim()[0] == 0
        assert axes.get_xlim()[1] > max(end for each in ends for end in each)


def test_what_has_no_value_is_a_dash_and_no_interval_has_its_reason(tmp_path):
    rows = rows_of({("a", "b"): (6.2, None, None, None)}, ends=False)
    said = words_in(draw_disagreement(rows, tmp_path / "one.svg"))
    assert [word.strip() for word in said].count("\N{EN DASH}") == 2
    assert any("no intervals: all has 2 groups" in word for word in said)


def test_the_matrix_has_each_pair_once_in_each_panel(tmp_path):
    said = words_in(draw_pairs(rows_of(THREE), tmp_path / "one.svg"))
    for values in THREE.values():
        for value in values[:3]:
            assert f"{value:.1f}" in said or f"{value:.0f}" in said
    assert "a and b differ in voicing on 6.2 % of frames, b and c on 12 %" in said


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_themes_and_long_names_can_be_drawn(tmp_path, theme):
    names = ["kaldi:pov_threshold=0.5,hop_ms=20,f0_max_hz=600", "yaapt", "swift", "praat", "pyin"]
    values = {(a, b): (5.0, 1.0, 9.0, 0.9) for i, a in enumerate(names) for b in names[i + 1 :]}
    rows = rows_of(values, ("all", "en_us"))
    draw_disagreement(rows, tmp_path / "one.png", theme=theme)
    draw_pairs(rows, tmp_path / "two.png", theme=theme)
    zero = rows_of({("a", "b"): (0.0, 0.0, 0.0, 1.0)}, ends=False)
    draw_disagreement(zero, tmp_path / "three.png", theme=theme)
    draw_pairs(zero, tmp_path / "four.png", theme=theme)


@pytest.mark.parametrize("draw", [draw_disagreement, draw_pairs])
def test_what_cannot_be_drawn_is_refused(draw, tmp_path):
    with pytest.raises(SpecError, match="no pairs"):
        draw([row("a", None, "voiced", 40.0)], tmp_path / "one.svg")
    with pytest.raises(SpecError, match="the suffix is"):
        draw(rows_of(THREE), tmp_path / "one.jpg")


def printed(table, width):
    screen = Console(width=width, force_terminal=False, highlight=False)
    with screen.capture() as capture:
        screen.print(table)
    return capture.get()


def test_long_names_are_cut_in_the_middle_beside_the_axes(tmp_path):
    rows = rows_of({("kaldi:pov_threshold=0.5,hop_ms=20", "yaapt"): (5.0, 1.0, 9.0, 0.9)})
    assert "kaldi:pov_…hop_ms=20 : yaapt" in words_in(draw_disagreement(rows, tmp_path / "one.svg"))
    assert "kaldi:pov_…hop_ms=20" in words_in(draw_pairs(rows, tmp_path / "two.svg"))


def test_the_table_of_pairs_has_intervals_where_there_is_room():
    rows = rows_of(THREE, ("all", "vi_vn"))
    wide, narrow = (printed(pairs_table(rows, width=width), width) for width in (120, 80))
    assert "6.2 (6.1-6.4)" in wide
    assert "6.2" in narrow
    assert "(6.1" not in narrow
    assert wide.count("Vietnamese") == 3
    assert max(map(len, narrow.splitlines())) <= 80


def test_the_table_of_trackers_ends_with_any_of_them():
    said = printed(trackers_table(rows_of(THREE)), 120)
    assert "45 (45-45)" in said
    assert "any of them" in said

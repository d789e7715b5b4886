"""The picture of the layer profile: well-formed, exact on hover, and nothing covers anything else."""

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest

from otoscope.report.figure import FLOOR, WIDTH, profile_svg
from otoscope.report.tokens import interval

SVG = "{http://www.w3.org/2000/svg}"
LETTER = 7.3  # pixels: what a letter of the 13-pixel text takes in a wide font, as measured in DejaVu Sans
HEIGHT = 13  # pixels
LONG = "logmel:bands=40,context=12"


def drawn(*profiles, title="A finding", subtitle="What is shown"):
    return ET.fromstring(profile_svg(profiles, title=title, subtitle=subtitle))


def texts(svg):
    return ["".join(e.itertext()) for e in svg.iter(f"{SVG}text")]


def hovers(svg):
    return [e.text for e in svg.iter(f"{SVG}title")]


def boxes(svg):
    """Give left, right, top and bottom of every text, with the text."""
    found = []
    for e in svg.iter(f"{SVG}text"):
        if e.get("class") in ("title", "axis"):
            continue
        x, y, n = float(e.get("x")), float(e.get("y")), LETTER * len(e.text)
        left = x - {"end": n, "middle": n / 2}.get(e.get("text-anchor"), 0)
        found.append((left, left + n, y - 0.8 * HEIGHT, y + 0.1 * HEIGHT, e.text))
    return found


def overlaps(svg):
    found = boxes(svg)
    return [
        (a[4], b[4])
        for i, a in enumerate(found)
        for b in found[i + 1 :]
        if a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3]
    ]


def labels(svg):
    """Give the labels at the ends of lines: (x of the panel, y, shown, whole)."""
    found = []
    for e in svg.iter(f"{SVG}g"):
        if e.get("class") == "label":
            text = e.find(f"{SVG}text")
            found.append((float(text.get("x")), float(text.get("y")), text.text, e.find(f"{SVG}title").text))
    return found


def points_of(element):
    return [tuple(map(float, pair.split(","))) for pair in element.get("points").split()]


def test_the_picture_is_well_formed_and_named(make):
    svg = drawn(make.deep(), make.deep("lolo"), title='He said "R2 < 1 & r > 0"', subtitle="12 languages")
    assert svg.tag == f"{SVG}svg"
    assert svg.get("role") == "img"
    assert svg.get("aria-label") == 'He said "R2 < 1 & r > 0"'
    assert svg.find(f"{SVG}title").text == 'He said "R2 < 1 & r > 0"'
    assert svg.find(f"{SVG}desc").text == "12 languages"
    assert float(svg.get("viewBox").split()[2]) == WIDTH


def test_hover_gives_the_exact_numbers_of_every_layer(make):
    profile = make.deep()
    said = hovers(drawn(profile))
    for point in profile.points:
        for row in point.scores.values():
            exact = interval(row["value"], row["low"], row["high"], digits=3)
            (found,) = {h for h in said if h.startswith(f"{point.model} layer {point.layer} ") and exact in h}
            assert "control 0.02, 12345 frames of 60 utterances" in found


def test_a_point_lies_where_its_value_is_on_the_axis(make):
    values = [0.0, 0.25, 0.5, 1.0]
    svg = drawn(make.profile({"ge2e": values}))
    ticks = {e.text: float(e.get("y")) - 4 for e in svg.iter(f"{SVG}text") if e.get("text-anchor") == "end"}
    line = next(e for e in svg.iter(f"{SVG}polyline") if e.get("class") == "line model")
    r2_panel = [y for _, y in points_of([e for e in svg.iter(f"{SVG}polyline") if "model" in e.get("class")][-1])]
    assert r2_panel == pytest.approx([ticks[f"{v:g}"] for v in values], abs=0.11)
    xs = [x for x, _ in points_of(line)]
    numbers = [float(e.get("x")) for e in svg.iter(f"{SVG}text") if e.text in ("0", "1", "2", "3")]
    assert all(any(abs(x - tick) < 0.11 for tick in numbers) for x in xs)
    assert xs == sorted(xs)


@pytest.mark.parametrize("n", [1, 2, 4, 7, 13, 14, 25, 49])
@pytest.mark.parametrize("n_panels", [1, 2])
def test_no_text_covers_another_whatever_the_number_of_layers(make, n, n_panels):
    svg = drawn(*(make.deep(role, n) for role in ("own", "lolo")[:n_panels]))
    assert overlaps(svg) == []
    assert min(b[0] for b in boxes(svg)) >= 0
    assert max(b[1] for b in boxes(svg)) <= WIDTH
    ticks = [int(t) for t in texts(svg) if re.fullmatch(r"\d+", t)]
    assert 0 in ticks
    assert (n < 3) or 2 <= len(set(ticks)) <= 14


CLOSE = {
    "all the same": {"logmel": [0.3], "mfcc": [0.3], "ge2e": [0.3] * 4, "untrained:ge2e#0": [0.3] * 4},
    "all at the top": {"logmel": [1.0], "mfcc": [0.999], "ge2e": [0.99] * 4, "hubert": [0.98] * 4},
    "all below the axis": {"logmel": [-0.9], "mfcc": [-3.0], "ge2e": [-5.0] * 4, "untrained:ge2e#0": [-0.3] * 4},
    "many": {f"model {i:02d}": [0.01 * i, 0.5] for i in range(12)},
    "long names": {LONG: [0.4], "untrained:wav2vec2-large#0": [0.41], "untrained:wav2vec2-large#1": [0.42]},
}


@pytest.mark.parametrize("name", CLOSE)
def test_no_label_covers_another_and_all_stay_beside_their_panel(make, name):
    svg = drawn(make.profile(CLOSE[name]), make.profile(CLOSE[name], role="lolo"))
    found = labels(svg)
    assert overlaps(svg) == []
    assert len(found) == 4 * (len(CLOSE[name]) + any("ge2e" in m or "model" in m or m == LONG for m in CLOSE[name]))
    for x in {label[0] for label in found}:
        ys = sorted(y for other, y, *_ in found if other == x)
        assert all(b - a >= HEIGHT for a, b in pairwise(ys))
    assert {whole for *_, whole in found} >= set(CLOSE[name])


def test_long_names_are_shortened_and_whole_on_hover(make):
    names = [LONG, "untrained:wav2vec2-large#0", "untrained:wav2vec2-large#1"]
    found = {whole: shown for *_, shown, whole in labels(drawn(make.profile({name: [0.4, 0.5] for name in names})))}
    assert max(len(shown) for shown in found.values()) <= 18
    assert len({found[name] for name in names}) == 3
    assert found["control"] == "control"


def test_labels_stand_in_the_order_of_the_lines_ends(make):
    found = labels(drawn(make.profile({"a": [0.9, 0.1], "b": [0.1, 0.9], "logmel": [0.5]})))
    panel = [shown for *_, shown, _ in sorted(found[: len(found) // 2], key=lambda label: label[1])]
    assert panel == ["b", "logmel", "a", "control"]


def test_a_label_stands_beside_the_end_of_its_line_and_a_crowd_spreads_downwards_while_there_is_room(make):
    apart = {"a": [0.1, 0.9], "b": [0.1, 0.6], "c": [0.1, 0.3]}
    svg = drawn(make.profile(apart, control=None))
    ends = [points_of(e)[-1][1] for e in svg.iter(f"{SVG}polyline") if e.get("class") == "line model"]
    assert [y for _, y, *_ in labels(svg)] == pytest.approx([y + 4 for y in ends], abs=0.11)
    crowd = drawn(make.profile({name: [0.5] for name in "abcd"}, control=None))
    end = points_of(next(e for e in crowd.iter(f"{SVG}polyline")))[-1][1]
    assert [y for _, y, *_ in labels(crowd)][:4] == pytest.approx([end + 4 + 15 * i for i in range(4)], abs=0.11)
    low = drawn(make.profile({name: [-0.15] for name in "abcd"}, control=None))
    edge = max(points_of(e)[-1][1] for e in low.iter(f"{SVG}polyline")) + 216 * 0.05 / 1.2
    assert max(y for _, y, *_ in labels(low)) == pytest.approx(edge + 4, abs=0.11)


def test_values_below_the_axis_are_drawn_on_its_edge_with_an_arrow_and_the_number(make):
    svg = drawn(make.profile({"ge2e": ([-3.21, 0.5, FLOOR, -0.26], [0.1, 0.2, 0.3, 0.4])}))
    assert sorted(t for t in texts(svg) if "↓" in t) == ["↓ -0.3", "↓ -3.2"]
    lines = [e for e in svg.iter(f"{SVG}polyline") if e.get("class") == "line model"]
    low = [y for _, y in points_of(lines[1])]
    assert low[0] == low[2] == low[3] == max(low) > low[1]
    arrow = next(e for e in svg.iter(f"{SVG}g") if any("3.2" in (t.text or "") for t in e.iter(f"{SVG}text")))
    assert "ge2e layer 0 (block 0): -3.210" in arrow.find(f"{SVG}title").text


@pytest.mark.parametrize("n", [4, 13, 25])
def test_every_value_below_the_axis_has_an_arrow_that_covers_no_other(make, n):
    svg = drawn(make.profile({"ge2e": [-1.5] * n, "untrained:ge2e#0": [-0.7] * n}))
    assert overlaps(svg) == []
    assert sum("↓" in t for t in texts(svg)) == 2 * 2 * n


def test_a_baseline_is_a_level_line_over_all_layers(make):
    svg = drawn(make.profile({"logmel": [0.4], "ge2e": [0.1, 0.5, 0.3]}))
    (baseline, _), (model, _) = (
        [points_of(e) for e in svg.iter(f"{SVG}polyline") if e.get("class") == f"line {kind}"]
        for kind in ("baseline", "model")
    )
    assert len({y for _, y in baseline}) == 1
    assert (baseline[0][0], baseline[-1][0]) == (model[0][0], model[-1][0])


def test_series_of_one_kind_differ_in_more_than_colour(make):
    svg = drawn(make.profile({"hubert": [0.1, 0.5], "wav2vec2": [0.2, 0.4], "wavlm": [0.3, 0.3]}))
    lines = [e for e in svg.iter(f"{SVG}polyline") if e.get("class") == "line model"]
    assert len({e.get("stroke-dasharray") for e in lines}) == 3


def test_a_band_spans_the_interval_and_is_left_out_where_there_is_none(make):
    def bands(profile):
        svg = drawn(profile)
        return [e for e in svg.iter(f"{SVG}polygon") if "band" in e.get("class")]

    band = bands(make.profile({"ge2e": [0.3, 0.5]}, low=0.25, high=0.75))[0]
    heights = sorted({y for _, y in points_of(band)})
    assert heights[1] - heights[0] == pytest.approx(216 * 0.5 / 1.2, abs=0.2)
    assert bands(make.profile({"ge2e": [0.3, 0.5]}, low=None, high=None)) == []


def test_an_empty_role_says_why_inside_its_panel(make):
    reason = "the language has no training clips, or no test frame has this target"
    svg = drawn(make.deep(), make.profile({"ge2e": [None]}, role="lolo", reason=reason))
    assert " ".join(t for t in texts(svg) if t in reason) == f"{reason} {reason}"
    assert max(b[1] for b in boxes(svg)) <= WIDTH
    assert overlaps(svg) == []
    assert "Probe trained on other languages only" in texts(svg)


def test_long_titles_and_subtitles_are_wrapped_and_lose_no_word(make):
    title, subtitle = " ".join(["finding"] * 40), " ".join(["detail"] * 60)
    svg = drawn(make.deep(), title=title, subtitle=subtitle)
    headings = [e for e in svg.iter(f"{SVG}text") if e.get("class") == "title"]
    assert " ".join(e.text for e in headings) == title
    assert max(len(e.text) for e in headings) <= 84
    assert sum(t.count("detail") for t in texts(svg)) == 60
    assert overlaps(svg) == []
    assert max(len(line) for line in texts(drawn(make.deep(), title="x" * 200))) <= 128


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "a&b", '"><svg onload="x"', "]]>", "</style>"])
def test_a_hostile_name_is_text_and_nothing_else(make, name):
    models = {name: [0.1, 0.7], "ge2e": [0.2, 0.3]}
    profile = make.profile(models, layer_name=name, reason=name)
    empty = make.profile({name: [None]}, role="lolo", reason=name)
    plain = drawn(make.profile({"x": [0.1, 0.7], "ge2e": [0.2, 0.3]}), make.profile({"x": [None]}, role="lolo"))
    text = profile_svg([profile, empty], title=profile.headline, subtitle=name)
    svg = ET.fromstring(text)
    assert {e.tag for e in svg.iter()} == {e.tag for e in plain.iter()}
    assert {key for e in svg.iter() for key in e.attrib} == {key for e in plain.iter() for key in e.attrib}
    assert "<script" not in text
    assert name in svg.get("aria-label")
    assert any(h.startswith(f"{name} layer 1 ({name})") for h in hovers(svg))
    assert svg.find(f"{SVG}desc").text == name


def test_both_themes_are_in_the_picture_and_nothing_comes_from_outside(make):
    text = profile_svg([make.deep()], title="x", subtitle="y")
    assert "prefers-color-scheme:dark" in text
    assert re.findall(r"https?://[^\"]+", text) == ["http://www.w3.org/2000/svg"]
    assert "url(" not in text
    assert "@import" not in text

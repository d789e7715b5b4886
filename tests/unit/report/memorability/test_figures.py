"""The pictures of a memorability study: marks stand where the numbers say, and nothing covers anything else."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from otoscope.report.memorability_figures import Spot, groups_figure, scatter_figure, scores_figure, strip_svg
from otoscope.report.svg import ticks
from otoscope.report.tokens import interval

HEIGHT = 13  # pixels of a letter
TOL_PX = 0.11  # coordinates have one digit


def both(figure):
    return [ET.fromstring(figure.wide), ET.fromstring(figure.narrow)]


def shown(e):
    """Give what a text shows, without what it says on hover."""
    return "".join([e.text or "", *[child.tail or "" for child in e]])


def texts(svg):
    return [(float(e.get("x")), float(e.get("y")), e.get("text-anchor", "start"), shown(e)) for e in svg.iter("text")]


def overlaps(svg):
    boxes = []
    for x, y, anchor, text in texts(svg):
        n = 7.0 * len(text)
        left = x - {"end": n, "middle": n / 2}.get(anchor, 0)
        boxes.append((left, left + n, y - 0.8 * HEIGHT, y + 0.1 * HEIGHT, text))
    return [
        (a[4], b[4])
        for i, a in enumerate(boxes)
        for b in boxes[i + 1 :]
        if a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3]
    ]


def axis_of(svg):
    """Give the map from a tick of the lowest row of numbers to its place."""
    rows = {}
    for x, y, anchor, text in texts(svg):
        if anchor == "middle" and re.fullmatch(r"-?[\d.]+", text):
            rows.setdefault(y, []).append((float(text), x))
    values, places = np.array(max(rows.items())[1]).T
    slope, shift = np.polyfit(values, places, 1)
    assert slope * values + shift == pytest.approx(places, abs=TOL_PX)
    return lambda value: slope * value + shift


def summary_of(made, *, names=("svr", "ridge"), reference=("svr@audmem",), **changes):
    models = {name: (made.scores(**changes), made.details("model")) for name in names}
    models |= {
        name: (made.scores(spearman_pooled=(-0.19, -0.25, -0.12)), made.details("control"))
        for name in ("mean", "noise")
    }
    models |= {
        name: (made.scores(spearman_pooled=(0.24, 0.1, 0.37)), made.details("reference")) for name in reference
    }
    return {
        "models": {name: found for name, (found, _) in models.items()},
        "details": {name: about for name, (_, about) in models.items()},
        "ceiling": {"source": "halves", "ceiling": made.entry((0.94, 0.92, 0.96))},
    }


def test_scores_stand_where_they_should(made):
    for svg in both(scores_figure(summary_of(made), title="t", subtitle="s")):
        x_at = axis_of(svg)
        discs = [float(e.get("cx")) for e in svg.iter("circle")]
        assert discs == pytest.approx([x_at(0.31)] * 2, abs=TOL_PX)
        squares = [float(e.get("x")) + 5 for e in svg.iter("rect") if e.get("class") == "control-fill"]
        assert squares == pytest.approx([x_at(-0.19)] * 2, abs=TOL_PX)
        ends = [
            (float(e.get("x1")), float(e.get("x2"))) for e in svg.iter("line") if e.get("class") == "whisker model"
        ]
        assert ends[0] == pytest.approx((x_at(0.19), x_at(0.42)), abs=TOL_PX)
        (ceiling,) = [float(e.get("x1")) for e in svg.iter("line") if e.get("class") == "ceiling"]
        assert ceiling == pytest.approx(x_at(0.94), abs=TOL_PX)
        (zero,) = [float(e.get("x1")) for e in svg.iter("line") if e.get("class") == "zero"]
        assert zero == pytest.approx(x_at(0.0), abs=TOL_PX)
        chance = next(e for e in svg.iter("rect") if e.get("class") == "chance")
        assert float(chance.get("x")) == pytest.approx(x_at(-0.13), abs=TOL_PX)
        assert float(chance.get("width")) == pytest.approx(x_at(0.14) - x_at(-0.13), abs=2 * TOL_PX)


def test_the_reference_stands_below_its_own_heading(made):
    for svg in both(scores_figure(summary_of(made), title="t", subtitle="s")):
        heading = next(y for _, y, _, text in texts(svg) if text.startswith("The reference's protocol"))
        diamond = next(e for e in svg.iter("polygon")).get("points").split()[0].split(",")
        assert float(diamond[1]) > heading
        assert max(float(e.get("cy")) for e in svg.iter("circle")) < heading


@pytest.mark.parametrize(
    ("names", "changes"),
    [
        (("svr", "ridge", "mlp"), {}),
        (("fusion:base=svr,how=stack,weights=some-very-long-setting-indeed", "a" * 80), {}),
        (("svr",), {"spearman_pooled": (-0.99, -1.0, -0.9)}),
        (("svr",), {"spearman_pooled": (0.99, 0.95, 1.0)}),
        (("svr",), {"spearman_pooled": None}),
    ],
)
@pytest.mark.parametrize("ceiling", [(0.05, 0.0, 0.1), (0.5, 0.4, 0.6), (1.0, 0.9, 1.1), None])
def test_no_text_covers_another_or_leaves_the_picture(made, names, changes, ceiling):
    summary = summary_of(made, names=names, **changes)
    summary["ceiling"]["ceiling"] = made.entry(ceiling)
    for svg in both(scores_figure(summary, title="t", subtitle="s")):
        assert overlaps(svg) == []
        width, height = map(float, svg.get("viewBox").split()[2:])
        for x, y, anchor, text in texts(svg):
            left = x - {"end": 6.5, "middle": 3.25}.get(anchor, 0) * len(text)
            assert -6 <= left <= width
            assert 0 < y < height
        for e in svg.iter("line"):
            assert all(-1 <= float(e.get(name)) <= width + 1 for name in ("x1", "x2"))


def test_the_hover_has_the_exact_numbers(made):
    for svg in both(scores_figure(summary_of(made), title="t", subtitle="s")):
        hovers = [e.get("data-tip") for e in svg.iter("g") if e.get("data-tip")]
        assert hovers[0] == "listeners' ceiling 0.94 (0.92-0.96) (how far two halves of the listeners agree)"
        assert hovers[1] == "svr: rho 0.310 (0.190-0.420); shuffled scores -0.13 to 0.14, p 0.001; 40 clips"
        assert [e.find("title").text for e in svg.iter("g") if e.get("data-tip")] == hovers


def test_a_value_that_is_missing_has_its_reason_and_no_mark(made):
    for svg in both(scores_figure(summary_of(made, names=("svr",), spearman_pooled=None), title="t", subtitle="s")):
        assert not list(svg.iter("circle"))
        assert "svr: rho \N{EN DASH} (in no fold both" in next(
            e.get("data-tip") for e in svg.iter("g") if e.get("class") == "row"
        )


def test_the_ceiling_is_named_by_its_source_with_its_interval_where_there_is_room(made):
    summary = summary_of(made)
    assert "listeners' ceiling 0.94 (0.92-0.96)" in [row[3] for row in texts(both(_drawn(summary))[0])]
    summary["ceiling"] = {"source": "counts", "ceiling": made.entry((0.16, 0.0, 0.6))}
    for svg in both(_drawn(summary)):
        assert "ceiling 0.16 (0.00-0.60)" in [row[3] for row in texts(svg)]
        assert not [row for row in texts(svg) if "listeners' ceiling" in row[3]]


def _drawn(summary):
    return scores_figure(summary, title="t", subtitle="s")


def test_the_table_has_what_the_picture_shows(made):
    figure = scores_figure(summary_of(made), title="t", subtitle="s")
    assert figure.rows[0] == ("svr", "model", "0.310 (0.190-0.420)", "-0.13 to 0.14", "0.001", "40")
    assert [row[0] for row in figure.rows] == ["svr", "ridge", "mean predictor", "random features", "svr@audmem"]
    assert all(len(row) == len(figure.header) for row in figure.rows)


@pytest.fixture
def spots():
    rng = np.random.default_rng(0)
    return [Spot(f"track {i}", f"clip-{i}", *map(float, rng.uniform(0.2, 0.9, 2))) for i in range(30)]


def test_points_stand_at_truth_and_prediction_on_equal_scales(spots):
    for svg in both(scatter_figure(spots, mean=0.6, digits=2, title="t", subtitle="s")):
        x = np.array([float(e.get("cx")) for e in svg.iter("circle")])
        y = np.array([float(e.get("cy")) for e in svg.iter("circle")])
        right, shift = np.polyfit([spot.truth for spot in spots], x, 1)
        down, _ = np.polyfit([spot.predicted for spot in spots], y, 1)
        assert right == pytest.approx(-down, rel=1e-3)
        assert axis_of(svg)(0.5) == pytest.approx(right * 0.5 + shift, abs=2 * TOL_PX)
        diagonal = next(e for e in svg.iter("line") if e.get("class") == "zero")
        rise = (float(diagonal.get("y1")) - float(diagonal.get("y2"))) / (
            float(diagonal.get("x2")) - float(diagonal.get("x1"))
        )
        assert rise == pytest.approx(1.0, abs=1e-3)


def test_a_point_of_a_perfect_prediction_lies_on_the_diagonal():
    spots = [Spot("a", "clip-1", 1.0, 1.0), Spot("b", "clip-2", 7.0, 3.0)]
    for svg in both(scatter_figure(spots, mean=4.0, digits=1, title="t", subtitle="s")):
        line = next(e for e in svg.iter("line") if e.get("class") == "zero")
        x1, y1, x2, y2 = (float(line.get(name)) for name in ("x1", "y1", "x2", "y2"))
        dot = next(svg.iter("circle"))
        share = (float(dot.get("cx")) - x1) / (x2 - x1)
        assert y1 + share * (y2 - y1) == pytest.approx(float(dot.get("cy")), abs=2 * TOL_PX)


def test_points_lead_to_their_cards_and_say_their_numbers(spots):
    figure = scatter_figure(spots[:1], mean=0.6, digits=2, title="t", subtitle="s")
    (link,) = both(figure)[0].iter("a")
    assert link.get("href") == "#clip-0"
    assert link.get("data-tip") == f"track 0: listeners {spots[0].truth:.2f}, predicted {spots[0].predicted:.2f}"
    assert figure.rows[0][0] == "track 0"


@pytest.mark.parametrize("values", [[(0.5, 0.5)], [(1e-6, 2e-6), (3e-6, 1e-6)], [(-1e5, 4e5), (2e5, 0.0)], []])
def test_any_scores_can_be_drawn(values):
    spots = [Spot("t", f"clip-{i}", *pair) for i, pair in enumerate(values)]
    for svg in both(scatter_figure(spots, mean=0.0, digits=2, title="t", subtitle="s")):
        assert len(list(svg.iter("circle"))) == len(values)


def test_bars_are_in_proportion_to_what_groups_do(made):
    groups = [
        {"group": name, "title": f"{name} <b>", "n_features": 3, "mean_abs": value}
        for name, value in (("one", 0.08), ("two", 0.02), ("three", 0.0))
    ]
    for svg in both(groups_figure(groups, digits=3, title="t", subtitle="s")):
        widths = [float(e.get("width")) for e in svg.iter("rect") if e.get("class") == "model-fill"]
        assert np.array(widths) / widths[0] == pytest.approx([1.0, 0.25, 0.0], abs=1e-3)
        assert overlaps(svg) == []
        assert "one <b>" in [text for *_, text in texts(svg)]


def test_groups_that_do_nothing_can_be_drawn():
    for groups in ([], [{"group": "one", "title": "One", "n_features": 1, "mean_abs": 0.0}]):
        for svg in both(groups_figure(groups, digits=3, title="t", subtitle="s")):
            assert all(float(e.get("width")) == 0.0 for e in svg.iter("rect") if e.get("class") == "model-fill")


def test_a_strip_has_truth_and_prediction_on_one_line():
    svg = ET.fromstring(strip_svg(0.25, 0.75, 0.0, 1.0))
    disc = float(next(svg.iter("circle")).get("cx"))
    diamond = float(next(svg.iter("polygon")).get("points").split(",")[0])
    assert (disc, diamond) == pytest.approx((8 + 0.75 * 144, 8 + 0.25 * 144))
    ET.fromstring(strip_svg(0.5, 0.5, 0.5, 0.5))


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-0.25, 1.0), (0.0, 1e-9), (-3e7, 12.0), (99.9, 100.1)])
def test_ticks_are_round_few_and_within(low, high):
    found = ticks(low, high)
    assert 2 <= len(found) <= 12
    assert low - 1e-9 * (high - low) <= found[0]
    assert found[-1] <= high + 1e-9 * (high - low)
    steps = np.diff(found)
    assert steps == pytest.approx(steps[0])


def test_intervals_are_written_as_everywhere(made):
    drawn = [text for *_, text in texts(both(scores_figure(summary_of(made), title="t", subtitle="s"))[0])]
    assert interval(0.31, 0.19, 0.42) in drawn

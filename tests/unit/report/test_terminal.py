"""What the terminal shows: every number whole, in a narrow window as in a wide one."""

import io
import re

import pytest
from rich.console import Console

from otoscope.report.terminal import matrix_table, print_profile, reasons, rows_table, sweep_table
from otoscope.report.tokens import interval, number

WIDTHS = [80, 100, 120, 140]
LONG = "untrained:logmel:bands=40,context=12#0"


def screen(width):
    return Console(width=width, file=io.StringIO(), highlight=False)


def shown(table, width):
    out = screen(width)
    out.print(table)
    return out.file.getvalue()


def printed(profile, width):
    out = screen(width)
    print_profile(out, profile)
    return out.file.getvalue()


def fits(text, width):
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text


@pytest.mark.parametrize("width", WIDTHS)
def test_every_interval_of_a_deep_profile_is_whole(make, width):
    profile = make.deep()
    text = printed(profile, width)
    fits(text, width)
    lines = text.splitlines()
    for point in profile.points:
        wanted = [
            interval(*(point.scores[metric][key] for key in ("value", "low", "high"))) for metric in ("r2",) * 2
        ]
        assert any(
            line.startswith(f"  {point.layer} {point.layer_name}"[:12]) and wanted[0] in line for line in lines
        )


@pytest.mark.parametrize("width", WIDTHS)
def test_the_widest_numbers_and_names_leave_every_interval_whole(make, width):
    models = {LONG: ([-123.4, 0.1], [-0.5, -0.61]), "hubert" * 12: ([-98.765, 0.2], [-0.5, -0.43])}
    profile = make.profile(models, low=-1234.5, high=-0.004, control=-0.44, baseline=-12.3)
    text = printed(profile, width)
    fits(text, width)
    for point in profile.points:
        for row in point.scores.values():
            assert interval(row["value"], row["low"], row["high"]) in text
    assert re.sub(r"\s", "", text).count("hubert") >= 12


def test_the_best_layer_is_the_coloured_one(make):
    out = Console(width=140, file=io.StringIO(), force_terminal=True, color_system="256", highlight=False)
    print_profile(out, make.profile({"logmel": [0.9], "ge2e": [0.1, 0.7, 0.3]}))
    teal = "\x1b[38;5;36m"
    coloured = [line for line in out.file.getvalue().splitlines() if teal in line]
    assert "2 block" not in coloured[0]
    assert "1 block 1" in coloured[0]
    assert "0.70 (0.67-0.74)" in coloured[0]
    assert all("holds most pitch" in line or "block" not in line for line in coloured[1:])


def test_a_wide_window_shows_what_both_scores_are_held_to_and_a_narrow_one_what_r_is(make):
    models = {"ge2e": ([0.41], [0.62]), "untrained:ge2e#0": ([0.03], [0.07])}
    profile = make.profile(models, baseline=0.29, control=-0.05)
    wide, narrow = printed(profile, 140), printed(profile, 80)
    assert [word in wide for word in ("control", "baseline", "untrained", "0.03", "0.07")] == [True] * 5
    row = next(line for line in narrow.splitlines() if "0.62" in line)
    assert row.split()[-3:] == ["-0.05", "0.29", "0.07"]
    assert "ctrl: control, base: best baseline, copy: untrained copy; all for r" in narrow


def test_an_empty_role_is_a_dash_with_its_reason(make):
    text = printed(make.profile({"ge2e": [None]}, role="lolo", reason="there is no other language"), 80)
    assert "Probe trained on other languages only" in text
    assert "\u2013  there is no other language" in text


def test_a_missing_interval_is_explained_once(make):
    reason = "en_us has 4 groups to resample; 8 are needed"
    for models in ({"ge2e": [0.2, 0.6]}, {"logmel": [0.2]}):
        assert printed(make.profile(models, low=None, high=None, reason=reason), 140).count(reason) == 1


@pytest.mark.parametrize("width", WIDTHS)
def test_every_number_of_a_table_of_rows_is_whole(make, width):
    rows = [
        make.row(LONG, 11, metric, value, test="cmn_hans_cn", low=-12.34, high=0.5, control=-0.77, baseline=0.88)
        for metric, value in (("within_r", -11.1), ("r2", 0.63), ("mae_cents", 1234.5))
    ]
    rows.append(make.row(LONG, 11, "gpe", None, reason="no frames at all"))
    text = shown(rows_table(rows, width=width), width)
    fits(text, width)
    for row in rows:
        assert interval(row["value"], row["low"], row["high"]) in text
        assert row["metric"] in text
    assert ("-0.77" in text) == ("0.88" in text) == (width >= 118)
    assert ("in a wider window" in text) == (width < 118)
    assert reasons(rows) == ["no frames at all"]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_matrix_of_many_languages_shows_every_number(make, width):
    codes = ["en_us", "es_419", "cmn_hans_cn", "yue_hant_hk", *(f"{a}{b}_xx" for a in "abc" for b in "mnopqrst")]
    value = {(a, b): (i - 3 * j) / 7 for i, a in enumerate(codes) for j, b in enumerate(codes)}
    rows = [make.row("ge2e", 2, "r2", v, train=f"lang:{a}", test=b) for (a, b), v in value.items()]
    text = shown(matrix_table(rows, title="ge2e layer 2: r2 of log2_f0", width=width), width)
    fits(text, width)
    assert text.splitlines()[0] == "ge2e layer 2: r2 of log2_f0"
    seen = {code: [] for code in codes}
    heads = []
    for line in text.splitlines()[1:]:
        first, *cells = line.split()
        if first == "trained":
            heads += cells[1:]
        else:
            seen[first] += cells
    assert heads == [code.split("_")[0] for code in codes]
    for a in codes:
        assert seen[a] == [number(value[a, b]) for b in codes]


def test_a_matrix_names_languages_in_full_where_short_names_are_the_same(make):
    codes = ["pt_br", "pt_pt", "de_de"]
    rows = [make.row("ge2e", 2, "r2", 0.5, train=f"lang:{a}", test=b) for a in codes for b in codes[:2] + codes[2:]]
    head = shown(matrix_table(rows, title="x"), 80).splitlines()[1]
    assert head.split() == ["trained", "on", "pt_br", "pt_pt", "de"]


def test_a_cell_that_a_matrix_does_not_have_is_a_dash(make):
    rows = [make.row("m", 0, "r2", 0.25, train="lang:aa", test=t) for t in ("aa", "bb")]
    rows.append(make.row("m", 0, "r2", None, train="lang:bb", test="aa"))
    assert shown(matrix_table(rows, title="x"), 80).splitlines()[3].split() == ["bb", "\u2013", "\u2013"]


REGIONS = ["western_european", "central_asia_middle_north_african", "sub_saharan_african", "mine", None]


def typed(n):
    """Name n languages and give them regions and tone types in turn."""
    codes = [f"{chr(97 + i // 26)}{chr(97 + i % 26)}_xx" for i in range(n)]
    regions = {code: REGIONS[i % 5] for i, code in enumerate(codes)}
    return codes, regions, {code: ("tonal", "none", "none")[i % 3] for i, code in enumerate(codes)}


def squared(make, codes, value=lambda a, b: 0.5, **changes):
    return [
        make.row("ge2e", 2, "r2", value(a, b), train=f"lang:{a}", test=b, **changes) for a in codes for b in codes
    ]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_matrix_of_a_few_languages_shows_intervals_where_they_fit(make, width):
    codes, regions, tones = typed(4)
    rows = squared(make, codes, lambda a, b: codes.index(a) - 0.25, low=-12.34, high=0.5)
    text = shown(matrix_table(rows, title="x", width=width, regions=regions, tone_types=tones), width)
    fits(text, width)
    assert all((interval(row["value"], -12.34, 0.5) in text) == (width >= 120) for row in rows)
    assert all(number(row["value"]) in text for row in rows)


@pytest.mark.parametrize("width", WIDTHS)
def test_languages_that_the_model_heard_are_marked_and_explained(make, width):
    codes, regions, _ = typed(3)
    rows = [{**row, "heard": row["test"] == codes[1]} for row in squared(make, codes)]
    lines = shown(matrix_table(rows, title="x", width=width, regions=regions), width).splitlines()
    assert lines[1].split() == ["trained", "on", "aa", "ab", "*", "ac"]
    assert lines[-1] == "* the model heard this language in its training"
    for heard in (None, False):
        unmarked = shown(matrix_table([{**row, "heard": heard} for row in rows], title="x", width=width), width)
        assert "*" not in unmarked
        assert "heard" not in unmarked


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("n", [40, 102])
def test_a_matrix_of_many_languages_with_a_typology_is_one_of_groups(make, width, n):
    codes, regions, tones = typed(n)

    def value(a, b):
        return (10.0 if a == b else 0.0) + REGIONS.index(regions[a]) + 0.1 * REGIONS.index(regions[b])

    rows = [{**row, "heard": row["test"] in codes[:2]} for row in squared(make, codes, value)]
    text = shown(matrix_table(rows, title="the title", width=width, regions=regions, tone_types=tones), width)
    fits(text, width)
    assert text.splitlines()[0] == "the title"
    assert len(text.splitlines()) < 60
    sizes = {name: sum(region == name for region in regions.values()) for name in REGIONS}
    flat = " ".join(text.split())
    for i, one in enumerate(REGIONS):
        assert re.search(rf"^{re.split('[_ ]', one or 'not coded')[0]}\b", text, flags=re.MULTILINE)
        assert f"({sizes[one]})" in flat
        assert f"{number(10 + 1.1 * i)} n {sizes[one]}" in flat
        for j, other in enumerate(REGIONS):
            n_pairs = sizes[one] * (sizes[other] - (one == other))
            assert f"{number(i + 0.1 * j)} n {n_pairs}" in flat
    assert "tone type" in flat
    assert "--matrix --test CODE" in flat
    assert flat.endswith("The model heard in its training: aa_xx, ab_xx")


def test_pairs_without_a_value_are_in_no_mean_of_groups(make):
    codes, regions, tones = typed(50)
    rows = squared(make, codes, lambda a, b: None if a != b and codes.index(b) % 5 else 1.0)
    text = shown(matrix_table(rows, title="x", regions=regions, tone_types=tones), 120)
    west = next(line for line in text.splitlines() if line.startswith("western"))
    assert west.split()[3:] == ["1.00", "n", "10", "1.00", "n", "90", *["\u2013"] * 4]


def test_one_tested_language_of_many_is_shown_with_its_intervals(make):
    codes, regions, tones = typed(102)
    rows = [row for row in squared(make, codes) if row["test"] == codes[7]]
    lines = shown(matrix_table(rows, title="x", width=80, regions=regions, tone_types=tones), 80).splitlines()
    assert len(lines) == 2 + 102
    assert all(line.split()[1:] == ["0.50", "(0.47-0.54)"] for line in lines[2:])


@pytest.mark.parametrize("width", WIDTHS)
def test_a_sweep_shows_every_shift_of_every_layer(width):
    shifts = [float(ms) for ms in range(-60, 70, 10)]
    rows = [
        {
            "model": model,
            "layer": layer,
            "layer_name": "lstm",
            "lag_ms": 12.5,
            "shift_ms": shift,
            "within_r": layer / 7 - abs(shift) / 66,
            "best_shift_ms": None if layer else 3.4,
        }
        for model in (LONG, "ge2e")
        for layer in range(3)
        for shift in shifts
    ]
    text = shown(sweep_table(rows, width=width), width)
    fits(text, width)
    lines = text.splitlines()
    heads = [cell for line in lines if line.startswith("layer") for cell in line.split()[2:-1]]
    assert heads == [f"{shift:g}" for shift in shifts]
    for layer in range(3):
        cells = [cell for line in lines if line.startswith(f"ge2e {layer} lstm") for cell in line.split()[4:]]
        best = ["3", "ms"] if layer == 0 else ["\u2013"]
        part = len(best)
        n_parts = sum(line.startswith("layer") for line in lines)
        scores = [cell for cell in cells if re.fullmatch(r"-?\d\.\d\d", cell)]
        assert scores == [number(layer / 7 - abs(shift) / 66) for shift in shifts]
        assert len(cells) == len(shifts) + part * n_parts
    assert "12.5" in text


def test_names_are_printed_as_they_are_whatever_brackets_they_hold(make):
    model, out = "[red]:smile:[/nothing]", screen(140)
    profile = make.profile({model: [0.1, 0.2]})
    print_profile(out, profile)
    rows = [make.row(model, 0, "r2", 0.2, train="lang:aa", test="aa")]
    out.print(rows_table(rows, width=140), matrix_table(rows, title=f"{model} layer 0", width=140))
    assert out.file.getvalue().count(model) == 4

"""Each rule leaves out whom it names, and nobody else."""

import numpy as np
import pytest

from otoscope.errors import SpecError
from otoscope.game.exclusions import PRESETS, RULES, Limits, exclude
from otoscope.game.responses import read_responses
from otoscope.game.synthetic import ListenerModel, plain_slots, simulate_responses

HEADER = "session,slot,track,role,presentation,lag,phase,crossed,answer,rt_ms,complete,headphones"


def sitting(name, answers, *, complete="true", headphones="true", rt_ms=1500.0, role="vigilance"):
    """Write a sitting of pairs next to each other: answers are (first, second)."""
    lines = []
    for place, pair in enumerate(answers):
        for time, answer in enumerate(pair):
            lag, rests = ("1", "0") if time else ("", "")
            rt = "" if answer == "timeout" else rt_ms
            slot = f"{name},{2 * place + time},t{place},{role},{time + 1},{lag},0,{rests}"
            lines.append(f"{slot},{answer},{rt},{complete},{headphones}")
    return lines


def table(tmp_path, *sittings):
    path = tmp_path / "table.csv"
    path.write_text("\n".join([HEADER, *(line for each in sittings for line in each)]) + "\n")
    return read_responses(path)


def pairs(hits, misses, *others):
    return [("new", "repeat")] * hits + [("new", "new")] * misses + list(others)


def found(report):
    return {rule.rule: rule.sessions for rule in report.rules}


def test_vigilance_counts_pairs_that_were_first_new_and_then_new_or_repeat(tmp_path):
    others = [("knew", "repeat"), ("repeat", "repeat"), ("new", "knew"), ("new", "timeout"), ("timeout", "repeat")]
    report = exclude(
        table(
            tmp_path,
            sitting("edge", pairs(13, 7, *others)),  # 0.65 exactly
            sitting("under", pairs(12, 8, *others)),
            sitting("silent", [("knew", "repeat")] * 4),  # none counts
        ),
        PRESETS["reference"],
    )
    assert found(report)["vigilance"] == ("silent", "under")
    values = report.rules[RULES.index("vigilance")].values
    assert values["edge"] == 13 / 20
    assert values["under"] == 12 / 20
    assert np.isnan(values["silent"])
    assert report.kept == ("edge",)


def test_without_vigilance_pairs_the_rule_judges_nobody(tmp_path):
    report = exclude(table(tmp_path, sitting("a", pairs(0, 5), role="target")), PRESETS["reference"])
    assert report.kept == ("a",)
    assert report.rules[RULES.index("vigilance")].n_judged == 0


def test_each_rule_finds_its_own_and_overlaps_are_counted(tmp_path):
    good = pairs(9, 1)
    data = table(
        tmp_path,
        sitting("fine", good),
        sitting("left", good, complete="false"),
        sitting("blind", pairs(1, 9)),
        sitting("eager", [*pairs(4, 0), *[("repeat", "repeat")] * 6]),
        sitting("hasty", good, rt_ms=120.0),
        sitting("away", [*pairs(6, 0), *[("timeout", "timeout")] * 4]),
        sitting("loud", good, headphones="false"),
        sitting("unknown", good, headphones=""),
        sitting("both", pairs(1, 9), rt_ms=50.0),
    )
    report = exclude(data, Limits(headphones=True))
    assert found(report) == {
        "incomplete": ("left",),
        "vigilance": ("blind", "both"),
        "false_alarms": ("eager",),
        "too_fast": ("both", "hasty"),
        "timeouts": ("away",),
        "headphones": ("loud",),
    }
    assert report.kept == ("fine", "unknown")
    assert report.overlaps == {("vigilance", "too_fast"): 1}
    assert report.reasons("both") == ("vigilance", "too_fast")
    assert report.reasons("fine") == ()
    assert sorted(report.kept + report.excluded) == list(data.sessions)
    assert report.rules[RULES.index("headphones")].n_judged == 8
    assert [rule.n for rule in report.rules] == [1, 2, 1, 2, 1, 1]
    assert "loud" in exclude(data).kept
    assert exclude(data, PRESETS["none"]).excluded == ()
    assert {rule.limit for rule in exclude(data, PRESETS["none"]).rules} == {"off"}


def test_false_alarms_leave_out_knew_timeouts_and_warm_up(tmp_path):
    firsts = [("repeat", "repeat"), ("new", "new"), ("knew", "new"), ("timeout", "new")]
    warm = sitting("a", firsts, role="target")
    data = table(tmp_path, warm)
    values = exclude(data).rules[RULES.index("false_alarms")].values
    assert values["a"] == 0.5
    data = table(tmp_path, sitting("a", firsts, role="warmup"))
    assert np.isnan(exclude(data).rules[RULES.index("false_alarms")].values["a"])


def test_careless_listeners_are_found_and_careful_ones_kept():
    slots = plain_slots(n_targets=40, n_vigilance=15, n_fillers=30)
    clips = np.full(85, 2.0)
    careful = simulate_responses(clips, n_listeners=40, slots=slots, model=ListenerModel(listener_sd=0.3))
    careless = simulate_responses(clips, n_listeners=40, slots=slots, model=ListenerModel(careless=1.0))
    assert len(exclude(careful).kept) >= 38
    assert exclude(careless).kept == ()


@pytest.mark.parametrize(
    "limits", [{"vigilance": 1.2}, {"timeouts": -0.1}, {"too_fast_ms": -1.0}, {"too_fast": np.nan}]
)
def test_limits_that_cannot_be_are_refused(limits):
    with pytest.raises(SpecError, match="exclusions: "):
        Limits(**limits)

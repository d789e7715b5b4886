"""A person plays: at a desk with keys, on a phone with a finger; the page is reloaded, the network goes and comes."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

CLIP_S, GAP_S, WINDOW_S = 0.4, 0.4, 0.3
TOL_RT_MS = 50  # between the page's audio clock and the test's own stopwatch
PHASE = 14
SIZES = {"desktop": (1280, 800), "phone": (360, 740)}
PLAN = ("new", "repeat", None, "knew", "new", "repeat", "new")

_KEPT = "return {...localStorage};"
_AS_IT_WAS = """
localStorage.clear();
for (const [key, value] of Object.entries(arguments[0])) localStorage.setItem(key, value);
"""


def wanted(slot: int) -> str | None:
    return PLAN[slot % len(PLAN)]


class Game:
    """Plays slots and keeps what was pressed, with a stopwatch of its own."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.pressed: dict[int, str] = {}
        self.rt_ms: dict[int, float] = {}
        self.last = -1

    def slots(self, n: int) -> None:
        for _ in range(n):
            row = self.page.next_slot(self.last)
            assert row["slot"] is not None, row
            self.last = row["slot"]
            answer = wanted(self.last)
            self.pressed[self.last] = answer or "timeout"
            if answer is None:
                continue
            time.sleep(0.1)
            self.page.answer(answer)
            if self.last % 3 == 0:  # a second press changes nothing
                self.page.answer("repeat" if answer == "new" else "new")
            self.measure()

    def measure(self) -> None:
        seen = self.page.run("return [__seen.starts, __seen.presses]")
        presses = [press for press in seen[1] if press["trusted"]]
        press = presses[-2] if self.last % 3 == 0 else presses[-1]
        onset_ms = max(start["at_ms"] for start in seen[0] if start["at_ms"] <= press["at_ms"])
        self.rt_ms[self.last] = press["at_ms"] - onset_ms


@pytest.mark.parametrize(("device", "lang"), [("desktop", "en"), ("phone", "zh-Hant")])
def test_what_was_pressed_is_what_is_stored(served, player, device, lang):
    page = player(SIZES[device], lang=lang)
    page.open("?PROLIFIC_PID=abc123&STUDY_ID=s1" if device == "desktop" else "")
    page.wait("welcome")
    assert page.run("return document.documentElement.lang") == lang
    assert page.run("return __seen.contexts.length") == 0, "sound begins only in a gesture"
    assert page.run("return new AudioContext().state") == "suspended", "the browser itself insists on a gesture"
    page.begin()
    sitting = served.last_sitting()
    session = sitting["session"]
    assert (sitting["lang"], sitting["headphones"]) == (lang, 1)
    platforms = served.rows("select * from platform_id where participant = ?", sitting["participant"])
    assert [row["platform_id"] for row in platforms] == (["abc123"] if device == "desktop" else [])

    game = Game(page)
    page.press("#begin")
    page.wait("play")
    game.slots(5)
    heard = page.run("return {starts: __seen.starts, loudness: __seen.loudness}")

    left = page.next_slot(game.last)["slot"]
    game.pressed[left] = "timeout"  # it sounded when the page was reloaded
    kept = page.run(_KEPT)
    if device == "phone":  # as where a phone ends a page without a word
        page.run("window.fetch = () => new Promise(() => {});")
    page.driver.refresh()
    page.wait("back")
    if device == "phone":
        page.run(_AS_IT_WAS, kept)
    page.press("#resume")
    page.wait("ready")
    page.press("#begin")
    page.wait("play")
    game.last = left
    game.slots(PHASE - 6)

    page.wait("rest")
    page.press("#go-on")
    page.wait("play")
    game.slots(2)
    page._until(lambda: len(served.answers(session)) == PHASE + 2 - (wanted(game.last) is None))
    before = len(served.answers(session))
    page.offline(True)
    game.slots(10)
    assert len(served.answers(session)) == before
    assert page.run("return document.getElementById('note').textContent").strip()
    page.offline(False)
    game.slots(2)
    page.wait("end")

    rows = served.answers(session)
    assert {slot: row["answer"] for slot, row in rows.items()} == game.pressed
    assert sorted(rows) == list(range(2 * PHASE))
    assert {slot for slot, row in rows.items() if row["rt_ms"] is None} == {
        slot for slot, answer in game.pressed.items() if answer == "timeout"
    }
    apart = {slot: rows[slot]["rt_ms"] - rt_ms for slot, rt_ms in game.rt_ms.items()}
    assert max(map(abs, apart.values())) < TOL_RT_MS, apart
    assert max(row["late_ms"] for row in rows.values()) < 50
    check_onsets(rows, left)
    check_sound(heard)
    check_end(page, served, game.pressed)
    assert page.complaints() == []


def check_onsets(rows: dict[int, Any], left: int) -> None:
    """Onsets follow one another at the planned distance, but for the reload."""
    for phase in (range(PHASE), range(PHASE, 2 * PHASE)):
        onsets = np.array([rows[slot]["onset_s"] for slot in phase])
        steps = np.diff(onsets)
        planned = np.isclose(steps, CLIP_S + GAP_S, atol=0.05)
        assert onsets[0] == 0
        assert [phase[0] + n for n in np.flatnonzero(~planned)] == ([left] if left in phase else [])


def check_sound(heard: dict[str, Any]) -> None:
    """The output is loud while a clip plays and silent between, and the audio clock keeps time."""
    at_ms, rms, clock_s = np.array(heard["loudness"]).T
    plays = [start for start in heard["starts"] if start["length_s"] == pytest.approx(CLIP_S, abs=0.01)]
    for start in plays[-5:-1]:
        since_s = (at_ms - start["at_ms"]) / 1000
        sounding = rms[(since_s > 0.05) & (since_s < 0.3)]
        silent = rms[(since_s > CLIP_S + 0.15) & (since_s < CLIP_S + GAP_S - 0.05)]
        assert sounding.size
        assert silent.size
        assert sounding.max() > 0.005
        assert silent.max() < 1e-4
    assert np.ptp(clock_s) == pytest.approx(np.ptp(at_ms) / 1000, rel=0.02)


def check_end(page: Any, served: Any, pressed: dict[int, str]) -> None:
    """The player's own result is what a count by hand gives."""
    sitting = served.last_sitting()
    plan = served.study.plan(sitting["seat"])
    targets = [slot for slot in plan if slot.role == "target" and slot.presentation == 2]
    hits = sum(pressed[slot.slot] == "repeat" for slot in targets)
    shown = page.run(
        "return [...document.querySelectorAll('.bar strong')]"
        ".map((one) => one.textContent.match(/\\d+/g).map(Number))"
    )
    assert shown[0] == [hits, len(targets)]
    firsts = [slot for slot in plan if slot.presentation == 1 and slot.role != "warmup"]
    alarms = sum(pressed[slot.slot] == "repeat" for slot in firsts)
    assert shown[1] == [alarms, len(firsts)]
    assert page.run("return document.getElementById('code').textContent") == sitting["code"]
    assert sitting["stage"] == "done"


def test_a_decline_keeps_nothing_and_markup_stays_text(served, player):
    before = len(served.rows("select * from sitting"))
    page = player(SIZES["desktop"])
    page.open()
    page.wait("welcome")
    page.press("#go")
    page.wait("consent")
    assert page.run("return document.getElementById('evil')") is None
    assert "<b id='evil'>markup</b><img src=x" in page.text
    assert page.run("return document.querySelector('.prose strong').textContent") == "strong"
    page.press("#decline")
    page.wait("goodbye")
    assert len(served.rows("select * from sitting")) == before
    assert page.run("return Object.keys(localStorage)") == []


def test_a_pause_plays_no_clip_twice_and_withdrawing_erases(served, player):
    page = player(SIZES["phone"])
    page.open()
    page.begin(headphones="none")
    session = served.last_sitting()["session"]
    assert served.last_sitting()["headphones"] == 0
    game = Game(page)
    page.press("#begin")
    page.wait("play")
    game.slots(2)
    broken = page.next_slot(game.last)["slot"]
    page.press("#menu")
    page.press("#menu-close")
    page.wait("paused")
    page.press("#resume")
    page.wait("play")
    game.last = broken
    game.slots(1)
    assert game.last == broken + 1
    page._until(lambda: broken in served.answers(session))
    assert served.answers(session)[broken]["answer"] == "timeout"
    page.press("#menu")
    page.press("#withdraw")
    page.press("#withdraw-now")
    page.wait("goodbye")
    assert served.answers(session) == {}
    assert served.rows("select * from question_answer where session = ?", session) == []
    page.open()
    page.wait("welcome")


def test_leaving_asks_only_while_the_music_plays(player):
    page = player(SIZES["desktop"])
    page.open()
    page.wait("welcome")
    refused = (
        "const event = new Event('beforeunload', {cancelable: true});"
        "window.dispatchEvent(event); return event.defaultPrevented;"
    )
    page.begin(headphones="none")
    assert page.run(refused) is False
    page.press("#begin")
    page.wait("play")
    page.next_slot(None)
    assert page.run(refused) is True


def test_the_admin_page_shows_progress_and_forgets_the_address_of_its_token(served, player):
    page = player(SIZES["desktop"])
    page.driver.get(f"{served.url}/admin")
    page.wait("token")
    page.driver.get("about:blank")
    page.driver.get(f"{served.url}/admin#token=wrong")
    page._until(lambda: bool(page.run("return document.getElementById('problem')?.textContent")))
    page.driver.get("about:blank")
    page.driver.get(f"{served.url}/admin#token={served.study.admin_token()}")
    page.wait("progress")
    assert page.run("return location.href") == f"{served.url}/admin"
    page._until(lambda: bool(page.run("return document.querySelector('.counts dd')")))
    done = len(served.rows("select * from sitting where stage = 'done'"))
    assert page.run("return document.querySelector('.counts dd').firstChild.textContent") == str(done)

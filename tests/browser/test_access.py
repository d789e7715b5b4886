"""Everyone can play: an audit of every screen, the keyboard alone, less motion, both colour schemes."""

from __future__ import annotations

import json
import time

import pytest

SIZES = {"desktop": (1280, 800), "phone": (360, 740)}
SCREENS = {
    "welcome", "consent", "goodbye", "questions", "volume", "headphones-asked", "headphones", "practice-introduced",
    "practice", "practice-said", "ready", "play", "paused", "rest", "end",
}  # fmt: skip

_AUDIT = """
const done = arguments[0];
axe.run({ resultTypes: ["violations"] }).then((found) => done(found.violations
  .filter((one) => ["serious", "critical"].includes(one.impact))
  .map((one) => [one.id, one.nodes.map((node) => node.target.join(" "))])));
"""
_SHAPE = """
return {
  wide: document.documentElement.scrollWidth > innerWidth,
  headings: document.querySelectorAll("h1").length,
  title: document.title,
  lang: document.documentElement.lang,
  small: [...document.querySelectorAll("button, a, input:not([type=radio]), .choice, summary")]
    .filter((one) => one.checkVisibility() && Math.min(one.offsetHeight, one.offsetWidth) < 24)
    .map((one) => one.outerHTML),
};
"""


@pytest.mark.parametrize(
    ("device", "lang", "dark"),
    [("phone", "en", False), ("phone", "zh-Hant", True), ("desktop", "zh-Hant", False), ("desktop", "en", True)],
)
def test_no_screen_has_a_serious_finding(player, axe, device, lang, dark):
    page = player(SIZES[device], lang=lang, dark=dark)
    found, seen, titles = [], set(), set()

    def audit(name):
        if name in seen:
            return
        seen.add(name)
        time.sleep(0.2)  # colours change for up to 160 ms
        page.run(axe)
        found.extend([(name, *one) for one in page.driver.execute_async_script(_AUDIT)])
        shape = page.run(_SHAPE)
        titles.add(shape.pop("title"))
        assert shape == {"wide": False, "headings": 1, "lang": lang, "small": []}, (name, shape)

    page.on_screen = audit
    page.open()
    page.wait("welcome")
    page.press("#go")
    page.wait("consent")
    page.press("#decline")
    page.wait("goodbye")
    page.open()
    page.begin()
    page.press("#begin")
    page.wait("play")
    page.press("#menu")
    page.run(axe)
    found.extend([("menu", *one) for one in page.driver.execute_async_script(_AUDIT)])
    page.press("#menu-close")
    page.wait("paused")
    page.press("#resume")
    page.wait("rest")
    page.press("#go-on")
    page.wait("end")
    assert found == [], json.dumps(found, indent=1)
    assert seen >= SCREENS
    assert len(titles) >= len(SCREENS) - 3  # questions, tones and verdicts of one kind may share theirs


def test_the_keyboard_alone_is_enough_until_the_music(player):
    page = player(SIZES["desktop"])
    page.open()
    page.wait("welcome")
    for name, tabs in (("welcome", 1), ("consent", 1)):
        page.wait(name)
        assert page.run("return document.activeElement.tagName") == "H1"
        for _ in range(tabs):
            page.key("Tab")
        width = page.run("return parseFloat(getComputedStyle(document.activeElement).outlineWidth)")
        style = page.run("return getComputedStyle(document.activeElement).outlineStyle")
        assert (style, width >= 2) == ("solid", True), name
        page.key("Enter")
    page.wait("questions")
    assert page.run("return document.activeElement.textContent") == page.run(
        "return document.querySelector('h1').textContent"
    )


def test_nothing_moves_where_less_motion_is_asked_for(player):
    page = player(SIZES["desktop"])
    moving = "return getComputedStyle(document.querySelector('.circle'), '::before').animationName"
    page.open()
    page.wait("welcome")
    assert page.run(moving) == "breathe"
    less = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": less})
    assert page.run(moving) == "none"

"""The page's files agree with each other, with the look, and with the policy that they are served under."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import otoscope.game
from otoscope.game.settings import LANGUAGES
from otoscope.report import tokens

WEB = Path(otoscope.game.__file__).parent / "web"
SCRIPTS = sorted(WEB.glob("js/*.js"))
STYLES = sorted(WEB.glob("css/*.css"))
PAGES = sorted(WEB.glob("*.html"))
STRINGS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in WEB.glob("strings/*.json")}
STAGES = ("questions", "volume", "headphones", "practice", "play", "rest", "done", "withdrawn")


def places(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


def test_every_language_says_the_same_things():
    assert set(STRINGS) == set(LANGUAGES)
    english = STRINGS["en"]
    for lang, strings in STRINGS.items():
        assert list(strings) == list(english), lang
        for key, text in strings.items():
            assert text.strip(), (lang, key)
            assert places(text) == places(english[key]), (lang, key)


def test_every_string_is_asked_for_and_every_string_asked_for_is_there():
    source = "\n".join(path.read_text(encoding="utf-8") for path in SCRIPTS)
    named = set(re.findall(r'"((?:[a-z]+\.)?[a-z_]+)"', source))
    made = set()
    for start in re.findall(r"`([a-z]+\.)\$\{", source):
        made |= {key for key in STRINGS["en"] if key.startswith(start)}
    asked = set(re.findall(r'\bt\("([^"]+)"', source)) | set(
        re.findall(r'\? "([a-z]+\.[a-z_]+)" : "[a-z]+\.', source)
    )
    assert asked <= set(STRINGS["en"])
    assert set(STRINGS["en"]) <= named | made
    assert {f"stage.{stage}" for stage in STAGES} <= set(STRINGS["en"])


@pytest.mark.parametrize("lang", LANGUAGES)
def test_nothing_is_exclaimed(lang):
    assert not [key for key, text in STRINGS[lang].items() if re.search("[!\uff01]", text)]


def test_the_colours_are_those_of_the_reports():
    style = (WEB / "css" / "look.css").read_text(encoding="utf-8")
    light, dark = style.split("prefers-color-scheme: dark", 1)
    for part, look in ((light, tokens.LIGHT), (dark, tokens.DARK)):
        said = dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6});", part))
        assert said == {name: colour.lower() for name, colour in look.items()}


def test_no_style_has_a_colour_of_its_own():
    for path in STYLES:
        text = path.read_text(encoding="utf-8")
        if path.name != "look.css":
            assert set(re.findall(r"#[0-9A-Fa-f]{3,8}\b", text)) <= {"#000"}, path.name


def test_styles_know_no_left_and_right():
    sided = re.compile(
        r"(?<!area-)\b(margin|padding|border|inset)-(left|right|top|bottom)\b|^\s*(left|right|top|bottom|width|height):",
        re.M,
    )
    for path in STYLES:
        assert not sided.findall(path.read_text(encoding="utf-8")), path.name


def test_scripts_make_text_never_markup():
    unsafe = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setTimeout\(\s*[\"'`]"
    )
    for path in SCRIPTS:
        assert not unsafe.search(path.read_text(encoding="utf-8")), path.name
        assert "http://" not in path.read_text(encoding="utf-8"), path.name
        assert "https://" not in path.read_text(encoding="utf-8"), path.name


def test_pages_hold_no_script_and_no_style_and_name_only_files_that_are_there():
    assert [page.name for page in PAGES] == ["admin.html", "index.html"]
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text)
        for name in re.findall(r'(?:href|src)="([^"]+)"', text):
            assert name.startswith("static/")
            assert (WEB / name.removeprefix("static/")).is_file(), name


def test_modules_import_only_each_other():
    for path in SCRIPTS:
        for name in re.findall(r'\bfrom "([^"]+)"', path.read_text(encoding="utf-8")):
            assert (path.parent / name).is_file(), (path.name, name)

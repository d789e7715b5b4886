"""A real browser that plays the game as a person would: real keys, real touches, its own clock of what sounds."""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import shutil
import sqlite3
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from otoscope.game.study import Study

CHROMIUM = Path("/usr/bin/chromium")
CHROMEDRIVER = Path("/usr/bin/chromedriver")
AXE = "axe-core@4.14.1"
CLIP_S, GAP_S, WINDOW_S = 0.4, 0.4, 0.3
DESKTOP = (1280, 800)
PHONE = (360, 740)
_ASKED = {"en": "en-GB,en", "zh-Hant": "zh-TW,zh,en"}

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)

# Runs before the page's own scripts, put there by the debugger, so that the page needs no door for tests and keeps
# its policy. It notes when sources are heard to begin, when keys and fingers go down, and how loud the output is.
_TAP = """
(() => {
  const seen = { starts: [], presses: [], loudness: [], contexts: [] };
  Object.defineProperty(window, "__seen", { value: seen });
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (to, ...rest) {
    if (to instanceof AudioDestinationNode) {
      const tap = to.context.createAnalyser();
      tap.fftSize = 1024;
      connect.call(this, tap);
      seen.contexts.push(to.context);
      const values = new Float32Array(tap.fftSize);
      setInterval(() => {
        tap.getFloatTimeDomainData(values);
        const rms = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
        seen.loudness.push([performance.now(), rms, to.context.currentTime]);
      }, 20);
    }
    return connect.call(this, to, ...rest);
  };
  const start = AudioBufferSourceNode.prototype.start;
  AudioBufferSourceNode.prototype.start = function (when = 0, ...rest) {
    const now = this.context.currentTime;
    seen.starts.push({
      at_ms: performance.now() + 1000 * (Math.max(0, when - now) + this.context.outputLatency),
      time: Math.max(when, now),
      length_s: this.buffer.duration,
    });
    return start.call(this, when, ...rest);
  };
  for (const kind of ["keydown", "pointerdown"]) {
    addEventListener(kind, (event) => {
      seen.presses.push({ kind, key: event.key ?? null, at_ms: event.timeStamp, trusted: event.isTrusted });
    }, true);
  }
})();
"""

_NEXT_SLOT = """
const [last, limit_s, done] = arguments;
const begin = performance.now();
const look = () => {
  const board = document.querySelector(".play");
  const key = Object.keys(localStorage).find((name) => name.startsWith("otoscope.begun."));
  const row = key ? JSON.parse(localStorage.getItem(key)) : null;
  const screen = document.documentElement.dataset.screen;
  if (board?.dataset.state === "open" && row && row.slot !== last) return done({ ...row, screen });
  if (!["play", "practice"].includes(screen)) return done({ slot: null, screen });
  if (performance.now() - begin > 1000 * limit_s) return done({ slot: null, screen: "timeout" });
  setTimeout(look, 5);
};
look();
"""


def open_browser(folder: Path, *, size: tuple[int, int], lang: str = "en", dark: bool = False) -> Any:
    """Start a browser with an empty profile.

    Parameters
    ----------
    folder : Path
        For the profile.
    size : tuple of int, CSS pixels
        Width and height; below 600 it is a phone with touch.
    lang : str
        What the browser asks for.
    dark : bool
        Whether the system asks for dark colours.

    Returns
    -------
    WebDriver
        To be quit by the caller.
    """
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (
        *_FLAGS,
        f"--user-data-dir={folder}",
        f"--window-size={size[0]},{size[1]}",
        f"--accept-lang={_ASKED[lang]}",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=Service(str(CHROMEDRIVER)))
    driver.set_script_timeout(60)
    phone = size[0] < 600
    metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 2 if phone else 1, "mobile": phone}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    if phone:
        driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 1})
    colours = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": colours})
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _TAP})
    return driver


class Page:
    """The game in a browser, and the hands of its player.

    Parameters
    ----------
    driver : WebDriver
        From :func:`open_browser`.
    url : str
        Of the server.
    touch : bool
        Whether the player touches; otherwise they click and type.
    """

    def __init__(self, driver: Any, url: str, *, touch: bool = False) -> None:
        self.driver = driver
        self.url = url
        self.touch = touch
        self.on_screen: Callable[[str], None] = lambda name: None

    def open(self, query: str = "") -> None:
        """Go to the page."""
        self.driver.get(f"{self.url}/{query}")

    def run(self, script: str, *values: object) -> Any:
        """Give what a script returns."""
        return self.driver.execute_script(script, *values)

    @property
    def screen(self) -> str:
        """Name of the screen that shows."""
        return self.run("return document.documentElement.dataset.screen ?? ''")

    def wait(self, *names: str, limit_s: float = 30) -> str:
        """Wait for one of some screens; give which."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            name = self.screen
            if name in names:
                self.on_screen(name)
                return name
            time.sleep(0.03)
        raise AssertionError(f"waited {limit_s:g} s for {' or '.join(names)}; there is {self.screen!r}: {self.text}")

    @property
    def text(self) -> str:
        """All that can be read."""
        return self.run("return document.body.innerText")

    def press(self, selector: str, *, whenever: bool = False) -> None:
        """Press something, with a finger or the mouse, once it is there and, unless `whenever`, can be pressed."""
        end = time.monotonic() + 20
        while True:
            box = self.run(
                "const found = [...document.querySelectorAll(arguments[0])].at(-1);"
                "if (!found || (!arguments[1] && found.getAttribute('aria-disabled') === 'true')) return null;"
                "found.scrollIntoView({block: 'center'});"
                "const box = found.getBoundingClientRect();"
                "return [box.x + box.width / 2, box.y + box.height / 2];",
                selector,
                whenever,
            )
            if box:
                break
            assert time.monotonic() < end, f"{selector} is not there on {self.screen!r}: {self.text}"
            time.sleep(0.03)
        self.press_at(*box)

    def press_at(self, x: float, y: float) -> None:
        """Press a place of the window."""
        cdp = self.driver.execute_cdp_cmd
        if self.touch:
            cdp("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
            cdp("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        else:
            where = {"x": x, "y": y, "button": "left", "clickCount": 1}
            cdp("Input.dispatchMouseEvent", {"type": "mousePressed", **where})
            cdp("Input.dispatchMouseEvent", {"type": "mouseReleased", **where})

    def key(self, key: str) -> None:
        """Type a key."""
        virtual = {
            "ArrowLeft": 37,
            "ArrowUp": 38,
            "ArrowRight": 39,
            "ArrowDown": 40,
            "Enter": 13,
            "Tab": 9,
            "Escape": 27,
        }
        what: dict[str, Any] = {"key": key, "code": key if len(key) > 1 else f"Key{key.upper()}"}
        what["windowsVirtualKeyCode"] = virtual.get(key, ord(key.upper()[0]))
        text = {"Enter": {"text": "\r"}}.get(key, {"text": key} if len(key) == 1 else {})
        self.driver.execute_cdp_cmd("Input.dispatchKeyEvent", {"type": "keyDown", **what, **text})
        self.driver.execute_cdp_cmd("Input.dispatchKeyEvent", {"type": "keyUp", **what})

    def answer(self, answer: str) -> None:
        """Answer a slot, by key or by touch."""
        if self.touch:
            self.press(f".answer[data-answer={answer}]", whenever=True)
        else:
            self.key({"new": "ArrowLeft", "repeat": "j", "knew": "ArrowDown"}[answer])

    def next_slot(self, last: int | None, limit_s: float = 10) -> dict[str, Any]:
        """Wait until another slot takes answers; `slot` is None where the board has gone."""
        return self.driver.execute_async_script(_NEXT_SLOT, last, limit_s)

    def offline(self, on: bool) -> None:
        """Take the network away, or give it back."""
        conditions = {"offline": on, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self.driver.execute_cdp_cmd("Network.enable", {})
        self.driver.execute_cdp_cmd("Network.emulateNetworkConditions", conditions)

    def token(self) -> str:
        """Give the token that the page holds."""
        return self.run("return JSON.parse(localStorage.getItem('otoscope.token'))")

    def begin(self, *, headphones: str = "pass") -> None:
        """Go from the first screen to the one before the music.

        Parameters
        ----------
        headphones : {"pass", "none"}
            Whether the check is passed, or the player has none.
        """
        self.wait("welcome")
        self.press("#go")
        self.wait("consent")
        self.press("#agree")
        self.wait("questions")
        while self.screen == "questions":
            before = self.run("return document.querySelector('h1').textContent")
            self.press(".choice:first-child")
            self.press("#next")
            self._until(lambda before=before: self.run("return document.querySelector('h1').textContent") != before)
        self.wait("volume")
        self.press("#tune")
        self.press("#good")
        self.wait("headphones-asked")
        if headphones == "none":
            self.press("#headphones-none")
        else:
            self.headphones()
        self.wait("practice-introduced")
        self.press("#practise")
        self.practice()
        self.wait("ready")

    def headphones(self) -> None:
        """Pass the headphone check."""
        self.press("#headphones-on")
        self.wait("headphones")
        trials = self.driver.execute_async_script(
            "const [token, done] = arguments;"
            "fetch('api/session/headphones', {headers: {Authorization: `Bearer ${token}`}})"
            ".then((answer) => answer.json()).then((found) => done(found.trials));",
            self.token(),
        )
        for n, trial in enumerate(trials):
            self._until(lambda n=n: self.run("return document.querySelector('.screen')?.dataset.trial") == str(n))
            self.press(f".three [data-interval='{trial['quiet']}']")

    def practice(self) -> None:
        """Play the practice: answer every tune with "new"."""
        while self.wait("practice", "ready", "load") == "practice":
            self._until(lambda: self.run("return document.querySelector('.play')?.dataset.state") == "open")
            self.answer("new")
            self.wait("practice-said")
            self.press("#next")
            self._until(lambda: self.screen != "practice-said")

    def _until(self, true: Callable[[], bool], limit_s: float = 20) -> None:
        end = time.monotonic() + limit_s
        while not true():
            assert time.monotonic() < end, f"nothing changed on {self.screen!r}: {self.text}"
            time.sleep(0.02)

    def picture(self, path: Path) -> None:
        """Keep what the window shows."""
        data = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})["data"]
        path.write_bytes(base64.b64decode(data))

    def complaints(self) -> list[str]:
        """Give what the browser's console said since it was last asked, refused requests and lost ones apart."""
        found = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
        return [line for line in found if "ERR_INTERNET_DISCONNECTED" not in line and "status of 4" not in line]


@dataclass(frozen=True, slots=True)
class Served:
    """A study behind a real server.

    Parameters
    ----------
    url : str
        Where.
    study : Study
        What.
    """

    url: str
    study: Study

    def rows(self, query: str, *values: object) -> list[Any]:
        """Ask the database, past all of the game's own code."""
        with contextlib.closing(sqlite3.connect(self.study.folder / "game.db")) as connection:
            connection.row_factory = sqlite3.Row
            return connection.execute(query, values).fetchall()

    def last_sitting(self) -> Any:
        """Give the row of the sitting that began last."""
        return self.rows("select * from sitting order by rowid desc limit 1")[0]

    def answers(self, session: str) -> dict[int, Any]:
        """Give the rows of a sitting by slot."""
        return {row["slot"]: row for row in self.rows("select * from response where session = ?", session)}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "browser: drives a real Chromium; skipped where there is none")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    absent = [str(path) for path in (CHROMIUM, CHROMEDRIVER) if not path.exists()]
    absent += [] if importlib.util.find_spec("selenium") else ["selenium"]
    for item in items:
        if here in item.path.parents:
            item.add_marker("browser")
            if absent:
                item.add_marker(pytest.mark.skip(reason=f"no {', '.join(absent)}"))


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A study of short clips; its server's waits are a fifth of what is asked."""
    import soundfile
    import uvicorn

    from otoscope.game.app import create_app
    from otoscope.game.settings import StudySettings
    from otoscope.game.study import Study, new_study

    root = tmp_path_factory.mktemp("game")
    clips = root / "clips"
    clips.mkdir()
    times = np.arange(round(CLIP_S * 44_100)) / 44_100
    for n in range(40):
        sound = 0.3 * np.sin(2 * np.pi * (200 + 20 * n) * times) * np.exp(-2 * times)
        soundfile.write(clips / f"{n:02d}.wav", sound, 44_100)
    settings = StudySettings.model_validate(
        {
            "contact": "lab@example.org",
            "timing": {"clip_s": CLIP_S, "gap_s": GAP_S, "window_s": WINDOW_S, "rest_s": 2},
            "seats": 8,
            "sound": {"format": "wav"},
            "headphones": {"trials": 2, "pass_at": 2},
            "second_sitting": {"on": True},
            "schedule": {
                "n_slots": 28,
                "n_phases": 2,
                "lag_bins": [{"low": 2, "high": 4}],
                "n_targets": 4,
                "n_vigilance": 2,
                "vigilance_lag": [2, 3],
                "n_warmup": 1,
            },
        }
    )
    new_study(root / "study", clips, settings)
    with (root / "study" / "texts" / "consent.en.md").open("a", encoding="utf-8") as file:
        file.write("\nA **strong** word and <b id='evil'>markup</b><img src=x onerror='document.title=1'>.\n")
    study = Study.open(root / "study")
    config = uvicorn.Config(create_app(study, speed=5), host="127.0.0.1", port=0, log_level="warning", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="server")
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Served(f"http://127.0.0.1:{port}", study)
    server.should_exit = True
    thread.join()


@pytest.fixture
def player(served: Served, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Give a function that opens a browser; all are closed at the end."""
    with contextlib.ExitStack() as stack:

        def open_page(size: tuple[int, int], *, lang: str = "en", dark: bool = False) -> Page:
            driver = open_browser(tmp_path / "profile", size=size, lang=lang, dark=dark)
            stack.callback(driver.quit)
            return Page(driver, served.url, touch=size == PHONE)

        yield open_page


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, from npm; it is no part of this tree."""
    folder = tmp_path_factory.mktemp("axe")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm to fetch axe-core with")
    done = subprocess.run([npm, "pack", AXE, "--silent"], cwd=folder, capture_output=True, timeout=120, check=False)
    found = list(folder.glob("axe-core-*.tgz"))
    if done.returncode or not found:
        pytest.skip("axe-core cannot be fetched")
    with tarfile.open(found[0]) as archive:
        member = archive.extractfile("package/axe.min.js")
        assert member is not None
        return member.read().decode()

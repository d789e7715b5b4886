"""The server as a process: killed without warning, what it acknowledged is there."""

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import urllib.request

import numpy as np
import pytest
import soundfile

from otoscope.errors import SpecError
from otoscope.game import serve
from otoscope.game.serve import run_server
from otoscope.game.settings import StudySettings
from otoscope.game.study import Study, new_study

SETTINGS = {
    "languages": ["en"],
    "seats": 13,
    "questions": [],
    "practice": False,
    "headphones": {"on": False},
    "schedule": {
        "n_slots": 16,
        "n_phases": 2,
        "lag_bins": [{"low": 2, "high": 4}],
        "n_vigilance": 1,
        "vigilance_lag": [2, 3],
    },
    "timing": {"gap_s": 0.5, "window_s": 0.4, "rest_s": 1.0},
    "sound": {"format": "wav"},
}
SERVE = """
import sys
from otoscope.game.serve import run_server
from otoscope.game.study import Study
folder, port, speed = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
run_server(Study.open(folder), port=port, speed=speed, ready=lambda at: print(at.play, flush=True))
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    (folder / "clips").mkdir()
    t = np.arange(22_050) / 44_100
    for i in range(13):
        soundfile.write(folder / "clips" / f"{i}.wav", 0.3 * np.sin(2 * np.pi * (220 + 40 * i) * t), 44_100)
    new_study(folder / "study", folder / "clips", StudySettings.model_validate(SETTINGS))
    return folder / "study"


@pytest.fixture
def folder(made, tmp_path):
    import shutil

    shutil.copytree(made, tmp_path / "study")
    return tmp_path / "study"


class Server:
    """A server in a process of its own."""

    def __init__(self, folder, *, speed=40.0):
        self.folder, self.speed, self.port = folder, speed, 0
        self.log = (folder.parent / "log.txt").open("ab")
        self.start()

    def start(self):
        command = [sys.executable, "-c", SERVE, str(self.folder), str(self.port), str(self.speed)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        assert self.process.stdout is not None
        url = self.process.stdout.readline().strip()
        assert url, (self.folder.parent / "log.txt").read_text()
        self.port = int(url.rstrip("/").rsplit(":", 1)[1])

    def kill(self, number=signal.SIGKILL):
        os.kill(self.process.pid, number)
        self.process.wait(30)
        self.process.stdout.close()

    def close(self):
        if self.process.poll() is None:
            self.kill()
        self.log.close()


@pytest.fixture
def server(folder):
    found = Server(folder)
    yield found
    found.close()


class Page:
    """What a page does: it sends until it is acknowledged, over connections that may break."""

    def __init__(self, server):
        self.server, self.token, self.acknowledged = server, None, {}
        self.reader = self.writer = None

    async def once(self, method, path, body=None):
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        data = b"" if body is None else json.dumps(body).encode()
        token = f"Authorization: Bearer {self.token}\r\n" if self.token else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\n{token}Content-Type: application/json\r\n"
        self.writer.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        said = await self.reader.readuntil(b"\r\n\r\n")
        length = int(said.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        return int(said[9:12]), json.loads(await self.reader.readexactly(length))

    async def ask(self, method, path, body=None):
        while True:
            try:
                status, answer = await self.once(method, path, body)
            except (OSError, asyncio.IncompleteReadError):
                if self.writer is not None:
                    self.writer.close()
                self.reader = self.writer = None
                await asyncio.sleep(0.05)
                continue
            if status in (425, 429, 503):
                await asyncio.sleep(max(0.005, answer["retry_after_s"]))
                continue
            assert status in (200, 201), (path, status, answer)
            return answer

    async def play(self, version, rng):
        begun = await self.ask("POST", "/api/sessions", {"consent_version": version, "lang": "en"})
        self.session, self.token = begun["session"], begun["token"]
        await self.ask("POST", "/api/session/volume", {"level": 0.5})
        for phase in begun["phases"]:
            await self.ask("POST", f"/api/session/phases/{phase['index']}/start")
            slots = [entry["slot"] for entry in phase["slots"]]
            rng.shuffle(slots)
            for slot in slots:
                body = {
                    "answer": rng.choice(["new", "repeat"]),
                    "rt_ms": rng.uniform(1, 900),
                    "onset_s": 1.0,
                    "late_ms": 0.0,
                }
                assert await self.ask("PUT", f"/api/session/responses/{slot}", body) == {"slot": slot, "stored": True}
                self.acknowledged[slot] = (body["answer"], body["rt_ms"])
                if rng.random() < 0.3:
                    await self.ask("PUT", f"/api/session/responses/{slot}", body)
        self.result = await self.ask("POST", "/api/session/finish")
        self.writer.close()
        await self.writer.wait_closed()


def consent_version(folder):
    return Study.open(folder).consent("en")[0]


def stored(folder):
    store = Study.open(folder).store()
    with store.session() as session:
        rows = session.connection().exec_driver_sql("select session, slot, answer, rt_ms from response").all()
    store.close()
    return [tuple(row) for row in rows]


def test_a_killed_server_loses_no_acknowledged_response_and_doubles_none(server, folder):
    version, rng = consent_version(folder), random.Random(3)
    pages = [Page(server) for _ in range(12)]

    async def run():
        players = [asyncio.create_task(page.play(version, rng)) for page in pages]
        for goal in (40, 110):
            while sum(len(page.acknowledged) for page in pages) < goal and not any(task.done() for task in players):
                await asyncio.sleep(0.002)
            await asyncio.to_thread(server.kill)
            known = {(page.session, slot, *said) for page in pages for slot, said in page.acknowledged.items()}
            assert known <= set(stored(folder))
            await asyncio.to_thread(server.start)
        await asyncio.gather(*players)

    asyncio.run(asyncio.wait_for(run(), 60))
    found = stored(folder)
    assert len(found) == len(set(found)) == 12 * 16
    assert set(found) == {(page.session, slot, *said) for page in pages for slot, said in page.acknowledged.items()}


def test_no_file_of_a_study_and_no_log_holds_an_address(server, folder):
    page = Page(server)
    asyncio.run(page.play(consent_version(folder), random.Random(1)))
    server.kill(signal.SIGTERM)
    assert server.process.returncode is not None
    everything = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    log = (folder.parent / "log.txt").read_bytes()
    for found in (everything, log):
        assert b"127.0.0.1" not in found
    assert page.token.encode() not in everything + log
    assert log == b""


def test_a_study_is_served_by_one_process(server, folder):
    with pytest.raises(SpecError, match="is working here"):
        run_server(Study.open(folder), port=0)


@pytest.mark.parametrize(("soft", "hard", "set_to"), [(256, -1, 8192), (1024, 4096, 4096), (20_000, 20_000, None)])
def test_a_server_may_hold_six_connections_of_every_listener(monkeypatch, soft, hard, set_to):
    resource = pytest.importorskip("resource")
    found = []
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (soft, resource.RLIM_INFINITY if hard < 0 else hard))
    monkeypatch.setattr(resource, "setrlimit", lambda kind, limits: found.append(limits[0]))
    serve._open_more_files()
    assert found == ([] if set_to is None else [set_to])


def test_a_port_that_is_taken_is_named(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SpecError, match=f"127.0.0.1:{port}: cannot listen there"):
            run_server(Study.open(folder), port=port)


@pytest.mark.parametrize("url", ["game.example.org", "ftp://x", "https://x/path"])
def test_a_public_address_that_is_none_is_refused(folder, url):
    with pytest.raises(SpecError, match="public_url"):
        run_server(Study.open(folder), port=0, public_url=url)


def test_erasing_while_the_server_runs_ends_the_sitting(server, folder):
    from otoscope.game.erase import erase_participant

    page = Page(server)

    async def begin_and_answer():
        begun = await page.ask("POST", "/api/sessions", {"consent_version": consent_version(folder), "lang": "en"})
        page.token = begun["token"]
        await page.ask("POST", "/api/session/volume", {"level": 0.5})
        await page.ask("POST", "/api/session/phases/0/start")
        body = {"answer": "new", "rt_ms": 1.0, "onset_s": 0.0, "late_ms": 0.0}
        await page.ask("PUT", "/api/session/responses/0", body)
        store = Study.open(folder).store()
        (erased,) = erase_participant(store, begun["session"])
        store.close()
        first = await page.once("PUT", "/api/session/responses/1", body)
        then = await page.once("PUT", "/api/session/responses/1", body)
        page.writer.close()
        await page.writer.wait_closed()
        return erased, first, then

    erased, first, then = asyncio.run(begin_and_answer())
    assert erased.removed["responses"] == 1
    assert (first[0], then[0], then[1]["error"]) == (503, 401, "no_session")
    assert stored(folder) == []


@pytest.mark.slow
def test_a_response_is_acknowledged_within_a_tenth_of_a_second(server, folder):
    version, rng = consent_version(folder), random.Random(5)
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/healthz") as answer:
        assert json.load(answer) == {"ok": True}
    waited = []

    async def run():
        async def one(page):
            await asyncio.sleep(rng.uniform(0, 4))
            begun = await page.ask("POST", "/api/sessions", {"consent_version": version, "lang": "en"})
            page.token = begun["token"]
            await page.ask("POST", "/api/session/volume", {"level": 0.5})
            await page.ask("POST", "/api/session/phases/0/start")
            for entry in begun["phases"][0]["slots"]:
                await asyncio.sleep(rng.uniform(0.5, 1.5))  # a slot lasts a second: eight times as fast as people
                body = {"answer": "new", "rt_ms": 1.0, "onset_s": 0.0, "late_ms": 0.0}
                before = asyncio.get_running_loop().time()
                await page.ask("PUT", f"/api/session/responses/{entry['slot']}", body)
                waited.append(asyncio.get_running_loop().time() - before)
            page.writer.close()
            await page.writer.wait_closed()

        await asyncio.gather(*(one(Page(server)) for _ in range(60)))

    asyncio.run(run())
    assert np.percentile(waited, 95) < 0.1

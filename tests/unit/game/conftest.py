"""A small study that every test may play."""

import shutil

import numpy as np
import pytest
import soundfile

from otoscope.game.settings import StudySettings
from otoscope.game.storage import Store
from otoscope.game.study import Study, new_study

RATE = 44_100
SMALL = {
    "languages": ["en", "zh-Hant"],
    "seats": 13,
    "schedule": {
        "n_slots": 16,
        "n_phases": 2,
        "lag_bins": [{"low": 2, "high": 4}],
        "n_vigilance": 1,
        "vigilance_lag": [2, 3],
        "n_warmup": 1,
    },
    "timing": {"gap_s": 0.5, "window_s": 0.4, "rest_s": 10.0},
    "sound": {"format": "wav"},
}


def write_clips(folder, n=13, *, duration_s=0.5):
    folder.mkdir(parents=True, exist_ok=True)
    t = np.arange(round(duration_s * RATE)) / RATE
    for i in range(n):
        soundfile.write(folder / f"tone{i:02}.wav", 0.3 * np.sin(2 * np.pi * (220 + 40 * i) * t), RATE)
    return folder


class FakeClock:
    """Time that a test moves."""

    def __init__(self, now=1_800_000_000.0):
        self.time = now

    def now(self):
        return self.time


@pytest.fixture(scope="session")
def _small_study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("game")
    new_study(folder / "study", write_clips(folder / "clips"), StudySettings.model_validate(SMALL))
    return folder / "study"


@pytest.fixture
def study(_small_study, tmp_path):
    shutil.copytree(_small_study, tmp_path / "study")
    return Study.open(tmp_path / "study")


@pytest.fixture
def store(study):
    found = study.store()
    yield found
    found.close()


@pytest.fixture
def clips_folder(tmp_path):
    return write_clips(tmp_path / "clips")


@pytest.fixture
def small_settings():
    return StudySettings.model_validate(SMALL)


@pytest.fixture
def fake_clock():
    return FakeClock()


class Player:
    """A player who does what a page does."""

    def __init__(self, client, clock, *, lang="en", platform=None, return_code=None, begin=True):
        self.client, self.clock = client, clock
        self.about = client.get("/api/study", params={"lang": lang}).json()
        self.headers = {}
        if begin:
            body = {"consent_version": self.about["consent"]["version"], "lang": lang}
            if platform is not None:
                body["platform"] = platform
            if return_code is not None:
                body["return_code"] = return_code
            self.began = client.post("/api/sessions", json=body)
            self.state = self.began.json()
            if self.began.status_code == 201:
                self.headers = {"Authorization": f"Bearer {self.state['token']}"}

    def get(self, path=""):
        return self.client.get(f"/api/session{path}", headers=self.headers)

    def post(self, path, body=None):
        return self.client.post(f"/api/session/{path}", json=body, headers=self.headers)

    def put(self, slot, **changed):
        body = {"answer": "new", "rt_ms": 500.0 + 1 / 3, "onset_s": 1.0, "late_ms": 0.25, **changed}
        return self.client.put(f"/api/session/responses/{slot}", json=body, headers=self.headers)

    def prepare(self, answers=None):
        self.post("questions", {"answers": answers or {}})
        self.post("volume", {"level": 0.5})
        trials = self.get("/headphones").json()["trials"]
        self.post("headphones", {"answers": [trial["quiet"] for trial in trials]})
        return self.post("practice", {"correct": 4, "total": 6}).json()

    def play(self, answer=lambda slot: "new"):
        for phase in self.get().json()["phases"]:
            assert self.post(f"phases/{phase['index']}/start").status_code == 200
            for entry in phase["slots"]:
                said = answer(entry)
                rt = {"rt_ms": None} if said == "timeout" else {}
                self.clock.time += 1.0
                assert self.put(entry["slot"], answer=said, **rt).status_code == 200
            self.clock.time += 20.0

    def finish(self):
        return self.post("finish").json()


@pytest.fixture
def make_client(study, fake_clock):
    from fastapi.testclient import TestClient

    from otoscope.game.app import create_app

    opened = []

    def make(found=None, **options):
        options.setdefault("store", None)
        app = create_app(found or study, **options)
        app.state.course.clock = fake_clock
        client = TestClient(app, raise_server_exceptions=False)
        opened.append(client)
        client.__enter__()
        return client

    yield make
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def client(make_client):
    return make_client()


@pytest.fixture
def make_player(client, fake_clock):
    return lambda **options: Player(options.pop("client", client), fake_clock, **options)


@pytest.fixture
def memory_store():
    found = Store("sqlite://")
    yield found
    found.close()

"""What an attacker would try, through the whole application; none of it works, and none of it breaks the server."""

import base64
import json
import re
import secrets
from urllib.parse import quote

import httpx2
import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otoscope.game.settings import StudySettings
from otoscope.game.study import Study, new_study

SETTINGS = {
    "seats": 13,
    "questions": [
        {"id": "free", "kind": "text", "text": {"en": "?", "zh-Hant": "?"}, "max_length": 60},
        {"id": "years", "kind": "number", "text": {"en": "?", "zh-Hant": "?"}, "least": 0, "most": 99},
    ],
    "schedule": {
        "n_slots": 16,
        "n_phases": 2,
        "lag_bins": [{"low": 2, "high": 4}],
        "n_vigilance": 1,
        "vigilance_lag": [2, 3],
    },
    "timing": {"gap_s": 0.5, "window_s": 0.4, "rest_s": 1.0},
    "sound": {"format": "wav"},
    "second_sitting": {"on": True},
}
INJECTIONS = (
    "' OR '1'='1",
    "'; DROP TABLE response; --",
    '" UNION SELECT token_hash FROM sitting --',
    "<script>alert(1)</script>",
    "{{7*7}}${7*7}",
    "../../../../etc/passwd",
    "%00",
    "a\u0000b",
    "\u202e\u0301",
    "\U0001d54f" * 30,
)
TRAVERSALS = (
    "../game.db",
    "..%2fgame.db",
    "..%2Fadmin-token",
    "%2e%2e/%2e%2e/admin-token",
    "....//admin-token",
    "..\\admin-token",
    "%5c..%5cadmin-token",
    "/etc/passwd",
    "//etc/passwd",
    "%00",
    "..%c0%af..%c0%afadmin-token",
    "js/../../study.py",
    "__init__.py",
    "../app.py",
)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("attacked")
    (folder / "clips").mkdir()
    t = np.arange(22_050) / 44_100
    for i in range(13):
        soundfile.write(folder / "clips" / f"{i}.wav", 0.3 * np.sin(2 * np.pi * (220 + 40 * i) * t), 44_100)
    new_study(folder / "study", folder / "clips", StudySettings.model_validate(SETTINGS))
    return Study.open(folder / "study")


@pytest.fixture(scope="module")
def client(study):
    from fastapi.testclient import TestClient

    from otoscope.game.app import create_app

    with TestClient(create_app(study, speed=1e6), raise_server_exceptions=False) as found:
        yield found


def begin(client, **more):
    version = client.get("/api/study").json()["consent"]["version"]
    answer = client.post("/api/sessions", json={"consent_version": version, "lang": "en", **more})
    return answer, {"Authorization": f"Bearer {answer.json().get('token')}"}


def ready(client):
    answer, headers = begin(client)
    client.post("/api/session/questions", json={"answers": {}}, headers=headers)
    client.post("/api/session/volume", json={"level": 1}, headers=headers)
    client.post("/api/session/headphones", json={"answers": None}, headers=headers)
    client.post("/api/session/practice", json={"correct": 1, "total": 1}, headers=headers)
    assert client.post("/api/session/phases/0/start", headers=headers).status_code == 200
    return answer.json(), headers


BODY = {"answer": "new", "rt_ms": 1.0, "onset_s": 0.0, "late_ms": 0.0}


def rows(client, statement):
    with client.app.state.store.session() as session:
        return session.connection().exec_driver_sql(statement).all()


@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_path_leads_out_of_what_is_served(client, study, path):
    secret = study.admin_token()
    for prefix in ("/clips/", "/static/", "/"):
        answer = client.get(prefix + path)
        assert answer.status_code in (404, 405)
        assert secret not in answer.text
        assert "root:" not in answer.text
        assert "SQLite" not in answer.text


@pytest.mark.parametrize("text", INJECTIONS)
def test_no_text_is_taken_for_a_statement_or_for_markup(client, text):
    before = len(rows(client, "select session from sitting"))
    tries = [
        begin(client, platform={"name": "prolific", "id": text})[0],
        begin(client, platform={"name": text, "id": "a"})[0],
        begin(client, return_code=text)[0],
        begin(client, consent_version=text)[0],
        begin(client, lang=text)[0],
        client.get("/api/study", params={"lang": text}),
        client.get("/api/session", headers={"Authorization": b"Bearer " + text.encode()}),
        client.get("/api/admin/status", headers={"Authorization": b"Bearer " + text.encode()}),
    ]
    _, headers = ready(client)
    for path in (f"responses/{quote(text, safe='')}", f"phases/{quote(text, safe='')}/start"):
        tries.append(client.put(f"/api/session/{path}", json=BODY, headers=headers))
    tries.append(client.put("/api/session/responses/0", json={**BODY, "answer": text}, headers=headers))
    for answer in tries:
        assert 400 <= answer.status_code < 500
        assert answer.status_code != 400
        assert answer.headers["content-type"] == "application/json"
        assert set(answer.json()) >= {"error", "message"}
    assert len(rows(client, "select session from sitting")) == before + 1


@pytest.mark.parametrize("text", INJECTIONS[:6])
def test_a_typed_answer_is_kept_as_it_was_typed(client, text):
    answer, headers = begin(client)
    assert client.post("/api/session/questions", json={"answers": {"free": text}}, headers=headers).status_code == 200
    name = answer.json()["session"]
    with client.app.state.store.session() as session:
        found = session.connection().exec_driver_sql(
            "select value from question_answer where question = 'free' and session = ?", (name,)
        )
        assert found.scalar() == text


@pytest.mark.parametrize(
    "answers",
    [
        {"nosuch": "x"},
        {"free": "x" * 61},
        {"free": 5},
        {"years": -1},
        {"years": 100},
        {"years": "5"},
        {"years": True},
        {"free": ["a"]},
        {f"q{k}": "x" for k in range(200)},
    ],
)
def test_answers_that_no_question_allows_are_refused_and_none_is_kept(client, answers):
    answer, headers = begin(client)
    refused = client.post("/api/session/questions", json={"answers": answers}, headers=headers)
    assert (refused.status_code, refused.json()["error"]) == (422, "invalid")
    assert client.get("/api/session", headers=headers).json()["stage"] == "questions"
    name = answer.json()["session"]
    assert not [row for row in rows(client, "select session from question_answer") if row[0] == name]


def forged(token):
    raw = bytearray(base64.urlsafe_b64decode(token + "="))
    raw[0] ^= 1
    return base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("=")


def test_forged_and_foreign_tokens_open_nothing(client, study):
    state, _ = ready(client)
    token = state["token"]
    for wrong in (
        forged(token),
        token[:-1],
        token + "A",
        token.swapcase(),
        state["session"],
        secrets.token_urlsafe(32),
        study.admin_token(),
        "",
        "null",
    ):
        for method, path in (
            ("GET", "/api/session"),
            ("PUT", "/api/session/responses/0"),
            ("POST", "/api/session/finish"),
            ("POST", "/api/session/withdraw"),
            ("GET", "/api/session/headphones"),
        ):
            body = BODY if method == "PUT" else None
            answer = client.request(method, path, json=body, headers={"Authorization": f"Bearer {wrong}"})
            assert (answer.status_code, answer.json()["error"]) == (401, "no_session")
    assert client.get("/api/admin/status", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_what_is_stored_of_a_token_does_not_open_its_sitting(client):
    state, _ = ready(client)
    (hashed,) = [
        row[0] for row in rows(client, f"select token_hash from sitting where session = '{state['session']}'")
    ]
    assert state["token"] not in hashed
    assert client.get("/api/session", headers={"Authorization": f"Bearer {hashed}"}).status_code == 401


def test_a_token_answers_for_its_own_sitting_only(client):
    one, one_headers = ready(client)
    other, other_headers = ready(client)
    assert client.put("/api/session/responses/0", json=BODY, headers=one_headers).status_code == 200
    assert client.get("/api/session", headers=other_headers).json()["answered"] == []
    changed = {**BODY, "answer": "repeat"}
    assert client.put("/api/session/responses/0", json=changed, headers=other_headers).status_code == 200
    found = dict(tuple(row) for row in rows(client, "select session, answer from response"))
    assert (found[one["session"]], found[other["session"]]) == ("new", "repeat")
    smuggled = {**changed, "session": one["session"]}
    assert client.put("/api/session/responses/1", json=smuggled, headers=other_headers).status_code == 422


def test_a_replayed_request_changes_nothing_and_a_changed_answer_is_refused(client):
    state, headers = ready(client)
    for _ in range(3):
        assert client.put("/api/session/responses/0", json=BODY, headers=headers).status_code == 200
    changed = client.put("/api/session/responses/0", json={**BODY, "answer": "repeat"}, headers=headers)
    assert (changed.status_code, changed.json()["error"]) == (409, "conflict")
    assert [r[0] for r in rows(client, f"select answer from response where session = '{state['session']}'")] == [
        "new"
    ]


def test_the_token_of_a_withdrawn_sitting_writes_nothing(client):
    state, headers = ready(client)
    client.put("/api/session/responses/0", json=BODY, headers=headers)
    assert client.post("/api/session/withdraw", headers=headers).status_code == 200
    for method, path in (("PUT", "responses/0"), ("POST", "phases/0/start"), ("POST", "finish"), ("POST", "volume")):
        body = {"PUT": BODY}.get(method, {"level": 1} if path == "volume" else None)
        answer = client.request(method, f"/api/session/{path}", json=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (409, "withdrawn")
    assert not rows(client, f"select slot from response where session = '{state['session']}'")


@pytest.mark.parametrize(
    "slot", ["-1", "16", "99999999999999999999", "1e3", "0x0", "0.5", "null", "\u0661", "1%20", "%2b0"]
)
def test_slots_that_there_are_not_store_nothing(client, slot):
    state, headers = ready(client)
    answer = client.put(f"/api/session/responses/{slot}", json=BODY, headers=headers)
    found = [r[0] for r in rows(client, f"select slot from response where session = '{state['session']}'")]
    assert answer.status_code in (404, 422) or (answer.status_code == 200 and found == [int(answer.json()["slot"])])
    assert set(found) <= set(range(16))


def test_a_slot_in_the_future_is_too_early(study):
    from fastapi.testclient import TestClient

    from otoscope.game.app import create_app

    with TestClient(create_app(study)) as client:
        _, headers = ready(client)
        answer = client.put("/api/session/responses/7", json=BODY, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (425, "too_early")


def test_bodies_that_are_too_large_are_refused_unread(client):
    _, headers = begin(client)
    answer = client.post("/api/session/questions", content=b" " * 16_385, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")

    def pieces():
        for _ in range(100):
            yield b"x" * 1000

    assert client.post("/api/session/questions", content=pieces(), headers=headers).status_code == 413


def test_another_site_can_write_nothing(client):
    _, headers = ready(client)
    for origin in ("https://evil.example", "null", "http://testserver.evil.example"):
        for method, path in (("PUT", "responses/0"), ("POST", "withdraw"), ("POST", "finish")):
            answer = client.request(method, f"/api/session/{path}", json=BODY, headers={**headers, "Origin": origin})
            assert (answer.status_code, answer.json()["error"]) == (403, "cross_origin")
    assert client.get("/api/session", headers=headers).json()["stage"] == "play"
    same = client.put("/api/session/responses/0", json=BODY, headers={**headers, "Origin": "http://testserver"})
    assert same.status_code == 200
    allowed = client.options("/api/session", headers={"Origin": "https://evil.example"})
    assert not any(name.startswith("access-control") for name in allowed.headers)


def test_a_flood_from_one_sitting_is_slowed(study):
    from fastapi.testclient import TestClient

    from otoscope.game.app import create_app
    from otoscope.game.limits import Rate, Rates

    with TestClient(create_app(study, rates=Rates(session=Rate(1, 5)))) as client:
        _, headers = begin(client)
        answers = [client.get("/api/session", headers=headers).status_code for _ in range(10)]
        assert answers == [200] * 5 + [429] * 5
        other = begin(client)[1]
        assert client.get("/api/session", headers=other).status_code == 200


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from(["new", "repeat", "timeout", *INJECTIONS]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FIELDS = {
    "/api/sessions": ("consent_version", "lang", "platform", "return_code"),
    "/api/session/questions": ("answers",),
    "/api/session/volume": ("level",),
    "/api/session/headphones": ("answers",),
    "/api/session/practice": ("correct", "total"),
    "/api/session/responses/{slot}": ("answer", "rt_ms", "onset_s", "late_ms"),
}


def operations(client):
    described = client.get("/api/openapi.json").json()
    for path, methods in described["paths"].items():
        for method in methods:
            yield method.upper(), path


def bombard(client, headers, method, path, data):
    slots = st.integers() | st.text(max_size=6)
    where = re.sub(r"\{\w+\}", lambda _: str(data.draw(slots)), path)
    body = data.draw(JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS.get(path, ("x",)), JSON)))
    raw = json.dumps(body).encode("utf-8", "surrogatepass")
    kind = data.draw(st.sampled_from(["application/json", "text/plain", "application/x-www-form-urlencoded", "é"]))
    sent = {**headers, "Content-Type": kind.encode()}
    try:
        answer = client.request(method, where, content=raw, headers=sent)
    except httpx2.InvalidURL:  # not even the client takes such a path
        return
    assert answer.status_code < 500, (method, where, body, answer.text)
    if answer.status_code >= 400 and answer.status_code not in (404, 405, 307):
        assert set(answer.json()) >= {"error", "message"}


def fuzz(data, which):
    client, headers = which
    method, path = data.draw(st.sampled_from([op for op in operations(client) if "withdraw" not in op[1]]))
    bombard(client, headers, method, path, data)


@pytest.fixture(scope="module")
def fuzzed(client):
    return client, ready(client)[1]


QUICK = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


@QUICK
@given(data=st.data())
def test_no_request_that_the_description_allows_or_not_breaks_the_server(fuzzed, data):
    fuzz(data, fuzzed)


@pytest.mark.slow
@settings(max_examples=3000, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_many_requests_do_not_break_the_server(fuzzed, data):
    fuzz(data, fuzzed)


@pytest.mark.slow
def test_another_fuzzer_finds_no_server_error(client, study):
    schemathesis = pytest.importorskip("schemathesis")
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", client.app)
    _, headers = ready(client)
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def attack(case):
            answer = case.call(headers=headers)
            assert answer.status_code < 500, (case, answer.text)

        attack()

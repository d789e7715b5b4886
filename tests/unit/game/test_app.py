"""The requests of players: order, time, idempotence, results."""

import json
import re

import pytest

from otoscope.game.bodies import Finished, State, StudyAbout

SLOT_S = 1.0


@pytest.fixture
def player(make_player):
    return make_player()


@pytest.fixture
def playing(player):
    player.prepare()
    assert player.post("phases/0/start").status_code == 200
    return player


def code_of(answer):
    return answer.status_code, answer.json().get("error")


def test_a_sitting_goes_through_its_stages_in_order(player):
    stages = [player.state["stage"]]
    stages.append(player.post("questions", {"answers": {"age": "18-24"}}).json()["stage"])
    stages.append(player.post("volume", {"level": 0.3}).json()["stage"])
    trials = player.get("/headphones").json()["trials"]
    done = player.post("headphones", {"answers": [trial["quiet"] for trial in trials]}).json()
    stages.append(done["stage"])
    stages.append(player.post("practice", {"correct": 3, "total": 6}).json()["stage"])
    assert stages == ["questions", "volume", "headphones", "practice", "play"]
    assert done["headphones"] == {"passed": True, "correct": 6, "trials": 6, "attempts_left": 0}


def test_a_stage_that_is_not_reached_is_refused_and_one_that_has_passed_changes_nothing(player, study):
    assert code_of(player.post("practice", {"correct": 0, "total": 0})) == (409, "wrong_stage")
    assert code_of(player.post("phases/0/start")) == (409, "wrong_stage")
    player.post("questions", {"answers": {"age": "18-24"}})
    again = player.post("questions", {"answers": {"age": "65+"}})
    assert (again.status_code, again.json()["stage"]) == (200, "volume")
    with player.client.app.state.store.session() as session:
        found = session.connection().exec_driver_sql("select value from question_answer where question = 'age'")
        assert found.scalars().all() == ["18-24"]


def test_what_the_page_gets_tells_no_roles(playing):
    text = json.dumps([playing.state, playing.get().json()])
    for word in ("target", "vigilance", "filler", "warmup", "lag", "presentation", "role", "track", "tone0"):
        assert word not in text


def test_answers_keep_to_their_models(player):
    StudyAbout.model_validate(player.about)
    State.model_validate(player.state)
    player.prepare()
    player.play()
    State.model_validate(player.get().json())
    Finished.model_validate(player.finish())


def test_a_response_is_taken_from_its_slots_time_on_whatever_the_order(playing, fake_clock):
    slots = [entry["slot"] for entry in playing.state["phases"][0]["slots"]]
    early = playing.put(slots[3])
    assert code_of(early) == (425, "too_early")
    assert early.json()["retry_after_s"] == pytest.approx(3 * SLOT_S)
    assert early.headers["retry-after"] == "3"
    fake_clock.time += 3 * SLOT_S - 0.001
    assert code_of(playing.put(slots[3])) == (425, "too_early")
    fake_clock.time += 0.001
    for slot in (slots[3], slots[1], slots[2], slots[0]):
        assert playing.put(slot).json() == {"slot": slot, "stored": True}
    assert playing.get().json()["answered"] == sorted(slots[:4])


def test_the_same_response_is_acknowledged_again_and_another_is_refused(playing):
    assert playing.put(0).status_code == 200
    assert playing.put(0).status_code == 200
    for changed in ({"answer": "repeat"}, {"rt_ms": 500.0}, {"onset_s": 1.5}, {"late_ms": 0.5}):
        assert code_of(playing.put(0, **changed)) == (409, "conflict")
    with playing.client.app.state.store.session() as session:
        rows = session.connection().exec_driver_sql("select slot, answer, rt_ms from response").all()
    assert [tuple(row) for row in rows] == [(0, "new", 500.0 + 1 / 3)]


def test_unknown_slots_and_phases_are_not_there(playing):
    for slot in (-1, 16, 10**30):
        assert code_of(playing.put(slot)) == (404, "unknown_slot")
    for phase in (-1, 2, 10**30):
        assert code_of(playing.post(f"phases/{phase}/start")) == (404, "unknown_phase")
    assert code_of(playing.put("one")) == (422, "invalid")


@pytest.mark.parametrize(
    "changed",
    [
        {"answer": "maybe"},
        {"rt_ms": None},
        {"answer": "timeout"},
        {"rt_ms": -1},
        {"rt_ms": "5"},
        {"rt_ms": True},
        {"rt_ms": 1e9},
        {"onset_s": -0.1},
        {"onset_s": None},
        {"late_ms": 1e300},
        {"more": 1},
    ],
)
def test_a_body_that_cannot_be_is_refused_and_nothing_is_stored(playing, changed):
    assert code_of(playing.put(0, **changed)) == (422, "invalid")
    assert playing.get().json()["answered"] == []


@pytest.mark.parametrize(
    "raw", ["", "null", "[]", '{"answer": NaN}', "[" * 8000, '"\\ud800"', "\x00", "{" + "1" * 9000]
)
def test_a_body_that_is_no_json_of_ours_is_refused(playing, raw):
    headers = {**playing.headers, "content-type": "application/json"}
    answer = playing.client.put("/api/session/responses/0", content=raw, headers=headers)
    assert code_of(answer) == (422, "invalid")


def test_a_phase_starts_once_and_not_before_the_one_before_and_its_rest(playing, fake_clock):
    assert playing.post("phases/0/start").json()["started_s_ago"] == 0
    fake_clock.time += 7.5
    assert playing.post("phases/0/start").json() == {"phase": 0, "started": True, "started_s_ago": 7.5}
    early = playing.post("phases/1/start")
    assert code_of(early) == (425, "too_early")
    assert early.json()["retry_after_s"] == pytest.approx(8 * SLOT_S + 10 - 7.5)
    second = playing.state["phases"][1]["slots"][0]["slot"]
    assert code_of(playing.put(second)) == (409, "phase_not_started")
    fake_clock.time += 10.5
    assert playing.post("phases/1/start").status_code == 200
    assert playing.put(second).status_code == 200


def test_after_a_phase_comes_a_rest_and_then_the_next(playing, fake_clock):
    for entry in playing.state["phases"][0]["slots"]:
        fake_clock.time += SLOT_S
        assert playing.put(entry["slot"]).status_code == 200
    state = playing.get().json()
    assert (state["stage"], state["phase"], state["rest_left_s"]) == ("rest", 1, pytest.approx(10.0))
    fake_clock.time += 10
    state = playing.get().json()
    assert (state["stage"], state["phase"], state["rest_left_s"]) == ("play", 1, 0)


def test_a_faster_server_divides_its_waits(make_client, make_player, fake_clock):
    player = make_player(client=make_client(speed=10.0))
    player.prepare()
    player.post("phases/0/start")
    fake_clock.time += 0.3 + 1e-6
    assert player.put(3).status_code == 200
    assert code_of(player.put(4)) == (425, "too_early")


def test_the_end_needs_every_slot_and_tells_the_players_own_result(player, study):
    player.prepare()
    missing = player.post("finish")
    assert code_of(missing) == (409, "missing")
    assert missing.json()["missing"] == list(range(16))
    seat = 0
    plan = study.plan(seat)
    player.play(lambda entry: "repeat" if plan[entry["slot"]].presentation == 2 else "new")
    result = player.finish()
    targets = [slot for slot in plan if slot.role == "target" and slot.presentation == 2]
    firsts = [slot for slot in plan if slot.presentation == 1 and slot.role != "warmup"]
    assert (result["hits"], result["targets"]) == (len(targets), len(targets))
    assert (result["false_alarms"], result["firsts"]) == (0, len(firsts))
    assert re.fullmatch(r"[A-Z2-9]{10}", result["code"])
    assert result["redirect"] is None
    assert player.finish() == result
    assert player.get().json()["stage"] == "done"


def test_false_alarms_are_counted_among_first_presentations(player, study):
    player.prepare()
    player.play(lambda entry: "repeat")
    result = player.finish()
    assert result["false_alarms"] == result["firsts"] > 0


def test_the_plan_that_is_served_is_the_one_that_is_scored(player, study):
    plan = study.plan(0)
    served = {entry["slot"]: entry["clip"] for phase in player.state["phases"] for entry in phase["slots"]}
    assert served == {slot.slot: slot.clip.clip_id for slot in plan}


def test_players_get_seats_in_turn_and_a_withdrawn_seat_is_given_again(make_player, client):
    players = [make_player() for _ in range(3)]
    assert players[1].post("withdraw").json()["withdrawn"]
    make_player()
    with client.app.state.store.session() as session:
        rows = session.connection().exec_driver_sql("select seat from sitting order by rowid").scalars().all()
    assert rows == [0, 1, 2, 1]


def test_a_seat_is_given_again_after_a_silence(make_player, client, fake_clock):
    make_player()
    fake_clock.time += 3601
    make_player()
    with client.app.state.store.session() as session:
        assert session.connection().exec_driver_sql("select seat from sitting").scalars().all() == [0, 0]


def test_headphones_can_be_tried_again_and_are_never_a_bar(player):
    player.post("questions", {"answers": {}})
    player.post("volume", {"level": 1})
    first = player.get("/headphones").json()
    assert player.get("/headphones").json() == first
    wrong = [(trial["quiet"] + 1) % 3 for trial in first["trials"]]
    judged = player.post("headphones", {"answers": wrong}).json()
    assert (judged["stage"], judged["headphones"]["attempts_left"]) == ("headphones", 1)
    assert player.get("/headphones").json()["trials"] != first["trials"]
    judged = player.post("headphones", {"answers": [None] * 6}).json()
    assert (judged["stage"], judged["headphones"]["passed"]) == ("practice", False)


def test_a_player_may_say_that_there_are_no_headphones(player):
    player.post("questions", {"answers": {}})
    player.post("volume", {"level": 1})
    assert code_of(player.post("headphones", {"answers": [0]})) == (422, "invalid")
    assert player.post("headphones", {"answers": None}).json()["stage"] == "practice"


def test_in_every_trial_the_soft_interval_is_not_the_one_in_antiphase(player):
    player.post("questions", {"answers": {}})
    player.post("volume", {"level": 1})
    for trial in player.get("/headphones").json()["trials"]:
        assert trial["quiet"] != trial["antiphase"]
        assert {trial["quiet"], trial["antiphase"]} <= {0, 1, 2}


def test_withdrawing_erases_answers_and_ends_the_sitting(playing):
    playing.put(0)
    removed = playing.post("withdraw").json()["removed"]
    assert removed == {"responses": 1, "questions": 3, "events": 2}
    assert playing.get().json()["stage"] == "withdrawn"
    assert code_of(playing.put(0)) == (409, "withdrawn")
    with playing.client.app.state.store.session() as session:
        for table in ("response", "question_answer", "event", "phase_start", "platform_id"):
            assert session.connection().exec_driver_sql(f"select count(*) from {table}").scalar() == 0


def test_a_changed_consent_has_to_be_read_again(player, study, make_player):
    path = study.folder / "texts" / "consent.en.md"
    path.write_text(path.read_text() + "\nMore.\n")
    body = {"consent_version": player.about["consent"]["version"], "lang": "en"}
    assert code_of(player.client.post("/api/sessions", json=body)) == (409, "consent_changed")
    assert make_player().began.status_code == 201


def test_a_consent_edited_while_the_server_runs_is_kept_too(study, make_player):
    path = study.folder / "texts" / "consent.en.md"
    path.write_text(path.read_text(encoding="utf-8") + "\nOne more thing.\n", encoding="utf-8")
    version, text = study.consent("en")
    make_player()
    path.write_text("# Another\n", encoding="utf-8")
    assert (path.parent / "versions" / f"consent.en.{version}.md").read_text(encoding="utf-8") == text


def test_platform_ids_stand_apart_and_fill_the_redirect(make_client, make_player, study):
    completion = {"code": "CX1", "redirects": {"prolific": "https://app.example.com/done?cc={code}&who={id}"}}
    study.settings = study.settings.model_validate({**study.settings.model_dump(), "completion": completion})
    client = make_client()
    platform = {"name": "prolific", "id": "5f00aa", "study_id": "st-1", "session_id": "se-1"}
    player = make_player(client=client, platform=platform)
    player.prepare()
    player.play()
    result = player.finish()
    assert (result["code"], result["redirect"]) == ("CX1", "https://app.example.com/done?cc=CX1&who=5f00aa")
    assert code_of(make_player(client=client, platform=platform).began) == (409, "already_played")
    with client.app.state.store.session() as session:
        for table in ("participant", "sitting", "response", "question_answer", "event", "phase_start"):
            rows = session.connection().exec_driver_sql(f"select * from {table}").all()
            assert rows
            assert "5f00aa" not in str(rows)


def test_a_second_sitting_waits_for_its_delay_and_hears_other_places(make_client, make_player, study, fake_clock):
    second = {"on": True, "delay_h": 24.0}
    study.settings = study.settings.model_validate({**study.settings.model_dump(), "second_sitting": second})
    client = make_client()
    first = make_player(client=client)
    first.prepare()
    first.play()
    result = first.finish()
    assert result["return_after_h"] == 24
    assert code_of(make_player(client=client, return_code="nosuchcode").began) == (404, "unknown_return_code")
    assert code_of(make_player(client=client, return_code=result["return_code"]).began) == (425, "too_early")
    fake_clock.time += 24 * 3600
    again = make_player(client=client, return_code=result["return_code"].upper())
    assert (again.state["sitting"], again.state["session"] != first.state["session"]) == (2, True)
    assert again.state["phases"] != first.state["phases"]
    again.prepare()
    again.play()
    assert again.finish()["return_code"] is None
    assert code_of(make_player(client=client, return_code=result["return_code"]).began) == (409, "already_played")
    with client.app.state.store.session() as session:
        assert session.connection().exec_driver_sql("select count(*) from participant").scalar() == 1


def test_phase_starts_survive_a_restart(study, make_client, make_player, fake_clock):
    player = make_player(client=make_client())
    player.prepare()
    player.post("phases/0/start")
    fake_clock.time += 2
    other = make_client()
    player.client = other
    assert player.put(2).status_code == 200
    assert code_of(player.put(3)) == (425, "too_early")


def test_no_time_of_day_is_left_of_a_finished_sitting(player, fake_clock):
    fake_clock.time += 123.0
    player.prepare()
    player.play()
    player.finish()
    with player.client.app.state.store.session() as session:
        connection = session.connection()
        assert max(connection.exec_driver_sql("select started from phase_start").scalars()) < 1000
        assert connection.exec_driver_sql("select ended from sitting").scalar() % 3600 == 0


def test_clips_are_served_by_id_and_kept_by_browsers(client, study):
    clip = study.clips[0]
    answer = client.get(f"/clips/{clip.clip_id}")
    assert answer.content == (study.folder / "clips" / f"{clip.clip_id}.wav").read_bytes()
    assert answer.headers["content-type"] == "audio/wav"
    assert "immutable" in answer.headers["cache-control"]
    again = client.get(f"/clips/{clip.clip_id}", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    for name in (clip.track, f"{clip.clip_id}.wav", "0" * 16):
        assert client.get(f"/clips/{name}").status_code == 404


def test_every_answer_has_the_security_headers_and_no_cookie(client):
    for path in (
        "/",
        "/admin",
        "/healthz",
        "/api/study",
        "/api/session",
        "/nowhere",
        "/clips/nothing",
        "/static/none.js",
    ):
        headers = client.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "set-cookie" not in headers


def test_an_error_of_the_servers_own_has_the_security_headers_too(client, study):
    (study.folder / "texts" / "consent.en.md").unlink()
    answer = client.get("/api/study")
    assert code_of(answer) == (500, "server")
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


def test_the_page_is_served_from_its_folder_only(make_client, tmp_path):
    web = tmp_path / "web"
    (web / "js").mkdir(parents=True)
    (web / "index.html").write_text("<!doctype html><title>x</title>")
    (web / "js" / "main.js").write_text("export {}")
    (tmp_path / "secret.txt").write_text("secret")
    client = make_client(web=web)
    assert "<title>x" in client.get("/").text
    assert client.get("/static/js/main.js").headers["content-type"].startswith("text/javascript")
    for name in ("../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt", "js/../../secret.txt", "/etc/passwd"):
        assert client.get(f"/static/{name}").status_code == 404


def test_the_admin_page_needs_the_studys_token(client, study, make_player):
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic x"}):
        assert code_of(client.get("/api/admin/status", headers=headers)) == (401, "no_admin")
        assert client.get("/api/admin/download", headers=headers).status_code == 401
    player = make_player()
    headers = {"Authorization": f"Bearer {study.admin_token()}"}
    status = client.get("/api/admin/status", headers=headers).json()
    assert (status["started"], status["completed"], status["planned"]) == (1, 0, 13)
    assert status["sessions"][0]["session"] == player.state["session"]
    assert player.state["token"] not in json.dumps(status)
    assert client.get("/api/admin/download", headers=headers).content[:2] == b"PK"


def test_the_admin_page_reckons_exclusions_and_reliability(make_client, make_player, study, rng):
    client = make_client()
    for _ in range(6):
        player = make_player(client=client)
        player.prepare()
        player.play(lambda entry: str(rng.choice(["new", "repeat"])))
        player.finish()
    status = client.get("/api/admin/status", headers={"Authorization": f"Bearer {study.admin_token()}"}).json()
    assert status["exclusions"]["kept"] + status["exclusions"]["excluded"] == 6
    assert status["reliability"]["value"] is not None or status["reliability"]["reason"]
    assert status["disk"]["database_bytes"] > 0


def test_times_are_divided_on_the_server_only(make_client, make_player):
    assert make_player(client=make_client(speed=5.0)).about["timing"]["gap_s"] == 0.5

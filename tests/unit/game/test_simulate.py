"""Simulated players: what they do, and what a simulation finds."""

import json
import math
import os
import sqlite3
import time

import numpy as np
import pytest

from otoscope.errors import SpecError
from otoscope.game.collecting import read_study_responses
from otoscope.game.responses import NONE
from otoscope.game.simulate import MARK, compare, simulate
from otoscope.game.simulate_server import ServerProcess
from otoscope.game.synthetic import ListenerModel
from otoscope.game.tables import Participant, PlatformId, Sitting, new_id

SURE = ListenerModel(
    lag_slope=-200.0, reference_lag=2.5, crossing=0.0, listener_sd=0.0, false_alarm=-40.0, false_alarm_sd=0.0,
    knew=0.0, timeout=0.0, rt_ms=300.0, rt_spread=0.1,
)  # fmt: skip
"""Notices a repeat for certain up to a lag of 2, never beyond, and never another clip."""
QUICK = {"players": 4, "speed": 30.0, "arrive_s": 4.0}


def responses(study):
    store = study.store()
    try:
        return read_study_responses(study, store)
    finally:
        store.close()


def test_what_was_acknowledged_and_is_not_stored_just_so_is_lost():
    row, other = ("new", 1.0, 2.0, 0.0), ("new", 1.5, 2.0, 0.0)
    keys = [("a", 0), ("a", 1), ("b", 0)]
    acknowledged = dict.fromkeys(keys, row)
    assert compare(acknowledged, keys, [(key, row) for key in keys]) == (0, 0)
    assert compare(acknowledged, keys, [(key, row) for key in keys[:2]]) == (1, 0)
    assert compare(acknowledged, keys, [(keys[0], row), (keys[1], other), (keys[2], row)]) == (1, 0)
    assert compare(acknowledged, keys, []) == (3, 0)
    assert compare({}, keys, [(keys[0], row)]) == (0, 0)  # stored, and the acknowledgement never came


def test_a_row_beyond_one_for_each_response_is_doubled():
    row, other = ("new", 1.0, 2.0, 0.0), ("repeat", 1.0, 2.0, 0.0)
    key, unsent = ("a", 0), ("a", 7)
    assert compare({key: row}, [key], [(key, row), (key, row)]) == (0, 1)
    assert compare({key: row}, [key], [(key, row), (key, other)]) == (0, 1)
    assert compare({key: row}, [key], [(key, row), (unsent, row)]) == (0, 1)
    assert compare({key: row}, [key], [(key, row), (unsent, row), (unsent, row)]) == (0, 2)


def test_nothing_is_lost_or_doubled_by_a_bad_network_and_a_killed_server(study):
    told = []
    found = simulate(
        study,
        players=6,
        speed=30.0,
        arrive_s=4.0,
        kill_server=1,
        duplicate=0.5,
        delay=0.3,
        reorder=0.3,
        progress=lambda done, of: told.append((done, of)),
    )
    assert found.sent == found.acknowledged == found.stored == 6 * study.n_slots
    assert (found.lost, found.doubled, found.conflicts, found.refused, found.failed) == (0, 0, 0, 0, 0)
    assert (found.completed, found.dropped_out, found.kills, found.problems) == (6, 0, 1, {})
    assert min(found.duplicates, found.delayed, found.reordered, found.retries) > 0
    assert 0 < found.p50_ms <= found.p95_ms <= found.p99_ms
    # Each plays two phases of eight slots, and rests for ten seconds, all at thirty times the pace.
    assert found.duration_s > (16 * study.slot_s + 10) / 30
    assert found.holds
    assert json.loads(json.dumps(found.to_json()))["p95_ms"] == round(found.p95_ms, 3)
    assert told[-1] == (6 * study.n_slots,) * 2
    assert sorted(told) == told


def test_players_know_repeats_and_lags_from_what_they_heard_and_each_clip_by_its_track(study):
    loved = {clip.track for clip in study.clips[::2]}
    odds = {clip.track: 0.0 if clip.track in loved else -100.0 for clip in study.clips}
    found = simulate(study, model=SURE, log_odds=odds, **QUICK)
    assert (found.holds, found.retries) == (True, 0)  # nobody asks before it is time
    heard = responses(study)
    second = heard.lag != NONE
    assert (heard.answer[~second] == "new").all()
    noticed = (heard.lag <= 2) & np.isin(heard.track, list(loved))
    assert np.array_equal(heard.answer[second] == "repeat", noticed[second])
    assert 0 < noticed[second].sum() < second.sum()
    assert heard.complete.all()
    assert (heard.headphones == 1).mean() > 0.5


def test_a_server_that_loses_or_changes_what_it_acknowledged_is_found_out(study):
    study.store().close()
    with sqlite3.connect(study.folder / "game.db") as database:
        database.execute(
            "CREATE TRIGGER lose AFTER INSERT ON response WHEN NEW.slot = 3 BEGIN "
            "DELETE FROM response WHERE session = NEW.session AND slot = 3; END"
        )
        database.execute(
            "CREATE TRIGGER change AFTER INSERT ON response WHEN NEW.slot = 5 BEGIN "
            "UPDATE response SET late_ms = 0.5 WHERE session = NEW.session AND slot = 5; END"
        )
    database.close()
    found = simulate(study, duplicate=0.0, **QUICK)
    assert (found.acknowledged, found.stored, found.lost) == (4 * study.n_slots, 4 * (study.n_slots - 1), 8)
    assert (found.completed, found.failed, found.refused) == (0, 4, 4)
    assert found.problems == {"POST /api/session/finish: 409 missing": 4}
    assert not found.holds
    changed = simulate(study, duplicate=1.0, players=2, speed=40.0)
    assert changed.conflicts >= 2
    assert not changed.holds


def test_players_who_leave_lose_nothing_and_are_left_out(study):
    found = simulate(study, dropout=1.0, clips=False, **QUICK)
    assert (found.completed, found.dropped_out, found.failed) == (0, 4, 0)
    assert found.acknowledged == found.stored < 4 * study.n_slots
    assert found.holds
    assert found.excluded == len(set(responses(study).session.tolist()))


def test_sittings_of_real_listeners_are_kept_apart(study, tmp_path):
    store = study.store()

    def add(session, platform_id):
        person = Participant(id=new_id(), day="2026-01-01")
        session.add(person)
        session.flush()
        if platform_id is not None:
            session.add(PlatformId(participant=person.id, name="other", platform_id=platform_id))
        sitting = {
            "sitting": 1,
            "seat": 0,
            "consent_version": "x",
            "lang": "en",
            "device": "phone",
            "day": "2026-01-01",
        }
        session.add(
            Sitting(session=new_id(), participant=person.id, token_hash=new_id(), stage="volume", code="X", **sitting)
        )

    for platform_id in (MARK + "1", None, "somebody-1"):
        store.write(lambda session, platform_id=platform_id: add(session, platform_id))
    store.close()
    with pytest.raises(SpecError, match="holds 2 sittings that are not simulated"):
        simulate(study, **QUICK)
    found = simulate(study, database=f"sqlite:///{tmp_path / 'other.db'}", players=1, speed=40.0)
    assert (found.stored, found.holds) == (study.n_slots, True)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"players": 0}, "0 players"),
        ({"speed": 0.0}, "speed is 0"),
        ({"speed": math.nan}, "speed is nan"),
        ({"kill_server": -1}, "kill_server is -1"),
        ({"duplicate": 1.5}, "duplicate is 1.5"),
        ({"dropout": -0.1}, "dropout is -0.1"),
        ({"arrive_s": -1.0}, "arrive_s is -1"),
        ({"log_odds": {"nothing": 0.0}}, "log_odds lacks 13 of the study's tracks"),
        ({"log_odds": {f"tone{i:02}": math.inf for i in range(13)}}, "log odds of .* is inf"),
    ],
)
def test_what_cannot_be_simulated_is_refused(study, asked, words):
    with pytest.raises(SpecError, match=words):
        simulate(study, **asked)


def test_a_server_that_cannot_start_says_why(tmp_path):
    server = ServerProcess(tmp_path, speed=1.0)
    with pytest.raises(SpecError, match="holds no study"):
        server.start()
    server.close()


def test_a_server_does_not_outlive_who_started_it(study):
    server = ServerProcess(study.folder, speed=1.0)
    server.start()
    process = server._process
    process.stdin.close()  # as the end of this process would
    before = time.monotonic()
    process.wait(10)
    assert time.monotonic() - before < 5
    server.close()


@pytest.mark.slow
def test_two_hundred_players_lose_nothing_while_the_server_is_killed(study):
    faults = {"duplicate": 0.1, "delay": 0.1, "reorder": 0.1}
    found = simulate(study, players=200, speed=1.0, arrive_s=20.0, kill_server=3, **faults)
    assert found.sent == found.acknowledged == found.stored == 200 * study.n_slots
    assert (found.completed, found.kills) == (200, 3)
    assert found.holds


@pytest.mark.slow
def test_two_hundred_players_are_answered_within_a_tenth_of_a_second(study):
    if os.getloadavg()[0] > 1:
        pytest.skip("other programs are at work: a time would say more of them than of the server")
    # A slot of this study lasts a second, of a real one eight: at half the pace, four times as fast as people.
    found = simulate(study, players=200, speed=0.5, arrive_s=20.0)
    assert found.pace_s == 2.0
    assert (found.stored, found.holds) == (200 * study.n_slots, True)
    assert found.p95_ms < 100

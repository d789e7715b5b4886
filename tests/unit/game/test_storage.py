"""What is acknowledged is stored; what fails is not; what is erased is gone."""

import threading
import time

import pytest

from otoscope.errors import SpecError
from otoscope.game.erase import erase_participant, find_participants
from otoscope.game.storage import Clock, Store
from otoscope.game.tables import Meta, Participant, PlatformId, Response, Sitting, new_id


def a_sitting(session, participant="p1", name="s1"):
    session.add(Participant(id=participant, day="2026-01-01"))
    session.flush()
    session.add(
        Sitting(
            session=name,
            participant=participant,
            token_hash=f"hash-{name}",
            sitting=1,
            seat=0,
            consent_version="c",
            lang="en",
            device="phone",
            day="2026-01-01",
            stage="play",
            code=f"CODE-{name}",
        )
    )
    session.flush()


def a_response(slot, name="s1"):
    return Response(session=name, slot=slot, answer="new", rt_ms=1 / 3, onset_s=0.1, late_ms=0.0, server_s=1.0)


def rows(store, table):
    with store.session() as session:
        return session.connection().exec_driver_sql(f"select * from {table}").all()


def test_sqlite_writes_ahead_syncs_fully_and_keeps_foreign_keys(store):
    with store.session() as session:
        found = {
            name: session.connection().exec_driver_sql(f"pragma {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}


def test_what_is_acknowledged_is_seen_by_another_connection(store, study):
    store.write(a_sitting)
    store.write(lambda session: session.add(a_response(3)))
    other = study.store()
    assert [row[:4] for row in rows(other, "response")] == [("s1", 3, "new", 1 / 3)]
    other.close()


def test_one_failing_job_takes_nothing_of_the_others_with_it(store):
    store.write(a_sitting)

    def breaks(session):
        session.add(a_response(1))
        session.flush()
        raise RuntimeError("broken")

    held = threading.Event()
    blocker = store.submit(lambda session: held.wait(5))
    jobs = [store.submit(lambda session, k=k: session.add(a_response(k))) for k in (5, 6)]
    jobs.insert(1, store.submit(breaks))
    held.set()
    blocker.result()
    assert [type(job.exception()) for job in jobs] == [type(None), RuntimeError, type(None)]
    assert [row[1] for row in rows(store, "response")] == [5, 6]


def test_waiting_jobs_share_one_commit(store, monkeypatch):
    store.write(a_sitting)
    commits = []
    from sqlalchemy import event

    event.listen(store.engine, "commit", lambda connection: commits.append(1))
    held = threading.Event()
    blocker = store.submit(lambda session: held.wait(5))
    time.sleep(0.05)
    jobs = [store.submit(lambda session, k=k: session.add(a_response(k))) for k in range(50)]
    held.set()
    for job in (blocker, *jobs):
        job.result()
    assert len(commits) == 2
    assert len(rows(store, "response")) == 50


def test_a_commit_that_fails_acknowledges_nothing_and_says_so(store, monkeypatch):
    store.write(a_sitting)
    lost = []
    store.when_lost.append(lambda: lost.append(1))
    from sqlalchemy.orm import Session

    with monkeypatch.context() as patch:
        patch.setattr(Session, "commit", lambda self: (_ for _ in ()).throw(OSError("disk full")))
        job = store.submit(lambda session: session.add(a_response(1)))
        with pytest.raises(OSError, match="disk full"):
            job.result()
    assert (rows(store, "response"), lost) == ([], [1])
    store.write(lambda session: session.add(a_response(2)))
    assert [row[1] for row in rows(store, "response")] == [2]


def test_nothing_of_a_transaction_that_a_full_disk_took_back_is_acknowledged(store):
    store.write(a_sitting)
    lost = []
    store.when_lost.append(lambda: lost.append(1))

    def fill(session):
        pages = session.connection().exec_driver_sql("pragma page_count").scalar()
        session.connection().exec_driver_sql(f"pragma max_page_count={pages}")

    def add(slot):
        row = a_response(slot).model_dump()
        return lambda session: session.connection().execute(Response.__table__.insert(), row)

    held = threading.Event()
    store.submit(lambda session: held.wait(5))
    time.sleep(0.05)
    jobs = [store.submit(work, single=True) for work in (fill, *map(add, range(250)))]
    held.set()
    acknowledged = {slot for slot, job in enumerate(jobs[1:]) if job.exception() is None}
    assert (acknowledged - {row[1] for row in rows(store, "response")}, lost) == (set(), [1])
    assert len(acknowledged) < 250


def test_an_error_of_the_database_does_not_tell_what_was_stored(store):
    with pytest.raises(Exception, match="parameters hidden") as found:
        store.write(lambda session: session.add(a_response(0, name="who?")))
    assert "who?" not in str(found.value)


def test_a_cancelled_job_does_not_stop_the_writing_thread(store):
    held = threading.Event()
    store.submit(lambda session: held.wait(5))
    job = store.submit(lambda session: session.add(Meta(key="a", value="b")))
    assert job.cancel()
    held.set()
    assert store.write(lambda session: 7) == 7
    assert "a" not in {row[0] for row in rows(store, "meta")}


def test_a_response_without_its_sitting_is_refused(store):
    from sqlalchemy.exc import IntegrityError

    with pytest.raises(IntegrityError):
        store.write(lambda session: session.add(a_response(1, "nobody")))


def test_a_slot_has_one_row(store):
    from sqlalchemy.exc import IntegrityError

    store.write(a_sitting)
    store.write(lambda session: session.add(a_response(1)))
    with pytest.raises(IntegrityError):
        store.write(lambda session: session.add(a_response(1)))


def test_a_database_of_other_tables_is_refused(store, study):
    store.write(lambda session: session.get(Meta, "schema").sqlmodel_update({"value": "99"}))
    with pytest.raises(SpecError, match="its tables have version 99"):
        study.store()


@pytest.mark.parametrize("url", ["", "nonsense", "nosuch://user:secret@host/db", "sqlite:////nowhere/at/all.db"])
def test_a_database_that_cannot_be_opened_is_named_without_its_password(url):
    with pytest.raises(SpecError, match="database") as caught:
        Store(url)
    assert "secret" not in str(caught.value)


def test_a_closed_store_takes_nothing(study):
    store = study.store()
    store.write(lambda session: None)
    store.close()
    with pytest.raises(SpecError, match="is closed"):
        store.submit(lambda session: None)


def test_the_clock_never_lies_behind_what_was_stored():
    ahead = time.time() + 5000
    clock = Clock(ahead)
    assert ahead <= clock.now() < ahead + 60
    assert Clock().now() == pytest.approx(time.time(), abs=1)


def test_the_clock_goes_on_after_a_sleep_and_never_back(monkeypatch):
    wall, ticks = [1000.0], [50.0]
    monkeypatch.setattr(time, "time", lambda: wall[0])
    monkeypatch.setattr(time, "monotonic", lambda: ticks[0])
    clock = Clock()
    wall[0], ticks[0] = 1020.0, 60.0  # the wall clock was set by a little
    assert clock.now() == 1010.0
    wall[0], ticks[0] = 9000.0, 61.0  # the machine slept
    assert clock.now() == 9000.0
    wall[0], ticks[0] = 10.0, 62.0  # the wall clock was set back
    assert clock.now() == 9001.0


def test_the_database_is_for_its_owner_only(study, store):
    assert (study.folder / "game.db").stat().st_mode & 0o077 == 0


def test_ids_are_random_and_plain():
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert set("".join(ids)) <= set("abcdefghijkmnpqrstuvwxyz23456789")


def fill(store):
    def work(session):
        for k in range(3):
            a_sitting(session, f"p{k}", f"s{k}")
            session.add(PlatformId(participant=f"p{k}", name="sona", platform_id=f"SONAID{k}XYZZY"))
            session.add(a_response(0, f"s{k}"))

    store.write(work)


@pytest.mark.parametrize("code", ["p1", "s1", " s1 ", "CODE-s1", "SONAID1XYZZY"])
def test_erasing_takes_one_listener_and_leaves_the_others(store, code):
    fill(store)
    (erased,) = erase_participant(store, code)
    assert (erased.participant, erased.sessions) == ("p1", ("s1",))
    counts = {"responses": 1, "questions": 0, "events": 0, "phase_starts": 0}
    assert erased.removed == {**counts, "platform_ids": 1, "sittings": 1, "listeners": 1}
    assert [row[0] for row in rows(store, "response")] == ["s0", "s2"]
    with pytest.raises(SpecError, match="no listener has this code"):
        erase_participant(store, code)


def test_the_bytes_of_an_erased_listener_are_in_no_file(store, study):
    fill(store)
    files = lambda: b"".join(path.read_bytes() for path in study.folder.glob("game.db*"))  # noqa: E731
    assert b"SONAID1XYZZY" in files()
    erase_participant(store, "p1")
    found = files()
    for word in (b"SONAID1XYZZY", b"CODE-s1", b"hash-s1"):
        assert word not in found
    assert b"SONAID2XYZZY" in found


def test_a_shared_code_erases_nobody_unless_all_are_meant(store):
    fill(store)
    store.write(lambda session: session.connection().exec_driver_sql("update sitting set code = 'SAME'"))
    assert find_participants(store, "SAME") == ("p0", "p1", "p2")
    with pytest.raises(SpecError, match="3 listeners have this code"):
        erase_participant(store, "SAME")
    assert len(erase_participant(store, "SAME", every=True)) == 3
    assert rows(store, "response") == []


@pytest.mark.parametrize("code", ["", "   ", "'; drop table sitting; --", "%"])
def test_a_code_that_is_nobodys_erases_nobody(store, code):
    fill(store)
    with pytest.raises(SpecError, match="no listener"):
        erase_participant(store, code)
    assert len(rows(store, "sitting")) == 3

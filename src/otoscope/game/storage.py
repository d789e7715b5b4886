"""The one thread that writes to the database of a study.

Every write is a job for it. It takes all jobs that wait, runs each inside a savepoint of one transaction, commits
it, and only then says that they are done: what was acknowledged is on the disk. SQLite writes ahead to a log and
syncs it at every commit; what is deleted is overwritten with zeros.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from otoscope.errors import SpecError

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine
    from sqlmodel import Session

__all__ = ["Clock", "Store"]

T = TypeVar("T")
_LARGEST_BATCH = 256
_LOOKS = 20
_SLEPT_S = 60.0


class Clock:
    """Unix time that never runs back while the process lives, nor behind what was stored before it.

    Parameters
    ----------
    floor : float, seconds
        The latest time that is stored: a machine whose clock was set back goes on from there.
    """

    def __init__(self, floor: float = 0.0) -> None:
        self._base = max(time.time(), floor) - time.monotonic()

    def now(self) -> float:
        """Give the time.

        Returns
        -------
        float
            Seconds since 1970.
        """
        since, wall = time.monotonic(), time.time()
        if wall - (self._base + since) > _SLEPT_S:  # a laptop's monotonic clock stands still while it sleeps
            self._base = wall - since
        return self._base + since


class _Job:
    __slots__ = ("future", "single", "work")

    def __init__(self, work: Callable[[Session], Any], *, single: bool) -> None:
        self.work = work
        self.single = single
        self.future: Future[Any] = Future()


class Store:
    """A study's database.

    Parameters
    ----------
    url : str
        As SQLAlchemy names it, such as ``sqlite:///game.db``.

    Raises
    ------
    SpecError
        If it cannot be opened, or was written by another version of its tables.
    """

    def __init__(self, url: str) -> None:
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

        self.url = url
        try:
            self.engine = _engine(url)
            self._make_tables()
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise SpecError(f"database {_hidden(url)}: {error}; name it as SQLAlchemy does") from None
        except SQLAlchemyError as error:
            raise SpecError(f"database {_hidden(url)}: cannot be opened: {getattr(error, 'orig', error)}") from None
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self.when_lost: list[Callable[[], None]] = []

    def _make_tables(self) -> None:
        from sqlmodel import SQLModel

        from otoscope.game.tables import SCHEMA, TABLES, Meta

        with self.engine.begin() as connection:
            SQLModel.metadata.create_all(connection, tables=[model.__table__ for model in TABLES])  # type: ignore[attr-defined]
        with self.session() as session:
            found = session.get(Meta, "schema")
            if found is None:
                session.add(Meta(key="schema", value=str(SCHEMA)))
                session.commit()
            elif found.value != str(SCHEMA):
                raise SpecError(
                    f"database {_hidden(self.url)}: its tables have version {found.value}, this program {SCHEMA}; "
                    "use the program that made it"
                )

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file of SQLite."""
        return self.engine.dialect.name == "sqlite"

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """Open a session of one's own, to read.

        Yields
        ------
        Session
            Closed at the end; nothing is committed unless the block does.
        """
        from sqlmodel import Session

        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    def submit(self, work: Callable[[Session], T], *, single: bool = False) -> Future[T]:
        """Ask the writing thread to do something.

        Parameters
        ----------
        work : callable
            Takes a session; reads and writes; never commits.
        single : bool
            Whether it writes with one statement at most, and last: SQLite takes back a statement that fails by
            itself, so that no savepoint is needed.

        Returns
        -------
        Future
            Done once what was written is on the disk, with what `work` gave. If `work` raised, nothing of it is
            written, and the future raises the same.
        """
        job = _Job(work, single=single and self.is_sqlite)
        with self._lock:
            if self._closed:
                raise SpecError(f"database {_hidden(self.url)}: is closed")
            if self._thread is None:
                self._thread = threading.Thread(target=self._write, name="store", daemon=True)
                self._thread.start()
            self._jobs.put(job)
        return job.future

    def write(self, work: Callable[[Session], T]) -> T:
        """Do something in the writing thread and wait for it.

        Parameters
        ----------
        work : callable
            As for :meth:`submit`.

        Returns
        -------
        object
            What `work` gave.
        """
        return self.submit(work).result()

    def close(self) -> None:
        """Finish what was asked for and let the database go."""
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            thread.join()
        self.engine.dispose()

    def _write(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                return
            batch, last = [job], False
            while len(batch) < _LARGEST_BATCH and not last:
                try:
                    more = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    last = True
                else:
                    batch.append(more)
            self._commit(batch)
            if last:
                return

    def _commit(self, batch: list[_Job]) -> None:
        done: list[tuple[_Job, Any]] = []
        try:
            with self.session() as session:
                session.connection(execution_options={"writes": True})
                for job in batch:
                    if not job.future.set_running_or_notify_cancel():
                        continue
                    try:
                        if job.single:
                            result = job.work(session)
                        else:
                            with session.begin_nested():
                                result = job.work(session)
                                session.flush()
                    except Exception as error:  # the caller's; the others of the batch are not concerned
                        job.future.set_exception(error)
                        self._check_open(session)
                    else:
                        done.append((job, result))
                    if not job.single:
                        session.expunge_all()
                session.commit()
        except Exception as error:  # a full disk, a lock that lasts: nothing of the batch is acknowledged
            for forget in self.when_lost:
                forget()
            for job in batch:
                if not job.future.done():
                    job.future.set_exception(error)
            return
        for job, result in done:
            job.future.set_result(result)

    def _check_open(self, session: Session) -> None:
        """Raise if a failing statement ended the transaction: SQLite takes all of it back when the disk is full."""
        if self.is_sqlite and not session.connection().connection.driver_connection.in_transaction:  # type: ignore[union-attr]
            raise OSError("SQLite took back the whole transaction")

    def latest_start(self) -> float:
        """Give the latest time of day that is stored.

        Returns
        -------
        float
            Seconds since 1970; 0 where there is none.
        """
        from sqlmodel import func, select

        from otoscope.game.tables import PhaseStart

        with self.session() as session:
            return float(session.exec(select(func.max(PhaseStart.started))).one() or 0.0)

    def scrub(self, *, vacuum: bool = False) -> bool:
        """Make sure that what was deleted is in no file of the database.

        Parameters
        ----------
        vacuum : bool
            Write the whole database anew too.

        Returns
        -------
        bool
            False where another process kept the log in use; it is emptied when the last of them ends.
        """
        if not self.is_sqlite:
            return True
        raw = self.engine.raw_connection()
        try:
            cursor = raw.cursor()
            if vacuum:
                cursor.execute("VACUUM")
            for _ in range(_LOOKS):
                if cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0:
                    return True
                time.sleep(0.05)
            return False
        finally:
            raw.close()


def _engine(url: str) -> Engine:
    from sqlalchemy import create_engine, event

    # What listeners say, and what platforms call them, must not stand in the log of an error.
    engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"), hide_parameters=True)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _settle(connection: Any, record: Any) -> None:
            connection.isolation_level = None  # transactions are begun below, not by the driver
            for pragma in (
                "busy_timeout=15000",
                "journal_mode=WAL",
                "synchronous=FULL",
                "foreign_keys=ON",
                "secure_delete=ON",
            ):
                connection.execute(f"PRAGMA {pragma}").close()

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            writes = connection.get_execution_options().get("writes")
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _hidden(url: str) -> str:
    """Give a URL without its password."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "(no URL)"

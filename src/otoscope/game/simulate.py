"""A study played by simulated listeners, through the real server and over the network, and checked row by row.

The server runs in a process of its own. It may be killed without warning while the players play; they send until they
are acknowledged. Afterwards every row of the database is held against what was acknowledged.
"""

from __future__ import annotations

import asyncio
import math
import secrets
import ssl
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from otoscope.errors import MissingExtraError, SpecError
from otoscope.evaluation.splits import seeded_generator
from otoscope.game.simulate_player import Faults, Player, Row, Surroundings, Tally
from otoscope.game.simulate_server import ServerProcess
from otoscope.game.study import Study
from otoscope.game.synthetic import ListenerModel

if TYPE_CHECKING:
    from otoscope.game.storage import Store

__all__ = ["MARK", "Simulation", "compare", "simulate"]

MARK = "simulated-"
"""How the platform's id of a simulated listener begins."""

_LOOK_S = 0.02
_REPORT_S = 0.5
_KNOWN_ODDS = (0.8, 0.7)  # mean and standard deviation of the clips' log odds, where none are given
_RT_SHARE = 0.4  # of the time there is to answer, at most, that an answer takes in the middle


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What became of a simulation.

    Parameters
    ----------
    players : int
        How many there were.
    completed, dropped_out, failed : int
        Players who got their code, who left as they were meant to, and who could not go on.
    sent, acknowledged, stored : int
        Responses, each counted once however often it was sent; rows of the database.
    lost : int
        Responses that were acknowledged and are not stored as they were sent.
    doubled : int
        Rows beyond one for each response that was sent.
    conflicts, refused : int
        Refusals of another answer to the same slot, and all others that sending again does not cure.
    retries : int
        Requests that were sent again, because there was no answer or it was not yet time.
    duplicates, delayed, reordered : int
        Responses that were sent twice, late, and after the one that follows.
    kills : int
        How often the server was killed.
    p50_ms, p95_ms, p99_ms : float, milliseconds
        Percentiles of the time from sending a response to its acknowledgement, as the player's side sees it; NaN
        where there was none. What a dead server keeps waiting counts as retries.
    duration_s : float, seconds
        From the first player to the last.
    speed : float
        How many times faster than people they played.
    pace_s : float, seconds
        From one clip to the next, so speeded up.
    excluded : int
        Sittings that the study's exclusion rules leave out.
    problems : dict of str to int
        Refusals and failures, and how often each occurred.
    """

    players: int
    completed: int
    dropped_out: int
    failed: int
    sent: int
    acknowledged: int
    stored: int
    lost: int
    doubled: int
    conflicts: int
    refused: int
    retries: int
    duplicates: int
    delayed: int
    reordered: int
    kills: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    duration_s: float
    speed: float
    pace_s: float
    excluded: int
    problems: dict[str, int]

    @property
    def holds(self) -> bool:
        """Whether nothing was lost or doubled, and nobody was kept from going on."""
        return not (self.lost or self.doubled or self.conflicts or self.refused or self.failed)

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON.

        Returns
        -------
        dict
            All fields, and ``holds``; times that are not known are None.
        """
        found = asdict(self)
        for name, value in found.items():
            if isinstance(value, float):
                found[name] = round(value, 3) if math.isfinite(value) else None
        return {**found, "holds": self.holds}


def simulate(
    study: Study,
    *,
    players: int = 200,
    speed: float = 4.0,
    seed: int = 0,
    kill_server: int = 0,
    duplicate: float = 0.05,
    delay: float = 0.05,
    reorder: float = 0.05,
    dropout: float = 0.0,
    log_odds: Mapping[str, float] | None = None,
    model: ListenerModel | None = None,
    arrive_s: float | None = None,
    clips: bool = True,
    database: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Simulation:
    """Let simulated listeners play a study through its server.

    Parameters
    ----------
    study : Study
        What is played. What they answer is stored in its database, marked by a platform's id that begins with
        :data:`MARK`.
    players : int, >= 1
        How many.
    speed : float, > 0
        How many times faster than people they play; the server's waits are divided by as much.
    seed : int
        Of the listeners, their arrival and the faults. Which of them gets which seat is left to the order in which
        they come.
    kill_server : int, >= 0
        How often the server is killed (SIGKILL) and started again, at equal parts of all responses.
    duplicate, delay, reorder, dropout : float, from 0 to 1
        See :class:`~otoscope.game.simulate_player.Faults`.
    log_odds : mapping of str to float, optional
        By track: the log odds that an average listener notices its repeat, at the model's reference lag with no rest
        between. Drawn around 0.8 where none are given.
    model : ListenerModel, optional
        The population; the usual one, with times that fit the clips, where none is given.
    arrive_s : float, seconds, optional
        The time within which players arrive, before it is speeded up; a quarter of a sitting where none is given.
    clips : bool
        Whether the clips are fetched too, as pages do.
    database : str, optional
        Another than the study's, as SQLAlchemy names it.
    progress : callable, optional
        Told how many responses are acknowledged, of how many.

    Returns
    -------
    Simulation
        Counts and times.

    Raises
    ------
    SpecError
        If a number is out of range, a track has no log odds, the server does not start, or the database holds
        sittings of other listeners.
    MissingExtraError
        If httpx is not installed.

    Notes
    -----
    It runs an event loop of its own, so that it cannot be called from inside one.
    """
    if arrive_s is not None and not (math.isfinite(arrive_s) and arrive_s >= 0):
        raise SpecError(f"simulate: arrive_s is {arrive_s}; seconds, 0 or more, are needed")
    _check(
        players, speed, kill_server, {"duplicate": duplicate, "delay": delay, "reorder": reorder, "dropout": dropout}
    )
    try:
        import httpx  # noqa: F401
    except ImportError:
        raise MissingExtraError("httpx", "pip install 'otoscope[game]'") from None
    odds = _odds(study, log_odds, seed)
    timing = study.settings.timing
    window_ms = 1000 * (study.clip_s + timing.window_s)
    usual = ListenerModel()
    population = model or replace(usual, rt_ms=min(usual.rt_ms, _RT_SHARE * window_ms))
    store = study.store(database)
    server = ServerProcess(study.folder, speed=speed, database=database)
    tally = Tally()
    try:
        _refuse_real(store, study.folder)
        server.start()
        around = Surroundings(
            url=server.url,
            speed=speed,
            log_odds=odds,
            faults=Faults(duplicate=duplicate, delay=delay, reorder=reorder, dropout=dropout),
            clips=clips,
            name=MARK + secrets.token_hex(4),
            languages=study.settings.languages,
        )
        all_players = [
            Player(place, listener, seeded_generator(seed, "player", str(place)), around, tally)
            for place, listener in enumerate(population.draw(players, seed=seed))
        ]
        spread_s = (study.n_slots * study.slot_s / 4 if arrive_s is None else arrive_s) / speed
        arrivals = seeded_generator(seed, "arrivals").uniform(0, spread_s, players).tolist()
        began = time.monotonic()
        kills = asyncio.run(_run(all_players, arrivals, server, kill_server, players * study.n_slots, progress))
        duration_s = time.monotonic() - began
        server.stop()
        if said := server.said():
            tally.problems[f"the server said: {said[-500:]}"] += 1
        return _judge(study, store, tally, players, kills, duration_s, speed)
    finally:
        server.close()
        store.close()


def _check(players: int, speed: float, kill_server: int, shares: Mapping[str, float]) -> None:
    if players < 1:
        raise SpecError(f"simulate: {players} players; 1 or more are needed")
    if not (math.isfinite(speed) and speed > 0):
        raise SpecError(f"simulate: speed is {speed}; a number above 0 is needed")
    if kill_server < 0:
        raise SpecError(f"simulate: kill_server is {kill_server}; 0 or more is accepted")
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise SpecError(f"simulate: {name} is {share}; a share from 0 to 1 is accepted")


def _odds(study: Study, given: Mapping[str, float] | None, seed: int) -> dict[str, float]:
    """Give the clips' log odds by id."""
    if given is None:
        mean, sd = _KNOWN_ODDS
        return {
            clip.clip_id: float(mean + sd * seeded_generator(seed, "clip", clip.track).normal())
            for clip in study.clips
        }
    missing = [clip.track for clip in study.clips if clip.track not in given]
    if missing:
        raise SpecError(f"simulate: log_odds lacks {len(missing)} of the study's tracks, such as {missing[0]}")
    for clip in study.clips:
        if not math.isfinite(given[clip.track]):
            raise SpecError(
                f"simulate: the log odds of {clip.track} is {given[clip.track]}; a finite number is needed"
            )
    return {clip.clip_id: float(given[clip.track]) for clip in study.clips}


def _refuse_real(store: Store, folder: Path) -> None:
    """Keep simulated answers out of a database that holds others."""
    from sqlmodel import col, func, select

    from otoscope.game.tables import PlatformId, Sitting

    ours = select(PlatformId.participant).where(col(PlatformId.platform_id).startswith(MARK, autoescape=True))
    with store.session() as session:
        others = session.exec(
            select(func.count()).select_from(Sitting).where(col(Sitting.participant).not_in(ours))
        ).one()
    if others:
        raise SpecError(
            f"{folder}: its database holds {others} sittings that are not simulated; simulate in a copy of the "
            "folder, or name another database"
        )


async def _run(
    players: Sequence[Player],
    arrivals: Sequence[float],
    server: ServerProcess,
    kill_server: int,
    expected: int,
    progress: Callable[[int, int], None] | None,
) -> int:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tally = players[0].tally
    goals = [expected * (count + 1) / (kill_server + 1) for count in range(kill_server)]
    kills, told = 0, -math.inf
    try:
        async with asyncio.TaskGroup() as group:
            playing = [
                group.create_task(player.play(after_s=after_s, context=context))
                for player, after_s in zip(players, arrivals, strict=True)
            ]
            while not all(task.done() for task in playing):
                if kills < len(goals) and len(tally.acknowledged) >= goals[kills]:
                    await asyncio.to_thread(server.kill)
                    await asyncio.to_thread(server.start)
                    kills += 1
                if progress is not None and time.monotonic() - told > _REPORT_S:
                    told = time.monotonic()
                    progress(len(tally.acknowledged), expected)
                await asyncio.sleep(_LOOK_S)
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None
    if progress is not None:
        progress(len(tally.acknowledged), expected)
    return kills


def compare(
    acknowledged: Mapping[tuple[str, int], Row],
    sent: Collection[tuple[str, int]],
    stored: Sequence[tuple[tuple[str, int], Row]],
) -> tuple[int, int]:
    """Hold what is stored against what was sent.

    Parameters
    ----------
    acknowledged : mapping of (str, int) to Row
        By session and slot.
    sent : collection of (str, int)
        Session and slot of all that was sent, acknowledged or not.
    stored : sequence of ((str, int), Row)
        Rows of the database.

    Returns
    -------
    lost : int
        Acknowledged, and not stored just so.
    doubled : int
        Rows beyond one for each response that was sent.
    """
    rows = Counter(stored)
    lost = sum(rows[key, row] == 0 for key, row in acknowledged.items())
    per_slot = Counter(key for key, _ in stored)
    doubled = sum(count - (key in sent) for key, count in per_slot.items())
    return lost, doubled


def _judge(
    study: Study, store: Store, tally: Tally, players: int, kills: int, duration_s: float, speed: float
) -> Simulation:
    from otoscope.game.collecting import as_responses, collect, limits_of, response_rows
    from otoscope.game.exclusions import exclude

    found = collect(store)
    ours = [row for row in found.responses if row["session"] in tally.sessions]
    stored: list[tuple[tuple[str, int], Row]] = [
        ((row["session"], row["slot"]), (row["answer"], row["rt_ms"], row["onset_s"], row["late_ms"])) for row in ours
    ]
    lost, doubled = compare(tally.acknowledged, tally.sent.keys(), stored)
    done = sum(row["stage"] == "done" for row in found.sittings if row["session"] in tally.sessions)
    if done != tally.completed:
        tally.problems[f"{tally.completed} players were told the end, {done} sittings are stored as ended"] += 1
    rows = [row for row in response_rows(study, found) if row["session"] in tally.sessions]
    excluded = len(exclude(as_responses(rows), limits_of(study)).excluded) if rows else 0
    waits = tally.waits_ms or [math.nan]
    p50, p95, p99 = (float(np.percentile(waits, share)) for share in (50, 95, 99))
    return Simulation(
        players=players,
        completed=tally.completed,
        dropped_out=tally.dropped_out,
        failed=tally.failed,
        sent=len(tally.sent),
        acknowledged=len(tally.acknowledged),
        stored=len(stored),
        lost=lost,
        doubled=doubled,
        conflicts=tally.conflicts,
        refused=tally.refused,
        retries=tally.retries,
        duplicates=tally.duplicates,
        delayed=tally.delayed,
        reordered=tally.reordered,
        kills=kills,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        duration_s=duration_s,
        speed=speed,
        pace_s=study.slot_s / speed,
        excluded=excluded,
        problems=dict(tally.problems.most_common(20)),
    )

"""What a run will cost, for the terminal: one sentence, a table, and advice where something does not fit."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from otoscope.corpora.languages import language
from otoscope.report.terminal import FOUND, QUIET, plain_table
from otoscope.report.tokens import DASH
from otoscope.studies.pitch.costs import LanguageEstimate, RunEstimate
from otoscope.studies.pitch.speed import Room

__all__ = ["advice", "hours", "plan_sentence", "plan_table", "print_plan", "size"]

MOST_LANGUAGES = 16  # more are shown as totals of their regions
NIGHT_H = 12.0
BUSY = 0.5  # of the cores
MOST_MACHINES = 25
MUCH_WRITTEN, LITTLE_BYTES = 5, 100e9
TIGHT = 0.9  # of what there is


def size(n_bytes: float) -> str:
    """Write a number of bytes.

    Parameters
    ----------
    n_bytes : float
        How many.

    Returns
    -------
    str
        In units of a thousand, two digits.

    Examples
    --------
    >>> [size(n) for n in (900, 64_000, 9_400_000_000, 120_000_000_000)]
    ['900 B', '64 kB', '9.4 GB', '120 GB']
    """
    units = ("B", "kB", "MB", "GB", "TB")
    power = 0
    while n_bytes >= 999.5 and power + 1 < len(units):
        n_bytes, power = n_bytes / 1000, power + 1
    return f"{n_bytes:.{1 if power and n_bytes < 9.95 else 0}f} {units[power]}"


def hours(seconds: float, *, rough: bool = False) -> str:
    """Write a time that nobody needs to the second.

    Parameters
    ----------
    seconds : float
        How long.
    rough : bool
        Two digits are enough.

    Returns
    -------
    str
        In hours, or in minutes or seconds where that is shorter; two digits below ten hours.

    Examples
    --------
    >>> [hours(s) for s in (0.4, 40, 900, 3 * 3600, 131 * 3600, 1290 * 3600)]
    ['under 1 s', '40 s', '15 min', '3.0 h', '131 h', '1,290 h']
    >>> hours(131 * 3600, rough=True)
    '130 h'
    """
    if rough and seconds >= 1:
        digits = math.floor(math.log10(seconds / 3600 if seconds >= 90 * 60 else seconds))
        unit = 3600 if seconds >= 90 * 60 else 1
        seconds = round(seconds / unit, 1 - digits) * unit
    if seconds < 1:
        return "under 1 s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:,.1f} h" if seconds < 9.95 * 3600 else f"{seconds / 3600:,.0f} h"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _where(estimate: RunEstimate, room: Room) -> str:
    if estimate.devices:
        return _count(estimate.devices, "accelerator")
    if estimate.processes > 1:
        return f"{estimate.processes} processes, {_count(room.cores, 'core')}"
    return _count(room.cores, "core")


def plan_sentence(estimate: RunEstimate, room: Room) -> str:
    """Say in one sentence what a run costs.

    Parameters
    ----------
    estimate : RunEstimate
        Of the run.
    room : Room
        Of this machine.

    Returns
    -------
    str
        Languages, hours of audio, hours of work with their range, disk and memory.
    """
    low, high = estimate.wall_s / estimate.within, estimate.wall_s * estimate.within
    what = f"{_count(len(estimate.languages), 'language')}, {hours(estimate.audio_s)} of audio"
    if estimate.done >= 1:
        return f"{what}: every clip has been through every model."
    if estimate.done:
        what += f", {math.floor(100 * estimate.done)} % done"
    rest = "about" if not estimate.done else "the rest takes about"
    wall, least, most = (hours(s, rough=True) for s in (estimate.wall_s, low, high))
    return (
        f"{what}: {rest} {wall} on this machine ({_where(estimate, room)}; {least} to {most}), "
        f"{size(estimate.file_bytes)} of files, {size(estimate.peak_memory_bytes)} of memory."
    )


def _row(table: Table, names: Sequence[str], parts: Sequence[LanguageEstimate], *, style: str = "") -> None:
    audio = [sum(each.audio_s(split) for each in parts) for split in ("train", "dev", "test")]
    table.add_row(
        *(Text(name, style=style) for name in names),
        *(Text(f"{s / 3600:,.{1 if s > 36_000 else 2}f}" if s else DASH, style=style) for s in audio),
        Text(f"{sum(each.n_clips for each in parts):,}", style=style),
        Text(hours(work_s) if (work_s := sum(each.work_s for each in parts)) else "done", style=style or FOUND),
        Text(size(sum(each.file_bytes for each in parts)), style=style),
    )


def plan_table(estimate: RunEstimate) -> Table:
    """Lay out what each language costs; where there are many, each region.

    Parameters
    ----------
    estimate : RunEstimate
        Of the run.

    Returns
    -------
    Table
        The total first.
    """
    folded = len(estimate.languages) > MOST_LANGUAGES
    table = plain_table(caption="Every language: --json" if folded else None)
    table.add_column("region" if folded else "language", overflow="fold")
    table.add_column("languages" if folded else "code", style=QUIET, justify="right" if folded else "left")
    for name in ("train h", "dev h", "test h", "clips", "work", "disk"):
        table.add_column(name, justify="right", no_wrap=True)
    everything = str(len(estimate.languages)) if folded else ""
    _row(table, ("all together", everything), estimate.languages, style="bold")
    if folded:
        regions = dict.fromkeys(sorted((each.region or "" for each in estimate.languages), key=lambda r: (not r, r)))
        for region in regions:
            inside = [each for each in estimate.languages if (each.region or "") == region]
            _row(table, (region.replace("_", " ") or "not coded", str(len(inside))), inside)
        return table
    for each in estimate.languages:
        entry = language(each.language)
        _row(table, (entry.name if entry else each.language, each.language), [each])
    return table


def advice(estimate: RunEstimate, room: Room) -> list[str]:
    """Say what does not fit, and what to do about it.

    Parameters
    ----------
    estimate : RunEstimate
        Of the run.
    room : Room
        Of this machine.

    Returns
    -------
    list of str
        Empty where everything fits and is done in a night.
    """
    if estimate.done >= 1:
        return []
    said: list[str] = []
    needed = estimate.peak_disk_bytes
    if needed > TIGHT * room.disk_bytes:
        said.append(
            f"Disk: {size(needed)} must be free where the run stands, and {size(room.disk_bytes)} are. Name a folder "
            "on another disk with --out, or do fewer languages or models."
        )
    if estimate.written_bytes > MUCH_WRITTEN * estimate.file_bytes and estimate.written_bytes > LITTLE_BYTES:
        said.append(
            f"Shards: {size(estimate.written_bytes)} are written and let go of on the way. Larger shards, such as "
            "--shard-clips 256, make it less, and more work is lost where a run is cut off."
        )
    memory = estimate.peak_memory_bytes
    if room.memory_bytes is not None and memory > TIGHT * room.memory_bytes:
        way_out = (
            "Solving needs it: do fewer languages in one run."
            if memory == estimate.solve_bytes
            else "Name fewer devices or models, or leave the longest clips out (--max-seconds)."
        )
        said.append(f"Memory: {size(memory)} are needed, and this machine has {size(room.memory_bytes)}. {way_out}")
    wall_h = estimate.wall_s / 3600
    if wall_h > NIGHT_H:
        solve_h = estimate.solve_s / 3600 / max(1, estimate.devices or estimate.processes)
        ways: list[str] = []
        share = (NIGHT_H - solve_h) / (wall_h - solve_h) if wall_h > solve_h else 0.0
        if share > 0.005:
            per_part = share * estimate.audio_s / 3600 / max(1, len(estimate.parts))
            ways.append(f"hear less (--hours {float(f'{per_part:.1g}'):g} of each language and split)")
        machines = math.ceil(wall_h / NIGHT_H)
        if machines <= MOST_MACHINES:
            ways.append(f"share it among machines (--part 1/{machines} on the first of {machines}, then merge)")
        if not estimate.devices:
            ways.append("use a GPU (--device cuda)")
        ways.append("add up in single precision (--precision float32; scores within 0.001)")
        said.append(
            f"Time: {hours(estimate.wall_s, rough=True)} is more than a night. A run may be stopped and goes on "
            f"where it stopped. To be done sooner: {'; '.join(ways)}."
        )
    return said


def print_plan(console: Console, estimate: RunEstimate, room: Room) -> None:
    """Print what a run costs.

    Parameters
    ----------
    console : Console
        Where.
    estimate : RunEstimate
        Of the run.
    room : Room
        Of this machine.
    """
    console.print(Text(plan_sentence(estimate, room), style="bold"))
    for name in estimate.models:
        console.print(Text(f"{name}: the forward pass was {estimate.how[name]}.", style=QUIET))
    if room.load is not None and room.load > BUSY * room.cores:
        busy = f"This machine is busy now (load {room.load:.1f}): on an idle one it goes faster."
        console.print(Text(busy, style=QUIET))
    for note in estimate.notes:
        console.print(Text(note, style=QUIET))
    console.print()
    console.print(plan_table(estimate))
    console.print()
    sparse = estimate.most_file_bytes - estimate.file_bytes
    console.print(
        Text(
            f"Disk: {size(estimate.peak_disk_bytes)} must be free on the way; {size(estimate.file_bytes)} stay, and "
            f"{size(sparse)} more if every language has clips with next to no voice. Labels take "
            f"{size(estimate.label_bytes)} in the cache; those that are there already are not known of. "
            f"Solving takes {hours(estimate.solve_s)} of the work.",
            style=QUIET,
        )
    )
    for each in advice(estimate, room):
        console.print(Text(each, style=FOUND))

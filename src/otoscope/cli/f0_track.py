"""``otoscope f0 track``: the F0 of sound files, as tables, for Praat, and drawn."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from otoscope.cli.shared import JsonFlag, Languages, counted, print_json, progress_bar, say_failures, words
from otoscope.errors import DataError, SpecError

if TYPE_CHECKING:
    from otoscope.corpora.base import Clip, Failure
    from otoscope.f0.base import F0Track, Tracker

__all__ = ["Job", "Told", "track"]

PICTURES = (".png", ".svg")
_FORBIDDEN = '<>:"/\\|?*'  # on one system or another
_LONGEST = 200  # bytes of a name, so that a suffix fits
_SLUG = 60  # the longest slug, and below what it is not made of
_BEYOND = re.compile(r"[^A-Za-z0-9._-]")
_FEWEST = 12  # clips that a process must have to be worth its start


@dataclass(frozen=True, slots=True)
class Job:
    """One clip to track.

    Parameters
    ----------
    clip : Clip
        The clip.
    tracker : Tracker
        Finds its F0.
    table : Path or None
        Where its table goes.
    kind : str
        The format of the table.
    picture : Path or None
        Where its picture goes.
    """

    clip: Clip
    tracker: Tracker
    table: Path | None
    kind: str
    picture: Path | None


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a clip.

    Parameters
    ----------
    clip_id : str
        The clip.
    duration_s : float, seconds
        Its length.
    n_frames, n_voiced : int
        Rows, and how many are voiced.
    median_hz : float or None, hertz
        Of the voiced rows; None where there are none.
    failure : Failure or None
        Why it has no F0.
    track : F0Track or None
        The rows, where they go to the screen.
    """

    clip_id: str
    duration_s: float = 0.0
    n_frames: int = 0
    n_voiced: int = 0
    median_hz: float | None = None
    failure: Failure | None = None
    track: F0Track | None = None


def track(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOUND", help="Sound files, folders, or corpora (folder:MANIFEST, fleurs:PATH)."),
    ],
    tracker: Annotated[
        str,
        typer.Option(
            "--tracker", help="Finds the F0; settings as kaldi:pov_threshold=0.2. `otoscope f0 trackers` lists them."
        ),
    ] = "yaapt",
    frame_ms: Annotated[
        float | None, typer.Option("--frame-ms", help="Length of a frame, in milliseconds.", show_default="25")
    ] = None,
    hop_ms: Annotated[
        float | None, typer.Option("--hop-ms", help="From one row to the next, in milliseconds.", show_default="20")
    ] = None,
    fmin: Annotated[
        float | None, typer.Option("--fmin", help="Lowest F0 searched, in hertz.", show_default="60")
    ] = None,
    fmax: Annotated[
        float | None, typer.Option("--fmax", help="Highest F0 searched, in hertz.", show_default="400")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option("--format", help="csv, parquet, pitchtier or textgrid.", show_default="as --out ends, or csv"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="A folder, gets a file for each sound; or, for one sound, a file."),
    ] = None,
    plot: Annotated[
        str | None,
        typer.Option(
            "--plot", help="Draw F0 over the spectrogram: png or svg, beside the tables; or one file's path."
        ),
    ] = None,
    languages: Languages = None,
    processes: Annotated[
        int | None, typer.Option("--processes", min=1, help="How many work at once.", show_default="one per core")
    ] = None,
    as_json: JsonFlag = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Find the F0 of sound files. Without --out, the table of one sound goes to the screen."""
    from otoscope.f0.tracking import open_on_frames
    from otoscope.f0.writing import FORMATS, text_of
    from otoscope.representations.gathering import gather_clips

    opened = open_on_frames(tracker, frame_length_ms=frame_ms, hop_ms=hop_ms, f0_min_hz=fmin, f0_max_hz=fmax)
    corpus = gather_clips(sources, languages=words(languages))
    kind = _format(kind, out, FORMATS)
    jobs = list(_jobs(corpus.clips, opened, kind, out, plot, FORMATS[kind], as_json=as_json))
    told: list[Told] = []
    with progress_bar(quiet=quiet) as bar:
        bar.begin(f"F0 with {opened.info.name}", len(jobs))
        for answer in _tell(jobs, processes):
            told.append(answer)
            bar.advance()
    order = {clip.clip_id: i for i, clip in enumerate(corpus.clips)}
    told.sort(key=lambda one: order[one.clip_id])
    failures = [*corpus.failures, *(one.failure for one in told if one.failure)]
    found = [one for one in told if one.failure is None]
    if as_json:
        print_json(_summary(opened, jobs, found, failures))
    elif out is None and plot is None and found and found[0].track is not None:
        typer.echo(text_of(found[0].track, kind=kind, duration_s=found[0].duration_s), nl=False)
    else:
        n_frames, n_voiced = sum(one.n_frames for one in found), sum(one.n_voiced for one in found)
        share = f", {100 * n_voiced / n_frames:.0f} % of {n_frames} frames voiced" if n_frames else ""
        typer.echo(f"{counted(len(found), 'sound')} tracked with {opened.info.name}{share}   {_where(jobs, out)}")
    say_failures(failures, "")
    if failures:
        raise typer.Exit(1)


def _format(kind: str | None, out: Path | None, formats: dict[str, str]) -> str:
    """Read the format from what was asked, or from the name of the file."""
    if kind is not None and kind not in formats:
        raise SpecError(f"--format {kind!r}: choose from {', '.join(formats)}")
    by_suffix = {suffix.lower(): name for name, suffix in formats.items()}
    named = by_suffix.get(out.suffix.lower()) if out is not None and not out.is_dir() else None
    if kind and named and kind != named:
        raise SpecError(f"--format {kind} and --out {out}: the file's name says {named}; leave one out")
    return kind or named or "csv"


def _jobs(
    clips: tuple[Clip, ...],
    tracker: Tracker,
    kind: str,
    out: Path | None,
    plot: str | None,
    suffix: str,
    *,
    as_json: bool,
) -> Iterator[Job]:
    single = len(clips) == 1
    if out is None and kind == "parquet":
        raise SpecError("--format parquet: a Parquet file cannot go to the screen; give --out")
    if out is None and not single and plot is None and not as_json:
        raise SpecError(f"{len(clips)} sounds: give --out DIR, a folder for their tables")
    one_file = out is not None and not out.is_dir() and out.suffix.lower() == suffix.lower()
    if one_file and not single:
        raise SpecError(f"--out {out}: {len(clips)} sounds do not go into one file; name a folder")
    drawn = _picture_of(plot, out, single)
    stems = Counter(_stem(clip.clip_id) for clip in clips)
    for clip in clips:
        stem = _stem(clip.clip_id)
        if stems[stem] > 1:  # one.wav beside one.flac
            stem = _stem(clip.clip_id, whole=True)
        table = picture = None
        if out is not None:
            table = out if one_file else out / f"{stem}{suffix}"
        if drawn in PICTURES:
            assert out is not None
            picture = (out.parent if one_file else out) / f"{stem}{drawn}"
        elif drawn:
            picture = Path(drawn)
        yield Job(clip, tracker, table, kind, picture)


def _picture_of(plot: str | None, out: Path | None, single: bool) -> str | None:
    """Give the suffix of the pictures, or the path of the only one."""
    if plot is None:
        return None
    if f".{plot.lower()}" in PICTURES:
        if out is None:
            raise SpecError(
                f"--plot {plot}: give --out DIR for the pictures, or the path of one, as --plot f0.{plot}"
            )
        return f".{plot.lower()}"
    if Path(plot).suffix.lower() not in PICTURES:
        raise SpecError(f"--plot {plot!r}: png, svg, or a path that ends with .png or .svg is accepted")
    if not single:
        raise SpecError(
            f"--plot {plot}: one picture cannot show several sounds; --plot {Path(plot).suffix[1:]} --out DIR"
        )
    return plot


def _stem(clip_id: str, *, whole: bool = False) -> str:
    """Give a path below the folder of tables: the clip's id, without the suffix of a sound file unless `whole`."""
    from otoscope.corpora.folder import SOUND_SUFFIXES

    parts = Path(clip_id).parts
    last = Path(parts[-1])
    name = last.stem if last.suffix.lower() in SOUND_SUFFIXES and not whole else last.name
    return Path(*(_file_name(part) for part in (*parts[:-1], name) if part not in ("/", "..", "."))).as_posix()


def _file_name(part: str) -> str:
    """Keep a name that any system takes as a file's, blanks and letters of any script included; else give its slug.

    A slug is short and of few characters, so what is kept beside slugs is never one of them.
    """
    from otoscope.store import slug

    plain = slug(part)
    usual = part.isprintable() and not set(part) & set(_FORBIDDEN) and len(part.encode()) <= _LONGEST
    ends = part == part.strip() and not part.startswith(("-", ".")) and not part.endswith(".")
    other = len(part) > _SLUG or bool(_BEYOND.search(part))
    return part if usual and ends and other else plain


def _tell(jobs: list[Job], processes: int | None) -> Iterator[Told]:
    from otoscope.engine.local import in_parallel

    yield from in_parallel(_do, jobs, processes, fewest=_FEWEST)


def _do(job: Job) -> Told:
    """Track one clip, and write what is asked of it."""
    import numpy as np

    from otoscope.corpora.base import Failure
    from otoscope.f0.labels import LabelCache
    from otoscope.f0.tracking import at_rate
    from otoscope.f0.writing import write_track

    clip = job.clip
    stage: Literal["audio", "labels"] = "audio"
    try:
        waveform = clip.read(sample_rate=None)
        heard = at_rate(waveform, job.tracker.sample_rate)
        stage = "labels"
        found = LabelCache().track(job.tracker, heard)
    except DataError as error:
        return Told(clip.clip_id, failure=Failure(clip.clip_id, stage, error.problem))
    if job.table is not None:
        job.table.parent.mkdir(parents=True, exist_ok=True)
        write_track(found, job.table, kind=job.kind, duration_s=waveform.duration_s)
    if job.picture is not None:
        from otoscope.report.track_figure import draw_track

        job.picture.parent.mkdir(parents=True, exist_ok=True)
        draw_track(waveform, found, job.picture)
    median = float(np.median(found.f0_hz[found.voiced])) if found.voiced.any() else None
    shown = found if job.table is None else None
    n_voiced = int(np.count_nonzero(found.voiced))
    return Told(clip.clip_id, waveform.duration_s, found.times.size, n_voiced, median, None, shown)


def _where(jobs: list[Job], out: Path | None) -> str:
    if len(jobs) != 1:
        return str(out)
    return "   ".join(str(path) for path in (jobs[0].table, jobs[0].picture) if path is not None)


def _summary(tracker: Tracker, jobs: list[Job], found: list[Told], failures: list[Failure]) -> dict[str, object]:
    tables = {job.clip.clip_id: job for job in jobs}
    return {
        "tracker": tracker.info.describe(),
        "sounds": [
            {
                "clip_id": one.clip_id,
                "duration_s": one.duration_s,
                "n_frames": one.n_frames,
                "n_voiced": one.n_voiced,
                "median_hz": one.median_hz,
                "table": _text(tables[one.clip_id].table),
                "picture": _text(tables[one.clip_id].picture),
            }
            for one in found
        ],
        "failures": [{"clip_id": one.clip_id, "stage": one.stage, "reason": one.reason} for one in failures],
    }


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)

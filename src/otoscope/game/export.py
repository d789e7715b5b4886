"""A study's data as tables that explain themselves: CSV files, a codebook, schedules and versions.

The folder follows Psych-DS [1]_: data under ``data/``, and ``dataset_description.json`` with ``variableMeasured``.

References
----------
.. [1] Psych-DS, a specification for psychological data sets, https://psych-ds.github.io.
"""

from __future__ import annotations

import csv
import io
import platform
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import otoscope
from otoscope.errors import SpecError
from otoscope.game.collecting import Collected, as_responses, collect, finished_sessions, limits_of, response_rows
from otoscope.store import atomic_path, write_text

if TYPE_CHECKING:
    from otoscope.game.exclusions import Exclusions
    from otoscope.game.storage import Store
    from otoscope.game.study import Study

__all__ = ["Exported", "export_files", "export_study", "zip_bytes"]

_EXTRA = ("clip_id", "onset_s", "late_ms", "server_s")
_SESSION_COLUMNS = (
    "session",
    "participant",
    "sitting",
    "stage",
    "complete",
    "seat",
    "day",
    "language",
    "consent_version",
    "device",
    "volume",
    "headphones",
    "headphone_attempts",
    "headphone_correct",
    "practice_correct",
    "practice_total",
    "responses",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Parameters
    ----------
    files : tuple of Path
        All of them.
    n_sessions, n_responses : int
        Rows of the tables.
    """

    files: tuple[Path, ...]
    n_sessions: int
    n_responses: int


def export_files(
    study: Study, store: Store, *, platform_ids: bool = False, incomplete: bool = True
) -> dict[str, str]:
    """Make all files of an export.

    Parameters
    ----------
    study : Study
        Which.
    store : Store
        Its database.
    platform_ids : bool
        Whether a table of what platforms call the listeners is made; it stands apart from the data.
    incomplete : bool
        Whether sittings that were not finished are there.

    Returns
    -------
    dict of str to str
        Text by path.
    """
    from otoscope.game.responses import COLUMNS

    found = collect(store)
    finished = finished_sessions(study, found)
    kept = [row for row in found.sittings if incomplete or row["session"] in finished]
    names = {row["session"] for row in kept}
    responses = [row for row in response_rows(study, found) if row["session"] in names]
    sessions = _session_rows(found, kept, finished)
    questions = [row for row in found.questions if row["session"] in names]
    exclusions = _exclusions(study, responses)
    files = {
        "data/responses.csv": _csv((*COLUMNS, *_EXTRA), responses),
        "data/sessions.csv": _csv(_SESSION_COLUMNS, sessions),
        "data/questions.csv": _csv(("session", "question", "value"), questions),
        "data/exclusions.csv": _csv(("session", "kept", "reasons"), _exclusion_rows(exclusions)),
        "data/clips.csv": (study.folder / "clips.csv").read_text(encoding="utf-8"),
        "dataset_description.json": _json(_description(study, found)),
        "README.md": _readme(study),
        "CHANGES.md": f"Exported by otoscope {otoscope.__version__}.\n",
        "materials/study.toml": (study.folder / "study.toml").read_text(encoding="utf-8"),
    }
    for name in ("schedules.json", "proof.json", "proof.txt"):
        files[f"materials/{name}"] = (study.folder / name).read_text(encoding="utf-8")
    for path in sorted((study.folder / "texts").rglob("*.md")):
        name = path.relative_to(study.folder).as_posix()
        files[f"materials/{name}"] = path.read_text(encoding="utf-8-sig")
    if study.settings.database:
        files["materials/study.toml"] = _without_database(files["materials/study.toml"])
    if platform_ids:
        by_participant = defaultdict(list)
        for row in kept:
            by_participant[row["participant"]].append(row["session"])
        rows = [
            {**row, "platform": row["name"], "session": session}
            for row in found.platforms
            for session in by_participant.get(row["participant"], [])
        ]
        columns = ("participant", "session", "platform", "platform_id", "study_id", "session_id")
        files["platform-ids.csv"] = _csv(columns, rows)
    return files


def _without_database(text: str) -> str:
    return "\n".join(line for line in text.split("\n") if not line.lstrip().startswith("database"))


def export_study(
    study: Study,
    store: Store,
    out: Path | str,
    *,
    platform_ids: bool = False,
    incomplete: bool = True,
    overwrite: bool = False,
) -> Exported:
    """Write a study's data.

    Parameters
    ----------
    study : Study
        Which.
    store : Store
        Its database; players may go on meanwhile.
    out : path
        A folder, or a file that ends in ``.zip``.
    platform_ids, incomplete : bool
        As for :func:`export_files`.
    overwrite : bool
        Whether files of an earlier export are replaced.

    Returns
    -------
    Exported
        What was written.

    Raises
    ------
    SpecError
        If there is something in the way.
    """
    out = Path(out)
    files = export_files(study, store, platform_ids=platform_ids, incomplete=incomplete)
    there = out.exists() and (out.is_file() or any(out.iterdir()))
    if there and not overwrite:
        raise SpecError(f"{out}: is there already; name another place, or ask to overwrite it")
    if out.suffix.lower() == ".zip":
        with atomic_path(out) as temporary:
            temporary.write_bytes(zip_bytes(files))
        written = [out]
    else:
        if out.is_file():
            raise SpecError(f"{out}: is a file; name a folder, or a file that ends in .zip")
        stale = out / "platform-ids.csv"
        if not platform_ids and stale.exists():
            stale.unlink()
        written = []
        for name, text in files.items():
            write_text(out / name, text)
            written.append(out / name)
        if platform_ids:
            stale.chmod(0o600)
    counts = [files[f"data/{name}.csv"].count("\n") - 1 for name in ("sessions", "responses")]
    return Exported(tuple(written), *counts)


def zip_bytes(files: dict[str, str]) -> bytes:
    """Pack files.

    Parameters
    ----------
    files : dict of str to str
        Text by path.

    Returns
    -------
    bytes
        A zip archive; equal for equal files.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, text.encode())
    return buffer.getvalue()


def _session_rows(found: Collected, kept: Iterable[dict[str, Any]], finished: set[str]) -> list[dict[str, Any]]:
    import json

    counts: dict[str, int] = defaultdict(int)
    for row in found.responses:
        counts[row["session"]] += 1
    events: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in found.events:
        events[row["session"]][row["kind"]].append(json.loads(row["data"]))
    rows = []
    for sitting in kept:
        heard = events[sitting["session"]]
        checks, practice = heard["headphones"], heard["practice"]
        rows.append(
            {
                **sitting,
                "complete": sitting["session"] in finished,
                "language": sitting["lang"],
                "headphone_attempts": len(checks) or None,
                "headphone_correct": checks[-1]["correct"] if checks else None,
                "practice_correct": practice[-1]["correct"] if practice else None,
                "practice_total": practice[-1]["total"] if practice else None,
                "responses": counts[sitting["session"]],
            }
        )
    return rows


def _exclusions(study: Study, rows: Sequence[dict[str, Any]]) -> Exclusions | None:
    from otoscope.game.exclusions import exclude

    return exclude(as_responses(rows), limits_of(study)) if rows else None


def _exclusion_rows(found: Exclusions | None) -> list[dict[str, Any]]:
    if found is None:
        return []
    names = sorted((*found.kept, *found.excluded))
    kept = set(found.kept)
    return [{"session": name, "kept": name in kept, "reasons": " ".join(found.reasons(name))} for name in names]


def _csv(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(name, row.get(name)) for name in columns])
    return buffer.getvalue()


def _cell(column: str, value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    # What listeners typed must not become a formula in a spreadsheet.
    if column == "value" and isinstance(value, str) and value.startswith(_FORMULA) and not _is_number(value):
        return f"'{value}"
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _json(value: object) -> str:
    import json

    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _description(study: Study, found: Collected) -> dict[str, Any]:
    from otoscope.game.codebook import VARIABLES

    variables = [{"@type": "PropertyValue", **variable} for variable in VARIABLES]
    for question in study.settings.questions:
        choices = ", ".join(choice.value for choice in question.choices)
        text = next(iter(question.text.values()))
        variables.append(
            {
                "@type": "PropertyValue",
                "name": f"value ({question.id})",
                "description": f"questions.csv, question {question.id}: {text}"
                + (f" ({choices})" if choices else ""),
            }
        )
    return {
        "@context": "https://schema.org/",
        "@type": "Dataset",
        "name": study.settings.title,
        "description": "Answers of listeners to a continuous recognition task with music.",
        "schemaVersion": "Psych-DS 0.4.0",
        "version": otoscope.__version__,
        "softwareVersions": {
            "otoscope": otoscope.__version__,
            "python": platform.python_version(),
            "platform": sys.platform,
        },
        "consentVersions": sorted({row["consent_version"] for row in found.sittings}),
        "templateDigest": study.template.digest,
        "variableMeasured": variables,
    }


def _readme(study: Study) -> str:
    return (
        f"# {study.settings.title}\n\n"
        f"{study.n_slots} slots in {study.n_phases} phases; {len(study.clips)} clips of {study.clip_s:g} s. "
        "What the columns mean stands in `dataset_description.json`.\n\n"
        "- `data/responses.csv`: one row for each slot that was answered\n"
        "- `data/sessions.csv`: one row for each sitting\n"
        "- `data/questions.csv`: answers to the questions; an empty value was not said\n"
        "- `data/exclusions.csv`: whom the study's rules leave out, and why\n"
        "- `data/clips.csv`: the clips and their loudness\n"
        "- `materials/`: settings, schedules, their proof, and what players read\n"
    )

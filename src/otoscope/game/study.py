"""The folder of a study: made once from clips and settings, opened by everything that comes after.

``study.toml`` holds the settings, ``clips.csv`` and ``clips/`` what is served, ``schedules.json`` the order of
slots and which clip stands where for every seat, ``proof.json`` and ``proof.txt`` the check of these, ``texts/``
what players read, ``game.db`` what they answered, ``admin-token`` the key to ``/admin``.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from otoscope.errors import SpecError
from otoscope.game.asked_schedule import schedule_settings
from otoscope.game.clip_table import clip_file, clips_csv, read_clips
from otoscope.game.settings import StudySettings, read_settings
from otoscope.game.settings_text import settings_toml
from otoscope.game.sounds import (
    SAMPLE_RATE,
    PreparedClip,
    PreparedClips,
    encode,
    new_clip_id,
    normalise,
    prepare_clips,
)
from otoscope.store import atomic_path, read_json, write_json, write_text

if TYPE_CHECKING:
    from otoscope.game.schedule import Assignments, Proof, Template
    from otoscope.game.storage import Store

__all__ = ["MadeStudy", "PlannedSlot", "Study", "new_study"]

FORMAT = 1
TEXTS = ("consent", "debrief")
_PARTS = ("clips", "practice", "texts", "clips.csv", "practice.csv", "schedules.json", "proof.json", "proof.txt")
_LEAST_SEATS = 200


@dataclass(frozen=True, slots=True)
class PlannedSlot:
    """What stands in one slot of one seat.

    Parameters
    ----------
    slot : int
        From 0.
    clip : PreparedClip
        What sounds.
    role : str
        ``target``, ``vigilance``, ``filler`` or ``warmup``.
    presentation : int
        1 or 2.
    lag : int or None, slots
        Since the first presentation; None at a first one.
    phase : int
        From 0.
    crossed : int or None
        Rests since the first presentation; None at a first one.
    """

    slot: int
    clip: PreparedClip
    role: str
    presentation: int
    lag: int | None
    phase: int
    crossed: int | None


@dataclass(frozen=True, slots=True)
class MadeStudy:
    """A study that was made, and what has to be said about it.

    Parameters
    ----------
    study : Study
        It.
    clips : PreparedClips
        Its clips, with failures and warnings.
    proofs : tuple of Proof
        The check of the order of slots, and of the balance of clips over seats.
    """

    study: Study
    clips: PreparedClips
    proofs: tuple[Proof, ...]


class Study:
    """An open study.

    Parameters
    ----------
    folder : Path
        Where it lies; see :meth:`open`.
    settings : StudySettings
        Its settings.
    clips, practice_clips : tuple of PreparedClip
        What is served.
    clip_s : float, seconds
        How long every clip is.
    template : Template
        The order of slots.
    assignments : Assignments
        Which clip stands where, for every seat.
    """

    def __init__(
        self,
        folder: Path,
        settings: StudySettings,
        clips: tuple[PreparedClip, ...],
        practice_clips: tuple[PreparedClip, ...],
        clip_s: float,
        template: Template,
        assignments: Assignments,
    ) -> None:
        self.folder = folder
        self.settings = settings
        self.clips = clips
        self.practice_clips = practice_clips
        self.clip_s = clip_s
        self.template = template
        self.assignments = assignments
        self._plans: dict[int, tuple[PlannedSlot, ...]] = {}

    @classmethod
    def open(cls, folder: Path | str) -> Study:
        """Open a study.

        Parameters
        ----------
        folder : path
            As :func:`new_study` made it.

        Returns
        -------
        Study
            Nothing is written.

        Raises
        ------
        SpecError
            If it is no study, or a part is missing, damaged, or does not go with the others.
        """
        folder = Path(folder)
        if not (folder / "study.toml").is_file():
            raise SpecError(
                f"{folder}: holds no study.toml; make a study with: otoscope game new {folder} --clips CLIPS"
            )
        from otoscope.game.schedule import Assignments, Template

        settings = read_settings(folder / "study.toml")
        clips = read_clips(folder / "clips.csv")
        practice = read_clips(folder / "practice.csv") if (folder / "practice.csv").is_file() else ()
        found = read_json(folder / "schedules.json")
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise SpecError(f"{folder / 'schedules.json'}: is not of format {FORMAT}; make the study anew")
        template = Template.from_json(found["template"])
        assignments = Assignments.from_json(found["assignments"])
        by_id = {clip.clip_id: clip for clip in clips}
        unknown = [clip_id for clip_id in found["clips"] if clip_id not in by_id]
        if unknown:
            raise SpecError(f"{folder / 'clips.csv'}: lacks clip {unknown[0]}, which the schedules name")
        ordered = tuple(by_id[clip_id] for clip_id in found["clips"])
        study = cls(folder, settings, ordered, practice, float(found["clip_s"]), template, assignments)
        study._check()
        return study

    def _check(self) -> None:
        from otoscope.game.collecting import limits_from

        limits_from(self.settings)
        for clip in (*self.clips, *self.practice_clips):
            path = clip_file(self.folder, clip.clip_id)
            if path is None or path.stat().st_size != clip.bytes:
                raise SpecError(f"{self.folder / 'clips'}: clip {clip.clip_id} ({clip.track}) is missing or damaged")
        for language in self.settings.languages:
            for name in TEXTS:
                self.text(name, language)

    @property
    def n_slots(self) -> int:
        """Slots of a sitting."""
        return self.template.n_slots

    @property
    def n_phases(self) -> int:
        """Phases of a sitting."""
        return self.template.n_phases

    @property
    def n_seats(self) -> int:
        """Assignments that were made."""
        return self.assignments.n_seats

    @property
    def slot_s(self) -> float:
        """Seconds from one onset to the next."""
        return self.clip_s + self.settings.timing.gap_s

    @property
    def minutes(self) -> int:
        """How long a sitting lasts, with rests and what comes before, rounded up."""
        before_s = 60 * (2 + self.settings.headphones.on + self.settings.practice)
        rests_s = (self.n_phases - 1) * self.settings.timing.rest_s
        return int(np.ceil((self.n_slots * self.slot_s + rests_s + before_s) / 60))

    @cached_property
    def phases(self) -> tuple[tuple[int, ...], ...]:
        """The slots of each phase."""
        return tuple(
            tuple(slot.index for slot in self.template.slots if slot.phase == phase) for phase in range(self.n_phases)
        )

    @cached_property
    def place_in_phase(self) -> dict[int, tuple[int, int]]:
        """Phase of each slot, and how many slots of that phase come before it."""
        return {slot: (phase, place) for phase, slots in enumerate(self.phases) for place, slot in enumerate(slots)}

    @property
    def database_url(self) -> str:
        """The database as SQLAlchemy names it."""
        return self.settings.database or f"sqlite:///{(self.folder / 'game.db').resolve().as_posix()}"

    def store(self, url: str | None = None) -> Store:
        """Open the database.

        Parameters
        ----------
        url : str, optional
            Another than the study's own.

        Returns
        -------
        Store
            Made if it is not there; readable by its owner only.
        """
        from otoscope.game.storage import Store

        store = Store(url or self.database_url)
        if store.is_sqlite and store.engine.url.database:
            Path(store.engine.url.database).chmod(0o600)
        return store

    def plan(self, seat: int) -> tuple[PlannedSlot, ...]:
        """Say what stands in every slot of a seat.

        Parameters
        ----------
        seat : int
            From 0.

        Returns
        -------
        tuple of PlannedSlot
            In the order of slots.
        """
        if seat not in self._plans:
            clips = self.assignments.clips[seat]
            phase_of: dict[int, int] = {}
            planned = []
            for slot in self.template.slots:
                crossed = slot.phase - phase_of[slot.item] if slot.presentation == 2 else None
                phase_of.setdefault(slot.item, slot.phase)
                clip = self.clips[int(clips[slot.item])]
                planned.append(
                    PlannedSlot(slot.index, clip, slot.role, slot.presentation, slot.lag, slot.phase, crossed)
                )
            self._plans[seat] = tuple(planned)
        return self._plans[seat]

    def text(self, name: str, language: str) -> str:
        """Give what players read.

        Parameters
        ----------
        name : str
            ``consent`` or ``debrief``.
        language : str
            Such as ``en``.

        Returns
        -------
        str
            The file's text, with ``{title}``, ``{minutes}``, ``{contact}`` and ``{minimum_age}`` filled in.
        """
        path = self.folder / "texts" / f"{name}.{language}.md"
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise SpecError(
                f"{path}: cannot be read ({error}); write it, or take {language} out of languages"
            ) from None
        filled = {
            "title": self.settings.title,
            "minutes": str(self.minutes),
            "contact": self.settings.contact or "-",
            "minimum_age": str(self.settings.minimum_age),
        }
        for word, value in filled.items():
            text = text.replace(f"{{{word}}}", value)
        return text.strip() + "\n"

    def consent(self, language: str) -> tuple[str, str]:
        """Give the consent and its version.

        Parameters
        ----------
        language : str
            Such as ``en``.

        Returns
        -------
        version : str
            12 hexadecimal characters of the digest of the text.
        text : str
            As players read it.
        """
        text = self.text("consent", language)
        return hashlib.sha256(text.encode()).hexdigest()[:12], text

    def keep_consents(self) -> None:
        """Keep a copy of every version of the consent that players may agree to."""
        for language in self.settings.languages:
            version, text = self.consent(language)
            path = self.folder / "texts" / "versions" / f"consent.{language}.{version}.md"
            if not path.exists():
                write_text(path, text)

    def admin_token(self) -> str:
        """Give the key to the admin page, and make one where there is none.

        Returns
        -------
        str
            43 characters; in ``admin-token``, readable by its owner only.
        """
        path = self.folder / "admin-token"
        if not path.exists():
            _write_secret(path, secrets.token_urlsafe(32))
        token = path.read_text(encoding="ascii", errors="replace").strip()
        if len(token) < 20:
            raise SpecError(f"{path}: is shorter than 20 characters; remove it, and another is made")
        return token


def _write_secret(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.unlink()
        handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text + "\n")
    path.chmod(0o600)


def new_study(
    folder: Path | str,
    clips_folder: Path | str,
    settings: StudySettings | None = None,
    *,
    seed: int = 0,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> MadeStudy:
    """Make a study: clips for the web, schedules, their proof, texts to edit.

    Parameters
    ----------
    folder : path
        Where; made, or empty, unless `overwrite`.
    clips_folder : path
        The user's clips; only read.
    settings : StudySettings, optional
        The defaults where none are given.
    seed : int
        What schedules and assignments are drawn from. Names of clips are random in any case.
    overwrite : bool
        Make a study anew that nobody has answered; edited texts and the admin token are kept.
    progress : callable, optional
        Told how many clips are done, of how many.

    Returns
    -------
    MadeStudy
        The study, with what has to be said about its clips.

    Raises
    ------
    SpecError
        If there is a study already, if it has responses, or the settings cannot be met.
    """
    from otoscope.game.collecting import limits_from
    from otoscope.game.schedule import assign, check_assignments, check_schedule, make_template

    folder, clips_folder = Path(folder), Path(clips_folder)
    settings = settings or StudySettings()
    _check_place(folder, clips_folder, overwrite=overwrite)
    limits_from(settings)
    making = folder / "making"
    shutil.rmtree(making, ignore_errors=True)
    try:
        prepared = prepare_clips(
            clips_folder,
            making / "clips",
            clip_s=settings.timing.clip_s,
            lufs=settings.sound.lufs,
            peak_dbtp=settings.sound.peak_dbtp,
            kind=settings.sound.format,
            progress=progress,
        )
        asked = replace(schedule_settings(settings, n_clips=len(prepared.clips), clip_s=prepared.clip_s), seed=seed)
        template = make_template(asked)
        n_clips = len(prepared.clips)
        seats = settings.seats or n_clips * -(-_LEAST_SEATS // n_clips)
        assignments = assign(template, n_clips, seats, seed=seed)
        proofs = check_schedule(template), check_assignments(assignments, template)
        practice = _make_practice(making / "clips", settings, prepared.clip_s) if settings.practice else ()
        write_text(making / "study.toml", settings_toml(settings))
        write_text(making / "clips.csv", clips_csv(prepared.clips))
        if practice:
            write_text(making / "practice.csv", clips_csv(practice))
        write_json(
            making / "schedules.json",
            {
                "format": FORMAT,
                "clip_s": prepared.clip_s,
                "clips": [clip.clip_id for clip in prepared.clips],
                "template": template.to_json(),
                "assignments": assignments.to_json(),
            },
        )
        write_json(making / "proof.json", [proof.to_json() for proof in proofs])
        write_text(making / "proof.txt", "\n".join(proof.to_text() for proof in proofs))
        _write_texts(making / "texts", folder / "texts")
        _move_in(making, folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    study = Study.open(folder)
    study.admin_token()
    study.keep_consents()
    return MadeStudy(study, prepared, proofs)


def _check_place(folder: Path, clips_folder: Path, *, overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise SpecError(f"{folder}: is a file; name a folder")
    one, other = folder.resolve(), clips_folder.resolve()
    if one == other or one in other.parents:
        raise SpecError(f"{folder}: holds the clips themselves; make the study beside them")
    if (folder / "game.db").is_file() and _has_sittings(folder):
        raise SpecError(f"{folder}: has responses; make the new study in another folder")
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        what = "holds a study" if (folder / "study.toml").exists() else "is not empty"
        raise SpecError(f"{folder}: {what}; name another folder, or ask to overwrite it")
    if overwrite and folder.is_dir() and any(folder.iterdir()) and not (folder / "study.toml").exists():
        raise SpecError(f"{folder}: is not empty and holds no study; only a study is overwritten")
    if overwrite and (folder / "study.toml").exists():
        found = read_settings(folder / "study.toml").database
        if found and _has_sittings(folder, found):
            raise SpecError(f"{folder}: its database has responses; make the new study in another folder")


def _has_sittings(folder: Path, url: str | None = None) -> bool:
    from sqlmodel import select

    from otoscope.game.storage import Store
    from otoscope.game.tables import Sitting

    store = Store(url or f"sqlite:///{(folder / 'game.db').resolve().as_posix()}")
    try:
        with store.session() as session:
            return session.exec(select(Sitting).limit(1)).first() is not None
    finally:
        store.close()


def _make_practice(out: Path, settings: StudySettings, clip_s: float) -> tuple[PreparedClip, ...]:
    from otoscope.game.practice import PRACTICE_ORDER, practice_tune

    kind, made = settings.sound.format, []
    for number in range(max(PRACTICE_ORDER) + 1):
        samples = practice_tune(number, duration_s=clip_s, sample_rate=SAMPLE_RATE)
        samples, before, gain_db = normalise(samples, lufs=settings.sound.lufs, peak_dbtp=settings.sound.peak_dbtp)
        data, clip_id = encode(samples, kind), new_clip_id()
        (out / f"{clip_id}.{kind}").write_bytes(data)
        lufs = round(before, 2) if np.isfinite(before) else 0.0
        digest = hashlib.sha256(data).hexdigest()
        made.append(PreparedClip(clip_id, f"practice/{number}", clip_s, lufs, round(gain_db, 2), digest, len(data)))
    return tuple(made)


def _write_texts(out: Path, edited: Path) -> None:
    from importlib.resources import files

    for source in files("otoscope.game").joinpath("texts").iterdir():
        if source.name.endswith(".md"):
            kept = edited / source.name
            text = kept.read_text(encoding="utf-8") if kept.is_file() else source.read_text(encoding="utf-8")
            write_text(out / source.name, text)


def _move_in(making: Path, folder: Path) -> None:
    """Put the made parts in place; ``study.toml``, by which a study is known, goes first and comes last."""
    (folder / "study.toml").unlink(missing_ok=True)
    for name in _PARTS:
        target = folder / name
        if name == "texts" and target.is_dir():
            for text in (making / name).iterdir():
                os.replace(text, target / text.name)
            continue
        if target.is_dir():
            shutil.rmtree(target)
        target.unlink(missing_ok=True)
        if (making / name).exists():
            os.replace(making / name, target)
    os.replace(making / "study.toml", folder / "study.toml")

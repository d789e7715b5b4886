"""What a study asks of its listeners: everything that can be set, read from ``study.toml``.

Every setting has a default, so that a study needs no file at all. An unknown key is refused, with the nearest known
one.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from otoscope.errors import SpecError
from otoscope.specs import suggestion

__all__ = [
    "LANGUAGES",
    "Choice",
    "Completion",
    "Headphones",
    "Keys",
    "Question",
    "SecondSitting",
    "Sound",
    "StudySettings",
    "Timing",
    "default_questions",
    "read_settings",
]

LANGUAGES = ("en", "zh-Hant")
Language = Literal["en", "zh-Hant"]
Words = dict[Language, str]
Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=3600)]
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_PLACEHOLDERS = ("id", "study_id", "session_id", "code")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, str_strip_whitespace=True)


class Timing(_Strict):
    """When clips begin and answers count.

    Parameters
    ----------
    clip_s : float or None, seconds
        How long every clip is; None takes the length that most clips have.
    gap_s : float, seconds
        Silence from the end of a clip to the next.
    window_s : float, seconds
        How long after the end of a clip an answer still counts; at most `gap_s`.
    rest_s : float, seconds
        The least rest between phases.
    """

    clip_s: Annotated[float, Field(ge=0.1, le=60)] | None = None
    gap_s: Annotated[float, Field(ge=0.05, le=60)] = 3.0
    window_s: Annotated[float, Field(ge=0, le=60)] = 2.5
    rest_s: Seconds = 60.0

    @model_validator(mode="after")
    def _window_inside_gap(self) -> Timing:
        if self.window_s > self.gap_s:
            raise ValueError(f"window_s is {self.window_s:g} s, longer than the gap of {self.gap_s:g} s")
        return self


class Sound(_Strict):
    """How clips are made ready for the web.

    Parameters
    ----------
    lufs : float, LUFS
        Loudness of every clip.
    peak_dbtp : float, dB
        The highest true peak; a clip that would exceed it stays softer.
    format : {"mp3", "flac", "wav"}
        What is served. See :mod:`otoscope.game.sounds`.
    """

    lufs: Annotated[float, Field(ge=-40, le=-9)] = -20.0
    peak_dbtp: Annotated[float, Field(ge=-12, le=-0.1)] = -1.0
    format: Literal["mp3", "flac", "wav"] = "mp3"


class Headphones(_Strict):
    """The headphone check: which of three tones is softest, one of them in antiphase [1]_.

    Parameters
    ----------
    on : bool
        Whether it is made.
    trials : int
        In one attempt.
    pass_at : int
        How many have to be right.
    attempts : int
        How often it may be tried.

    References
    ----------
    .. [1] Woods, Siegel, Traer, McDermott, "Headphone screening to facilitate web-based auditory experiments",
       Attention, Perception, & Psychophysics, 2017.
    """

    on: bool = True
    trials: Annotated[int, Field(ge=1, le=24)] = 6
    pass_at: Annotated[int, Field(ge=1, le=24)] = 5
    attempts: Annotated[int, Field(ge=1, le=5)] = 2

    @model_validator(mode="after")
    def _can_be_passed(self) -> Headphones:
        if self.pass_at > self.trials:
            raise ValueError(f"pass_at is {self.pass_at}, more than the {self.trials} trials")
        return self


class Keys(_Strict):
    """Which keys give which answer, as browsers name them (``KeyboardEvent.key``).

    Parameters
    ----------
    new, repeat, knew : tuple of str
        One or more keys each; none stands twice.
    """

    new: tuple[Annotated[str, Field(min_length=1, max_length=20)], ...] = ("ArrowLeft", "f")
    repeat: tuple[Annotated[str, Field(min_length=1, max_length=20)], ...] = ("ArrowRight", "j")
    knew: tuple[Annotated[str, Field(min_length=1, max_length=20)], ...] = ("ArrowDown", "k")

    @model_validator(mode="after")
    def _all_differ(self) -> Keys:
        keys = [key.lower() for key in (*self.new, *self.repeat, *self.knew)]
        if not (self.new and self.repeat and self.knew):
            raise ValueError("every answer needs at least one key")
        if len(set(keys)) < len(keys):
            raise ValueError(f"one key stands twice among {', '.join(keys)}")
        return self


class Choice(_Strict):
    """One answer that may be chosen.

    Parameters
    ----------
    value : str
        What is stored.
    text : dict of str to str
        What is read, by language.
    """

    value: Annotated[str, Field(pattern=r"^[A-Za-z0-9_+.<>-]{1,40}$")]
    text: Words


class Question(_Strict):
    """A question before the game; every one may be left unanswered.

    Parameters
    ----------
    id : str
        Its column in the export.
    kind : {"choice", "number", "text"}
        What is answered.
    text : dict of str to str
        What is asked, by language.
    choices : tuple of Choice
        Of a choice.
    least, most : float or None
        Bounds of a number.
    max_length : int
        Of a text, in characters.
    """

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    kind: Literal["choice", "number", "text"]
    text: Words
    choices: tuple[Choice, ...] = ()
    least: float | None = None
    most: float | None = None
    max_length: Annotated[int, Field(ge=1, le=2000)] = 200

    @model_validator(mode="after")
    def _is_whole(self) -> Question:
        if (self.kind == "choice") != (len(self.choices) >= 2):
            raise ValueError("a choice has two or more choices, and nothing else has any")
        values = [choice.value for choice in self.choices]
        if len(set(values)) < len(values):
            raise ValueError(f"a value stands twice among {', '.join(values)}")
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValueError(f"least is {self.least:g}, more than most, {self.most:g}")
        return self


@cache
def default_questions() -> tuple[Question, ...]:
    """Give the questions that are asked where a study says nothing.

    Returns
    -------
    tuple of Question
        Age, musical training, hearing.
    """
    text = files("otoscope.game").joinpath("texts", "questions.toml").read_text(encoding="utf-8")
    return tuple(Question.model_validate(found) for found in tomllib.loads(text)["questions"])


class Completion(_Strict):
    """What a player gets at the end.

    Parameters
    ----------
    code : str or None
        The same for all, as Prolific wants it; None gives every player a code of their own.
    redirects : dict of str to str
        By platform, where the player goes; ``{id}``, ``{study_id}``, ``{session_id}`` and ``{code}`` are filled in.
    """

    code: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None
    redirects: dict[Literal["prolific", "sona", "other"], Annotated[str, Field(max_length=500)]] = {}

    @field_validator("redirects")
    @classmethod
    def _are_urls(cls, value: dict[str, str]) -> dict[str, str]:
        for name, url in value.items():
            if not url.startswith("https://"):
                raise ValueError(f"{name}: {url} does not begin with https://")
            where = url.removeprefix("https://").split("/", 1)[0]
            if not where or "{" in where:
                raise ValueError(f"{name}: the host of {url} has to be written out")
            unknown = [word for word in _PLACEHOLDER.findall(url) if word not in _PLACEHOLDERS]
            if unknown:
                raise ValueError(f"{name}: {{{unknown[0]}}} is none of {', '.join(_PLACEHOLDERS)}")
        return value


class SecondSitting(_Strict):
    """Another sitting of the same listener.

    Parameters
    ----------
    on : bool
        Whether players are invited to one.
    clips : {"other", "same"}
        Clips that share as little as can be with those of the first sitting, or the same ones in the same places.
    delay_h : float, hours
        The least time after the end of the first.
    """

    on: bool = False
    clips: Literal["other", "same"] = "other"
    delay_h: Annotated[float, Field(ge=0, le=24 * 365)] = 24.0


class StudySettings(_Strict):
    """Everything that can be set about a study.

    Parameters
    ----------
    title : str
        What players read first.
    languages : tuple of str
        Offered; the first is the default.
    contact : str
        Whom to ask, on the page and in the consent.
    minimum_age : int, years
        Said in the consent.
    seats : int or None
        How many different assignments of clips are made; None makes whole cycles, in which every clip serves for
        everything equally often, 200 or more.
    schedule : dict
        ``preset``, and any setting of :class:`otoscope.game.schedule.ScheduleSettings`.
    practice : bool
        Whether there is a practice.
    questions : tuple of Question
        Asked before the game; empty asks nothing.
    timing : Timing
        When clips begin and answers count.
    sound : Sound
        Loudness and format.
    headphones : Headphones
        The check.
    keys : Keys
        Of the keyboard.
    exclusions : dict
        Settings of :class:`otoscope.game.exclusions.Limits`.
    completion : Completion
        Code and redirect.
    second_sitting : SecondSitting
        If there is one.
    dropout_minutes : float, minutes
        After how long a silent sitting counts as given up, and its seat is given again.
    database : str or None
        Another database, as SQLAlchemy names it; None is a file in the study.
    """

    title: Annotated[str, Field(min_length=1, max_length=200)] = "The Music Memory Game"
    languages: tuple[Language, ...] = LANGUAGES
    contact: Annotated[str, Field(max_length=500)] = ""
    minimum_age: Annotated[int, Field(ge=0, le=99)] = 18
    seats: Annotated[int, Field(ge=1, le=20_000)] | None = None
    schedule: dict[str, Any] = {}
    practice: bool = True
    questions: tuple[Question, ...] = Field(default_factory=default_questions)
    timing: Timing = Timing()
    sound: Sound = Sound()
    headphones: Headphones = Headphones()
    keys: Keys = Keys()
    exclusions: dict[str, bool | float | str | None] = {}
    completion: Completion = Completion()
    second_sitting: SecondSitting = SecondSitting()
    dropout_minutes: Annotated[float, Field(ge=1, le=60 * 24)] = 60.0
    database: str | None = None

    @model_validator(mode="after")
    def _speaks_every_language(self) -> StudySettings:
        if not self.languages or len(set(self.languages)) < len(self.languages):
            raise ValueError(f"languages is {list(self.languages)}; one or more, each once")
        ids = [question.id for question in self.questions]
        if len(set(ids)) < len(ids):
            raise ValueError(f"an id stands twice among the questions {', '.join(ids)}")
        for question in self.questions:
            for words in (question.text, *(choice.text for choice in question.choices)):
                missing = [language for language in self.languages if not words.get(language)]
                if missing:
                    raise ValueError(f"question {question.id}: has no text in {', '.join(missing)}")
        return self


def read_settings(path: Path) -> StudySettings:
    """Read the settings of a study.

    Parameters
    ----------
    path : Path
        A TOML file; what it does not say keeps its default.

    Returns
    -------
    StudySettings
        All of them.

    Raises
    ------
    SpecError
        If it is missing, no TOML, or says something that cannot be; every problem is listed.
    """
    try:
        found = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise SpecError(f"{path}: no such file") from None
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: is not TOML: {error}") from error
    try:
        return StudySettings.model_validate(found)
    except ValidationError as error:
        raise SpecError("\n".join(f"{path}: {line}" for line in _problems(error))) from None


def _problems(error: ValidationError) -> list[str]:
    lines = []
    for found in error.errors(include_url=False):
        where = [part for part in found["loc"] if part != "[key]"]
        name = ".".join(str(part) for part in where) or "settings"
        if found["type"] == "extra_forbidden":
            known = _fields_at(where[:-1])
            lines.append(f"{name} is no setting; {suggestion(str(where[-1]), known)}")
            continue
        message = found["msg"].removeprefix("Value error, ")
        got = f" (got {found['input']!r})" if isinstance(found["input"], bool | int | float | str) else ""
        lines.append(f"{name}: {message}{got}")
    return lines


def _fields_at(where: list[Any]) -> dict[str, Any]:
    model: type[BaseModel] = StudySettings
    for part in where:
        if isinstance(part, int):
            continue
        model = {"questions": Question, "choices": Choice}.get(part) or model.model_fields[part].annotation  # type: ignore[assignment]
    return dict(model.model_fields)

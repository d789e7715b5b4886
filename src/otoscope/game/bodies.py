"""What requests to the game may hold, and what it answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

__all__ = [
    "Answers",
    "Begin",
    "Erased",
    "Finished",
    "HeadphoneAnswers",
    "HeadphoneTrials",
    "Platform",
    "PracticeDone",
    "Problem",
    "ResponseBody",
    "StartedPhase",
    "State",
    "Stored",
    "StudyAbout",
    "Volume",
]

PLAIN = r"^[A-Za-z0-9_-]+$"
Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=PLAIN)]
Text = Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class Platform(_Body):
    """Where a listener came from: ids that stood in the address of the page."""

    name: Literal["prolific", "sona", "other"]
    id: Name
    study_id: Name | None = None
    session_id: Name | None = None


class Begin(_Body):
    """A sitting is begun."""

    consent_version: Annotated[str, StringConstraints(max_length=64)]
    lang: Annotated[str, StringConstraints(max_length=20)]
    platform: Platform | None = None
    return_code: Annotated[str, StringConstraints(max_length=64)] | None = None


class Answers(_Body):
    """Answers to the questions; one that is left out or null was not given."""

    answers: Annotated[
        dict[Annotated[str, StringConstraints(max_length=40)], Text | int | float | None], Field(max_length=100)
    ]


class Volume(_Body):
    """How loud the listener set it."""

    level: Annotated[float, Field(ge=0, le=1)]


class HeadphoneAnswers(_Body):
    """Which interval was softest in every trial; null of all: there are no headphones."""

    answers: Annotated[list[Annotated[int, Field(ge=0, le=2)] | None], Field(max_length=24)] | None


class PracticeDone(_Body):
    """How the practice went."""

    correct: Annotated[int, Field(ge=0, le=100)]
    total: Annotated[int, Field(ge=0, le=100)]

    @model_validator(mode="after")
    def _part_of_the_whole(self) -> PracticeDone:
        if self.correct > self.total:
            raise ValueError("correct is more than total")
        return self


class ResponseBody(_Body):
    """What was answered in a slot."""

    answer: Literal["new", "repeat", "knew", "timeout"]
    rt_ms: Annotated[float, Field(ge=0, le=600_000)] | None
    onset_s: Annotated[float, Field(ge=0, le=86_400)]
    late_ms: Annotated[float, Field(ge=-1000, le=600_000)]

    @model_validator(mode="after")
    def _a_timeout_has_no_time(self) -> ResponseBody:
        if (self.answer == "timeout") != (self.rt_ms is None):
            raise ValueError("rt_ms is null of a timeout, and of nothing else")
        return self


class Problem(BaseModel):
    """What went wrong."""

    error: str
    message: str
    retry_after_s: float | None = None
    missing: list[int] | None = None


class ConsentText(BaseModel):
    """What a listener agrees to."""

    version: str
    text: str


class ChoiceText(BaseModel):
    """One answer that may be chosen."""

    value: str
    text: str


class QuestionText(BaseModel):
    """A question in one language."""

    id: str
    text: str
    kind: Literal["choice", "number", "text"]
    choices: list[ChoiceText]
    min: float | None
    max: float | None
    max_length: int | None
    optional: bool = True


class TimingAbout(BaseModel):
    """Seconds of a slot and of a rest."""

    clip_s: float
    gap_s: float
    window_s: float
    rest_s: float


class KeysAbout(BaseModel):
    """Keys of every answer."""

    new: list[str]
    repeat: list[str]
    knew: list[str]


class SecondAbout(BaseModel):
    """When a second sitting may begin."""

    delay_h: float


class StudyAbout(BaseModel):
    """What the page has to know before a sitting begins."""

    title: str
    version: str
    lang: str
    languages: list[str]
    minutes: int
    consent: ConsentText
    questions: list[QuestionText]
    timing: TimingAbout
    n_slots: int
    n_phases: int
    headphones: bool
    practice: bool
    keys: KeysAbout
    contact: str
    minimum_age: int
    second_sitting: SecondAbout | None


class SlotClip(BaseModel):
    """What sounds in a slot."""

    slot: int
    clip: str


class PhaseState(BaseModel):
    """The slots of a phase and when it began."""

    index: int
    slots: list[SlotClip]
    started_s_ago: float | None


class PracticeClip(BaseModel):
    """A clip of the practice."""

    clip: str
    repeat: bool


class HeadphoneResult(BaseModel):
    """How an attempt at the headphone check went."""

    passed: bool
    correct: int
    trials: int
    attempts_left: int


class State(BaseModel):
    """How far a sitting is, and all that its page needs to go on."""

    session: str
    sitting: int
    lang: str
    stage: Literal["questions", "volume", "headphones", "practice", "play", "rest", "done", "withdrawn"]
    phase: int
    phases: list[PhaseState]
    practice: list[PracticeClip]
    answered: list[int]
    rest_left_s: float
    server_time: float
    token: str | None = None
    headphones: HeadphoneResult | None = None


class HeadphoneTrial(BaseModel):
    """Which of three intervals is softer, and which is in antiphase."""

    intervals: int
    quiet: int
    antiphase: int


class HeadphoneTrials(BaseModel):
    """The trials of one attempt."""

    trials: list[HeadphoneTrial]
    attempt: int
    attempts: int
    tone_hz: float
    tone_s: float
    pause_s: float
    quiet_db: float


class StartedPhase(BaseModel):
    """A phase runs."""

    phase: int
    started: bool
    started_s_ago: float


class Stored(BaseModel):
    """A response is on the disk."""

    slot: int
    stored: bool


class Finished(BaseModel):
    """A player's own result, and what to do next."""

    hits: int
    targets: int
    false_alarms: int
    firsts: int
    code: str
    redirect: str | None
    return_code: str | None
    return_after_h: float | None
    debrief: str


class Erased(BaseModel):
    """What a withdrawal removed."""

    withdrawn: bool
    removed: dict[str, int]

"""What every column of an export means."""

from __future__ import annotations

from typing import Any

__all__ = ["VARIABLES"]


def _variable(name: str, description: str, unit: str = "", values: tuple[str, ...] = ()) -> dict[str, Any]:
    said: dict[str, Any] = {"name": name, "description": description}
    if unit:
        said["unitText"] = unit
    if values:
        said["valueReference"] = list(values)
    return said


VARIABLES: tuple[dict[str, Any], ...] = (
    _variable("session", "Random id of a sitting."),
    _variable("participant", "Random id of a listener; two sittings may share one."),
    _variable("slot", "Place in the sitting, from 0."),
    _variable("track", "The clip: its path below the folder of clips."),
    _variable("role", "What the clip serves for in this sitting.", "", ("target", "vigilance", "filler", "warmup")),
    _variable("presentation", "1 for the first time that the clip sounds in the sitting, 2 for the second."),
    _variable("lag", "From the first to the second presentation; empty at first ones.", "slots"),
    _variable("phase", "Part of the sitting between rests, from 0."),
    _variable("crossed", "Rests between the two presentations; empty at first ones."),
    _variable(
        "answer",
        "new: heard for the first time; repeat: heard before in this sitting; knew: known from elsewhere; timeout: "
        "no answer in time.",
        "",
        ("new", "repeat", "knew", "timeout"),
    ),
    _variable("rt_ms", "From the onset of the clip to the answer, by the audio clock; empty of a timeout.", "ms"),
    _variable("complete", "Whether the sitting was finished.", "", ("true", "false")),
    _variable(
        "headphones", "Whether the headphone check was passed; empty where it was not made.", "", ("true", "false")
    ),
    _variable("clip_id", "Under which name the clip was served."),
    _variable("onset_s", "Onset of the clip since the first of its phase, by the audio clock.", "s"),
    _variable("late_ms", "How much later than planned the clip began.", "ms"),
    _variable("server_s", "When the server had the answer, since the phase began by its clock.", "s"),
    _variable("sitting", "1 or 2."),
    _variable(
        "stage", "How far the sitting came; done where it was finished, withdrawn where its answers were erased."
    ),
    _variable("seat", "Row of the assignments in materials/schedules.json."),
    _variable("day", "Day of the sitting (UTC)."),
    _variable("language", "Of the page.", "", ("en", "zh-Hant")),
    _variable(
        "consent_version", "Digest of the text that was agreed to; the text is under materials/texts/versions."
    ),
    _variable("device", "What kind of device it was.", "", ("phone", "tablet", "desktop")),
    _variable("volume", "Level set by the listener, 0 to 1."),
    _variable("headphone_attempts", "How often the headphone check was tried."),
    _variable("headphone_correct", "Right answers in the last attempt at the headphone check."),
    _variable("practice_correct", "Right answers in the practice."),
    _variable("practice_total", "Slots of the practice."),
    _variable("responses", "How many slots were answered."),
    _variable("question", "Id of a question."),
    _variable("value", "Its answer; empty where it was not said."),
    _variable("kept", "Whether the study's exclusion rules keep the sitting.", "", ("true", "false")),
    _variable("reasons", "The rules that the sitting falls to."),
    _variable("duration_s", "Length of a clip.", "s"),
    _variable("lufs", "Loudness of the clip before it was brought to the common one.", "LUFS"),
    _variable("gain_db", "What was added to it.", "dB"),
    _variable("sha256", "Digest of the file that was served."),
    _variable("bytes", "Its size.", "bytes"),
)
"""One entry for each column, as Psych-DS wants them under ``variableMeasured``."""

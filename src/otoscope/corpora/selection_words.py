"""What a selection asks for, and why it leaves nothing, in words."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from otoscope.corpora.wording import did_you_mean, joined, some_of

if TYPE_CHECKING:
    from otoscope.corpora.base import Clip
    from otoscope.corpora.selection import Selection

__all__ = ["in_words", "no_gender", "no_hours", "no_length", "of_genders", "of_lengths", "of_splits"]

_PEOPLE = {"female": "women", "male": "men"}


def _number(value: float) -> str:
    return f"{value:.6g}"


def _unit(value: float, noun: str) -> str:
    return f"{_number(value)} {noun}{'' if value == 1 else 's'}"


def of_splits(splits: Collection[str]) -> str:
    """Say which splits are kept.

    Parameters
    ----------
    splits : collection of str
        At least one.

    Returns
    -------
    str
        Such as ``train and dev only``.
    """
    return f"{joined([split for split in ('train', 'dev', 'test') if split in splits])} only"


def of_genders(genders: Collection[str]) -> str:
    """Say which genders are kept.

    Parameters
    ----------
    genders : collection of str
        At least one.

    Returns
    -------
    str
        Such as ``women only``.
    """
    named = sorted(set(genders))
    if all(gender in _PEOPLE for gender in named):
        return f"{joined([_PEOPLE[gender] for gender in named])} only"
    return f"gender {joined(named)} only"


def of_lengths(min_s: float | None, max_s: float | None) -> str:
    """Say which lengths are kept.

    Parameters
    ----------
    min_s, max_s : float or None, seconds
        The least and the most; not both None.

    Returns
    -------
    str
        Such as ``at least 2 s``.
    """
    if min_s is None:
        return f"at most {_number(max_s or 0.0)} s"
    if max_s is None:
        return f"at least {_number(min_s)} s"
    return f"{_number(min_s)} to {_number(max_s)} s"


def in_words(selection: Selection) -> str:
    """Say what a selection asks for.

    Parameters
    ----------
    selection : Selection
        Any.

    Returns
    -------
    str
        Equal for selections that keep the same clips of every corpus because they ask for the same.
    """
    most: list[str] = []
    if selection.clips is not None:
        most.append(_unit(selection.clips, "clip"))
    if selection.hours is not None:
        most.append(_unit(selection.hours, "hour"))
    asked = [f"at most {joined(most)} per language and split"] if most else []
    if selection.genders is not None:
        asked.append(of_genders(selection.genders))
    if selection.splits is not None:
        asked.append(of_splits(selection.splits))
    if selection.min_s is not None or selection.max_s is not None:
        asked.append(f"clips of {of_lengths(selection.min_s, selection.max_s)}")
    if selection.content_matched:
        asked.append("the same sentences in every language")
    if selection.gender_balanced:
        asked.append("as many women as men")
    draws = bool(most) or selection.content_matched or selection.gender_balanced
    if draws and selection.seed:
        asked.append(f"drawn with seed {selection.seed}")
    return "; ".join(asked) or "every clip"


def no_gender(genders: Collection[str], clips: Sequence[Clip]) -> str:
    """Say that no clip has one of the genders that are asked for.

    Parameters
    ----------
    genders : collection of str
        Asked for.
    clips : sequence of Clip
        Those that were looked at.

    Returns
    -------
    str
        What there is instead, and what was probably meant.
    """
    there = sorted({clip.gender for clip in clips if clip.gender is not None})
    asked = sorted(set(genders))
    said = f"no clip is of gender {joined(asked, 'or')}"
    if not there:
        return f"{said}; the corpus does not say the gender of any clip"
    meant = " ".join(filter(None, (did_you_mean(gender, there) for gender in asked)))
    return f"{said}; the corpus has {some_of(there)}{f'; {meant}' if meant else ''}"


def no_length(min_s: float | None, max_s: float | None, lengths_s: Collection[float]) -> str:
    """Say that no clip is as long as is asked for.

    Parameters
    ----------
    min_s, max_s : float or None, seconds
        The least and the most; not both None.
    lengths_s : collection of float, seconds
        Of the clips that were looked at; not empty.

    Returns
    -------
    str
        The longest, the shortest, or the two between which nothing lies.
    """
    shortest, longest = min(lengths_s), max(lengths_s)
    if min_s is not None and longest < min_s:
        there = f"the longest has {longest:.3g} s"
    elif max_s is not None and shortest > max_s:
        there = f"the shortest has {shortest:.3g} s"
    else:
        below = max(length for length in lengths_s if min_s is not None and length < min_s)
        above = min(length for length in lengths_s if max_s is not None and length > max_s)
        there = f"the nearest have {below:.3g} s and {above:.3g} s"
    return f"no clip lasts {of_lengths(min_s, max_s)}; {there}"


def no_hours(hours: float, lengths_s: Collection[float], *, together: int) -> str:
    """Say that the hours are too few for any clip.

    Parameters
    ----------
    hours : float
        Asked for, of each split of each language.
    lengths_s : collection of float, seconds
        Of the clips that were looked at; not empty.
    together : int
        How many clips are taken at a time.

    Returns
    -------
    str
        What would be enough.
    """
    unit = "pair of clips" if together > 1 else "clip"
    longest_s = together * max(lengths_s)
    return (
        f"{_unit(hours, 'hour')} ({_number(hours * 3600)} s) per language and split is less than the first {unit} "
        f"drawn lasts; {_number(longest_s)} s are enough for any {unit}"
    )

"""Options that choose clips, shared by the verbs that read a corpus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from otoscope.corpora.selection import Selection

__all__ = [
    "Clips",
    "ContentMatched",
    "GenderBalanced",
    "Genders",
    "Hours",
    "MaxSeconds",
    "MinSeconds",
    "TypologyOption",
    "selection",
]

Clips = Annotated[int | None, typer.Option("--clips", help="At most so many clips per language and split.", min=1)]
Hours = Annotated[float | None, typer.Option("--hours", help="At most so many hours per language and split.", min=0)]
Genders = Annotated[list[str] | None, typer.Option("--gender", help="Only these: female, male, other.")]
MinSeconds = Annotated[float | None, typer.Option("--min-seconds", help="Only clips that last so long.", min=0)]
MaxSeconds = Annotated[float | None, typer.Option("--max-seconds", help="Only clips that last no longer.", min=0)]
ContentMatched = Annotated[
    bool, typer.Option("--content-matched", help="Only sentences that every language has, one recording of each.")
]
GenderBalanced = Annotated[
    bool, typer.Option("--gender-balanced", help="As many clips of women as of men, per language and split.")
]
TypologyOption = Annotated[
    str | None,
    typer.Option("--typology", help="Regions and tone types: default, wals, or a CSV file (code,tone_type,region)."),
]


def selection(
    seed: int,
    clips: int | None,
    hours: float | None,
    genders: list[str] | None,
    min_s: float | None,
    max_s: float | None,
    content_matched: bool,
    gender_balanced: bool,
) -> Selection | None:
    """Read the options that choose clips.

    Parameters
    ----------
    seed : int
        Of the run.
    clips : int or None
        The most clips of each part.
    hours : float or None
        The most hours of each part.
    genders : list of str or None
        Which.
    min_s : float or None, seconds
        The least length.
    max_s : float or None, seconds
        The most.
    content_matched : bool
        Whether the sentences are to be the same.
    gender_balanced : bool
        Whether genders are to be balanced.

    Returns
    -------
    Selection or None
        None where none of them was used: as the run was begun, or every clip.
    """
    if not (clips or hours or genders or min_s or max_s or content_matched or gender_balanced):
        return None
    from otoscope.corpora.selection import Selection

    return Selection(
        genders=tuple(genders) if genders else None,
        min_s=min_s,
        max_s=max_s,
        clips=clips,
        hours=hours,
        seed=seed,
        content_matched=content_matched,
        gender_balanced=gender_balanced,
    )

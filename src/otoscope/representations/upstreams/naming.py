"""What was probably meant by the name of a checkpoint that is not known."""

from __future__ import annotations

import difflib

from otoscope.representations.upstreams.cards import CARDS

__all__ = ["did_you_mean", "known_like"]

_NEAR = 0.84  # of difflib's ratio: one letter in a short name, a few in a long one
_SHOWN = 4


def known_like(name: str) -> tuple[str, ...]:
    """Find known checkpoints whose names are like a name.

    Parameters
    ----------
    name : str
        ``org/name``, or a word such as ``whisper``, as typed.

    Returns
    -------
    tuple of str
        The nearest; of a family, all, in the order of the table. Nothing where the name is itself in the table, or
        is like none.

    Examples
    --------
    >>> known_like("facebook/hubert-bse-ls960")
    ('facebook/hubert-base-ls960',)
    >>> known_like("wavlm")
    ('microsoft/wavlm-base', 'microsoft/wavlm-base-plus', 'microsoft/wavlm-large')
    """
    names = {card.name.lower(): card.name for card in CARDS}
    typed = name.strip().lower()
    if not typed or typed in names:
        return ()
    short: dict[str, list[str]] = {}
    for known in names.values():
        short.setdefault(known.rpartition("/")[2].lower(), []).append(known)
    if "/" in typed:
        owner, _, word = typed.rpartition("/")
        begun = [known for low, known in names.items() if low.startswith(f"{owner}/{word}")]
        if begun:
            return tuple(begun)
        near = difflib.get_close_matches(typed, names, n=1, cutoff=_NEAR)
        if near:
            return (names[near[0]],)
        same = difflib.get_close_matches(word, short, n=1, cutoff=_NEAR)
        return tuple(short[same[0]]) if same else ()
    plain = _plain(typed)
    held = [known for low, known in names.items() if len(plain) > 2 and plain in _plain(low.rpartition("/")[2])]
    if held:
        return tuple(held)
    kinds = dict.fromkeys(card.model_type for card in CARDS)
    words = {**{kind: [card.name for card in CARDS if card.model_type == kind] for kind in kinds}, **short}
    near = difflib.get_close_matches(typed, words, n=1, cutoff=_NEAR)
    return tuple(words[near[0]]) if near else ()


def _plain(text: str) -> str:
    return "".join(letter for letter in text if letter.isalnum())


def did_you_mean(name: str, *, before: str = "", after: str = "") -> str:
    """Ask in a message whether another name was meant.

    Parameters
    ----------
    name : str
        As for :func:`known_like`.
    before, after : str
        What stands around the question where there is one.

    Returns
    -------
    str
        Empty where nothing is like it.

    Examples
    --------
    >>> did_you_mean("facebook/hubert-bse-ls960")
    "did you mean 'facebook/hubert-base-ls960'?"
    >>> did_you_mean("acme/tiny")
    ''
    """
    found = known_like(name)
    if not found:
        return ""
    if len(found) == 1:
        return f"{before}did you mean {found[0]!r}?{after}"
    shown = ", ".join(found[:_SHOWN])
    more = f" or {len(found) - _SHOWN} more that `otoscope models` lists" if len(found) > _SHOWN else ""
    return f"{before}did you mean {shown}{more}?{after}"

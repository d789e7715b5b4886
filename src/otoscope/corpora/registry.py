"""The kinds of corpora that can be named on the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from otoscope.corpora.base import Corpus
from otoscope.corpora.espeak import read_espeak
from otoscope.corpora.folder import read_folder
from otoscope.errors import SpecError

__all__ = ["KINDS", "CorpusKind", "open_corpus"]


@dataclass(frozen=True, slots=True)
class CorpusKind:
    """One kind of corpus.

    Parameters
    ----------
    form : str
        How it is named on the command line.
    about : str
        What it is, in a few words.
    read : callable
        From a path to the corpus.
    """

    form: str
    about: str
    read: Callable[[Path], Corpus]


KINDS: Mapping[str, CorpusKind] = {
    "folder": CorpusKind("folder:PATH", "a manifest (CSV or TSV) or a folder of sound files", read_folder),
    "espeak": CorpusKind("espeak:PATH", "a demo corpus made by `otoscope corpus make-demo PATH`", read_espeak),
}


def open_corpus(spec: str) -> Corpus:
    """Open a corpus by its name on the command line.

    Parameters
    ----------
    spec : str
        A kind and a path with a colon between them, such as ``folder:recordings``. ``~`` is the user's home.

    Returns
    -------
    Corpus
        Its clips, its failures and its notes.

    Raises
    ------
    SpecError
        If the kind is not known, the path is left out, or nothing is there.

    Examples
    --------
    >>> open_corpus("records:here")
    Traceback (most recent call last):
    otoscope.errors.SpecError: records:here: there is no corpus of the kind 'records'; accepted are folder:PATH \
(a manifest (CSV or TSV) or a folder of sound files), espeak:PATH (a demo corpus made by `otoscope corpus \
make-demo PATH`)
    """
    kind, _, path = spec.partition(":")
    accepted = ", ".join(f"{known.form} ({known.about})" for known in KINDS.values())
    if kind not in KINDS:
        raise SpecError(f"{spec}: there is no corpus of the kind {kind!r}; accepted are {accepted}")
    if not path:
        raise SpecError(f"{spec}: the path is left out; accepted are {accepted}")
    where = Path(path).expanduser()
    if not where.exists():
        raise SpecError(f"{spec}: there is no {where}; accepted are {accepted}")
    return KINDS[kind].read(where)

"""The kinds of corpora that can be named on the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from otoscope.corpora.base import Corpus
from otoscope.corpora.espeak import ABOUT_FILE, read_espeak
from otoscope.corpora.fleurs import configs_in, read_fleurs
from otoscope.corpora.folder import read_folder
from otoscope.corpora.languages import expand_languages
from otoscope.corpora.typology import Typology
from otoscope.errors import SpecError

__all__ = ["KINDS", "CorpusKind", "guess_kind", "open_corpus"]


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
    read_some : callable or None
        For a kind that can be read in part: from a path or None, the languages wanted or None, and the typology or
        None to the corpus. The path may be left out.
    """

    form: str
    about: str
    read: Callable[[Path], Corpus]
    read_some: Callable[[Path | None, Sequence[str] | None, Typology | None], Corpus] | None = None


def _read_some_fleurs(where: Path | None, languages: Sequence[str] | None, typology: Typology | None) -> Corpus:
    return read_fleurs(where, languages=languages, typology=typology)


KINDS: Mapping[str, CorpusKind] = {
    "folder": CorpusKind("folder:PATH", "a manifest (CSV or TSV) or a folder of sound files", read_folder),
    "espeak": CorpusKind("espeak:PATH", "a demo corpus made by `otoscope corpus make-demo PATH`", read_espeak),
    "fleurs": CorpusKind(
        "fleurs[:PATH]",
        "FLEURS from a folder (archives, sound files or Parquet), or from the hub without a path",
        read_fleurs,
        _read_some_fleurs,
    ),
}


def open_corpus(spec: str, *, languages: Sequence[str] | None = None, typology: Typology | None = None) -> Corpus:
    """Open a corpus by its name on the command line.

    Parameters
    ----------
    spec : str
        A kind and a path with a colon between them, such as ``folder:recordings``. ``~`` is the user's home. For
        FLEURS the path may be left out.
    languages : sequence of str, optional
        What to keep of it: codes, ``all``, regions, tone types, as
        :func:`otoscope.corpora.languages.expand_languages` takes them. Of FLEURS only these are read or fetched.
    typology : Typology, optional
        Which language has which tone type; the shipped coding without it.

    Returns
    -------
    Corpus
        Its clips, its failures and its notes.

    Raises
    ------
    SpecError
        If the kind is not known, the path is left out, nothing is there, or a language is not there.

    Examples
    --------
    >>> open_corpus("records:here")
    Traceback (most recent call last):
    otoscope.errors.SpecError: records:here: there is no corpus of the kind 'records'; accepted are folder:PATH \
(a manifest (CSV or TSV) or a folder of sound files), espeak:PATH (a demo corpus made by `otoscope corpus \
make-demo PATH`), fleurs[:PATH] (FLEURS from a folder (archives, sound files or Parquet), or from the hub without a \
path)
    """
    kind, _, path = spec.partition(":")
    accepted = ", ".join(f"{known.form} ({known.about})" for known in KINDS.values())
    if kind not in KINDS:
        raise SpecError(f"{spec}: there is no corpus of the kind {kind!r}; accepted are {accepted}")
    entry = KINDS[kind]
    if not path and entry.read_some is None:
        raise SpecError(f"{spec}: the path is left out; accepted are {accepted}")
    where = Path(path).expanduser() if path else None
    if where is not None and not where.exists():
        raise SpecError(f"{spec}: there is no {where}; accepted are {accepted}")
    if entry.read_some is not None:
        return entry.read_some(where, languages, typology)
    assert where is not None
    corpus = entry.read(where)
    if languages is None:
        return corpus
    try:
        return corpus.only(expand_languages(languages, corpus.languages, typology=typology))
    except SpecError as error:
        raise SpecError(f"{spec}: {error}") from error


def guess_kind(path: Path) -> str:
    """Say as what kind of corpus a path can be opened.

    Parameters
    ----------
    path : Path
        A folder or a manifest.

    Returns
    -------
    str
        ``espeak``, ``fleurs`` or ``folder``.
    """
    if (path / ABOUT_FILE).is_file():
        return "espeak"
    return "fleurs" if path.is_dir() and configs_in(path) else "folder"

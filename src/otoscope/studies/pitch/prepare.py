"""What a run needs before its first step: clips, models, threads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from otoscope.corpora.base import Corpus
from otoscope.corpora.languages import expand_languages
from otoscope.corpora.registry import open_corpus
from otoscope.corpora.selection import Selection, select
from otoscope.corpora.typology import Typology
from otoscope.errors import SpecError
from otoscope.representations.base import Model
from otoscope.representations.registry import open_model
from otoscope.studies.pitch.ledger import Ledger

__all__ = ["open_models", "prepare_corpus", "threads_for_block"]


def prepare_corpus(
    corpus: str | Corpus,
    languages: Iterable[str] | None,
    selection: Selection,
    *,
    has: Sequence[str] = (),
    typology: Typology | None = None,
) -> Corpus:
    """Open a corpus and keep what is asked for.

    Parameters
    ----------
    corpus : str or Corpus
        A specification, or a corpus.
    languages : iterable of str or None
        Codes, regions, tone types or "all"; None for all, or those that a run has.
    selection : Selection
        Which clips of them.
    has : sequence of str
        The languages that a run has already; they stay.
    typology : Typology, optional
        What regions and tone types mean.

    Returns
    -------
    Corpus
        In the order of the corpus.

    Raises
    ------
    SpecError
        If a language is not there, or nothing is left.
    """
    words = None if languages is None else [*languages]
    if isinstance(corpus, str):
        opened = open_corpus(
            corpus, languages=None if words is None and not has else [*(words or ()), *has], typology=typology
        )
    else:
        opened = corpus
    if words is not None or has:
        codes = set(expand_languages(words, opened.languages, typology=typology)) if words else set[str]()
        opened = opened.only(codes | (set(has) & set(opened.languages)))
    return select(opened, selection)


def open_models(
    models: Sequence[str | Model], before: Mapping[str, Mapping[str, object]], ledger: Ledger, devices: Sequence[str]
) -> tuple[list[Model], tuple[str | Model, ...]]:
    """Open the models that are asked for, and those of the run that must be done anew.

    Parameters
    ----------
    models : sequence of str or Model
        Those that are asked for.
    before : mapping
        What ``run.json`` said before.
    ledger : Ledger
        Says which models of the run are not finished.
    devices : sequence of str
        Where models work. For several, models are opened there and only looked at here.

    Returns
    -------
    ready : list of Model
        Open in this process.
    specs : tuple of str or Model
        What opens them elsewhere.

    Raises
    ------
    SpecError
        If a model is not known, or named twice.
    """
    device = devices[0] if len(devices) == 1 else "cpu"
    specs: list[str | Model] = list(models)
    ready = [open_model(model, device=device) if isinstance(model, str) else model for model in specs]
    names = [model.info.name for model in ready]
    if len(set(names)) < len(names):
        raise SpecError(f"a model is named twice: {', '.join(names)}")
    # Another language changes the pools of every model that the run has.
    for name in ledger.unfinished(before["models"]):
        if name not in names:
            ready.append(_reopen(name, device))
            specs.append(name)
    return ready, tuple(specs)


def _reopen(name: str, device: str) -> Model:
    try:
        return open_model(name, device=device)
    except SpecError as error:
        raise SpecError(
            f"this run also has the model {name}, which must be done anew: pass it again ({error})"
        ) from error


@contextlib.contextmanager
def threads_for_block(n: int | None) -> Iterator[None]:
    """Keep the linear algebra to one thread, or it and the models to a number of them, while a block runs.

    Parameters
    ----------
    n : int or None
        How many; None for one of the linear algebra, and models as they are.

    Yields
    ------
    None
        The numbers are put back afterwards.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=n or 1, user_api="blas"):
        if n is None:
            yield
            return
        import torch

        kept = torch.get_num_threads()
        torch.set_num_threads(n)
        try:
            yield
        finally:
            torch.set_num_threads(kept)

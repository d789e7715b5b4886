"""How many recordings the languages of FLEURS have, roughly: enough to plan a run before anything is downloaded.

The counts were read off the dataset viewer, rounded to three digits, for 71 of the 102 languages, and **were not
verified** against the files. The other languages stand in with the mean of those. Where only the total of a language
is known, its splits are taken to share it as they do in English, French and Mandarin. No duration is known: every
recording is taken to last :data:`TYPICAL_S` seconds; a training split then lasts nine hours, where the paper
[1]_ says about ten. For a plan that counts the recordings themselves, get a local copy.

References
----------
.. [1] A. Conneau et al., "FLEURS: Few-shot Learning Evaluation of Universal Representations of Speech", SLT 2022:
   2,009 sentences, of which 1,509, 150 and 350 are for train, dev and test; 2.3 recordings of each in the mean; about
   ten hours of training speech per language.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType

from otoscope.corpora.base import SPLITS, Split

__all__ = ["LONGEST_S", "TYPICAL_S", "FleursSize", "fleurs_sizes"]

TYPICAL_S = 12.0
LONGEST_S = 40.0


@dataclass(frozen=True, slots=True)
class FleursSize:
    """How many recordings a language of FLEURS has.

    Parameters
    ----------
    code : str
        The FLEURS config, such as ``en_us``.
    recordings : mapping of split to int
        For train, dev and test.
    seen : bool
        Whether a total or a part of it was read off the dataset viewer; False where the mean of other languages
        stands in. Neither was verified.
    """

    code: str
    recordings: Mapping[Split, int]
    seen: bool

    @property
    def n_recordings(self) -> int:
        """Of all splits."""
        return sum(self.recordings.values())


@functools.cache
def fleurs_sizes() -> Mapping[str, FleursSize]:
    """Give the unverified sizes of the 102 languages of FLEURS.

    Returns
    -------
    mapping of str to FleursSize
        By code, in the order of the codes; read-only.

    Examples
    --------
    >>> sizes = fleurs_sizes()
    >>> len(sizes), sum(size.seen for size in sizes.values())
    (102, 73)
    >>> dict(sizes["en_us"].recordings)
    {'train': 2600, 'dev': 394, 'test': 647}
    """
    text = resources.files("otoscope.corpora").joinpath("fleurs_sizes.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    totals = [int(row["rows"]) for row in rows if row["rows"]]
    mean = sum(totals) / len(totals)
    whole = [row for row in rows if all(row[split] for split in SPLITS)]
    counted = {split: sum(int(row[split]) for row in whole) for split in SPLITS}
    share = {split: counted[split] / sum(counted.values()) for split in SPLITS}
    table: dict[str, FleursSize] = {}
    for row in rows:
        total = int(row["rows"]) if row["rows"] else mean
        counts: dict[Split, int] = {
            split: int(row[split]) if row[split] else round(total * share[split]) for split in SPLITS
        }
        table[row["code"]] = FleursSize(row["code"], MappingProxyType(counts), row["source"] == "viewer")
    return MappingProxyType(table)

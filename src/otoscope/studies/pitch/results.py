"""A finished run directory, read lazily: the tested clips, their sums, the probes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otoscope.corpora.languages import REGIONS, TONE_TYPES
from otoscope.errors import SpecError
from otoscope.f0.agreement import parse_agree
from otoscope.probes.moments import Moments
from otoscope.store import digest_of, read_arrays, read_json, read_table, slug
from otoscope.studies.pitch.cells import CellKey, Cells, read_header
from otoscope.studies.pitch.plan import plan_token
from otoscope.studies.pitch.score import COLUMNS, DISPUTED_COLUMNS
from otoscope.studies.pitch.solve import LayerProbes, fold_domain, read_probes
from otoscope.studies.pitch.targets import AGREED, MASKS, Domain, Target, columns_of

__all__ = ["LayerResults", "Results"]

Floats = NDArray[np.float64]


class Results:
    """What a finished run holds.

    Parameters
    ----------
    folder : Path
        The run directory.

    Raises
    ------
    SpecError
        If it is not a run, or one that is not finished.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / "run.json").exists():
            raise SpecError(f"{folder}: is not a run: it has no run.json; `otoscope pitch run --out` makes one")
        self.folder = folder
        self.about: dict[str, Any] = read_json(folder / "run.json")
        self.settings: dict[str, Any] = self.about["settings"]
        self.models: dict[str, dict[str, Any]] = self.about["models"]
        self.tested: list[str] = self.about["tested"]
        self.sources: list[str] = self.about["sources"]
        self.done: dict[str, Any] = read_json(folder / "done.json") if (folder / "done.json").exists() else {}
        token = plan_token(self.about)
        waiting = [name for name in self.models if self.done.get(name, {}).get("plan") != token]
        if waiting:
            raise SpecError(
                f"{folder}: the run is not finished: {', '.join(waiting)}; run the same command again to go on"
            )
        if len({self.done[name]["sound"] for name in self.models}) > 1 and self._heard_other_sound():
            raise SpecError(
                f"{folder}: the models of this run heard different sound under the same names; "
                "run it again with all of its models"
            )

    def _heard_other_sound(self) -> bool:
        """Say whether two models disagree on a clip that both could read."""
        seen: dict[str, str] = {}
        for model in self.models:
            for code in self.tested:
                for clip, digest in self.header(model, code).sound.items():
                    if seen.setdefault(clip, digest) != digest:
                        return True
        return False

    @property
    def digest(self) -> str:
        """What an answer is about: it is out of date where this has changed."""
        return digest_of({"about": {k: v for k, v in self.about.items() if k != "versions"}, "done": self.done})

    @cached_property
    def others(self) -> tuple[str, ...]:
        """The other trackers that were asked whether they agree with the labels: specifications."""
        agree: str = self.settings.get("agree", "")
        return parse_agree(agree, labels=self.settings["tracker"]).others if agree else ()

    def mask(self, target: Target) -> str:
        """Name the frames that the probes of a target are fitted and scored on.

        Parameters
        ----------
        target : Target
            Which.

        Returns
        -------
        str
            ``all``, ``voiced``, or ``voiced-agreed`` where other trackers were asked.
        """
        return AGREED if self.others and target.domain == "voiced" else target.domain

    def ceiling(self, code: str) -> dict[str, Floats]:
        """Give the sums of other trackers on a tested language.

        Parameters
        ----------
        code : str
            The language.

        Returns
        -------
        dict of str to ndarray of float64, shape (n_others, n_asked, n_sums)
            For every clip that a model could hear: see :mod:`otoscope.studies.pitch.ceiling`. Models heard the same
            sound, so it does not matter which of them it is read from.
        """
        found: dict[str, Floats] = {}
        for model in self.models:
            clips = self.header(model, code).clips
            if set(clips) <= found.keys():
                continue
            sums = read_arrays(self.path(model, code), only=lambda name: name == "ceiling")[0]["ceiling"]
            found |= {clip: row for clip, row in zip(clips, sums, strict=True) if clip not in found}
        return dict(sorted(found.items()))

    @cached_property
    def clusters(self) -> dict[str, str]:
        """What the intervals resample, for every clip."""
        return {row["clip"]: row["cluster"] for row in read_table(self.folder / "clips.parquet")}

    def path(self, model: str, code: str) -> Path:
        """Give the file of a model's tested language.

        Parameters
        ----------
        model, code : str
            Which.

        Returns
        -------
        Path
            Folded from shards.
        """
        return self.folder / "test" / slug(model) / f"{code}.test.safetensors"

    def header(self, model: str, code: str) -> Cells:
        """Give the clips of a model's tested language.

        Parameters
        ----------
        model, code : str
            Which.

        Returns
        -------
        Cells
            Without moments.
        """
        found = read_header(self.path(model, code))
        if found is None:
            raise SpecError(f"{self.path(model, code)}: is missing or damaged; run the same command again")
        return found

    def heard(self, model: str, code: str) -> bool | None:
        """Say whether a model heard a language in its training.

        Parameters
        ----------
        model, code : str
            Which.

        Returns
        -------
        bool or None
            None where that is not known.
        """
        known = self.about.get("heard", {}).get(model)
        return None if known is None else code in known

    def ordered(self, codes: Iterable[str]) -> list[str]:
        """Put languages into the order in which they are shown.

        Parameters
        ----------
        codes : iterable of str
            Languages of the run.

        Returns
        -------
        list of str
            By region, tone type and code; those without a region or a tone type last.
        """

        def place(name: str | None, known: Sequence[str]) -> tuple[int, str]:
            if name is None:
                return len(known) + 1, ""
            return (known.index(name), "") if name in known else (len(known), name)

        regions, tones = self.about["regions"], self.about["tone_types"]
        return sorted(codes, key=lambda c: (place(regions.get(c), REGIONS), place(tones.get(c), TONE_TYPES), c))

    def groups(self) -> dict[str, list[str]]:
        """Give the tested languages of every region and tone type.

        Returns
        -------
        dict of str to list of str
            By ``region:NAME`` and ``tone:NAME``, as the run codes them; the languages sorted.
        """
        found: dict[str, list[str]] = {}
        ordered = self.ordered(self.tested)
        for kind, names in (("region", self.about["regions"]), ("tone", self.about["tone_types"])):
            for code in ordered:
                if names.get(code) is not None:
                    found.setdefault(f"{kind}:{names[code]}", []).append(code)
        return {name: sorted(codes) for name, codes in found.items()}

    def clips(self, model: str) -> dict[str, str]:
        """Give the tested clips of a model and their languages.

        Parameters
        ----------
        model : str
            Which.

        Returns
        -------
        dict of str to str
            In the order of :meth:`LayerResults.rows`, language by language.
        """
        return {clip: code for code in self.tested for clip in self.header(model, code).clips}

    def layers(self, model: str) -> list[dict[str, Any]]:
        """Give what is known of a model's layers.

        Parameters
        ----------
        model : str
            Which.

        Returns
        -------
        list of dict
            With index and name.
        """
        return self.models[model]["layers"]

    def layer(self, model: str, layer: int) -> LayerResults:
        """Read one layer.

        Parameters
        ----------
        model : str
            Which model.
        layer : int
            Which layer.

        Returns
        -------
        LayerResults
            Its probes and sums.
        """
        path = self.folder / "probes" / slug(model) / f"{layer}.safetensors"
        probes = read_probes(path)
        if probes is None:
            raise SpecError(f"{path}: is missing or damaged; run the same command again")
        return LayerResults(self, model, layer, probes)


class LayerResults:
    """One layer of one model of a run.

    Parameters
    ----------
    results : Results
        The run.
    model : str
        Which model.
    layer : int
        Which layer.
    probes : LayerProbes
        Of that layer.
    """

    def __init__(self, results: Results, model: str, layer: int, probes: LayerProbes) -> None:
        self._results, self._model, self._layer = results, model, layer
        self.probes = probes

    def _array(self, code: str, name: str) -> Floats:
        return read_arrays(self._results.path(self._model, code), only=lambda each: each == name)[0][name]

    def rows(self, code: str) -> Floats:
        """Give the sums of every tested clip of a language.

        Parameters
        ----------
        code : str
            The language.

        Returns
        -------
        ndarray of float64, shape (n_clips, n_roles, n_columns, n_sums)
            In the order of :attr:`Cells.clips` of its header.
        """
        return self._array(code, f"rows.{self._layer}")

    def disputed(self, code: str) -> Floats:
        """Give the sums of every tested clip of a language on the frames that trackers do not agree on.

        Parameters
        ----------
        code : str
            The language.

        Returns
        -------
        ndarray of float64, shape (n_clips, n_roles, n_columns, n_sums)
            As :meth:`rows`; nothing but zeros for the targets of all frames.
        """
        kept = self._array(code, f"disputed.{self._layer}")
        every = np.zeros((*kept.shape[:2], len(COLUMNS), kept.shape[-1]))
        every[:, :, DISPUTED_COLUMNS] = kept
        return every

    def blocks(self, code: str) -> Floats:
        """Give the matrix's sums of a tested language.

        Parameters
        ----------
        code : str
            The language.

        Returns
        -------
        ndarray of float64, shape (n_blocks, n_sources, n_sums)
            By blocks of clusters.
        """
        return self._array(code, f"blocks.{self._layer}")

    def cell(self, code: str, domain: Domain) -> Moments | None:
        """Give the test cell of a language; nothing but the masks of the domain is read.

        Parameters
        ----------
        code : str
            The language.
        domain : {"voiced", "all"}
            Of the target.

        Returns
        -------
        Moments or None
            Of this layer, all masks of the domain added up; None where there are no frames.
        """
        wanted = tuple(f"{self._layer}|{mask}|" for mask in MASKS[domain])
        path = self._results.path(self._model, code)
        if not path.exists():
            raise SpecError(f"{path}: is missing or damaged; run the same command again")
        arrays, _ = read_arrays(path, only=lambda name: name.startswith(wanted))
        cells, shift = Cells(), self.probes.shift
        for name, array in arrays.items():
            key = CellKey.decode(name)
            cells.moments[key] = Moments(shift.size, columns_of(key.mask, controls=key.controls), shift, array)
        return fold_domain(cells, domain)

"""A checkpoint as a model: its settings, what it is known by, and the layers of a clip."""

from __future__ import annotations

import dataclasses
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from otoscope.audio import Waveform
from otoscope.corpora.languages import is_language_code
from otoscope.errors import SpecError
from otoscope.representations.base import Layer, ModelInfo, check_rate
from otoscope.representations.untrained import check_seed, untrained_info
from otoscope.representations.upstreams import cards
from otoscope.representations.upstreams.checkpoint import Checkpoint, open_checkpoint
from otoscope.representations.upstreams.families import (
    COMMON_SETTINGS,
    BatchHearing,
    Family,
    Hearing,
    Outline,
    family_of,
)
from otoscope.representations.upstreams.weights import (
    check_fit,
    drawn_network,
    hollow_network,
    make_config,
    trained_network,
)
from otoscope.specs import Setting, Value, name_with, parse_settings, split_spec

if TYPE_CHECKING:
    import torch

__all__ = ["UpstreamModel", "open_upstream", "resolve_device"]

_DRAWN = "default initialisation 1"  # raised when equal seeds give other weights
_REVISION = re.compile(r"(?:^|,)\s*revision\s*=\s*([^,\s]+)")


class UpstreamModel:
    """A network from a checkpoint, or an untrained copy of it.

    Parameters
    ----------
    checkpoint : Checkpoint
        Where its configuration and its weights lie.
    settings : mapping of str to bool, int, float or str
        What was set; the rest is at its default.
    device : str
        As :func:`resolve_device` gives it. It is no part of the model's identity.
    seed : int or None
        None for the trained weights; otherwise what the weights of an untrained copy are drawn by.

    Raises
    ------
    SpecError
        If the configuration is of no known family, or does not fit the weights.

    Notes
    -----
    Weights are read when the first clip is heard. Copies by pickle carry the name and the device, and open the
    checkpoint anew.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        settings: Mapping[str, Value] | None = None,
        device: str = "cpu",
        seed: int | None = None,
    ) -> None:
        self._checkpoint = checkpoint
        self._family: Family = family_of(str(checkpoint.config["model_type"]), where=checkpoint.name)
        self._settings = dict(settings or {})
        self._device = device
        self._seed = seed if seed is None else check_seed(checkpoint.name, seed)
        self._lock = threading.Lock()
        self._hearing: Hearing | None = None
        self._config: Any = make_config(checkpoint)
        chosen = {key: self._settings.get(key, field.default) for key, field in self._family.settings.items()}
        try:
            self._outline: Outline = self._family.outline(self._config, checkpoint.card, chosen)
        except SpecError as error:
            raise SpecError(f"{checkpoint.name}: {error}") from error
        hollow = hollow_network(checkpoint, self._family, self._config)
        self._attention = str(getattr(self._config, "_attn_implementation", None) or "none")
        self._n_parameters = sum(part.numel() for part in hollow.parameters())
        if seed is None:
            check_fit(checkpoint, self._family, hollow)
        self._info = self._describe()

    @property
    def info(self) -> ModelInfo:
        """What identifies its states."""
        return self._info

    @property
    def checkpoint(self) -> Checkpoint:
        """Where its weights lie."""
        return self._checkpoint

    @property
    def family(self) -> Family:
        """What kind of network it is."""
        return self._family

    @property
    def outline(self) -> Outline:
        """What its configuration says."""
        return self._outline

    @property
    def device(self) -> str:
        """Where it computes: ``cpu`` or ``cuda:0``."""
        return self._device

    @property
    def n_parameters(self) -> int:
        """How many numbers its weights are, without heads."""
        return self._n_parameters

    def untrained(self, seed: int) -> UpstreamModel:
        """Give a copy whose weights are drawn as the library initialises them.

        Parameters
        ----------
        seed : int, 0 to 2**63 - 1
            Equal seeds give equal weights.

        Returns
        -------
        UpstreamModel
            With the same layers, clocks and input.
        """
        return UpstreamModel(self._checkpoint, settings=self._settings, device=self._device, seed=seed)

    def layers(self, waveform: Waveform, *, last: int | None = None) -> Iterator[Layer]:
        """Hand on the layers of one clip while the network goes on.

        Parameters
        ----------
        waveform : Waveform
            The whole clip at ``info.sample_rate``.
        last : int, optional
            Index of the last layer that is wanted; what comes after it is not computed.

        Yields
        ------
        Layer
            In the order of ``info.layers``.

        Raises
        ------
        DataError
            If the clip has another rate or is too short, memory did not suffice, or states are not finite.
        SpecError
            If the weights cannot be read, or `last` is no layer.
        """
        check_rate(waveform, self._info)
        self._check_last(last)
        by_index = {layer.index: layer for layer in self._info.layers}
        for index, states in self.hearing.walk(waveform, last=last):
            yield Layer(by_index[index], states, waveform.clip_id)

    def together(self, waveforms: Sequence[Waveform], *, last: int | None = None) -> Iterator[list[Layer]]:
        """Hand on the layers of several clips at once.

        Parameters
        ----------
        waveforms : sequence of Waveform
            Of equal length; of any length only where ``outline.paddable``.
        last : int, optional
            As for :meth:`layers`.

        Yields
        ------
        list of Layer
            One per clip, in their order: first layer 0 of all, and so on. They are those of :meth:`layers` up to
            rounding.

        Raises
        ------
        DataError
            As for :meth:`layers`, or if clips of unequal length would change each other.
        SpecError
            If this family takes one clip at a time.
        """
        hearing = self.hearing
        if not isinstance(hearing, BatchHearing):
            raise SpecError(f"{self._info.name}: {self._family.name} takes one clip at a time; call layers")
        self._check_last(last)
        if not waveforms:
            return
        for waveform in waveforms:
            check_rate(waveform, self._info)
        by_index = {layer.index: layer for layer in self._info.layers}
        for index, states in hearing.walk_together(waveforms, last=last):
            yield [
                Layer(by_index[index], rows, waveform.clip_id)
                for rows, waveform in zip(states, waveforms, strict=True)
            ]

    @property
    def hearing(self) -> Hearing:
        """The opened network; weights are read at the first look."""
        with self._lock:
            if self._hearing is None:
                self._hearing = self._family.hear(self.network(), self._outline, self._checkpoint.card)
            return self._hearing

    def network(self) -> torch.nn.Module:
        """Make the network anew, with its weights, on its device and in its number format.

        Returns
        -------
        torch.nn.Module
            Without taps, in evaluation mode.

        Raises
        ------
        SpecError
            If the weights cannot be read.
        """
        import torch

        if self._seed is None:
            network = trained_network(self._checkpoint, self._family, self._config)
        else:
            network = drawn_network(self._checkpoint, self._family, self._config, self._seed)
        dtype = getattr(torch, str(self._settings.get("dtype", "float32")))
        return network.to(device=self._device, dtype=dtype)

    def _check_last(self, last: int | None) -> None:
        indices = [layer.index for layer in self._info.layers]
        if last is not None and last not in indices:
            raise SpecError(f"{self._info.name}: has no layer {last}; choose from {indices[0]} to {indices[-1]}")

    def _describe(self) -> ModelInfo:
        checkpoint, outline = self._checkpoint, self._outline
        fields = {**COMMON_SETTINGS, **self._family.settings}
        card = cards.find(checkpoint.name)
        info = ModelInfo(
            name=name_with(checkpoint.name, fields, self._settings),
            kind="model",
            version="" if self._seed is not None else self._version(),
            settings={
                "family": self._family.name,
                "dtype": self._settings.get("dtype", "float32"),
                "attention": self._attention,
                **outline.settings,
            },
            sample_rate=outline.sample_rate,
            layers=outline.layers,
            licence=checkpoint.licence or (card.licence if card else "") or "not stated",
            citation=self._family.citation,
            heard=_heard(checkpoint.name, str(self._settings.get("heard", ""))) or (card.heard if card else None),
        )
        if self._seed is None:
            return info
        import transformers

        version = f"{_DRAWN}, transformers {transformers.__version__}, config {checkpoint.config_digest[:12]}"
        return dataclasses.replace(untrained_info(info, self._seed, version=version), heard=())

    def _version(self) -> str:
        checkpoint = self._checkpoint
        commit = f"commit {checkpoint.commit}, " if checkpoint.commit else ""
        return f"{commit}weights {checkpoint.weights_digest[:12]}, config {checkpoint.config_digest[:12]}"

    def __reduce__(self) -> tuple[Any, ...]:
        text = self._info.twin or self._info.name
        return _again, (text, self._device, self._seed)

    def __repr__(self) -> str:
        return f"UpstreamModel({self._info.name!r}, device={self._device!r})"


def _heard(name: str, text: str) -> tuple[str, ...]:
    codes = tuple(sorted({code.strip() for code in text.split("+") if code.strip()}))
    strange = [code for code in codes if not is_language_code(code)]
    if strange:
        raise SpecError(f"{name}: heard names {', '.join(strange)}; write codes with + between them, as en_us+fr_fr")
    return codes


def _again(spec: str, device: str, seed: int | None) -> UpstreamModel:
    return open_upstream(spec, device=device, seed=seed)


def open_upstream(spec: str, *, device: str = "cpu", seed: int | None = None) -> UpstreamModel:
    """Open a checkpoint by its name and settings.

    Parameters
    ----------
    spec : str
        A folder or ``org/name``, with settings after a colon: ``./hubert-base:normalize=off``.
    device : str
        ``cpu``, ``cuda``, ``cuda:1`` or ``auto``.
    seed : int or None
        For an untrained copy, what its weights are drawn by; weights are then neither needed nor fetched.

    Returns
    -------
    UpstreamModel
        Its configuration and the names and shapes of its weights checked.

    Raises
    ------
    SpecError
        If there is no such checkpoint, it is damaged or of no known family, or a setting is not accepted.
    """
    name, text = split_spec(spec)
    where = resolve_device(device)
    named = _REVISION.search(text)
    revision = named[1] if named else ""
    checkpoint = open_checkpoint(name, revision=revision, weights=seed is None)
    family = family_of(str(checkpoint.config["model_type"]), where=checkpoint.name)
    fields: Mapping[str, Setting] = {**COMMON_SETTINGS, **family.settings}
    settings = parse_settings(text, fields, where=checkpoint.name)
    return UpstreamModel(checkpoint, settings=settings, device=where, seed=seed)


def resolve_device(device: str) -> str:
    """Say which device is meant, and keep it to full precision.

    Parameters
    ----------
    device : str
        ``cpu``, ``cuda``, ``cuda:1`` or ``auto`` (the first GPU, or else the CPU).

    Returns
    -------
    str
        ``cpu`` or ``cuda:N``.

    Raises
    ------
    SpecError
        If there is no such device.
    """
    import torch

    if device == "cpu":
        return device
    n_devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "auto" and n_devices == 0:
        return "cpu"
    asked = re.fullmatch(r"auto|cuda(?::(\d+))?", device)
    if asked is None:
        raise SpecError(f"device is {device!r}; choose from auto, cpu, cuda, cuda:N")
    number = int(asked[1] or 0)
    if number >= n_devices:
        there = f"cuda:0 to cuda:{n_devices - 1}" if n_devices else "no GPU that torch can use"
        raise SpecError(f"device is {device!r} and there is {there}; choose cpu or auto")
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return f"cuda:{number}"

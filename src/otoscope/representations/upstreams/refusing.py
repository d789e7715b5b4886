"""What a network brings out when it hears its first clip, said of its checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from otoscope.audio import Waveform
from otoscope.errors import SpecError

if TYPE_CHECKING:
    import torch

__all__ = ["cannot_hear"]


def cannot_hear(network: torch.nn.Module, waveforms: Sequence[Waveform], error: BaseException) -> SpecError:
    """Say that a network failed at the first clips that it was given.

    Parameters
    ----------
    network : torch.nn.Module
        Its configuration's ``name_or_path`` is the checkpoint.
    waveforms : sequence of Waveform
        What it was given.
    error : BaseException
        What the library raised.

    Returns
    -------
    SpecError
        To be raised from `error`.
    """
    config: Any = getattr(network, "config", None)
    where = str(getattr(config, "name_or_path", "") or type(network).__name__)
    n_samples = max(waveform.samples.size for waveform in waveforms)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = ": ".join([type(error).__name__, *lines[:1]])[:200]
    return SpecError(
        f"{where}: cannot hear {n_samples} samples ({reason}); a value in config.json does not fit this network: "
        "fetch the checkpoint again, or compare it with the original"
    )

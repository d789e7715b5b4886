"""Reading weights into a network: nothing is executed, nothing that does not fit is taken.

A network is first made without memory, for the names and shapes of its weights alone; what a safetensors file says in
its header is held against them before a tensor is read.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otoscope.errors import SpecError
from otoscope.representations.taps import out_of_memory
from otoscope.representations.upstreams.checkpoint import Checkpoint
from otoscope.representations.upstreams.families import Family

if TYPE_CHECKING:
    import torch

__all__ = ["MAX_PARAMETERS", "check_fit", "drawn_network", "hollow_network", "make_config", "trained_network"]

MAX_PARAMETERS = 20 * 10**9
_HARMLESS = ("position_ids", "num_batches_tracked", "inv_freq", ".pe")  # computed, whatever a file says
_DECIDED_HERE = (
    "model_type",
    "dtype",
    "torch_dtype",
    "quantization_config",
    "attn_implementation",
    "_attn_implementation",
    "output_attentions",
    "output_hidden_states",
    "return_dict",
    "num_labels",  # of heads, which are never made
    "id2label",
    "label2id",
)
_NEEDED = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "conv_dim",
    "conv_kernel",
    "conv_stride",
    "squeeze_factor",
    "d_model",
    "encoder_layers",
)
_OLD_NAMES = {
    ".weight_g": ".parametrizations.weight.original0",
    ".weight_v": ".parametrizations.weight.original1",
}


def make_config(checkpoint: Checkpoint) -> Any:
    """Make the library's configuration, without asking the checkpoint for code.

    Parameters
    ----------
    checkpoint : Checkpoint
        With a ``model_type`` that the library knows.

    Returns
    -------
    transformers.PretrainedConfig
        For evaluation: no masking of frames.

    Raises
    ------
    SpecError
        If a field has a value that the library does not take.
    """
    from transformers import AutoConfig

    fields = {key: value for key, value in checkpoint.config.items() if key not in _DECIDED_HERE}
    with quiet():
        try:
            config = AutoConfig.for_model(str(checkpoint.config["model_type"]), **fields)
        except Exception as error:  # whatever the library's own checks raise
            raise SpecError(f"{checkpoint.name}: config.json does not describe a model ({_line(error)})") from error
    config.name_or_path = checkpoint.name
    said = config.to_dict()
    unsaid = [key for key in _NEEDED if key in said and key not in fields]
    if unsaid:
        raise SpecError(
            f"{checkpoint.name}: config.json has no {unsaid[0]}; the library would take {said[unsaid[0]]}, which the "
            "weights cannot confirm; fetch it again"
        )
    return config


def hollow_network(checkpoint: Checkpoint, family: Family, config: Any) -> torch.nn.Module:
    """Make a network without memory.

    Parameters
    ----------
    checkpoint : Checkpoint
        For messages.
    family : Family
        What makes it.
    config : transformers.PretrainedConfig
        Its sizes.

    Returns
    -------
    torch.nn.Module
        On torch's ``meta`` device.

    Raises
    ------
    SpecError
        If the sizes do not fit each other, or are beyond reason.
    """
    import torch

    with quiet(), torch.random.fork_rng(devices=[]), torch.device("meta"):  # some are drawn whatever the device is
        network = _built(checkpoint, family, config)
    total = sum(part.numel() for part in (*network.parameters(), *network.buffers()))
    if total > MAX_PARAMETERS:
        raise SpecError(
            f"{checkpoint.name}: config.json asks for {total:.3g} parameters; "
            f"at most {MAX_PARAMETERS:.0e} are accepted"
        )
    return network


def _built(checkpoint: Checkpoint, family: Family, config: Any) -> torch.nn.Module:
    try:
        return family.build(config)
    except SpecError:
        raise
    except Exception as error:  # whatever a network's own constructor raises
        if out_of_memory(error):
            raise
        raise SpecError(f"{checkpoint.name}: config.json does not describe a network ({_line(error)})") from error


def check_fit(checkpoint: Checkpoint, family: Family, network: torch.nn.Module) -> None:
    """Hold the headers of safetensors files against a network; a ``.bin`` has none and is passed over.

    Parameters
    ----------
    checkpoint : Checkpoint
        With its weights.
    family : Family
        For what may stand before the names, and what may be missing.
    network : torch.nn.Module
        Also one without memory.

    Raises
    ------
    SpecError
        If a file is damaged, or names or shapes do not fit; the message names the first few.
    """
    if all(path.suffix == ".safetensors" for path in checkpoint.weights):
        _match(checkpoint, family, network, _headers(checkpoint))


def trained_network(checkpoint: Checkpoint, family: Family, config: Any) -> torch.nn.Module:
    """Make a network with the weights of a checkpoint, in float32.

    Parameters
    ----------
    checkpoint : Checkpoint
        With its weights.
    family : Family
        What makes it.
    config : transformers.PretrainedConfig
        Its sizes.

    Returns
    -------
    torch.nn.Module
        In evaluation mode, without gradients, on the CPU.

    Raises
    ------
    SpecError
        If a file is damaged or holds anything but tensors, names or shapes do not fit, or a weight is not finite.
    """
    import torch

    network = hollow_network(checkpoint, family, config)
    check_fit(checkpoint, family, network)
    tensors = _tensors(checkpoint)
    names = _match(checkpoint, family, network, {name: tuple(tensor.shape) for name, tensor in tensors.items()})
    state: dict[str, torch.Tensor] = {}
    for expected, slot in network.state_dict().items():
        if expected not in names:  # optional: it changes no state
            state[expected] = torch.zeros(slot.shape, dtype=slot.dtype)
            continue
        tensor = tensors.pop(names[expected])
        if slot.is_floating_point():
            tensor = tensor.to(torch.float32, copy=True)  # away from the file, which may change
            if not torch.isfinite(tensor.sum()) and not torch.isfinite(tensor).all():
                raise SpecError(f"{checkpoint.name}: {names[expected]} holds values that are not finite")
        state[expected] = tensor.contiguous() if slot.is_floating_point() else tensor.clone()
    if any(name not in state for name, _ in network.named_buffers()):
        with quiet(), torch.random.fork_rng(devices=[]):  # it computes something when it is made
            network = _built(checkpoint, family, config)
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False)


def drawn_network(checkpoint: Checkpoint, family: Family, config: Any, seed: int) -> torch.nn.Module:
    """Make a network with the library's default initialisation, and leave the caller's random numbers alone.

    Parameters
    ----------
    checkpoint : Checkpoint
        For messages; weights are not read.
    family : Family
        What makes it.
    config : transformers.PretrainedConfig
        Its sizes.
    seed : int, 0 to 2**63 - 1
        Equal seeds give equal weights.

    Returns
    -------
    torch.nn.Module
        In evaluation mode, without gradients, in float32, on the CPU.

    Raises
    ------
    SpecError
        If the sizes do not fit each other, or are beyond reason.
    """
    import torch

    hollow_network(checkpoint, family, config)
    with quiet(), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        network = _built(checkpoint, family, config)
    return network.float().eval().requires_grad_(False)


def _match(
    checkpoint: Checkpoint, family: Family, network: torch.nn.Module, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, str]:
    """Give the name in the file for every weight of the network that the file has."""
    slots = {name: tuple(slot.shape) for name, slot in network.state_dict().items()}
    today = _renaming(network, slots)
    best: dict[str, str] = {}
    chosen = ""
    for prefix in family.prefixes:
        names = {today(name[len(prefix) :]): name for name in shapes if name.startswith(prefix)}
        matched = {name: file for name, file in names.items() if name in slots}
        if len(matched) > len(best):
            best, chosen = matched, prefix
    where = checkpoint.name
    if not best:
        raise SpecError(
            f"{where}: holds no weights of {family.name}; it has {_some(shapes)}, and {_some(slots)} are needed"
        )
    missing = [name for name in slots if name not in best and not name.endswith((*family.optional, *_HARMLESS))]
    if missing:
        raise SpecError(
            f"{where}: the weights do not fit config.json: {len(missing)} are missing, such as {_some(missing)}"
        )
    wrong = [name for name, file in best.items() if slots[name] != shapes[file]]
    if wrong:
        lines = ", ".join(
            f"{name} is {_shape(shapes[best[name]])} and not {_shape(slots[name])}" for name in wrong[:3]
        )
        raise SpecError(f"{where}: the weights do not fit config.json: {len(wrong)} have other shapes: {lines}")
    parts = tuple(f"{chosen}{name}." for name, _ in network.named_children())
    taken = set(best.values())
    more = [name for name in shapes if name.startswith(parts) and name not in taken and not name.endswith(_HARMLESS)]
    if more:
        raise SpecError(
            f"{where}: the weights do not fit config.json: {len(more)} have no place in the network, "
            f"such as {_some(more)}"
        )
    return best


def _renaming(network: torch.nn.Module, slots: Mapping[str, object]) -> Callable[[str], str]:
    """Give what turns an earlier name of a weight into its present one; the library knows more of them than we do."""
    steps: list[Any] = []
    try:
        from transformers.conversion_mapping import get_model_conversion_mapping
        from transformers.core_model_loading import WeightRenaming

        steps = [step for step in get_model_conversion_mapping(network) if type(step) is WeightRenaming]  # pyright: ignore[reportArgumentType]
    except (ImportError, AttributeError, TypeError):
        pass  # another release of the library: names as they were, or weight norm's

    def today(name: str) -> str:
        if name in slots:
            return name
        for old, new in _OLD_NAMES.items():
            for one, other in ((old, new), (new, old)):
                if name.endswith(one) and name.removesuffix(one) + other in slots:
                    return name.removesuffix(one) + other
        later = name
        for step in steps:
            later, _ = step.rename_source_key(later)
        return later if later in slots else name

    return today


def _headers(checkpoint: Checkpoint) -> dict[str, tuple[int, ...]]:
    from safetensors import SafetensorError, safe_open

    shapes: dict[str, tuple[int, ...]] = {}
    for path in checkpoint.weights:
        try:
            with safe_open(path, framework="pt") as file:
                shapes.update({name: tuple(file.get_slice(name).get_shape()) for name in file.keys()})  # noqa: SIM118
        except (SafetensorError, OSError, ValueError) as error:
            raise _damaged(checkpoint, path, error) from error
    return shapes


def _tensors(checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = {}
    for path in checkpoint.weights:
        read = _read_safetensors if path.suffix == ".safetensors" else _read_bin
        tensors.update(read(checkpoint, path))
    return tensors


def _read_safetensors(checkpoint: Checkpoint, path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise _damaged(checkpoint, path, error) from error


def _read_bin(checkpoint: Checkpoint, path: Path) -> dict[str, torch.Tensor]:
    """Read a pickle that may hold tensors and nothing else; torch refuses everything that could be called."""
    import pickle

    import torch

    try:
        with quiet():
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        text = str(error)
        if "Unsupported" in text or "GLOBAL" in text or "weights_only" in text.lower():
            reason = next((line.strip() for line in text.splitlines() if "GLOBAL" in line or "class" in line), "")
            raise SpecError(
                f"{checkpoint.name}: {path.name} holds something other than weights and was not read "
                f"({reason or 'a pickle'}); nothing of it was run; fetch the model as safetensors, "
                "from a source that you trust"
            ) from error
        raise _damaged(checkpoint, path, error) from error
    except Exception as error:  # torch's reader trusts that the parts of a pickle are what they should be
        raise _damaged(checkpoint, path, error) from error
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise SpecError(f"{checkpoint.name}: {path.name} holds no table of weights; fetch the model as safetensors")
    return {str(name): tensor for name, tensor in content.items()}


def _damaged(checkpoint: Checkpoint, path: Path, error: BaseException) -> SpecError:
    size = path.stat().st_size
    return SpecError(
        f"{checkpoint.name}: {path.name} ({size} bytes) is damaged or cut short ({_line(error)}); fetch it again"
    )


def _some(names: object) -> str:
    listed = list(names)[:3]  # pyright: ignore[reportArgumentType, reportCallIssue]
    return ", ".join(str(name) for name in listed)


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a number"


def _line(error: BaseException) -> str:
    """Give the first two lines of a message, at most 200 characters."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return " ".join(lines[:2])[:200]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the library's advice and warnings to itself: what matters is checked here.

    Yields
    ------
    None
        While it is quiet.
    """
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(before)

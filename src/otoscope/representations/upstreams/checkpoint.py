"""Checkpoints: a folder with ``config.json`` and weights, on this machine or on a hub.

Only three things of a checkpoint are read: its configuration, the card of its input (``preprocessor_config.json``)
and its weights, as safetensors or as a ``.bin`` that may hold tensors and nothing else. Code that a checkpoint brings
along is never run, whatever its configuration asks for.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otoscope.errors import SpecError
from otoscope.store import digest_of

__all__ = ["CARD", "CONFIG", "Checkpoint", "is_hub_name", "looks_like_checkpoint", "open_checkpoint", "read_config"]

CONFIG = "config.json"
CARD = "preprocessor_config.json"
MAX_JSON = 2**20  # bytes
MAX_SIZE = 2**24  # of any one whole number in a configuration
MAX_BLOCKS = 1024
MAX_POSITIONS = 10**6  # rows of a table of positions
_TABLES = ("_positions", "_position_embeddings")  # how the names of their lengths end
_SIZES = (  # without which there is no network
    "conv_dim",
    "d_model",
    "encoder_attention_heads",
    "encoder_ffn_dim",
    "encoder_layers",
    "hidden_size",
    "intermediate_size",
    "num_attention_heads",
    "num_hidden_layers",
)
_FOREIGN = ("auto_map", "custom_pipelines", "trust_remote_code")
_HUB_NAME = re.compile(r"(?!.*(?:--|\.\.))[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint that was found on this machine.

    Parameters
    ----------
    name : str
        As typed, without a slash at the end.
    folder : Path
        Where its files lie.
    config : mapping
        ``config.json``.
    card : mapping
        ``preprocessor_config.json``; empty where there is none.
    weights : tuple of Path
        Files with weights, sorted; empty where they were not asked for.
    commit : str or None
        Of the hub; None for a folder.
    """

    name: str
    folder: Path
    config: Mapping[str, Any]
    card: Mapping[str, Any]
    weights: tuple[Path, ...]
    commit: str | None = None

    @property
    def config_digest(self) -> str:
        """SHA-256 of the configuration as a JSON value."""
        return digest_of(dict(self.config))

    @property
    def weights_digest(self) -> str:
        """SHA-256 of the file with the weights; of several, of their digests in the order of their names."""
        parts = [_file_digest(path, path.stat().st_size, path.stat().st_mtime_ns) for path in self.weights]
        return parts[0] if len(parts) == 1 else hashlib.sha256("".join(parts).encode()).hexdigest()

    @property
    def n_bytes(self) -> int:
        """Size of the weights on disk."""
        return sum(path.stat().st_size for path in self.weights)

    @property
    def licence(self) -> str | None:
        """As the front matter of its ``README.md`` says; None where it says nothing."""
        try:
            with (self.folder / "README.md").open(encoding="utf-8") as file:
                head = file.read(16_384)
        except (OSError, UnicodeDecodeError):
            return None
        matter = re.match(r"---\s*\n(.*?)\n---", head, flags=re.DOTALL)
        said = re.search(r"^license:\s*([^\s#].*?)\s*$", matter[1], flags=re.MULTILINE) if matter else None
        return said[1].strip("'\"") if said else None


@functools.lru_cache(maxsize=64)
def _file_digest(path: Path, _size: int, _changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_hub_name(name: str) -> bool:
    """Say whether a name may be one of the hub.

    Parameters
    ----------
    name : str
        As typed.

    Returns
    -------
    bool
        True for ``org/name``.

    Examples
    --------
    >>> is_hub_name("facebook/hubert-base-ls960"), is_hub_name("./hubert-base")
    (True, False)
    """
    return _HUB_NAME.fullmatch(name) is not None


def looks_like_checkpoint(name: str) -> bool:
    """Say whether a name is meant as a checkpoint: it has a slash, or is a folder.

    Parameters
    ----------
    name : str
        As typed.

    Returns
    -------
    bool
        True also where there is no such folder.
    """
    return "/" in name or name in (".", "..", "~") or Path(name).is_dir()


def open_checkpoint(name: str, *, revision: str = "", weights: bool = True) -> Checkpoint:
    """Find a checkpoint and read its configuration.

    Parameters
    ----------
    name : str
        A folder, or ``org/name`` on the hub. A folder of that name comes first.
    revision : str
        Branch, tag or commit on the hub; the main branch where empty.
    weights : bool
        Whether weights are needed; without them only the configuration is fetched.

    Returns
    -------
    Checkpoint
        Its configuration has sane sizes; its weights were not read yet.

    Raises
    ------
    SpecError
        If there is no such checkpoint, nothing to fetch it from, or it is not whole; with the way out.
    """
    typed = name.rstrip("/") or "/"
    folder, commit = Path(typed).expanduser(), None
    if folder.is_dir():
        if revision:
            raise SpecError(f"{typed}: a folder has no revision ({revision!r}); leave it out")
    elif is_hub_name(typed) and not name.endswith("/"):
        from otoscope.representations.upstreams.hub import fetch

        folder, commit = fetch(typed, revision=revision, weights=weights)
    elif folder.exists():
        raise SpecError(f"{typed}: is a file; name the folder with {CONFIG} and the weights")
    else:
        raise SpecError(
            f"{typed}: there is no such folder; name a folder with {CONFIG} and model.safetensors, such as "
            "./hubert-base, or org/name on the hub"
        )
    config = read_config(folder / CONFIG, where=typed)
    card_path = folder / CARD
    card = _read_json(card_path, where=typed) if card_path.is_file() else {}
    found = _weight_files(folder, where=typed) if weights else ()
    return Checkpoint(typed, folder, config, card, found, commit)


def read_config(path: Path, *, where: str) -> dict[str, Any]:
    """Read ``config.json`` and check that its sizes are sane, before anything is made from it.

    Parameters
    ----------
    path : Path
        The file.
    where : str
        The checkpoint's name, for messages.

    Returns
    -------
    dict
        Without what would make a library run foreign code.

    Raises
    ------
    SpecError
        If it is missing, no JSON object, names no kind of model, or has sizes beyond reason.
    """
    if not path.is_file():
        raise SpecError(f"{where}: has no {CONFIG}; name the folder in which save_pretrained wrote a model")
    config = _read_json(path, where=where)
    if not isinstance(config.get("model_type"), str):
        raise SpecError(f"{where}: {CONFIG} has no model_type; it is not a configuration of transformers")
    for key, value in config.items():
        values = value if isinstance(value, list) else [value]
        if len(values) > MAX_BLOCKS and all(isinstance(number, int) for number in values):
            raise SpecError(
                f"{where}: {CONFIG} lists {len(values)} numbers as {key}; at most {MAX_BLOCKS} are accepted"
            )
        most = MAX_SIZE if isinstance(value, list) else _most(key, str(config["model_type"]))
        for number in values:
            if isinstance(number, int | float) and not abs(number) <= most:
                raise SpecError(f"{where}: {CONFIG} says {key} = {number}; at most {most} is accepted")
            if isinstance(number, int | float) and key in _SIZES and number < 1:
                raise SpecError(f"{where}: {CONFIG} says {key} = {number}; at least 1 is needed")
    return {key: value for key, value in config.items() if key not in _FOREIGN}


def _most(key: str, model_type: str) -> int:
    """Say how large one number of a configuration may be."""
    stacked = model_type == "data2vec-audio" and key == "num_conv_pos_embeddings"  # elsewhere the width of a kernel
    if stacked or key.endswith("_layers"):
        return MAX_BLOCKS
    return MAX_POSITIONS if key.endswith(_TABLES) else MAX_SIZE


def _read_json(path: Path, *, where: str) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_JSON:
            raise SpecError(f"{where}: {path.name} has {path.stat().st_size} bytes; at most {MAX_JSON} are accepted")
        content = json.loads(path.read_bytes().decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, SpecError):
            raise
        raise SpecError(f"{where}: {path.name} is no JSON ({error}); fetch it again") from error
    if not isinstance(content, dict):
        raise SpecError(f"{where}: {path.name} holds a {type(content).__name__}; an object is needed")
    return content


def _weight_files(folder: Path, *, where: str) -> tuple[Path, ...]:
    """Find the weights: safetensors first, whole before sharded."""
    for stem in ("model.safetensors", "pytorch_model.bin"):
        if (folder / stem).is_file():
            return (folder / stem,)
        index = folder / f"{stem}.index.json"
        if index.is_file():
            return _shards(index, where=where)
    present = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
    raise SpecError(
        f"{where}: has no weights; model.safetensors (or pytorch_model.bin) is needed, and there is {present}"
    )


def _shards(index: Path, *, where: str) -> tuple[Path, ...]:
    table = _read_json(index, where=where).get("weight_map")
    names = sorted(set(table.values())) if isinstance(table, dict) and table else []
    if not names or any(not isinstance(name, str) or Path(name).name != name for name in names):
        raise SpecError(f"{where}: {index.name} names no files beside it; fetch it again")
    missing = [name for name in names if not (index.parent / name).is_file()]
    if missing:
        raise SpecError(f"{where}: {missing[0]} is missing ({len(missing)} of {len(names)} parts); fetch it again")
    return tuple(index.parent / name for name in names)

"""Fetching a checkpoint from a hub, with its revision pinned to a commit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from otoscope.corpora.hub_host import is_offline, unknown_host
from otoscope.errors import SpecError
from otoscope.representations.upstreams.naming import did_you_mean

__all__ = ["fetch", "wanted"]

_SMALL = ("config.json", "preprocessor_config.json", "README.md")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TIMEOUT = 10.0  # seconds, for the question which commit it is


def fetch(name: str, *, revision: str = "", weights: bool = True) -> tuple[Path, str]:
    """Fetch what is needed of a checkpoint, or find it in the hub's local cache.

    Parameters
    ----------
    name : str
        ``org/name``.
    revision : str
        Branch, tag or commit; the main branch where empty.
    weights : bool
        Whether weights are needed.

    Returns
    -------
    folder : Path
        Of the snapshot in the local cache.
    commit : str
        What the revision stands for.

    Raises
    ------
    SpecError
        If the name cannot be one, or the hub has no such checkpoint or revision, asks for permission, or cannot be
        reached while the cache has no copy; with the commands that help.

    Notes
    -----
    ``HF_ENDPOINT``, ``HF_HUB_OFFLINE``, ``HF_HOME`` and the token are the hub's own and honoured.
    """
    from huggingface_hub.errors import HFValidationError

    try:
        return _fetched(name, revision, weights=weights)
    except HFValidationError as error:
        raise SpecError(
            f"{name}: is no name that the hub takes; check it (org/name as the hub's page shows it), or name a "
            "folder (./name)"
        ) from error


def _fetched(name: str, revision: str, *, weights: bool) -> tuple[Path, str]:
    if not is_offline() and (host := unknown_host()) is not None:
        if (ready := _cached(name, revision or "main", weights=weights)) is not None:
            return ready, ready.name
        raise SpecError(_absent(name, revision, f"{host} is not known here"))
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    # the root of what the hub's client raises when nothing answers; which client it is changed between releases
    unreachable: Any = (OSError, *HfHubHTTPError.__bases__)

    if _COMMIT.fullmatch(revision) and (ready := _cached(name, revision, weights=weights)) is not None:
        return ready, revision
    try:
        info = HfApi().model_info(name, revision=revision or None, timeout=_TIMEOUT)
        files = wanted([item.rfilename for item in info.siblings or []], weights=weights)
        # asked for by its name, so that the cache knows it by that name when there is no network
        folder = Path(snapshot_download(name, revision=revision or None, allow_patterns=files))
    except GatedRepoError as error:
        raise SpecError(
            f"{name}: the hub asks for permission; accept its terms at its page there, then run: hf auth login"
        ) from error
    except RevisionNotFoundError as error:
        raise SpecError(f"{name}: the hub has no revision {revision!r}; leave it out for the main branch") from error
    except RepositoryNotFoundError as error:
        raise SpecError(
            f"{name}: the hub has no such model, or it is private; {did_you_mean(name, after=' ')}check the name, or "
            "name a folder (./name)"
        ) from error
    except unreachable as error:
        ready = _cached(name, revision or "main", weights=weights)
        if ready is None:
            raise SpecError(_absent(name, revision, type(error).__name__)) from error
        return ready, ready.name
    return folder, folder.name  # the cache calls a snapshot by its commit


def wanted(files: Sequence[str], *, weights: bool) -> list[str]:
    """Choose what is fetched.

    Parameters
    ----------
    files : sequence of str
        What the hub has.
    weights : bool
        Whether weights are needed.

    Returns
    -------
    list of str
        The configuration, the cards, and safetensors; a ``.bin`` only where there are none.

    Examples
    --------
    >>> wanted(["config.json", "model.safetensors", "pytorch_model.bin", "tf_model.h5"], weights=True)
    ['config.json', 'model.safetensors']
    """
    chosen = [name for name in _SMALL if name in files]
    if not weights:
        return chosen
    for pattern in (
        r"model\.safetensors",
        r"model(-\d+-of-\d+\.safetensors|\.safetensors\.index\.json)",
        r"pytorch_model\.bin",
        r"pytorch_model(-\d+-of-\d+\.bin|\.bin\.index\.json)",
    ):
        found = sorted(name for name in files if re.fullmatch(pattern, name))
        if found:
            return chosen + found
    return chosen


def _cached(name: str, revision: str, *, weights: bool) -> Path | None:
    """Find a snapshot in the local cache that has what is needed; without it, None."""
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(name, "config.json", revision=revision)
    if not isinstance(config, str):
        return None
    folder = Path(config).parent
    needed = wanted([path.name for path in folder.iterdir()], weights=weights)
    has_weights = any(file.endswith((".safetensors", ".bin")) for file in needed)
    return folder if has_weights or not weights else None


def _absent(name: str, revision: str, reason: str) -> str:
    folder = name.rpartition("/")[2]
    pinned = f" --revision {revision}" if revision else ""
    return (
        f"{name}: is not in the local cache, and the hub cannot be reached ({reason}); "
        f"{did_you_mean(name, after=' Else, ')}where there is a network, run: hf download {name}{pinned} "
        f"--local-dir {folder}   then name the folder: --model ./{folder}"
    )

"""FLEURS on the Hugging Face hub: one file at a time, from one revision, into the hub's own cache."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from otoscope.corpora.hub_host import is_offline, unknown_host
from otoscope.errors import SpecError

__all__ = ["REPOSITORY", "Hub", "MissingOnHub", "how_to_download"]

REPOSITORY = "google/fleurs"
MOST_PATTERNS = 8
_COMMIT = re.compile(r"[0-9a-f]{40}")
# Of this machine, not of the network: no room, no right, a file system that is read-only.
_OWN_TROUBLE = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS}


class MissingOnHub(SpecError):
    """The hub answers, and has no such file."""


@dataclass(frozen=True, slots=True)
class Hub:
    """The repository at one revision.

    Parameters
    ----------
    revision : str
        A branch, a tag or a commit.
    repository : str
        Owner and name.
    cache : str or None
        The folder of the hub's cache; None is its own choice (``HF_HUB_CACHE``, ``HF_HOME``).
    languages : tuple of str
        What is wanted of it, for messages.
    """

    revision: str = "main"
    repository: str = REPOSITORY
    cache: str | None = None
    languages: tuple[str, ...] = ()

    def fetch(self, name: str) -> Path:
        """Give a file of the repository, from the cache where it is there.

        An interrupted transfer is taken up again by the hub's client; a file is whole or not there.

        Parameters
        ----------
        name : str
            Its path in the repository.

        Returns
        -------
        Path
            In the cache.

        Raises
        ------
        MissingOnHub
            If the repository has no such file at this revision.
        SpecError
            If it is not in the cache and cannot be got; the message says what to download by other means.
        """
        from huggingface_hub import hf_hub_download, try_to_load_from_cache
        from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

        if _COMMIT.fullmatch(self.revision):  # what a commit holds does not change: nobody need be asked
            kept = try_to_load_from_cache(
                self.repository, name, cache_dir=self.cache, revision=self.revision, repo_type="dataset"
            )
            if isinstance(kept, str):
                return Path(kept)
        offline = is_offline()
        host = None if offline else unknown_host()
        try:
            return Path(
                hf_hub_download(
                    self.repository,
                    name,
                    repo_type="dataset",
                    revision=self.revision,
                    cache_dir=self.cache,
                    endpoint=os.environ.get("HF_ENDPOINT") or None,
                    local_files_only=offline or host is not None,
                )
            )
        except LocalEntryNotFoundError as error:
            said = OSError(f"{host} is not known here: there is no network") if host else error
            raise self._out_of_reach(name, said) from error
        except EntryNotFoundError as error:
            raise MissingOnHub(f"{self.repository} has no {name} at {self.revision}") from error
        except Exception as error:  # the errors of whatever HTTP library the client uses come through
            if isinstance(error, OSError) and error.errno in _OWN_TROUBLE:
                raise
            raise self._out_of_reach(name, error) from error

    def pinned(self, name: str) -> Hub:
        """Resolve the revision to the commit that it names now.

        Parameters
        ----------
        name : str
            A small file to ask for.

        Returns
        -------
        Hub
            At a commit: later files come from it even if the branch moves on.
        """
        parts = self.fetch(name).parts
        return replace(self, revision=parts[len(parts) - parts[::-1].index("snapshots")])

    def _out_of_reach(self, name: str, error: Exception) -> SpecError:
        said = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        return SpecError(
            f"fleurs: {name} of {self.repository} (revision {self.revision}) is not on this machine and cannot be "
            f"got: {said}. {how_to_download(self.languages, revision=self.revision, repository=self.repository)}"
        )


def how_to_download(
    languages: Sequence[str] = (), *, revision: str = "main", repository: str = REPOSITORY, folder: str = "fleurs"
) -> str:
    """Say how to get FLEURS by hand.

    Parameters
    ----------
    languages : sequence of str
        The configs; none, or more than a few, is all of it.
    revision : str
        A branch, a tag or a commit.
    repository : str
        Owner and name.
    folder : str
        Where it shall stand.

    Returns
    -------
    str
        Two sentences with a command.

    Examples
    --------
    >>> how_to_download(["en_us"])
    'Where there is a network, run: hf download google/fleurs --repo-type dataset --revision main \
--include "data/en_us/*" --local-dir fleurs; then name the folder: --corpus fleurs:fleurs'
    """
    patterns = [f"data/{code}/*" for code in languages] if 0 < len(languages) <= MOST_PATTERNS else ["data/*"]
    include = " ".join(f'--include "{pattern}"' for pattern in patterns)
    return (
        f"Where there is a network, run: hf download {repository} --repo-type dataset --revision {revision} "
        f"{include} --local-dir {folder}; then name the folder: --corpus fleurs:{folder}"
    )

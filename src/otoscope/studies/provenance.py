"""What took part in a result."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Sequence

import otoscope

__all__ = ["PITCH_PACKAGES", "versions"]

PITCH_PACKAGES = ("numpy", "scipy", "torch", "soundfile", "soxr", "librosa", "kaldi-native-fbank", "numba")


def versions(packages: Sequence[str] = PITCH_PACKAGES) -> dict[str, str]:
    """Give the versions of what takes part in the numbers.

    Parameters
    ----------
    packages : sequence of str
        Which; those that are not installed are left out.

    Returns
    -------
    dict of str to str
        By package, with otoscope itself, Python and the platform.
    """
    found = {"otoscope": otoscope.__version__, "python": platform.python_version(), "platform": sys.platform}
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found

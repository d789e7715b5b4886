"""What is known of each built-in tracker: how it works, what its score means, and under which licence it comes."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

__all__ = ["CARDS", "TrackerCard"]


@dataclass(frozen=True, slots=True)
class TrackerCard:
    """One tracker in words.

    Parameters
    ----------
    method : str
        How it finds F0.
    score : str
        What its score is.
    licence : str
        Of the package that does the work.
    module : str
        What must be installed; empty where it comes with otoscope.
    extra : str
        Of otoscope, that installs it.
    """

    method: str
    score: str
    licence: str
    module: str = ""
    extra: str = ""

    @property
    def installed(self) -> bool:
        """Whether it can be used here."""
        return not self.module or importlib.util.find_spec(self.module) is not None


CARDS = {
    "yaapt": TrackerCard(
        "spectral and temporal candidates, one path through them (YAAPT, done right)",
        "merit of the candidate on the path, 0 to 1",
        "MIT (otoscope)",
    ),
    "yaapt-compat": TrackerCard(
        "YAAPT as AMFM_decompy 1.0.12.2 decides it, flat by a sample of lag", "none", "MIT (otoscope)"
    ),
    "kaldi": TrackerCard(
        "correlation at 4 kHz, one path through all lags", "probability of voicing", "Apache-2.0 (kaldi-native-fbank)"
    ),
    "swift": TrackerCard("a small neural network", "its confidence", "MIT (swift-f0)", "swift_f0", "swift"),
    "praat": TrackerCard(
        "autocorrelation divided by the window's (Boersma 1993)",
        "strength of the candidate",
        "GPL-3 (praat-parselmouth)",
        "parselmouth",
        "praat",
    ),
    "pyin": TrackerCard(
        "thresholds of YIN as a distribution, one path (pYIN)", "probability of voicing", "ISC (librosa)"
    ),
}

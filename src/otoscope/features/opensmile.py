"""The functionals of eGeMAPSv02 by openSMILE itself, for comparison. Its licence is for research only.

The group ``voice`` has our own version of these, under the licence of otoscope. This one needs the package
``opensmile`` and is used only where it is named.
"""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import DataError
from otoscope.features.base import Feature
from otoscope.features.sound import SAMPLE_RATE, Sound

__all__ = ["GROUP", "OpenSmile"]

_CONTOURS = {  # openSMILE's name: (ours, unit, what it is)
    "F0semitoneFrom27.5Hz": ("f0", "st", "the pitch of the voice above 27.5 Hz"),
    "loudness": ("loudness", "1", "the loudness as the ear weighs it"),
    "spectralFlux": ("flux", "1", "the change of the spectrum from moment to moment"),
    "mfcc1": ("mfcc1", "1", "the tilt of the spectrum from low to high"),
    "mfcc2": ("mfcc2", "1", "the second broad shape of the spectrum"),
    "mfcc3": ("mfcc3", "1", "the third broad shape of the spectrum"),
    "mfcc4": ("mfcc4", "1", "the fourth broad shape of the spectrum"),
    "jitterLocal": ("jitter", "1", "the unsteadiness of the voice's pitch from cycle to cycle"),
    "shimmerLocaldB": ("shimmer", "dB", "the unsteadiness of the voice's level from cycle to cycle"),
    "HNRdBACF": ("hnr", "dB", "the voice against its own noise"),
    "logRelF0-H1-H2": ("h1_h2", "dB", "the first partial of the voice against the second"),
    "logRelF0-H1-A3": ("h1_a3", "dB", "the first partial of the voice against its third resonance"),
    "alphaRatio": ("alpha_ratio", "dB", "the level above 1 kHz against the level below"),
    "hammarbergIndex": ("hammarberg", "dB", "the strongest partial below 2 kHz against the strongest above"),
    "slope0-500": ("slope_0_500", "dB/Hz", "the slope of the spectrum up to 500 Hz"),
    "slope500-1500": ("slope_500_1500", "dB/Hz", "the slope of the spectrum from 500 to 1500 Hz"),
    **{
        f"F{i}{name}": (f"f{i}_{ours}", unit, f"{what} the {place} resonance of the voice")
        for i, place in ((1, "first"), (2, "second"), (3, "third"))
        for name, ours, unit, what in (
            ("frequency", "frequency", "Hz", "the frequency of"),
            ("bandwidth", "bandwidth", "Hz", "the width of"),
            ("amplitudeLogRelF0", "level", "dB", "the level of"),
        )
    },
}
_STATISTICS = {
    "amean": ("mean", "mean"),
    "stddevNorm": ("variation", "standard deviation divided by the mean"),
    "percentile20.0": ("p20", "20th percentile"),
    "percentile50.0": ("p50", "median"),
    "percentile80.0": ("p80", "80th percentile"),
    "pctlrange0-2": ("range", "distance from the 20th to the 80th percentile"),
    "meanRisingSlope": ("rise", "mean slope where it rises"),
    "stddevRisingSlope": ("rise_sd", "standard deviation of its slope where it rises"),
    "meanFallingSlope": ("fall", "mean slope where it falls"),
    "stddevFallingSlope": ("fall_sd", "standard deviation of its slope where it falls"),
}
_ALONE = {
    "loudnessPeaksPerSec": ("loudness_peaks", "1/s", "peaks of loudness in a second"),
    "VoicedSegmentsPerSec": ("voiced_segments", "1/s", "stretches with a voice in a second"),
    "MeanVoicedSegmentLengthSec": ("voiced_length", "s", "mean length of the stretches with a voice"),
    "StddevVoicedSegmentLengthSec": ("voiced_length_sd", "s", "spread of the lengths of the stretches with a voice"),
    "MeanUnvoicedSegmentLength": ("unvoiced_length", "s", "mean length of the stretches without a voice"),
    "StddevUnvoicedSegmentLength": ("unvoiced_length_sd", "s", "spread of the lengths without a voice"),
    "equivalentSoundLevel_dBp": ("sound_level", "dB", "mean level of the clip"),
}
_FULL = tuple(name for name in _STATISTICS if name not in {"amean", "stddevNorm"})
_VOICED = (
    "alphaRatio",
    "hammarbergIndex",
    "slope0-500",
    "slope500-1500",
    "spectralFlux",
    *(f"mfcc{i}" for i in range(1, 5)),
)


def _names() -> tuple[str, ...]:
    """List openSMILE's names of the 88 functionals, by contour and statistic."""
    names: list[str] = []
    for contour in _CONTOURS:
        if contour.startswith(("alpha", "hammarberg", "slope")):
            continue
        voice = not contour.startswith(("loudness", "spectral", "mfcc"))
        more = _FULL if contour in {"F0semitoneFrom27.5Hz", "loudness"} else ()
        names += [
            f"{contour}_sma3{'nz' if voice else ''}_{statistic}" for statistic in ("amean", "stddevNorm", *more)
        ]
    for contour in _VOICED:
        names += [f"{_marked(contour, 'V')}_sma3nz_{statistic}" for statistic in ("amean", "stddevNorm")]
    names += [f"{_marked(contour, 'UV')}_sma3nz_amean" for contour in _VOICED[:5]]
    return (*names, *_ALONE)


def _marked(contour: str, mark: str) -> str:
    return contour.replace("slope", f"slope{mark}") if contour.startswith("slope") else f"{contour}{mark}"


def _feature(name: str) -> Feature:
    if name in _ALONE:
        ours, unit, what = _ALONE[name]
        statistic, where = "", ""
    else:
        parts = re.fullmatch(r"(.+?)_sma3(?:nz)?_(.+)", name)
        assert parts is not None
        contour, key = parts.groups()
        plain, where = contour, ""
        for mark, words in (("UV", " where there is no voice"), ("V", " where there is a voice")):
            found = contour.replace(f"slope{mark}", "slope") if "slope" in contour else contour.removesuffix(mark)
            if found != contour and found in _CONTOURS:
                plain, where = found, words
                break
        base, unit, what = _CONTOURS[plain]
        suffix, statistic = _STATISTICS[key]
        voiced = {"": "", " where there is no voice": "_unvoiced", " where there is a voice": "_voiced"}[where]
        ours, unit = f"{base}{voiced}_{suffix}", "1" if key == "stddevNorm" else unit
    said = f"{what}{where}" + (f": {statistic}" if statistic else "")
    return Feature(
        f"opensmile.{ours}",
        unit,
        f"openSMILE, eGeMAPSv02: {name}",
        f"{said[0].upper()}{said[1:]}.",
        f"greater in {said}",
        f"smaller in {said}",
    )


@cache
def _smile() -> Any:
    import opensmile

    return opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02, feature_level=opensmile.FeatureLevel.Functionals
    )


@dataclass(frozen=True, slots=True)
class OpenSmile:
    """The 88 functionals of eGeMAPSv02 [1]_, by openSMILE.

    Notes
    -----
    What openSMILE gives where there is no voice is 0, and so it is kept.

    References
    ----------
    .. [1] F. Eyben et al., "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for voice research and affective
       computing", IEEE Transactions on Affective Computing 7(2), 2016.
    """

    name: str = "opensmile"
    title: str = "eGeMAPS by openSMILE"
    version: str = "1"
    licence: str = "audEERING research licence: no commercial use"

    @property
    def features(self) -> tuple[Feature, ...]:
        """In the order of the values."""
        return tuple(map(_feature, _names()))

    def missing(self) -> str | None:
        """Say why it cannot work here.

        Returns
        -------
        str or None
            None where the package is installed.
        """
        if importlib.util.find_spec("opensmile") is None:
            return "opensmile is not installed; install it with: pip install 'otoscope[opensmile]'"
        return None

    def compute(self, sound: Sound) -> NDArray[np.float64]:
        """Describe one clip.

        Parameters
        ----------
        sound : Sound
            The clip.

        Returns
        -------
        ndarray of float64, shape (88,)
            At the clip's own level.
        """
        table = _smile().process_signal(sound.waveform.samples, SAMPLE_RATE)
        try:
            return table.iloc[0][list(_names())].to_numpy(dtype=np.float64)
        except KeyError as error:
            raise DataError(
                sound.clip_id, f"openSMILE did not give {error}; version 2.5 or later is needed"
            ) from error


GROUP = OpenSmile()
"""As it is where nothing else is asked for."""

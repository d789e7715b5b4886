"""The numbers of YAAPT: its fixed thresholds, and the counts that follow from a rate, a frame and a range of F0."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from otoscope.errors import SpecError

__all__ = [
    "COMPARED_MS",
    "CORE_VERSION",
    "FALLBACK_HZ",
    "FFT_SIZE",
    "FILTER_ORDER",
    "N_CANDIDATES",
    "PASSBAND_HZ",
    "Plan",
]

CORE_VERSION = "otoscope-yaapt 1"
"""Names the decisions of the core; raised when a change in it changes labels."""

FFT_SIZE = 8192
FILTER_ORDER = 150
PASSBAND_HZ = (50.0, 1500.0)
COMPARED_MS = 35.0  # how much signal the correlation looks at, whatever the frame
N_HARMONICS = 3  # beyond the fundamental
HARMONIC_WINDOW_HZ = 40.0
PEAK_WIDTH_HZ = 50.0
N_PEAKS = 4
FALLBACK_HZ = 150.0  # where the spectrum offers too few candidates
LAG_MARGIN = 2
N_CANDIDATES = 6  # three of the signal, three of its square
LEAST_FRAMES = 4  # the causal mean over the spectral track needs that many
_FRAME_SAMPLES = (16, 2047)


@dataclass(frozen=True, slots=True)
class Plan:
    """What follows from the settings, in samples and in bins of the spectrum.

    Parameters
    ----------
    sample_rate : int, hertz
        Above 3000: the passband ends at 1500 Hz.
    frame, hop : int, samples
        The frame has 16 to 2047 samples; the hop is not longer.
    f0_min_hz, f0_max_hz : float, hertz
        The range searched.

    Raises
    ------
    SpecError
        If there is no such tracker: where AMFM_decompy stops, or would read memory that is not its own.
    """

    sample_rate: int
    frame: int
    hop: int
    f0_min_hz: float
    f0_max_hz: float

    def __post_init__(self) -> None:
        rate = self.sample_rate
        if rate <= 2 * PASSBAND_HZ[1]:
            raise SpecError(f"yaapt: sample_rate is {rate} Hz; above {2 * PASSBAND_HZ[1]:g} Hz is accepted")
        least, most = _FRAME_SAMPLES
        if not least <= self.frame <= most:
            raise SpecError(
                f"yaapt: frame_length_ms means {self.frame} samples at {rate} Hz; {least} to {most} samples "
                f"({1000 * least / rate:g} to {1000 * most / rate:g} ms) are accepted"
            )
        if not 1 <= self.hop <= self.frame:
            raise SpecError(
                f"yaapt: hop_ms is {1000 * self.hop / rate:g}, frame_length_ms {1000 * self.frame / rate:g}; "
                "one sample or more is accepted, and a hop longer than the frame is not"
            )
        # The fourth multiple of the highest candidate must lie inside the spectrum.
        highest = (FFT_SIZE // 2 - self.harmonic_half) / (N_HARMONICS + 1) * self.bin_hz - 2 * PEAK_WIDTH_HZ
        lowest = self.bin_hz
        if not lowest <= self.f0_min_hz < self.f0_max_hz <= highest:
            raise SpecError(
                f"yaapt: f0_min_hz is {self.f0_min_hz:g} and f0_max_hz {self.f0_max_hz:g}; {lowest:g} <= f0_min_hz "
                f"< f0_max_hz <= {highest:g} is accepted at {rate} Hz"
            )
        if self.energy_bins[1] <= self.energy_bins[0]:
            raise SpecError(
                f"yaapt: f0_min_hz is {self.f0_min_hz:g} and f0_max_hz {self.f0_max_hz:g}; f0_max_hz must be "
                "at least twice f0_min_hz, because voicing is decided by the energy between"
            )

    @property
    def bin_hz(self) -> float:
        """From one bin of the spectrum to the next, in hertz."""
        return self.sample_rate / FFT_SIZE

    @property
    def energy_bins(self) -> tuple[int, int]:
        """First bin, and the one after the last, of the low-frequency energy."""
        first = int(np.around(self.f0_min_hz * 2 / self.sample_rate * FFT_SIZE)) - 1
        return first, int(np.around(self.f0_max_hz / self.sample_rate * FFT_SIZE))

    @property
    def harmonic_half(self) -> int:
        """How many bins the window over a harmonic reaches to each side."""
        return int(HARMONIC_WINDOW_HZ / self.bin_hz) // 2

    @property
    def harmonic_window(self) -> int:
        """How many bins are looked at around a harmonic; odd."""
        return int(HARMONIC_WINDOW_HZ / self.bin_hz) | 1

    @property
    def harmonic_bins(self) -> tuple[int, int]:
        """First and last bin for which harmonics are correlated."""
        last = int((self.f0_max_hz + 2 * PEAK_WIDTH_HZ) / self.bin_hz)
        return int(np.ceil(self.f0_min_hz / self.bin_hz)), last

    @property
    def peak_bins(self) -> tuple[int, int, int]:
        """First and last bin of the search for peaks, and how far a peak reaches to each side."""
        width = int(PEAK_WIDTH_HZ / self.bin_hz) | 1
        half = (width + 1) // 2
        first = max(1, int(self.f0_min_hz / self.bin_hz - half))
        last = min(int(self.f0_max_hz / self.bin_hz + half), self.harmonic_bins[1] - width)
        return first, last, half

    @property
    def compared(self) -> int:
        """How many samples the correlation looks at."""
        return int(COMPARED_MS * self.sample_rate / 1000)

    @property
    def least_samples(self) -> int:
        """The shortest signal with frames enough for the causal decisions."""
        by_frames = 2 * (self.frame // 2) + (LEAST_FRAMES - 1) * self.hop + 1
        return max(by_frames, self.compared - 2 * self.hop + 1)

    def count(self, n_samples: int) -> int:
        """Count the frames whose middle lies at least half a frame from both ends.

        Parameters
        ----------
        n_samples : int, >= 0
            Length of the signal.

        Returns
        -------
        int
            One less than a stack of convolutions gives where the last frame ends with the signal.
        """
        inside = n_samples - 2 * (self.frame // 2)
        return max(0, -(-inside // self.hop))

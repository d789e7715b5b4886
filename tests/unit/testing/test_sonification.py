import numpy as np
import pytest

from otoscope.testing.sonification import FrameTable, sonify


@pytest.mark.parametrize("sound", ["soft", "a"])
@pytest.mark.parametrize("first", [3, 7, 12, 29, 58, 83])
def test_a_run_may_begin_and_end_between_two_samples(first, sound):
    times = 0.0125 + 0.02 * np.arange(100)
    voiced = (np.arange(100) >= first) & (np.arange(100) < first + 15)
    waveform = sonify(FrameTable(times, np.where(voiced, 180.0, np.nan), voiced), sound=sound)
    level = np.abs(waveform.samples) > 1e-4
    at = np.flatnonzero(level) / 16_000
    assert at[0] == pytest.approx(times[first] - 0.01, abs=0.02)
    assert at[-1] == pytest.approx(times[first + 14] + 0.01, abs=0.03)

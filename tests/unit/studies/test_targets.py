"""Targets keep their domains, and controls are the same target made uninformative."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otoscope.audio import Waveform
from otoscope.f0.base import F0Track, TrackerInfo
from otoscope.frames import FrameGrid
from otoscope.representations.base import LayerInfo
from otoscope.studies.pitch.targets import MIN_VOICED, Heard, clip_targets, columns_of, domain_columns, rotation

GRID = FrameGrid(16_000, hop=160, receptive_field=400)
LAYER = LayerInfo(0, "x", 4, GRID)


def heard(f0_hz, clip_id="a", level=0.1):
    f0_hz = np.asarray(f0_hz, dtype=np.float64)
    n_samples = 400 + 160 * (f0_hz.size - 1)
    waveform = Waveform(np.full(n_samples, level, dtype=np.float32), 16_000, clip_id)
    track = F0Track(GRID.centers(f0_hz.size), f0_hz, ~np.isnan(f0_hz), TrackerInfo("t", "1", {}), clip_id)
    return Heard(waveform, track)


def glide(n=400, start=100.0, gap=(100, 150)):
    f0_hz = start * np.exp2(np.linspace(0, 1, n))
    f0_hz[gap[0] : gap[1]] = np.nan
    return f0_hz


def column(targets, mask, name):
    return targets.values[mask][:, columns_of(mask, controls=targets.controls).index(name)]


def test_every_target_stands_on_the_frames_of_its_domain():
    f0_hz = glide()
    made = clip_targets(heard(f0_hz), None, LAYER, 400, seed=0)
    voiced = ~np.isnan(f0_hz)
    assert np.array_equal(made.rows["voiced"], np.flatnonzero(voiced))
    assert np.array_equal(made.rows["unvoiced"], np.flatnonzero(~voiced))
    assert made.rows["voiced-sparse"].size == 0
    np.testing.assert_allclose(column(made, "voiced", "log2_f0"), np.log2(f0_hz[voiced]))
    semitone = 12 * np.log2(f0_hz[voiced] / np.exp2(np.median(np.log2(f0_hz[voiced]))))
    np.testing.assert_allclose(column(made, "voiced", "semitone"), semitone, atol=1e-9)
    np.testing.assert_allclose(column(made, "voiced", "f0_hz"), f0_hz[voiced])
    assert np.all(column(made, "unvoiced", "f0_hz") == 0)
    assert np.all(column(made, "voiced", "voicing") == 1)
    assert np.all(column(made, "unvoiced", "voicing") == 0)
    np.testing.assert_allclose(column(made, "unvoiced", "energy"), 20 * np.log10(0.1), atol=1e-6)


def test_a_lag_pairs_states_with_earlier_labels():
    lagging = LayerInfo(0, "x", 4, GRID, lag=320)
    now, earlier = (clip_targets(heard(glide()), None, layer, 400, seed=0) for layer in (LAYER, lagging))
    assert earlier.rows["voiced"].min() == 2  # the first two frames lie before the labels
    here, there = (dict(zip(m.rows["voiced"], column(m, "voiced", "log2_f0"), strict=True)) for m in (now, earlier))
    assert all(there[i] == pytest.approx(here[i - 2], abs=1e-9) for i in range(10, 90))


def test_clips_with_few_voiced_frames_count_towards_all_frames_only():
    f0_hz = np.full(300, np.nan)
    f0_hz[40 : 40 + MIN_VOICED - 1] = 120.0
    made = clip_targets(heard(f0_hz), None, LAYER, 300, seed=0)
    assert made.rows["voiced"].size == 0
    assert made.rows["voiced-sparse"].size == MIN_VOICED - 1
    assert "log2_f0" not in columns_of("voiced-sparse")
    assert np.all(column(made, "voiced-sparse", "f0_hz") == pytest.approx(120.0))
    f0_hz[30] = 120.0
    assert clip_targets(heard(f0_hz), None, LAYER, 300, seed=0).rows["voiced"].size == MIN_VOICED


@given(st.integers(1, 5000), st.integers(0, 300), st.floats(0, 1, exclude_max=True))
def test_a_rotation_is_never_nearer_than_asked_or_than_half_the_sequence(n, least, fraction):
    k = rotation(n, least, fraction)
    assert min(k, n - k) >= min(least, n // 2)


def test_the_shift_control_rotates_the_voiced_sequence_by_at_least_a_second():
    f0_hz = glide()
    made = clip_targets(heard(f0_hz), None, LAYER, 400, seed=3)
    truth, control = column(made, "voiced", "log2_f0"), column(made, "voiced", "log2_f0~shift")
    moves = [k for k in range(truth.size) if np.allclose(np.roll(truth, k), control)]
    assert len(moves) == 1
    assert 100 <= moves[0] <= truth.size - 100
    assert sorted(control) == pytest.approx(sorted(truth))
    everything = {
        name: np.concatenate([column(made, mask, name) for mask in ("voiced", "unvoiced")])
        for name in ("voicing", "voicing~shift", "f0_hz", "f0_hz~shift")
    }
    assert everything["voicing"].sum() == everything["voicing~shift"].sum()
    assert np.all((everything["f0_hz~shift"] > 0) == (everything["voicing~shift"] == 1))
    assert not np.array_equal(everything["voicing"], everything["voicing~shift"])


def test_rotations_depend_on_the_clip_and_the_seed():
    def control(clip_id, seed):
        return column(clip_targets(heard(glide(), clip_id), None, LAYER, 400, seed=seed), "voiced", "log2_f0~shift")

    assert np.array_equal(control("a", 0), control("a", 0))
    assert not np.array_equal(control("a", 0), control("b", 0))
    assert not np.array_equal(control("a", 0), control("a", 1))


def test_the_swap_control_takes_the_partners_sequence_cut_or_repeated():
    partner = heard(glide(120, start=220.0, gap=(0, 20)), "b", level=0.5)
    made = clip_targets(heard(glide()), partner, LAYER, 400, seed=0)
    theirs = np.log2(glide(120, start=220.0, gap=(0, 20))[20:])
    swap = column(made, "voiced", "log2_f0~swap")
    assert made.controls == ("shift", "swap")
    np.testing.assert_allclose(swap[:90], theirs[:90], atol=1e-9)
    np.testing.assert_allclose(swap[100:190], theirs[:90], atol=1e-9)
    np.testing.assert_allclose(column(made, "unvoiced", "energy~swap"), 20 * np.log10(0.5), atol=1e-6)


def test_without_a_partner_there_is_no_swap_column():
    made = clip_targets(heard(glide()), None, LAYER, 400, seed=0)
    assert made.controls == ("shift",)
    assert made.values["voiced"].shape[1] == len(columns_of("voiced", controls=("shift",))) == 10


def test_columns_of_a_domain_are_among_those_of_its_masks():
    assert set(domain_columns("voiced")) | set(domain_columns("all")) == set(columns_of("voiced"))
    assert set(domain_columns("all")) == set(columns_of("unvoiced")) == set(columns_of("voiced-sparse"))

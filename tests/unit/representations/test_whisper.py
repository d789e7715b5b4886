"""Whisper's encoder: the library's own states, on a clock that impulses confirm."""

import numpy as np
import pytest
from transformers import WhisperFeatureExtractor

from otoscope.audio import Waveform
from otoscope.errors import SpecError
from otoscope.frames import FrameGrid
from otoscope.representations.registry import open_model
from otoscope.representations.upstreams import windowed
from otoscope.representations.upstreams.whisper import GRID, WHISPER
from otoscope.testing.checkpoints import tiny_network, write_checkpoint
from otoscope.testing.models import check_model

RATE = 16_000
POSITIONS = 50  # frames: windows of 1 s
TOL = 2e-6  # of states of order 1, in float32
TOL_BATCH = 2e-5  # the same, heard together


def opened(whole):
    outline = WHISPER.outline(whole.config, {}, {})
    return outline, WHISPER.hear(whole.encoder, outline, {})


@pytest.fixture(scope="module")
def network():
    return tiny_network("whisper", max_source_positions=POSITIONS)


@pytest.fixture(scope="module")
def hearing(network):
    return opened(network)[1]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("whisper"), "whisper", max_source_positions=POSITIONS)


def noise(n_samples, seed=0, clip_id="noise"):
    samples = 0.1 * np.random.default_rng(seed).standard_normal(n_samples)
    return Waveform(samples.astype(np.float32), RATE, clip_id)


def of(samples, clip_id="clip"):
    return Waveform(np.asarray(samples, dtype=np.float32), RATE, clip_id)


def states(hearing, waveform):
    return dict(hearing.walk(waveform))


def test_the_clock_is_that_of_mel_frames_and_two_convolutions():
    stack = FrameGrid.of_convolutions([400, 3, 3], [160, 1, 2], sample_rate=RATE)
    assert (GRID.hop, GRID.receptive_field) == (stack.hop, stack.receptive_field) == (320, 1040)
    assert GRID.centers(3).tolist() == [0.0, 0.02, 0.04]


def test_states_are_the_librarys_own(network, hearing):
    import torch

    clip = noise(9000)
    padded = WhisperFeatureExtractor()(
        np.pad(clip.samples, (0, RATE - 9000)), sampling_rate=RATE, max_length=RATE, return_tensors="pt"
    )
    with torch.no_grad():
        output = tiny_network("whisper", max_source_positions=POSITIONS).encoder(
            padded["input_features"], output_hidden_states=True
        )
    got = states(hearing, clip)
    assert list(got) == [0, 1, 2, 3]
    for index in (0, 1, 2):
        np.testing.assert_allclose(got[index], output.hidden_states[index][0, :29], atol=TOL)
    with torch.no_grad():
        normed = network.encoder.layer_norm(torch.from_numpy(got[3]))
    np.testing.assert_allclose(normed, output.last_hidden_state[0, :29], atol=10 * TOL)
    own = hearing.own_states(tiny_network("whisper", max_source_positions=POSITIONS).encoder, clip)
    assert list(own) == [0, 1, 2]
    for index, rows in own.items():
        np.testing.assert_array_equal(rows, got[index])


@pytest.mark.parametrize("n_samples", [1, 319, 320, 321, 640, 15_999, 16_000, 16_001, 26_559, 26_560, 40_000])
def test_frames_are_those_whose_centre_lies_inside(hearing, n_samples):
    centres = GRID.centers(200)
    expected = int(np.sum(centres * RATE < n_samples))
    for rows in states(hearing, noise(n_samples)).values():
        assert rows.shape == (expected, 16)


def loud_end(n_samples=RATE):
    """Silence and a loud tone at the end, which alone decides what the level is held against."""
    samples = np.zeros(n_samples)
    samples[-2000:] = np.sin(2 * np.pi * 440 * np.arange(2000) / RATE)
    return samples


def test_an_impulse_one_hop_later_moves_the_response_by_one_frame(hearing):
    quiet = states(hearing, of(loud_end()))[0]
    responses = []
    for at in (6403, 6403 + 320):
        samples = loud_end()
        samples[at] = 0.5
        responses.append(states(hearing, of(samples))[0] - quiet)
    early, late = responses
    assert np.abs(early).max() > 0.01
    np.testing.assert_allclose(early[5:35], late[6:36], atol=TOL)
    hit = np.flatnonzero(np.abs(early).max(axis=1) > 10 * TOL)
    windows = GRID.start + GRID.hop * hit
    assert hit.size
    assert np.all((windows <= 6403) & (windows + GRID.receptive_field > 6403))
    centre = np.average(GRID.centers(50), weights=np.square(early).sum(axis=1))
    assert abs(centre - 6403 / RATE) < 0.01


def test_layer_0_hears_its_receptive_field_and_nothing_else(hearing):
    index = 20
    first = GRID.start + GRID.hop * index
    last = first + GRID.receptive_field
    base = loud_end() + 0.01 * np.random.default_rng(1).standard_normal(RATE)
    before = states(hearing, of(base))[0][index]
    outside = base.copy()
    outside[:first] *= -0.5
    outside[last:-2000] *= 0.3
    np.testing.assert_allclose(states(hearing, of(outside))[0][index], before, atol=TOL)
    for edge in (slice(first, first + 100), slice(last - 100, last)):
        inside = base.copy()
        inside[edge] += 0.3
        assert np.abs(states(hearing, of(inside))[0][index] - before).max() > 100 * TOL


def test_one_loud_moment_changes_quiet_frames_however_far_away(hearing):
    base = 1e-5 * np.random.default_rng(2).standard_normal(RATE)
    loud = base.copy()
    loud[15_000:] += np.sin(np.arange(1000))
    one, other = (states(hearing, of(samples))[0][:20] for samples in (base, loud))
    assert np.abs(one - other).max() > 0.01


def test_a_long_clip_is_heard_in_windows_and_frames_come_from_their_middles(hearing):
    clip = noise(3 * RATE)
    whole = states(hearing, clip)
    assert whole[0].shape == (150, 16)
    # windows of 50 frames every 33, so frames 42 to 74 are taken from the one that begins at 33
    window = states(hearing, of(clip.samples[33 * 320 : 33 * 320 + RATE]))
    for index, rows in whole.items():
        np.testing.assert_allclose(rows[42:75], window[index][9:42], atol=TOL_BATCH)
        assert np.abs(rows[75:83] - window[index][42:]).max() > 100 * TOL_BATCH


def test_clips_heard_together_are_those_heard_alone(hearing):
    clips = [noise(n, seed) for seed, n in enumerate((8000, 40_000, 16_000))]
    alone = [states(hearing, clip) for clip in clips]
    for index, together in hearing.walk_together(clips):
        for rows, single in zip(together, alone, strict=True):
            np.testing.assert_allclose(rows, single[index], atol=TOL_BATCH)


def test_parts_of_a_very_long_clip_are_walked_side_by_side(hearing, monkeypatch):
    clip = noise(5 * RATE)
    at_once = states(hearing, clip)
    monkeypatch.setattr(windowed, "TOGETHER", 3)
    in_parts = states(hearing, clip)
    assert list(in_parts) == [0, 1, 2, 3]
    for index, rows in at_once.items():
        np.testing.assert_allclose(in_parts[index], rows, atol=TOL_BATCH)


def test_nothing_is_computed_after_the_last_layer_that_is_wanted(network, hearing):
    calls = []
    handles = [
        block.register_forward_pre_hook(lambda *_, k=k: calls.append(k))
        for k, block in enumerate(network.encoder.layers)
    ]
    assert [index for index, _ in hearing.walk(noise(8000), last=1)] == [0, 1]
    for handle in handles:
        handle.remove()
    assert calls == [0]


def test_a_checkpoint_keeps_the_laws_of_models(checkpoint):
    model = open_model(str(checkpoint))
    check_model(model, shift_tolerance=None)
    assert model.info.settings["window_s"] == 1.0
    assert model.info.settings["window_hop_s"] == 0.66
    assert "80 dB" in str(model.info.settings["level"])


def test_checkpoints_with_a_decoder_and_a_head_give_the_same_states(checkpoint, tmp_path):
    import transformers

    whole = transformers.WhisperForConditionalGeneration.from_pretrained(checkpoint)
    whole.save_pretrained(tmp_path)
    clip = noise(5000)
    for one, other in zip(
        open_model(str(checkpoint)).layers(clip), open_model(str(tmp_path)).layers(clip), strict=True
    ):
        np.testing.assert_array_equal(one.states, other.states)


@pytest.mark.parametrize(("key", "value"), [("hop_length", 80), ("sampling_rate", 8000), ("feature_size", 128)])
def test_a_card_that_asks_for_another_spectrum_is_refused(network, key, value):
    with pytest.raises(SpecError, match=f"{key} is {value}"):
        WHISPER.outline(network.config, {key: value}, {})


def test_the_librarys_own_card_is_accepted(network):
    card = WhisperFeatureExtractor().to_dict()
    assert WHISPER.outline(network.config, card, {}).paddable


def test_an_untrained_copy_has_the_same_clock_and_other_states(checkpoint):
    clip = noise(5000)
    model = open_model(str(checkpoint))
    copy = open_model(f"untrained:{checkpoint}#1")
    pairs = list(zip(model.layers(clip), copy.layers(clip), strict=True))
    assert [one.info for one, _ in pairs] == [other.info for _, other in pairs]
    assert all(np.abs(one.states - other.states).max() > 0.01 for one, other in pairs)

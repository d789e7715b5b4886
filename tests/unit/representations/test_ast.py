"""AST: the library's own states, averaged over frequency, on a clock that impulses confirm."""

import warnings

import numpy as np
import pytest

from otoscope.audio import Waveform
from otoscope.errors import DataError, SpecError
from otoscope.frames import FrameGrid
from otoscope.representations.registry import open_model
from otoscope.representations.upstreams.spectrogram import AST, log_mel
from otoscope.testing.checkpoints import tiny_network, write_checkpoint
from otoscope.testing.models import check_model

RATE = 16_000
SMALL = {"num_mel_bins": 16, "max_length": 60, "patch_size": 4, "time_stride": 2, "frequency_stride": 3}
ROWS, COLUMNS = 5, 29  # (16 - 4) // 3 + 1, (60 - 4) // 2 + 1
HOP, FIELD = 320, 880  # 2 * 160, 3 * 160 + 400
TOL = 2e-6
TOL_BATCH = 2e-5
CHOSEN = {"pool": "mean"}


@pytest.fixture(scope="module")
def network():
    return tiny_network("ast", **SMALL)


@pytest.fixture(scope="module")
def outline(network):
    return AST.outline(network.config, {}, CHOSEN)


@pytest.fixture(scope="module")
def hearing(network, outline):
    return AST.hear(network, outline, {})


def of(samples, clip_id="clip"):
    return Waveform(np.asarray(samples, dtype=np.float32), RATE, clip_id)


def noise(n_samples, seed=0):
    return of(0.1 * np.random.default_rng(seed).standard_normal(n_samples), "noise")


def states(hearing, waveform):
    return dict(hearing.walk(waveform))


def extractor(**settings):
    from transformers import ASTFeatureExtractor

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ASTFeatureExtractor(**settings)


def test_the_clock_is_that_of_mel_frames_and_patches(outline):
    stack = FrameGrid.of_convolutions([400, 4], [160, 2], sample_rate=RATE)
    assert {layer.grid for layer in outline.layers} == {stack}
    assert (stack.hop, stack.receptive_field, stack.start) == (HOP, FIELD, 0)


def test_states_are_the_librarys_own_averaged_over_frequency(hearing):
    import torch

    clip = noise(7000)
    inputs = extractor(num_mel_bins=16, max_length=60)(clip.samples, sampling_rate=RATE, return_tensors="pt")
    with torch.no_grad():
        hidden = tiny_network("ast", **SMALL)(inputs["input_values"], output_hidden_states=True).hidden_states
    got = states(hearing, clip)
    assert list(got) == [0, 1, 2, 3]
    for index, rows in got.items():
        tokens = hidden[index][0].numpy()
        mean = np.stack(
            [
                np.mean([tokens[2 + row * COLUMNS + column] for row in range(ROWS)], axis=0)
                for column in range(COLUMNS)
            ]
        )
        np.testing.assert_allclose(rows, mean[: len(rows)], atol=TOL)
    own = hearing.own_states(tiny_network("ast", **SMALL), clip)
    assert list(own) == [0, 1, 2, 3]
    for index, rows in own.items():
        np.testing.assert_array_equal(rows, got[index])


def test_the_input_is_that_of_the_librarys_extractor(rng):
    samples = (0.1 * rng.standard_normal(RATE)).astype(np.float32)
    plain = extractor(do_normalize=False, max_length=98)(samples, sampling_rate=RATE, return_tensors="np")
    np.testing.assert_allclose(log_mel(samples, bands=128), plain["input_values"][0], atol=1e-4)


def test_mean_and_deviation_of_the_card_are_used(network):
    clip = noise(5000)
    card = {"mean": -3.0, "std": 2.0}
    outline = AST.outline(network.config, card, CHOSEN)
    assert (outline.settings["mean"], outline.settings["std"]) == (-3.0, 2.0)
    inputs = extractor(num_mel_bins=16, max_length=60, mean=-3.0, std=2.0)(
        clip.samples, sampling_rate=RATE, return_tensors="np"
    )
    made = AST.hear(network, outline, card)._front.inputs(clip, [0])
    np.testing.assert_allclose(made, inputs["input_values"], atol=1e-5)


@pytest.mark.parametrize("n_samples", [880, 1199, 1200, 1519, 1520, 9839, 9840, 9841, 40_000])
def test_frames_are_the_columns_that_lie_inside(hearing, n_samples):
    starts = HOP * np.arange(1000)
    expected = int(np.sum(starts + FIELD <= n_samples))
    for rows in states(hearing, noise(n_samples)).values():
        assert rows.shape == (expected, 16)


def test_a_clip_shorter_than_one_column_is_refused(hearing):
    with pytest.raises(DataError, match="clip: has 879 samples; one column of patches hears 880"):
        states(hearing, of(np.ones(879)))


def test_an_impulse_one_hop_later_moves_the_response_by_one_frame(network, outline):
    import copy

    import torch

    still = copy.deepcopy(network)  # positions differ from column to column; here only the clock is asked for
    with torch.no_grad():
        still.embeddings.position_embeddings.zero_()
    hearing = AST.hear(still, outline, {})
    responses = []
    for at in (4000, 4000 + HOP):
        samples = np.zeros(8000)
        samples[at] = 0.5
        responses.append(states(hearing, of(samples))[0] - states(hearing, of(np.zeros(8000)))[0])
    early, late = responses
    np.testing.assert_allclose(early[:-1], late[1:], atol=TOL)
    hit = np.flatnonzero(np.abs(early).max(axis=1) > 10 * TOL)
    assert hit.size
    assert np.all((hit * HOP <= 4000) & (hit * HOP + FIELD > 4000))


def test_layer_0_hears_its_receptive_field_and_nothing_else(hearing):
    index = 8
    first, last = index * HOP, index * HOP + FIELD
    base = 0.1 * np.random.default_rng(3).standard_normal(8000)
    before = states(hearing, of(base))[0][index]
    outside = base.copy()
    outside[:first], outside[last:] = 0.9, -0.9
    np.testing.assert_allclose(states(hearing, of(outside))[0][index], before, atol=TOL)
    for edge in (slice(first, first + 120), slice(last - 120, last)):
        inside = base.copy()
        inside[edge] *= -3
        assert np.abs(states(hearing, of(inside))[0][index] - before).max() > 100 * TOL


def test_a_long_clip_is_heard_in_windows(hearing, outline):
    clip = noise(3 * RATE)
    whole = states(hearing, clip)
    assert outline.settings["window_s"] == 0.6
    # windows of 29 columns every 19, so columns 24 to 42 are taken from the one that begins at 19
    size = (60 - 1) * 160 + 400
    window = states(hearing, of(clip.samples[19 * HOP : 19 * HOP + size]))
    for index, rows in whole.items():
        np.testing.assert_allclose(rows[24:43], window[index][5:24], atol=TOL_BATCH)


def test_clips_heard_together_are_those_heard_alone(hearing):
    clips = [noise(n, seed) for seed, n in enumerate((3000, 30_000, 9000))]
    alone = [states(hearing, clip) for clip in clips]
    for index, together in hearing.walk_together(clips):
        for rows, single in zip(together, alone, strict=True):
            np.testing.assert_allclose(rows, single[index], atol=TOL_BATCH)


def test_a_checkpoint_of_the_real_sizes_keeps_the_laws_of_models(tmp_path):
    model = open_model(str(write_checkpoint(tmp_path, "ast")))
    assert model.info.settings["pool"] == "mean"
    assert model.info.layers[0].grid == FrameGrid(RATE, hop=1600, receptive_field=2800)
    check_model(model, shift_tolerance=None, lengths=(2800, 2801, 4399, 4400, 6007, 8000))


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ({"sampling_rate": 8000}, "sampling_rate is 8000"),
        ({"num_mel_bins": 64}, "num_mel_bins is 64"),
        ({"max_length": 1024}, "max_length is 1024"),
        ({"std": 0.0}, "std is 0.0"),
        ({"mean": "low"}, "mean is 'low'"),
        ({"mean": float("nan")}, "mean is nan"),
        ({"do_normalize": "yes"}, "do_normalize is 'yes'"),
    ],
)
def test_cards_that_do_not_fit_are_refused(network, card, said):
    with pytest.raises(SpecError, match=said):
        AST.outline(network.config, card, CHOSEN)


def test_patches_that_do_not_fit_are_refused(network):
    import copy

    config = copy.deepcopy(network.config)
    config.patch_size = 17
    with pytest.raises(SpecError, match="a patch of 17 x 17 does not fit into 16 bands"):
        AST.outline(config, {}, CHOSEN)
    config.patch_size, config.time_stride = 4, 0
    with pytest.raises(SpecError, match="time_stride is 0"):
        AST.outline(config, {}, CHOSEN)

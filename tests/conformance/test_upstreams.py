"""Every family keeps the laws of a model, its own clock, and gives what the library's own network gives."""

import functools

import numpy as np
import pytest
import torch
import transformers

from otoscope.audio import Waveform
from otoscope.errors import DataError
from otoscope.frames import FrameGrid
from otoscope.representations.registry import open_model
from otoscope.representations.upstreams.convolutional import stack_grid
from otoscope.testing.checkpoints import TINY, tiny_network, write_checkpoint
from otoscope.testing.models import check_model

STACKED = [kind for kind in TINY if kind not in ("whisper", "ast")]
ONE_EACH = [kind for kind in TINY if not kind.endswith(("-large", "-layer"))]
PADDABLE = ["hubert-large", "wav2vec2-large", "wav2vec2-layer", "unispeech-large", "unispeech-sat-large"]
ROUNDING = 1e-5  # of the largest state: batched and masked matrix products are summed in another order
BFLOAT16 = 0.5  # of the root mean square, in networks this narrow; 0.01 to 0.02 at the real size


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory):
    @functools.cache
    def make(kind):
        return write_checkpoint(tmp_path_factory.mktemp(kind), kind)

    return make


@pytest.fixture(scope="module")
def model_of(folder_of):
    @functools.cache
    def make(kind):
        return open_model(str(folder_of(kind)))

    return make


def noise(n_samples, seed=0):
    samples = np.random.default_rng(seed).normal(scale=0.1, size=n_samples).astype(np.float32) + 0.02
    return Waveform(samples, 16_000, f"noise {seed} of {n_samples}")


def states_of(model, waveform):
    return {layer.info.index: layer.states for layer in model.layers(waveform)}


def given(clip):
    """What the network is given: the formula of the card, written out."""
    wide = clip.samples.astype(np.float64)
    return torch.from_numpy(((wide - wide.mean()) / np.sqrt(wide.var() + 1e-7)).astype(np.float32))[None]


@pytest.mark.parametrize("kind", ONE_EACH)
def test_every_family_keeps_the_laws(kind, model_of):
    check_model(model_of(kind), shift_tolerance=None, lengths=(3200, 3201, 6007))


@pytest.mark.slow
@pytest.mark.parametrize("kind", STACKED)
def test_every_variant_keeps_the_laws_at_every_length(kind, model_of):
    check_model(model_of(kind), shift_tolerance=None)


@pytest.mark.parametrize("kind", ["hubert", "wav2vec2-conformer"])
def test_untrained_copies_keep_the_laws(kind, folder_of):
    check_model(open_model(f"untrained:{folder_of(kind)}#3"), shift_tolerance=None, lengths=(1600, 1999))


@pytest.mark.parametrize("kind", STACKED)
def test_the_clock_is_the_arithmetic_of_the_library_at_every_length(kind):
    with torch.device("meta"):
        network = tiny_network_on_meta(kind)
    cnn, blocks = stack_grid(network.config, sample_rate=16_000)
    lengths = torch.arange(400, 6401)
    theirs = network._get_feat_extract_output_lengths(lengths)
    assert [cnn.count(int(n)) for n in lengths] == theirs.tolist()
    squeeze = getattr(network.config, "squeeze_factor", 1)
    assert [blocks.count(int(n)) for n in lengths] == (theirs // squeeze).tolist()


def tiny_network_on_meta(kind):
    model_type, sizes = TINY[kind]
    config = transformers.AutoConfig.for_model(model_type, **sizes)
    return transformers.AutoModel.from_config(config)


def stack_counts(kind, lengths):
    stack = tiny_network(kind).feature_extractor
    with torch.no_grad():
        return [stack(torch.zeros(1, n)).shape[-1] for n in lengths]


@pytest.mark.parametrize("kind", ["hubert", "sew"])
def test_the_clock_is_that_of_the_convolutions(kind):
    cnn, _ = stack_grid(tiny_network(kind).config, sample_rate=16_000)
    lengths = range(400, 6401, 53)
    assert stack_counts(kind, lengths) == [cnn.count(n) for n in lengths]


@pytest.mark.slow
@pytest.mark.parametrize("kind", STACKED)
def test_the_clock_is_that_of_the_convolutions_at_every_length(kind):
    cnn, _ = stack_grid(tiny_network(kind).config, sample_rate=16_000)
    lengths = range(400, 6401)
    assert stack_counts(kind, lengths) == [cnn.count(n) for n in lengths]


@pytest.mark.parametrize("kind", STACKED)
def test_the_clock_is_that_of_the_network_at_thirty_lengths(kind, model_of):
    model = model_of(kind)
    grid = model.info.layers[-1].grid
    expected = (640, 720) if kind.startswith("sew") else (320, 400)
    assert (grid.hop, grid.receptive_field, grid.start) == (*expected, 0)
    field, hop = grid.receptive_field, grid.hop
    lengths = [field, field + 1, field + hop - 1, field + hop, field + hop + 1]
    lengths += np.random.default_rng(0).integers(field + hop, 6400, 25).tolist()
    for n_samples in lengths:
        got = {index: len(states) for index, states in states_of(model, noise(n_samples)).items()}
        assert got == dict.fromkeys(range(4), grid.count(n_samples)), n_samples


@pytest.mark.parametrize("kind", STACKED)
def test_what_is_shorter_than_a_window_is_refused(kind, model_of):
    field = model_of(kind).info.layers[-1].grid.receptive_field
    with pytest.raises(DataError, match=f"has {field - 1} samples; one frame of layer 0 hears {field}"):
        states_of(model_of(kind), noise(field - 1))


@pytest.mark.parametrize("kind", STACKED)
def test_states_are_the_hidden_states_of_the_librarys_own_network(kind, model_of, folder_of):
    clip = noise(9_000)
    network = transformers.AutoModel.from_pretrained(folder_of(kind), local_files_only=True).eval()
    with torch.no_grad():
        output = network(given(clip), output_hidden_states=True)
    mine = states_of(model_of(kind), clip)
    assert len(output.hidden_states) == len(mine) == 4
    for index, theirs in enumerate(output.hidden_states):
        np.testing.assert_array_equal(mine[index], theirs[0].numpy())


@pytest.mark.parametrize("kind", ["hubert", "data2vec-audio"])
def test_the_last_layer_is_the_networks_output_where_no_norm_follows(kind, model_of, folder_of):
    clip = noise(9_000)
    network = transformers.AutoModel.from_pretrained(folder_of(kind), local_files_only=True).eval()
    with torch.no_grad():
        output = network(given(clip)).last_hidden_state[0].numpy()
    np.testing.assert_array_equal(states_of(model_of(kind), clip)[3], output)


@pytest.mark.parametrize("kind", ["hubert-large", "wav2vec2-conformer"])
def test_the_last_layer_comes_before_the_norm_that_follows_it(kind, model_of, folder_of):
    clip = noise(9_000)
    network = transformers.AutoModel.from_pretrained(folder_of(kind), local_files_only=True).eval()
    last = torch.from_numpy(states_of(model_of(kind), clip)[3].copy())
    with torch.no_grad():
        output = network(given(clip)).last_hidden_state[0]
        normed = network.encoder.layer_norm(last)
    assert not torch.allclose(last, output, atol=0.01)
    torch.testing.assert_close(normed, output, rtol=0, atol=0)


def first_input(network, values):
    """What block 1 is given, from the weights alone: gelu throughout, weight norm written out."""
    weights = {name: tensor.double() for name, tensor in network.state_dict().items()}
    config, functional = network.config, torch.nn.functional
    states = values.double()[:, None]
    for at, stride in enumerate(config.conv_stride):
        layer = f"feature_extractor.conv_layers.{at}"
        states = functional.conv1d(
            states, weights[f"{layer}.conv.weight"], weights.get(f"{layer}.conv.bias"), stride=stride
        )
        norm = [weights.get(f"{layer}.layer_norm.{part}") for part in ("weight", "bias")]
        if config.feat_extract_norm == "layer":
            states = functional.layer_norm(states.mT, states.shape[1:2], *norm).mT
        elif at == 0:
            states = functional.group_norm(states, states.shape[1], *norm)
        states = functional.gelu(states)
    states = states.mT
    norm = [weights[f"feature_projection.layer_norm.{part}"] for part in ("weight", "bias")]
    states = functional.layer_norm(states, states.shape[-1:], *norm, eps=config.layer_norm_eps)
    projection = [weights[f"feature_projection.projection.{part}"] for part in ("weight", "bias")]
    states = functional.linear(states, *projection)
    conv = "encoder.pos_conv_embed.conv"
    gain, direction = (weights[f"{conv}.parametrizations.weight.original{part}"] for part in (0, 1))
    kernel = gain * direction / direction.pow(2).sum(dim=(0, 1), keepdim=True).sqrt()
    width, groups = config.num_conv_pos_embeddings, config.num_conv_pos_embedding_groups
    placed = functional.conv1d(states.mT, kernel, weights[f"{conv}.bias"], padding=width // 2, groups=groups)
    states = states + functional.gelu(placed[..., : -1 if width % 2 == 0 else None]).mT
    if config.do_stable_layer_norm:
        return states[0].numpy()
    norm = [weights[f"encoder.layer_norm.{part}"] for part in ("weight", "bias")]
    return functional.layer_norm(states, states.shape[-1:], *norm, eps=config.layer_norm_eps)[0].numpy()


@pytest.mark.parametrize("kind", ["hubert", "hubert-large", "wav2vec2", "wav2vec2-large", "unispeech", "wavlm-large"])
def test_layer_0_is_what_the_first_block_is_given(kind, model_of):
    clip = noise(7_000)
    expected = first_input(tiny_network(kind), given(clip))
    np.testing.assert_allclose(states_of(model_of(kind), clip)[0], expected, rtol=0, atol=2e-5)


def largest(layers):
    return max(float(np.abs(layer.states).max()) for layer in layers)


def moved(model, clips):
    """How far states move when clips are heard together, of the largest state."""
    alone = [list(model.layers(clip)) for clip in clips]
    worst = 0.0
    for at, row in enumerate(model.together(clips)):
        for mine, clip, layers in zip(row, clips, alone, strict=True):
            assert mine.clip_id == clip.clip_id
            assert mine.info == layers[at].info
            worst = max(worst, float(np.abs(mine.states - layers[at].states).max()))
    return worst / max(map(largest, alone))


@pytest.mark.parametrize("kind", STACKED)
def test_clips_of_equal_length_may_be_heard_together(kind, model_of):
    assert moved(model_of(kind), [noise(8_000, seed) for seed in range(3)]) < ROUNDING


@pytest.mark.parametrize("kind", STACKED)
def test_clips_of_unequal_length_are_heard_together_only_where_padding_changes_nothing(kind, model_of):
    model = model_of(kind)
    clips = [noise(8_000, 1), noise(5_111, 2), noise(720, 3)]
    assert model.outline.paddable == (kind in PADDABLE)
    if model.outline.paddable:
        assert moved(model, clips) < ROUNDING
    else:
        with pytest.raises(DataError, match="clips of 720 and 8000 samples cannot be heard together"):
            list(model.together(clips))


@pytest.mark.parametrize("kind", ["hubert", "wavlm", "sew", "wav2vec2-conformer-large"])
def test_bfloat16_is_the_librarys_and_stays_near(kind, folder_of, model_of):
    clip = noise(8_000)
    network = transformers.AutoModel.from_pretrained(folder_of(kind), local_files_only=True).to(torch.bfloat16).eval()
    with torch.no_grad():
        output = network(given(clip).to(torch.bfloat16), output_hidden_states=True)
    exact = states_of(model_of(kind), clip)
    for index, rough in states_of(open_model(f"{folder_of(kind)}:dtype=bfloat16"), clip).items():
        assert rough.dtype == np.float32
        np.testing.assert_array_equal(rough, output.hidden_states[index][0].float().numpy())
        error = np.sqrt(np.mean(np.square(rough - exact[index])) / np.mean(np.square(exact[index])))
        assert 0 < error < BFLOAT16


def test_the_convolutions_are_a_layer_where_they_are_wanted(folder_of):
    for kind in ("hubert", "sew"):
        model = open_model(f"{folder_of(kind)}:cnn=on")
        clip = noise(5_000)
        states = states_of(model, clip)
        assert list(states) == [-1, 0, 1, 2, 3]
        with torch.no_grad():
            theirs = tiny_network(kind).feature_extractor(given(clip))[0].T.numpy()
        np.testing.assert_array_equal(states[-1], theirs)
        assert model.info.layers[0].grid == FrameGrid(16_000, 320, 400)
        check_model(model, shift_tolerance=None, lengths=(1600, 1999))

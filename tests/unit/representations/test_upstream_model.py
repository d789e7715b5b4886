import copy
import gc
import pickle
import weakref

import numpy as np
import pytest
import torch
from transformers import Wav2Vec2FeatureExtractor

from otoscope.audio import Waveform
from otoscope.errors import DataError, SpecError
from otoscope.representations.registry import open_model
from otoscope.representations.upstreams.model import UpstreamModel, open_upstream, resolve_device
from otoscope.representations.upstreams.stacked import normalized
from otoscope.testing.checkpoints import tiny_network, write_checkpoint

CLIP = Waveform(np.random.default_rng(0).normal(scale=0.1, size=4000).astype(np.float32), 16_000, "noise")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(write_checkpoint(tmp_path_factory.mktemp("checkpoints") / "hubert", "hubert"))


@pytest.fixture(scope="module")
def level_off(tmp_path_factory):
    return str(write_checkpoint(tmp_path_factory.mktemp("checkpoints") / "off", "hubert", normalize=False))


@pytest.fixture(scope="module")
def no_card(tmp_path_factory):
    return str(write_checkpoint(tmp_path_factory.mktemp("checkpoints") / "bare", "hubert", normalize=None))


def hear(spec):
    return [layer.states for layer in open_model(spec).layers(CLIP)]


def equal(one, other):
    return len(one) == len(other) and all(map(np.array_equal, one, other))


def test_a_name_is_as_typed_with_what_is_not_the_default(folder, monkeypatch, tmp_path):
    assert open_model(folder).info.name == folder
    assert open_model(f"{folder}/").info.name == folder
    assert open_model(f" {folder}:normalize=card,dtype=float32 ").info.name == folder
    assert open_model(f"{folder}:normalize=off,dtype=bfloat16").info.name == f"{folder}:dtype=bfloat16,normalize=off"
    monkeypatch.chdir(tmp_path)
    write_checkpoint(tmp_path / "mine", "hubert")
    for typed, name in [("mine", "mine"), ("./mine", "./mine"), ("mine/", "mine"), ("./mine//", "./mine")]:
        assert open_model(typed).info.name == name
        assert open_model(open_model(typed).info.name).info == open_model(typed).info


def test_what_identifies_a_model(folder):
    info = open_model(folder).info
    assert info.kind == "model"
    assert info.settings == {
        "family": "HuBERT",
        "dtype": "float32",
        "attention": "sdpa",
        "cnn": False,
        "normalize": True,
    }
    assert info.heard is None
    assert [(layer.index, layer.name, layer.dim) for layer in info.layers] == [
        (0, "input", 16),
        (1, "block 1", 16),
        (2, "block 2", 16),
        (3, "block 3", 16),
    ]


def test_settings_that_change_the_states_change_the_digest(folder):
    specs = [folder, f"{folder}:normalize=off", f"{folder}:dtype=bfloat16", f"{folder}:cnn=on"]
    assert len({open_model(spec).info.digest for spec in specs}) == 4
    assert open_model(folder, device="auto").info.digest == open_model(folder).info.digest


def test_weights_are_read_when_the_first_clip_is_heard(folder, monkeypatch):
    from otoscope.representations.upstreams import model as module

    read = []
    trained = module.trained_network
    monkeypatch.setattr(module, "trained_network", lambda *args: (read.append(1), trained(*args))[1])
    model = open_model(folder)
    assert model.info.layers
    assert not read
    for _ in range(2):
        list(model.layers(CLIP))
    assert len(read) == 1


def test_the_card_says_whether_clips_are_normalised(folder, level_off):
    assert equal(hear(folder), hear(f"{folder}:normalize=on"))
    assert equal(hear(level_off), hear(f"{level_off}:normalize=off"))
    assert equal(hear(f"{folder}:normalize=off"), hear(level_off))
    assert not equal(hear(folder), hear(level_off))
    assert open_model(level_off).info.settings["normalize"] is False


def test_without_a_card_normalisation_must_be_chosen(no_card):
    with pytest.raises(SpecError, match=r"normalize=card: there is no preprocessor_config\.json; say normalize=on"):
        open_model(no_card)
    assert len(hear(f"{no_card}:normalize=on")) == 4


@pytest.mark.parametrize("offset", [0.0, 0.3, -2.0])
def test_normalisation_is_the_librarys(offset):
    samples = CLIP.samples + np.float32(offset)
    theirs = Wav2Vec2FeatureExtractor(do_normalize=True)(samples, sampling_rate=16_000).input_values[0]
    np.testing.assert_allclose(normalized(samples), theirs, rtol=0, atol=2e-5)


def test_normalised_clips_have_mean_0_and_variance_1_and_silence_stays_silent():
    wide = normalized(CLIP.samples + np.float32(5)).astype(np.float64)
    assert abs(wide.mean()) < 1e-6
    assert abs(wide.var() - 1) < 1e-4
    assert not normalized(np.full(100, 0.25, np.float32)).any()


def test_normalised_models_do_not_hear_the_level(folder):
    louder = Waveform(CLIP.samples * np.float32(4), 16_000, "louder")
    model = open_model(folder)
    for one, other in zip(model.layers(CLIP), model.layers(louder), strict=True):
        np.testing.assert_allclose(one.states, other.states, atol=1e-3)


def test_only_the_layers_that_are_wanted_are_handed_on(folder):
    model = open_upstream(folder)
    everything = list(model.layers(CLIP))
    for last in range(4):
        some = list(model.layers(CLIP, last=last))
        assert equal([layer.states for layer in some], [layer.states for layer in everything[: last + 1]])
    with pytest.raises(SpecError, match="has no layer 7; choose from 0 to 3"):
        list(model.layers(CLIP, last=7))


def test_no_clips_together_give_nothing(folder):
    assert list(open_upstream(folder).together([])) == []


def test_clips_that_are_too_long_for_the_memory_say_so(folder):
    model = open_upstream(folder)
    network = model.hearing._network

    def too_much(*_args):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: 9 bytes")

    handle = network.encoder.layers[1].register_forward_pre_hook(too_much)
    with pytest.raises(DataError, match=r"noise: memory did not suffice for 1 x 0\.2 s on cpu; cut the clip"):
        list(model.layers(CLIP))
    handle.remove()
    assert len(list(model.layers(CLIP))) == 4


def test_other_errors_of_a_network_are_not_taken_for_a_lack_of_memory(folder):
    model = open_upstream(folder)

    def wrong(*_args):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    model.hearing._network.encoder.layers[1].register_forward_pre_hook(wrong)
    with pytest.raises(SpecError, match="shapes cannot be multiplied"):
        list(model.layers(CLIP))


def test_a_model_that_is_let_go_frees_its_network(folder):
    model = open_upstream(folder)
    list(model.layers(CLIP))
    weights = weakref.ref(next(model.hearing._network.parameters()))
    del model
    gc.collect()
    assert weights() is None


def test_copies_carry_the_name_and_open_the_checkpoint_anew(folder):
    for model in (open_model(f"{folder}:normalize=off"), open_model(f"untrained:{folder}:normalize=off#5")):
        again = pickle.loads(pickle.dumps(model))
        assert again.info == model.info
        assert equal([it.states for it in again.layers(CLIP)], [it.states for it in model.layers(CLIP)])
        assert len(pickle.dumps(model)) < 1000
        assert copy.copy(model).info == model.info


def test_untrained_copies_are_drawn_by_their_seed(folder):
    one, same, other = (hear(f"untrained:{folder}#{seed}") for seed in (0, 0, 1))
    assert equal(one, same)
    assert not any(map(np.array_equal, one, other))
    assert not equal(one, hear(folder))


def test_an_untrained_copy_is_the_librarys_own_initialisation(folder):
    network = open_upstream(folder, seed=7).network().state_dict()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        theirs = type(tiny_network("hubert"))(tiny_network("hubert").config).state_dict()
    assert all(torch.equal(network[name], tensor) for name, tensor in theirs.items())


def test_drawing_weights_leaves_the_callers_random_numbers_alone(folder):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    hear(f"untrained:{folder}#9")
    hear(folder)
    assert torch.equal(torch.rand(4), expected)


def test_an_untrained_copy_needs_no_weights_and_describes_itself(folder, tmp_path):
    import shutil

    bare = tmp_path / "bare"
    shutil.copytree(folder, bare, ignore=shutil.ignore_patterns("*.safetensors"))
    model = open_model(f"untrained:{bare}:normalize=off#4")
    info = model.info
    assert (info.kind, info.twin, info.name) == (
        "untrained",
        f"{bare}:normalize=off",
        f"untrained:{bare}:normalize=off#4",
    )
    assert info.heard == ()
    assert info.settings["seed"] == 4
    assert info.settings["normalize"] is False
    assert "weights" not in info.version
    assert equal([it.states for it in model.layers(CLIP)], hear(f"untrained:{folder}:normalize=off#4"))


def test_an_untrained_copy_of_an_opened_model_is_the_same(folder):
    copy_of = open_upstream(f"{folder}:normalize=off").untrained(2)
    assert copy_of.info == open_model(f"untrained:{folder}:normalize=off#2").info


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("untrained:{}", "the seed is missing; write a whole number after #"),
        ("untrained:{}#-1", "the seed is '-1'"),
        ("untrained:{}#x", "the seed is 'x'"),
        ("untrained:{}#9223372036854775808", "it takes a whole number from 0 to"),
        ("{}#3", "only untrained copies have a seed"),
        ("{}:normalise=on", r"has no setting 'normalise'; .*did you mean 'normalize'\?"),
        ("{}:dtype=float64", "choose from bfloat16, float16, float32"),
        ("{}:", "followed by nothing"),
    ],
)
def test_what_cannot_be_opened_says_what_can(folder, spec, message):
    with pytest.raises(SpecError, match=message):
        open_model(spec.format(folder))


def test_a_name_that_is_nothing_lists_models_and_checkpoints():
    with pytest.raises(SpecError, match=r"choose from ge2e, logmel.*; or name a checkpoint: a folder or org/name"):
        open_model("hubert-base")


def test_registered_names_come_before_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logmel").mkdir()
    assert open_model("logmel").info.kind == "baseline"
    with pytest.raises(SpecError, match=r"has no config\.json"):
        open_model("./logmel")


def test_devices_are_resolved(folder, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("cpu") == resolve_device("auto") == "cpu"
    for device in ("cuda", "cuda:1"):
        with pytest.raises(SpecError, match="no GPU that torch can use; choose cpu or auto"):
            open_model(folder, device=device)
    with pytest.raises(SpecError, match="device is 'gpu'; choose from auto, cpu, cuda, cuda:N"):
        resolve_device("gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    before = torch.backends.cudnn.allow_tf32
    try:
        assert [resolve_device(device) for device in ("cuda", "cuda:1", "auto")] == ["cuda:0", "cuda:1", "cuda:0"]
        assert not torch.backends.cudnn.allow_tf32
        with pytest.raises(SpecError, match="there is cuda:0 to cuda:1"):
            resolve_device("cuda:2")
    finally:
        torch.backends.cudnn.allow_tf32 = before


def test_a_model_is_one_of_upstreams(folder):
    model = open_model(folder)
    assert isinstance(model, UpstreamModel)
    assert model.n_parameters == sum(part.numel() for part in tiny_network("hubert").parameters())
    assert repr(model) == f"UpstreamModel({folder!r}, device='cpu')"


def test_the_languages_that_a_model_of_ones_own_has_heard_may_be_said(tmp_path):
    folder = write_checkpoint(tmp_path / "own", "hubert")
    plain, said = open_model(str(folder)), open_model(f"{folder}:heard=fr_fr+en_us")
    assert plain.info.heard is None
    assert said.info.heard == ("en_us", "fr_fr")
    assert open_model(f"untrained:{folder}:heard=en_us#0").info.heard == ()
    assert plain.info.version == said.info.version
    with pytest.raises(SpecError, match="write codes with"):
        open_model(f"{folder}:heard=English!")

import json
import os
import pickle
import shutil
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from otoscope.audio import Waveform
from otoscope.errors import DataError, PassingError, SpecError
from otoscope.representations.registry import open_model
from otoscope.representations.upstreams.checkpoint import is_hub_name, open_checkpoint
from otoscope.representations.upstreams.weights import make_config
from otoscope.testing.checkpoints import tiny_network, write_checkpoint

CLIP = Waveform(np.random.default_rng(0).normal(scale=0.1, size=4000).astype(np.float32), 16_000, "noise")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("written"), "hubert")


@pytest.fixture
def folder(written, tmp_path):
    return shutil.copytree(written, tmp_path / "hubert")


def hear(folder):
    return [layer.states for layer in open_model(str(folder)).layers(CLIP)]


def refused(folder, *parts):
    with pytest.raises(SpecError) as caught:
        hear(folder)
    text = str(caught.value)
    assert text.startswith(str(folder))
    for part in parts:
        assert part in text


def change_config(folder, **fields):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, **fields}))


def change_weights(folder, change):
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path)


def as_bin(folder):
    path = folder / "model.safetensors"
    torch.save(load_file(path), folder / "pytorch_model.bin")
    path.unlink()
    return folder / "pytorch_model.bin"


class Command:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("wrap", [lambda it: it, lambda it: {"encoder.layers.0": it}], ids=["bare", "inside"])
@pytest.mark.parametrize("protocol", [None, 2, 4])
def test_a_pickle_that_would_run_a_command_is_refused_and_nothing_is_run(folder, tmp_path, wrap, protocol):
    marker = tmp_path / "marker"
    os.system(f"touch {marker}")
    assert marker.exists()
    marker.unlink()
    content, path = wrap(Command(marker)), as_bin(folder)
    if protocol is None:
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content, protocol=protocol))
    reason = "" if protocol == 4 else "posix.system"  # torch reads protocol 2 only
    refused(folder, "bin holds something other than weights", "nothing of it was run", "safetensors", reason)
    assert not marker.exists()


def test_code_that_a_checkpoint_brings_is_not_run(folder, tmp_path):
    expected = hear(folder)
    marker = tmp_path / "marker"
    (folder / "modeling.py").write_text(f"open({str(marker)!r}, 'w')\nclass Net: pass\n")
    change_config(folder, auto_map={"AutoModel": "modeling.Net", "AutoConfig": "modeling.Net"})
    assert all(map(np.array_equal, hear(folder), expected))
    change_config(folder, model_type="mine")
    refused(folder, "model_type is 'mine'", "choose a checkpoint of", "hubert", "wavlm", "whisper")
    assert not marker.exists()


def test_safetensors_come_before_a_pickle(folder, tmp_path):
    torch.save(Command(tmp_path / "marker"), folder / "pytorch_model.bin")
    assert len(hear(folder)) == 4
    assert not (tmp_path / "marker").exists()


def test_a_bin_of_tensors_gives_the_same_states(folder):
    expected = hear(folder)
    as_bin(folder)
    assert all(map(np.array_equal, hear(folder), expected))


@pytest.mark.parametrize("sharded", ["model.safetensors", "pytorch_model.bin"])
def test_weights_in_several_files_give_the_same_states(folder, sharded):
    expected, version = hear(folder), open_model(str(folder)).info.version
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    stem, _, suffix = sharded.partition(".")
    names, table = sorted(tensors), {}
    for part in range(3):
        file = f"{stem}-{part + 1:05}-of-00003.{suffix}"
        mine = {name: tensors[name] for name in names[part::3]}
        (save_file if suffix == "safetensors" else torch.save)(mine, folder / file)
        table |= dict.fromkeys(mine, file)
    (folder / f"{sharded}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": table}))
    assert all(map(np.array_equal, hear(folder), expected))
    assert open_model(str(folder)).info.version != version
    (folder / f"{stem}-00002-of-00003.{suffix}").unlink()
    refused(folder, f"{stem}-00002-of-00003.{suffix} is missing (1 of 3 parts)")


def test_an_index_may_not_lead_out_of_the_folder(folder):
    shutil.move(folder / "model.safetensors", folder.parent / "model.safetensors")
    index = {"weight_map": {"encoder.layer_norm.weight": "../model.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    refused(folder, "names no files beside it")


@pytest.mark.parametrize("kept", [0, 5, 100, 5000, -1])
def test_safetensors_that_are_cut_short_are_refused(folder, kept):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    refused(folder, "model.safetensors", "is damaged or cut short", "fetch it again")


def test_safetensors_with_another_beginning_are_refused(folder):
    path = folder / "model.safetensors"
    path.write_bytes(b"\xff" * 16 + path.read_bytes()[16:])
    refused(folder, "is damaged or cut short")


@pytest.mark.parametrize("kept", [0, 5, 100, 5000, -100])
def test_a_bin_that_is_cut_short_is_refused(folder, kept):
    path = as_bin(folder)
    path.write_bytes(path.read_bytes()[:kept])
    refused(folder, "pytorch_model.bin", "is damaged or cut short", "fetch it again")


@pytest.mark.parametrize(
    "content", [b"\x80\x02J\x01", b"\x80\x02G\x00.", b"\x80\x02K\x01Q."], ids=["number", "float", "storage"]
)
def test_a_bin_whose_pickle_is_damaged_is_refused(folder, content):
    path = as_bin(folder)
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, "w") as file:
        for name, part in parts.items():
            file.writestr(name, content if name.endswith("data.pkl") else part)
    refused(folder, "pytorch_model.bin", "is damaged or cut short", "fetch it again")


def test_a_bin_of_something_else_is_refused(folder):
    torch.save([torch.zeros(2)], as_bin(folder))
    refused(folder, "pytorch_model.bin holds no table of weights")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_named(folder, value):
    def change(tensors):
        tensors["encoder.layers.1.feed_forward.output_dense.weight"][3, 4] = value
        return tensors

    change_weights(folder, change)
    refused(folder, "encoder.layers.1.feed_forward.output_dense.weight holds values that are not finite")


def test_missing_weights_are_named(folder):
    change_weights(folder, lambda tensors: {name: it for name, it in tensors.items() if "layers.2.att" not in name})
    refused(folder, "do not fit config.json: 8 are missing, such as encoder.layers.2.attention.")


def test_weights_of_another_shape_are_named(folder):
    change_config(folder, intermediate_size=20)
    refused(folder, "9 have other shapes", "intermediate_dense.weight is 24 x 16 and not 20 x 16")


def test_weights_without_a_place_are_named(folder):
    change_config(folder, num_hidden_layers=2)
    refused(folder, "have no place in the network, such as encoder.layers.2.")


def test_weights_of_something_else_are_refused(folder):
    save_file({"embedding": torch.zeros(3)}, folder / "model.safetensors")
    refused(folder, "holds no weights of HuBERT; it has embedding")


def test_masks_heads_and_quantisers_may_be_there_or_not(folder):
    expected = hear(folder)

    def change(tensors):
        del tensors["masked_spec_embed"]
        return {f"hubert.{name}": it for name, it in tensors.items()} | {
            "lm_head.weight": torch.zeros(4, 16),
            "quantizer.codevectors": torch.zeros(3),
        }

    change_weights(folder, change)
    assert all(map(np.array_equal, hear(folder), expected))


def test_earlier_names_of_weight_norm_are_known(folder):
    expected = hear(folder)
    change_weights(
        folder,
        lambda tensors: {
            name.replace("parametrizations.weight.original0", "weight_g").replace(
                "parametrizations.weight.original1", "weight_v"
            ): it
            for name, it in tensors.items()
        },
    )
    assert any(name.endswith("weight_g") for name in load_file(folder / "model.safetensors"))
    assert all(map(np.array_equal, hear(folder), expected))


def test_half_precision_on_disk_is_full_precision_here(folder):
    expected = hear(folder)
    change_weights(folder, lambda tensors: {name: it.half() for name, it in tensors.items()})
    change_config(folder, dtype="float16", torch_dtype="float16")
    for got, exact in zip(hear(folder), expected, strict=True):
        assert 0 < np.abs(got - exact).max() < 0.05


def test_what_is_opened_is_what_was_saved(folder):
    opened = open_model(str(folder)).network().state_dict()
    for name, tensor in tiny_network("hubert").state_dict().items():
        assert torch.equal(opened[name], tensor), name


def test_the_library_reads_the_same_weights(folder):
    from transformers import HubertModel

    network, report = HubertModel.from_pretrained(folder, local_files_only=True, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["mismatched_keys"]
    opened = open_model(str(folder)).network().state_dict()
    assert all(torch.equal(opened[name], tensor) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "is no JSON"),
        ('{"model_type": "hubert"', "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("\udcff", "is no JSON"),
        ("[1, 2]", "holds a list; an object is needed"),
        ("{}", "has no model_type"),
        ('{"model_type": 3}', "has no model_type"),
        (" " * 2**20 + "{}", "at most 1048576 are accepted"),
    ],
)
def test_a_config_that_is_none_is_refused(folder, text, part):
    (folder / "config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    refused(folder, part)


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"hidden_size": 10**9}, "hidden_size = 1000000000; at most"),
        ({"intermediate_size": 2**24, "hidden_size": 2**24}, "parameters; at most"),
        ({"num_hidden_layers": 10**6}, "num_hidden_layers = 1000000; at most 1024"),
        ({"conv_dim": [2**24] * 7}, "parameters; at most"),
        ({"conv_dim": [8] * 5000}, "lists 5000 numbers as conv_dim"),
        ({"conv_kernel": [10, 3]}, "does not describe"),
        ({"conv_stride": [0] * 7}, "whole numbers above 0"),
        ({"hidden_size": "sixteen"}, "does not describe"),
        ({"hidden_size": 15}, "does not describe"),
        ({"hidden_act": "sin"}, "does not describe"),
        ({"num_hidden_layers": 0}, ""),
        ({"num_hidden_layers": -1}, ""),
    ],
)
def test_sizes_that_cannot_be_are_refused_before_anything_is_made(folder, fields, part):
    change_config(folder, **fields)
    refused(folder, part)


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"num_attention_heads": -1}, "num_attention_heads = -1; at least 1 is needed"),
        ({"num_hidden_layers": 0}, "num_hidden_layers = 0; at least 1 is needed"),
        ({"encoder_layers": 0}, "encoder_layers = 0; at least 1 is needed"),
        ({"conv_dim": [8, 0]}, "conv_dim = 0; at least 1 is needed"),
        ({"max_source_positions": 2**21}, "max_source_positions = 2097152; at most 1000000"),
        ({"max_position_embeddings": 2**21}, "max_position_embeddings = 2097152; at most 1000000"),
        (
            {"model_type": "data2vec-audio", "num_conv_pos_embeddings": 2000},
            "num_conv_pos_embeddings = 2000; at most",
        ),
    ],
)
def test_sizes_that_cannot_be_are_refused_when_the_configuration_is_read(folder, fields, part):
    change_config(folder, **fields)
    with pytest.raises(SpecError) as caught:
        open_checkpoint(str(folder))
    assert str(caught.value).startswith(f"{folder}: config.json says {part}")


def test_a_wide_kernel_is_no_number_of_layers(folder):
    change_config(folder, num_conv_pos_embeddings=2000)
    assert open_checkpoint(str(folder)).config["num_conv_pos_embeddings"] == 2000


def test_labels_are_left_out_of_what_the_library_makes(folder):
    expected = hear(folder)
    change_config(folder, num_labels=1000)
    assert make_config(open_checkpoint(str(folder))).num_labels == 2
    assert all(map(np.array_equal, hear(folder), expected))
    change_config(folder, id2label={"0": "a", "1": "b", "2": "c"}, label2id={"a": 0, "b": 1, "c": 2})
    assert make_config(open_checkpoint(str(folder))).num_labels == 2


@pytest.mark.parametrize(
    ("kind", "fields", "part"),
    [
        ("wavlm", {"max_bucket_distance": -3}, "cannot hear 4000 samples"),
        ("whisper", {"dropout": 2.5}, "cannot hear 4000 samples (ValueError: dropout probability"),
    ],
)
def test_values_that_only_the_first_clip_brings_out_name_the_checkpoint(tmp_path, kind, fields, part):
    folder = write_checkpoint(tmp_path / kind, kind)
    change_config(folder, **fields)
    refused(folder, part, "config.json")


def test_values_that_only_the_drawing_of_weights_brings_out_name_the_checkpoint(folder):
    change_config(folder, initializer_range=-1.0)
    with pytest.raises(SpecError, match=r"config\.json does not describe a network") as caught:
        list(open_model(f"untrained:{folder}#0").layers(CLIP))
    assert str(caught.value).startswith(f"{folder}: ")


@pytest.mark.parametrize("kind", ["hubert", "whisper"])
@pytest.mark.parametrize("error", [DataError("noise", "is odd"), PassingError("noise", "is late"), MemoryError()])
def test_what_a_clip_or_the_memory_brings_out_is_not_put_on_the_checkpoint(tmp_path, kind, error):
    model = open_model(str(write_checkpoint(tmp_path / kind, kind)))

    def raising(*_args, **_kwargs):
        raise error

    model.hearing._network.forward = raising
    with pytest.raises(PassingError if isinstance(error, MemoryError) else type(error)):
        list(model.layers(CLIP))


@pytest.mark.parametrize("kind", ["hubert", "whisper"])
def test_what_fails_after_a_clip_was_heard_is_not_put_on_the_checkpoint(tmp_path, kind):
    model = open_model(str(write_checkpoint(tmp_path / kind, kind)))
    assert len(list(model.layers(CLIP))) == 4

    def raising(*_args, **_kwargs):
        raise RuntimeError("the device is gone")

    model.hearing._network.forward = raising
    with pytest.raises(RuntimeError, match="the device is gone") as caught:
        list(model.layers(CLIP))
    assert not isinstance(caught.value, SpecError)


@pytest.mark.parametrize(
    ("name", "may_be"),
    [
        ("acme/tiny_1.0-b", True),
        ("a--b/c", False),
        ("a/c--d", False),
        ("a/d..e", False),
        ("facebook/h\u00fcbert", False),
        ("acme/tiny\u0661", False),
    ],
)
def test_names_that_no_hub_takes_are_none_of_the_hub(name, may_be):
    assert is_hub_name(name) is may_be
    if not may_be:
        with pytest.raises(SpecError, match="there is no such folder"):
            open_checkpoint(name)


@pytest.mark.parametrize(
    ("missing", "part"),
    [("config.json", "has no config.json"), ("model.safetensors", "has no weights")],
)
def test_a_folder_that_is_not_whole_says_what_is_missing(folder, missing, part):
    (folder / missing).unlink()
    refused(folder, part)


@pytest.mark.parametrize("field", ["hidden_size", "num_hidden_layers", "conv_kernel"])
def test_a_config_that_says_too_little_is_refused(folder, field):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    del config[field]
    path.write_text(json.dumps(config))
    refused(folder, f"config.json has no {field}")


def test_names_that_are_no_folder_say_the_way_out(tmp_path):
    with pytest.raises(SpecError, match=r"there is no such folder; .*\./hubert-base, or org/name on the hub"):
        open_checkpoint(str(tmp_path / "absent"))
    (tmp_path / "file").write_text("")
    with pytest.raises(SpecError, match="is a file; name the folder"):
        open_checkpoint(str(tmp_path / "file"))


def test_a_folder_has_no_revision(folder):
    with pytest.raises(SpecError, match="a folder has no revision"):
        open_model(f"{folder}:revision=main")


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("---\nlicense: apache-2.0\ntags: [x]\n---\n# Model\n", "apache-2.0"),
        ("---\ntags: [x]\nlicense: 'mit'\n---\n", "mit"),
        ("---\ntags: [x]\n---\nlicense: mit\n", "not stated"),
        ("# Model\n", "not stated"),
    ],
)
def test_the_licence_is_what_the_readme_says(folder, text, licence):
    (folder / "README.md").write_text(text)
    assert open_model(str(folder)).info.licence == licence


def test_the_version_tells_weights_and_configurations_apart(folder):
    versions = {open_model(str(folder)).info.version}
    change_config(folder, layer_norm_eps=1e-4)
    versions.add(open_model(str(folder)).info.version)
    change_weights(folder, lambda tensors: {name: it + 1e-6 for name, it in tensors.items()})
    versions.add(open_model(str(folder)).info.version)
    assert len(versions) == 3

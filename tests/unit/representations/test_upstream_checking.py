import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from otoscope.errors import SpecError
from otoscope.representations.upstreams import stacked
from otoscope.representations.upstreams.checking import check_checkpoint
from otoscope.testing.checkpoints import tiny_network, write_checkpoint


@pytest.mark.parametrize(
    ("kind", "norm", "padded"),
    [
        ("hubert", "post-LN", False),
        ("wav2vec2-large", "pre-LN", True),
        ("sew", "post-LN", False),
        ("wav2vec2-conformer", "conformer", False),
    ],
)
def test_a_sound_checkpoint_has_no_problems(kind, norm, padded, tmp_path):
    folder = write_checkpoint(tmp_path / kind, kind)
    report = check_checkpoint(str(folder))
    assert report.problems == ()
    assert (report.name, report.norm, report.n_blocks, report.device) == (str(folder), norm, 3, "cpu")
    assert report.n_parameters == sum(part.numel() for part in tiny_network(kind).parameters())
    assert report.n_bytes == (folder / "model.safetensors").stat().st_size
    assert len(report.lengths) == 30
    assert report.difference == 0.0
    assert 0 < report.batch_difference < 1e-4
    assert (report.padded_difference is not None) == padded
    assert not padded or 0 < report.padded_difference < 1e-4
    assert report.seconds_per_second > 0
    assert [layer.name for layer in report.layers] == ["input", "block 1", "block 2", "block 3"]
    plain = report.as_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["frame_rate"] == report.grid.frame_rate


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["whisper", "ast"])
def test_networks_that_hear_windows_are_checked_too(kind, tmp_path):
    report = check_checkpoint(str(write_checkpoint(tmp_path / kind, kind)))
    assert report.problems == ()
    assert report.n_blocks == 3


def test_a_copy_has_no_weights_on_disk_to_report(tmp_path):
    report = check_checkpoint(f"untrained:{write_checkpoint(tmp_path / 'hubert', 'hubert')}#1")
    assert report.n_bytes == 0
    assert report.name.startswith("untrained:")


def test_a_huge_dimension_is_named(tmp_path):
    folder = write_checkpoint(tmp_path / "hubert", "hubert")
    tensors = load_file(folder / "model.safetensors")
    tensors["encoder.layers.1.final_layer_norm.bias"][5] = 4000.0
    tensors["encoder.layers.1.final_layer_norm.weight"][5] = 1.0
    save_file(tensors, folder / "model.safetensors")
    layer = check_checkpoint(str(folder)).layers[2]
    assert layer.largest_dim == 5
    assert layer.largest_mean > 1000
    assert layer.rms == pytest.approx(1000, rel=0.01)  # 4000 in one of sixteen dimensions


def test_what_is_found_wrong_is_said(tmp_path, monkeypatch):
    folder = write_checkpoint(tmp_path / "hubert", "hubert")
    walk, runs = stacked.ConvolutionalHearing.walk, []

    def drifting(self, waveform, *, last=None):
        runs.append(1)
        for index, states in walk(self, waveform, last=last):
            kept = states[:-1] if waveform.samples.size == 400 + 320 else states
            yield index, kept + np.float32(1e-3 * len(runs))

    monkeypatch.setattr(stacked.ConvolutionalHearing, "walk", drifting)
    report = check_checkpoint(str(folder))
    assert report.wrong_lengths == (720,)
    assert report.problems == (
        "the number of frames differs from the clock at 720 samples",
        "a second run gives other states",
    )
    assert report.difference == pytest.approx(1e-3, rel=0.01)


def test_the_check_leaves_the_callers_random_numbers_alone(tmp_path):
    folder = str(write_checkpoint(tmp_path / "hubert", "hubert"))
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    check_checkpoint(folder)
    assert torch.equal(torch.rand(3), expected)


def test_what_is_built_in_has_no_checkpoint():
    with pytest.raises(SpecError, match="logmel: is built in and has no checkpoint"):
        check_checkpoint("logmel")

import numpy as np
import pytest
import torch

from otoscope.audio import Waveform
from otoscope.errors import SpecError
from otoscope.representations.registry import open_model
from otoscope.representations.upstreams.families import families, family_of
from otoscope.representations.upstreams.generic import generic_family
from otoscope.representations.upstreams.stacked import find_blocks
from otoscope.testing.checkpoints import TINY, write_checkpoint

CLIP = Waveform(np.random.default_rng(0).normal(scale=0.1, size=4000).astype(np.float32), 16_000, "noise")


@pytest.fixture
def folder(tmp_path):
    return write_checkpoint(tmp_path / "sew-d", "sew-d")


def test_every_tiny_kind_is_of_a_family_and_every_family_has_one():
    kinds = {model_type for model_type, _ in TINY.values()}
    assert kinds - set(families()) == {"sew-d"}
    assert set(families()) <= kinds


def test_only_kinds_that_begin_with_convolutions_have_a_family():
    assert generic_family("sew-d").prefixes == ("sew_d.", "")
    assert generic_family("bert") is None
    assert generic_family("wav2vec2-bert") is None
    assert generic_family("no-such-kind") is None
    with pytest.raises(SpecError, match=r"here: model_type is 'bert'; choose a checkpoint of .*hubert.*conv_kernel"):
        family_of("bert", where="here")


def test_a_network_without_a_family_is_taken_when_it_keeps_its_clock(folder):
    model = open_model(str(folder))
    assert model.outline.norm == "not known"
    assert not model.outline.paddable
    assert [layer.info.index for layer in model.layers(CLIP)] == [0, 1, 2, 3]


def test_a_network_with_another_clock_than_its_configuration_is_refused(folder, monkeypatch):
    from transformers.models.sew_d import modeling_sew_d

    forward = modeling_sew_d.SEWDEncoder.forward
    monkeypatch.setattr(
        modeling_sew_d.SEWDEncoder, "forward", lambda self, states, **kwargs: forward(self, states[:, :-2], **kwargs)
    )
    with pytest.raises(SpecError, match=r"sew-d: (cannot hear|layer 0 has)|SEWDModel: layer 0 has"):
        list(open_model(str(folder)).layers(CLIP))


def test_a_network_that_skips_a_block_is_refused(folder, monkeypatch):
    from transformers.models.sew_d import modeling_sew_d

    forward = modeling_sew_d.SEWDTransformerEncoder.forward

    def without_the_last(self, *args, **kwargs):
        blocks = self.layer
        self.layer = blocks[:-1]
        try:
            return forward(self, *args, **kwargs)
        finally:
            self.layer = blocks

    monkeypatch.setattr(modeling_sew_d.SEWDTransformerEncoder, "forward", without_the_last)
    with pytest.raises(SpecError, match=r"sew-d: 720 samples gave layers .* it is not followed"):
        list(open_model(str(folder)).layers(CLIP))


def test_a_network_that_is_not_repeatable_is_refused(folder, monkeypatch):
    from transformers.models.sew_d import modeling_sew_d

    forward = modeling_sew_d.SEWDFeatureEncoder.forward
    monkeypatch.setattr(
        modeling_sew_d.SEWDFeatureEncoder,
        "forward",
        lambda self, values: forward(self, values) + torch.rand(()),
    )
    with pytest.raises(SpecError, match="sew-d: gives other states when run again; it is not followed"):
        list(open_model(str(folder)).layers(CLIP))


def test_a_network_without_one_list_of_blocks_is_refused(folder):
    outline = open_model(str(folder)).outline
    with pytest.raises(SpecError, match="Sequential: one list of 3 blocks is needed; found none"):
        find_blocks(torch.nn.Sequential(torch.nn.Linear(2, 2)), outline)

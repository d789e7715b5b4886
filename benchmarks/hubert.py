"""A model of the size of HuBERT-base with random weights: what a forward pass costs, not what it hears."""

from __future__ import annotations

import torch
from transformers import HubertConfig, HubertModel

from otoscope.frames import FrameGrid
from otoscope.representations.base import Layer, LayerInfo, ModelInfo

KERNELS, STRIDES = (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2)


class RandomHubert:
    """Twelve blocks of 768 dimensions; layer 0 is the input of the first block, layer L the output of block L."""

    def __init__(self, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.model = HubertModel(HubertConfig()).eval().requires_grad_(False)
        grid = FrameGrid.of_convolutions(KERNELS, STRIDES, sample_rate=16_000)
        names = ["input of block 1", *(f"block {i}" for i in range(1, 13))]
        layers = tuple(LayerInfo(i, name, 768, grid) for i, name in enumerate(names))
        self.info = ModelInfo("random-hubert", "untrained", "1", {"seed": seed}, 16_000, layers, "none", "none", None)

    def forward(self, samples):
        """Give the states of all layers, by hooks on the blocks."""
        states: list[torch.Tensor] = []
        blocks = self.model.encoder.layers
        hooks = [blocks[0].register_forward_pre_hook(lambda _, args: states.append(args[0]))]
        hooks += [
            block.register_forward_hook(lambda _, __, out: states.append(out[0] if isinstance(out, tuple) else out))
            for block in blocks
        ]
        try:
            with torch.no_grad():
                self.model(torch.from_numpy(samples.copy())[None])
        finally:
            for hook in hooks:
                hook.remove()
        return [state[0].numpy() for state in states]


class Remembered:
    """Hands on states that were computed before: everything but the forward pass can be timed alone."""

    def __init__(self, model, states_by_clip):
        self.info, self.states = model.info, states_by_clip

    def layers(self, waveform):
        for info, states in zip(self.info.layers, self.states[waveform.clip_id], strict=True):
            yield Layer(info, states, waveform.clip_id)

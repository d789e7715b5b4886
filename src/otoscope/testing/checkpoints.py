"""Tiny checkpoints with random weights, one of every kind that can be opened, to test with.

They are written by the library's own ``save_pretrained``, take a few hundred kilobytes each, and have two or three
blocks of 16 dimensions. Their clocks are those of the real models.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from otoscope.errors import SpecError
from otoscope.specs import suggestion

__all__ = ["TINY", "tiny_network", "write_checkpoint"]

_BLOCKS: Mapping[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 24,
}
_STACK: Mapping[str, Any] = {
    **_BLOCKS,
    "conv_dim": [8] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "num_codevectors_per_group": 4,
    "codevector_dim": 8,
    "proj_codevector_dim": 8,
}
_LARGE: Mapping[str, Any] = {
    **_STACK,
    "feat_extract_norm": "layer",
    "conv_bias": True,
    "do_stable_layer_norm": True,
}
_SQUEEZED: Mapping[str, Any] = {**_STACK, "conv_dim": [4] * 4 + [8] * 9}

TINY: Mapping[str, tuple[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "hubert": ("hubert", _STACK),
        "hubert-large": ("hubert", _LARGE),
        "wav2vec2": ("wav2vec2", _STACK),
        "wav2vec2-large": ("wav2vec2", _LARGE),
        "wav2vec2-layer": ("wav2vec2", {**_STACK, "feat_extract_norm": "layer"}),
        "wavlm": ("wavlm", {**_STACK, "num_buckets": 16}),
        "wavlm-large": ("wavlm", {**_LARGE, "num_buckets": 16}),
        "unispeech": ("unispeech", _STACK),
        "unispeech-large": ("unispeech", _LARGE),
        "unispeech-sat": ("unispeech-sat", _STACK),
        "unispeech-sat-large": ("unispeech-sat", _LARGE),
        "data2vec-audio": ("data2vec-audio", {**_STACK, "num_conv_pos_embeddings": 3, "conv_pos_kernel_size": 5}),
        "sew": ("sew", _SQUEEZED),
        "sew-layer": ("sew", {**_SQUEEZED, "feat_extract_norm": "layer"}),
        "sew-d": ("sew-d", {**_SQUEEZED, "max_position_embeddings": 64, "position_buckets": 16}),
        "wav2vec2-conformer": ("wav2vec2-conformer", _STACK),
        "wav2vec2-conformer-large": (
            "wav2vec2-conformer",
            {**_LARGE, "position_embeddings_type": "rotary", "conv_depthwise_kernel_size": 5},
        ),
        "whisper": (
            "whisper",
            {
                "d_model": 16,
                "encoder_layers": 3,
                "encoder_attention_heads": 2,
                "encoder_ffn_dim": 24,
                "decoder_layers": 1,
                "decoder_attention_heads": 2,
                "decoder_ffn_dim": 24,
                "vocab_size": 64,
                "max_target_positions": 8,
                "pad_token_id": 0,
                "bos_token_id": 1,
                "eos_token_id": 2,
                "decoder_start_token_id": 3,
                "suppress_tokens": None,
                "begin_suppress_tokens": None,
            },
        ),
        "ast": ("audio-spectrogram-transformer", _BLOCKS),
    }
)
"""Every kind, with its ``model_type`` and the fields that make it tiny."""

_EXTRACTORS = {"whisper": "WhisperFeatureExtractor", "audio-spectrogram-transformer": "ASTFeatureExtractor"}


def tiny_network(kind: str, *, seed: int = 0, **fields: Any) -> Any:
    """Make a tiny network with random weights.

    Parameters
    ----------
    kind : str
        ``hubert``, ``hubert-large``, ``wav2vec2``, ``wav2vec2-large``, ``wav2vec2-layer``, ``wavlm``,
        ``wavlm-large``, ``unispeech``, ``unispeech-large``, ``unispeech-sat``, ``unispeech-sat-large``,
        ``data2vec-audio``, ``sew``, ``sew-layer``, ``sew-d``, ``wav2vec2-conformer``,
        ``wav2vec2-conformer-large``, ``whisper`` or ``ast``.
    seed : int
        Equal seeds give equal weights; the caller's random numbers are left alone.
    **fields
        Of the configuration, where others are wanted.

    Returns
    -------
    transformers.PreTrainedModel
        In evaluation mode. Its biases and norms are drawn too, so that none is mistaken for another.

    Raises
    ------
    SpecError
        If there is no such kind.
    """
    import torch
    from transformers import AutoConfig, AutoModel

    if kind not in TINY:
        raise SpecError(f"there is no tiny {kind!r}; {suggestion(kind, TINY)}")
    model_type, sizes = TINY[kind]
    config = AutoConfig.for_model(model_type, **{**sizes, **fields})
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.default_generator.manual_seed(seed)
        network = AutoModel.from_config(config)
        for name, parameter in network.named_parameters():
            if parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn(parameter.shape))
            elif "q_proj" in name or "k_proj" in name:
                parameter.mul_(4.0)  # so that attention is not flat
    return network.eval()


def write_checkpoint(
    folder: str | Path, kind: str, *, seed: int = 0, normalize: bool | None = True, **fields: Any
) -> Path:
    """Write a tiny checkpoint.

    Parameters
    ----------
    folder : str or Path
        Made where it is missing.
    kind : str
        ``hubert``, ``hubert-large``, ``wav2vec2``, ``wav2vec2-large``, ``wav2vec2-layer``, ``wavlm``,
        ``wavlm-large``, ``unispeech``, ``unispeech-large``, ``unispeech-sat``, ``unispeech-sat-large``,
        ``data2vec-audio``, ``sew``, ``sew-layer``, ``sew-d``, ``wav2vec2-conformer``,
        ``wav2vec2-conformer-large``, ``whisper`` or ``ast``.
    seed : int
        Equal seeds give equal weights.
    normalize : bool or None
        What the card says of the input of a network with a stack of convolutions; None for no card.
    **fields
        Of the configuration, where others are wanted.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    SpecError
        If there is no such kind.

    Examples
    --------
    >>> import tempfile
    >>> from otoscope.representations.registry import open_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     info = open_model(str(write_checkpoint(folder, "hubert"))).info
    >>> [layer.name for layer in info.layers]
    ['input', 'block 1', 'block 2', 'block 3']
    """
    import transformers

    network = tiny_network(kind, seed=seed, **fields)
    with _no_progress(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # AST's own settings leave a mel filter empty
        network.save_pretrained(folder)
        if normalize is not None:
            name = _EXTRACTORS.get(network.config.model_type)
            if name is None:
                extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=normalize)
            else:
                extractor = getattr(transformers, name)()
            extractor.save_pretrained(folder)
    return Path(folder)


@contextlib.contextmanager
def _no_progress() -> Iterator[None]:
    from transformers.utils import logging

    before = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if before:
            logging.enable_progress_bar()

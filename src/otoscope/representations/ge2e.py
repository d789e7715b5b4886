"""The GE2E speaker encoder: three LSTM layers on a mel spectrum, with weights from the wheel of ``resemblyzer``.

**The model** [1]_ was trained to tell speakers apart, not to follow pitch: its authors name VoxCeleb 1 and 2 and
LibriSpeech-other as its data, about 9,600 speakers, most of them speaking English [2]_; the checkpoint counts
1,564,501 steps. It was trained on windows of 1.6 s; here it hears a clip whole, from silence before the first
frame to the last, and no pause is cut out, so that every frame keeps its time. Only the file ``pretrained.pt`` of the
installed wheel is read; ``resemblyzer`` itself is never imported. (Issue 32 there names VoxCeleb 2 alone.)

**Layers.** 0 is the input: the *linear* power in 40 mel bands, 25 ms windows every 10 ms, centred by zero padding,
after the level was raised to -30 dB of full scale where it lay below. 1 to 3 are the outputs of the three LSTM
layers, 256 dimensions each. All have the clock of the newest frame that they heard; what an LSTM layer remembers of
the frames before has no fixed length. The gain is that of the whole clip: the states are causal for a given gain
only (with ``normalize=none``: altogether).

**Lags**, measured on LibriSpeech test-other, 10 speakers x 10 utterances: log2 F0 of Kaldi's tracker (after a 70 Hz
high-pass; its own lag of -2.5 ms taken back), a ridge probe for each speaker trained on the nine others, targets
moved by -60 to +60 ms in steps of 10 ms on the 18,084 frames voiced at all these moves, a parabola through the peak;
in brackets 95 % intervals from a bootstrap over speakers.

=====  ==================================  ============================  ========
layer  best move for r within utterances   best move for R2              declared
=====  ==================================  ============================  ========
0      -9 ms (-21 to 2), r = 0.30          1 ms (-10 to 60), -0.23       0 ms
1      -7 ms (-16 to 1), r = 0.59          -9 ms (-19 to 20), 0.55       5 ms
2      -12 ms (-18 to -6), r = 0.75        -28 ms (-50 to -13), 0.82     15 ms
3      5 ms (-5 to 18), r = 0.56           49 ms (-60 to 60), 0.42       0 ms
=====  ==================================  ============================  ========

Over three ways of splitting and two ranges of moves the best moves for r are on average -9, -5.5, -13 and 0 ms.
Layer 0 cannot lag: the log-mel spectrum of the same frames, a stronger witness, peaks at -3 ms (-15 to 4). The best
moves of an untrained copy (seed 0) are longer (-24 to -52 ms); it keeps the lags of its
twin, at a cost of 0.01 to 0.04 of r.

**Equal bytes.** The same machine and versions give the same states, however many threads there are: the LSTM layers
run on one. On a two-core machine with another load on it two threads took 50 times as long.

References
----------
.. [1] L. Wan, Q. Wang, A. Papir and I. Lopez Moreno, "Generalized end-to-end loss for speaker verification",
   ICASSP 2018, arXiv 1710.10467.
.. [2] github.com/resemble-ai/Resemblyzer, issue 3 (the author of the weights).
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import Waveform
from otoscope.errors import MissingExtraError, SpecError
from otoscope.representations.base import Layer, LayerInfo, ModelInfo, check_rate
from otoscope.representations.filterbanks import HOP, SAMPLE_RATE, WINDOW, mel_grid, mel_power
from otoscope.representations.untrained import check_seed, untrained_info
from otoscope.specs import Setting, check_settings, name_with

if TYPE_CHECKING:
    import torch

__all__ = ["LAGS", "TARGET_DBFS", "Ge2e", "Normalize", "level", "weights_path"]

Normalize = Literal["increase-only", "none", "always"]

TARGET_DBFS = -30.0  # dB of full scale, root mean square
BANDS = 40
HIDDEN = 256
N_LAYERS = 3
LAGS = (0, 80, 240, 0)  # samples at 16 kHz, of layers 0 to 3; see the table above
_BLOCK = 4096  # frames per call, so that an hour needs no more memory than a minute
_REMEDY = "pip install --no-deps resemblyzer==0.1.4"
_DRAWN = "default initialisation 1"  # raised when equal seeds give other weights


@dataclass(frozen=True, slots=True)
class Ge2e:
    """The GE2E speaker encoder, or an untrained copy of it.

    Parameters
    ----------
    normalize : {"increase-only", "none", "always"}
        What is done to the level of a clip before its mel spectrum: raised to -30 dB of full scale where it is
        below (as the model was trained), left as it is, or always brought to -30 dB, which makes the states
        independent of the level.
    seed : int or None
        None for the trained weights; otherwise what the weights of an untrained copy are drawn by.

    Raises
    ------
    SpecError
        If a setting is not one of these.

    Examples
    --------
    >>> Ge2e(normalize="always").untrained(3).info.name
    'untrained:ge2e:normalize=always#3'
    """

    normalize: Normalize = "increase-only"
    seed: int | None = None

    SETTINGS: ClassVar[dict[str, Setting]] = {
        "normalize": Setting(
            "increase-only",
            "what is done to the level of a clip",
            choices=("increase-only", "none", "always"),
        ),
    }

    def __post_init__(self) -> None:
        check_settings("ge2e", self.SETTINGS, {"normalize": self.normalize})
        if self.seed is not None:
            check_seed("ge2e", self.seed)

    @property
    def info(self) -> ModelInfo:
        """What identifies its states; needs the weights to be installed, unless they are drawn."""
        if self.seed is None:
            return _info(self.normalize, _weights_version(weights_path()))
        return untrained_info(_info(self.normalize, ""), self.seed, version=_DRAWN)

    def untrained(self, seed: int) -> Ge2e:
        """Give a copy whose weights are drawn, uniformly within 1/16, as ``torch.nn.LSTM`` begins.

        Parameters
        ----------
        seed : int, 0 to 2**63 - 1
            Equal seeds give equal weights.

        Returns
        -------
        Ge2e
            With the same input.
        """
        return dataclasses.replace(self, seed=seed)

    def layers(self, waveform: Waveform) -> Iterator[Layer]:
        """Hand on the mel input and the three LSTM layers of one clip.

        Parameters
        ----------
        waveform : Waveform
            The whole clip at 16 kHz, of any length.

        Yields
        ------
        Layer
            One after the other; a layer is computed when it is asked for.

        Raises
        ------
        DataError
            If the waveform has another rate, or states are not finite.
        MissingExtraError
            If the weights are not installed.
        """
        info = self.info
        check_rate(waveform, info)
        cells = _trained_cells(weights_path()) if self.seed is None else _drawn_cells(self.seed)
        states = mel_power(level(waveform.samples, self.normalize), bands=BANDS, n_fft=WINDOW)
        yield Layer(info.layers[0], states, waveform.clip_id)
        for layer, cell in zip(info.layers[1:], cells, strict=True):
            states = cell(states)
            yield Layer(layer, states, waveform.clip_id)


def level(samples: NDArray[np.float32], normalize: Normalize) -> NDArray[np.float32]:
    """Bring a clip to the level that the model expects.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples,)
        Left alone.
    normalize : {"increase-only", "none", "always"}
        See :class:`Ge2e`.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        The samples times one gain. Digital silence stays as it is.
    """
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    if normalize == "none" or power == 0.0:
        return samples
    gain = 10 ** (TARGET_DBFS / 20) / np.sqrt(power)
    if normalize == "increase-only" and gain <= 1.0:
        return samples
    return (samples * gain).astype(np.float32)


def weights_path() -> Path:
    """Find the weights in the installed wheel, without importing it.

    Returns
    -------
    Path
        Of ``pretrained.pt``.

    Raises
    ------
    MissingExtraError
        If the package is not installed, or holds no such file.
    """
    spec = importlib.util.find_spec("resemblyzer")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "pretrained.pt"
        if path.is_file():
            return path
    raise MissingExtraError("resemblyzer (the weights of ge2e)", _REMEDY)


@functools.cache
def _weights_version(path: Path) -> str:
    try:
        release = importlib.metadata.version("resemblyzer")
    except importlib.metadata.PackageNotFoundError:
        release = "unknown"
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return f"resemblyzer {release}, weights {digest[:12]}"


@functools.cache
def _info(normalize: Normalize, version: str) -> ModelInfo:
    grid = mel_grid()
    names = ("mel", *(f"lstm {index}" for index in range(1, N_LAYERS + 1)))
    dims = (BANDS, *(HIDDEN for _ in range(N_LAYERS)))
    return ModelInfo(
        name=name_with("ge2e", Ge2e.SETTINGS, {"normalize": normalize}),
        kind="model",
        version=version,
        settings={"normalize": normalize, "bands": BANDS, "window": WINDOW, "hop": HOP},
        sample_rate=SAMPLE_RATE,
        layers=tuple(
            LayerInfo(index, name, dim, grid, lag)
            for index, (name, dim, lag) in enumerate(zip(names, dims, LAGS, strict=True))
        ),
        licence="Apache-2.0",
        citation=(
            "L. Wan, Q. Wang, A. Papir and I. Lopez Moreno, Generalized end-to-end loss for speaker "
            "verification, ICASSP 2018; weights: C. Jemine, Resemblyzer, Resemble AI"
        ),
    )


Cell = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@functools.cache
def _trained_cells(path: Path) -> tuple[Cell, ...]:
    """Read the weights of the three layers; the linear layer above them is not a frame's state."""
    import torch

    state = torch.load(path, weights_only=True, map_location="cpu")["model_state"]
    try:
        weights = [{part: state[f"lstm.{part}_l{k}"] for part in _PARTS} for k in range(N_LAYERS)]
        return tuple(_cell(weight) for weight in weights)
    except (KeyError, RuntimeError) as error:
        raise SpecError(f"{path.name}: does not hold the weights of ge2e ({error}); {_REMEDY}") from error


@functools.lru_cache(maxsize=4)
def _drawn_cells(seed: int) -> tuple[Cell, ...]:
    """Draw weights in the order in which ``torch.nn.LSTM`` draws them, from a generator of their own."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    bound = HIDDEN**-0.5
    cells: list[Cell] = []
    for n_inputs in (BANDS, HIDDEN, HIDDEN):
        shapes = [(4 * HIDDEN, n_inputs), (4 * HIDDEN, HIDDEN), (4 * HIDDEN,), (4 * HIDDEN,)]
        drawn = [torch.empty(shape).uniform_(-bound, bound, generator=generator) for shape in shapes]
        cells.append(_cell(dict(zip(_PARTS, drawn, strict=True))))
    return tuple(cells)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Keep torch to one thread: the steps of a recurrent layer are so small that others only wait for each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


_PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def _cell(weights: dict[str, torch.Tensor]) -> Cell:
    """Make one LSTM layer: from (n_frames, dim) to (n_frames, 256), starting from rest."""
    import torch

    n_inputs = weights["weight_ih"].shape[1]
    # made without memory first: a layer that draws weights for itself draws them from the caller's generator
    lstm = torch.nn.LSTM(n_inputs, HIDDEN, batch_first=True, device="meta").to_empty(device="cpu")
    lstm.load_state_dict({f"{part}_l0": tensor for part, tensor in weights.items()})
    lstm.eval().requires_grad_(False)

    def run(states: NDArray[np.float32]) -> NDArray[np.float32]:
        memory = None
        outputs = np.empty((len(states), HIDDEN), dtype=np.float32)
        with torch.no_grad(), _one_thread():
            for first in range(0, len(states), _BLOCK):
                part = torch.from_numpy(states[None, first : first + _BLOCK])
                output, memory = lstm(part, memory)
                outputs[first : first + _BLOCK] = output[0].numpy()
        return outputs

    return run

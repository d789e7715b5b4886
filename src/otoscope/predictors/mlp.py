"""A small network on prepared features: two hidden layers, a bag of seeds, stopped early.

The members of a bag are trained side by side. Each holds out another inner fold, and stops where that is predicted
best. PyTorch trains, in one thread and with a generator of its own; NumPy predicts.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from otoscope.predictors.inner import N_INNER_FOLDS
from otoscope.predictors.tables import AGGREGATE, Learned, Problem, TablePredictor
from otoscope.specs import Setting

if TYPE_CHECKING:
    import torch

__all__ = ["HIDDEN", "MlpPredictor", "NetworkRegressor", "Training", "train_network"]

FloatArray = NDArray[np.float64]
HIDDEN = (100, 32)
_LAYERS = len(HIDDEN) + 1
_FIELDS = tuple(f"{kind}{layer}" for layer in range(_LAYERS) for kind in ("weight", "bias"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How a network is trained.

    Parameters
    ----------
    rate : float
        Learning rate of Adam [1]_.
    decay : float
        Decoupled weight decay.
    dropout : float, in [0, 1)
        Share of hidden units that are left out at each step.
    batch : int
        Rows in a step.
    epochs : int
        At most.
    patience : int
        Epochs without a better held-out error before a member stops.
    sigmoid : bool
        Whether the output is squeezed between 0 and 1.
    drop_output : bool
        Whether dropout also falls on the output, before the sigmoid: a mistake of a published network.

    References
    ----------
    .. [1] D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR, 2015; the decay is that of
       I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", ICLR, 2019.
    """

    rate: float = 1e-3
    decay: float = 0.01
    dropout: float = 0.3
    batch: int = 64
    epochs: int = 60
    patience: int = 8
    sigmoid: bool = False
    drop_output: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class NetworkRegressor:
    """The mean of a bag of networks with rectified hidden units.

    Parameters
    ----------
    parameters : mapping of str to ndarray of float32
        ``weight0`` of shape (n_members, n_features, 100), ``bias0`` of shape (n_members, 1, 100), and so on.
    mean, scale : float
        The output is multiplied by `scale`, and `mean` is added.
    sigmoid : bool
        Whether the output is squeezed between 0 and 1 first.
    """

    parameters: Mapping[str, NDArray[np.float32]]
    mean: float = 0.0
    scale: float = 1.0
    sigmoid: bool = False

    @property
    def kind(self) -> str:
        """Which class reads its arrays back."""
        return "network"

    def predict(self, z: FloatArray) -> FloatArray:
        """Predict.

        Parameters
        ----------
        z : ndarray of float64, shape (n_rows, n_features)
            Prepared rows.

        Returns
        -------
        ndarray of float64, shape (n_rows,)
            In the unit of the scores. Computed in float64, so that a row's prediction does not depend on the others.
        """
        wide = {name: array.astype(np.float64) for name, array in self.parameters.items()}
        n_members = wide["weight0"].shape[0]
        total = np.zeros(len(z))
        for member in range(n_members):
            x = z
            for layer in range(_LAYERS):
                x = x @ wide[f"weight{layer}"][member] + wide[f"bias{layer}"][member]
                if layer < _LAYERS - 1:
                    x = np.maximum(x, 0.0)
            out = x[:, 0]
            total += 0.5 * (1.0 + np.tanh(out / 2)) if self.sigmoid else out
        return self.mean + self.scale * total / n_members

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give all that it needs.

        Returns
        -------
        dict of str to ndarray
            By name.
        """
        return dict(self.parameters) | {
            "mean": np.array(self.mean),
            "scale": np.array(self.scale),
            "sigmoid": np.array(self.sigmoid, dtype=np.uint8),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> NetworkRegressor:
        """Make it from what :meth:`arrays` gave.

        Parameters
        ----------
        arrays : mapping of str to ndarray
            By name.

        Returns
        -------
        NetworkRegressor
            An equal one.
        """
        parameters = {name: np.asarray(arrays[name], dtype=np.float32) for name in _FIELDS}
        return cls(parameters, float(arrays["mean"]), float(arrays["scale"]), bool(arrays["sigmoid"]))


def train_network(
    z: FloatArray,
    y: FloatArray,
    weights: FloatArray,
    held: NDArray[np.bool_],
    watched: NDArray[np.bool_],
    *,
    training: Training,
    seed: int,
) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.intp]]:
    """Train a bag of networks side by side.

    Parameters
    ----------
    z : ndarray of float64, shape (n_rows, n_features)
        Prepared rows.
    y : ndarray of float64, shape (n_rows,)
        Their scores, near 0 and 1 in size.
    weights : ndarray of float64, shape (n_rows,)
        Above 0.
    held : ndarray of bool, shape (n_rows, n_members)
        Rows that a member is not trained on. A member that holds out nothing is trained for all epochs.
    watched : ndarray of bool, shape (n_rows,)
        Of the rows held out, those whose error says when to stop.
    training : Training
        How.
    seed : int
        Of the first weights, the order of rows and the dropout.

    Returns
    -------
    parameters : dict of str to ndarray of float32
        For :class:`NetworkRegressor`: those of each member's best epoch.
    epochs : ndarray of int, shape (n_members,)
        Which epoch that was.
    """
    import torch

    with _one_thread():
        generator = torch.Generator().manual_seed(seed)
        x = torch.from_numpy(z.astype(np.float32))
        target = torch.from_numpy(y.astype(np.float32))
        n_members = held.shape[1]
        # A member sees the rows that it holds out too, but they weigh nothing.
        counts = torch.from_numpy(np.where(held, 0.0, (weights / weights.mean())[:, None]).T.astype(np.float32))
        watch = torch.from_numpy(np.where(held & watched[:, None], weights[:, None], 0.0).T.astype(np.float32))
        watches = watch.sum(dim=1) > 0
        parameters = _first_parameters(z.shape[1], n_members, generator)
        optimizer = torch.optim.AdamW(parameters, lr=training.rate, weight_decay=training.decay)
        best = [parameter.detach().clone() for parameter in parameters]
        best_error = torch.full((n_members,), torch.inf)
        best_epoch = torch.zeros(n_members, dtype=torch.long)
        for epoch in range(1, training.epochs + 1):
            order = torch.stack([torch.randperm(len(x), generator=generator) for _ in range(n_members)])
            for start in range(0, len(x), training.batch):
                batch = order[:, start : start + training.batch]
                output = _forward(x[batch], parameters, training, generator)
                loss = (counts.gather(1, batch) * (output - target[batch]).square()).mean(dim=1).sum()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            with torch.no_grad():
                output = _forward(x.expand(n_members, *x.shape), parameters, training, None)
                error = (watch * (output - target).square()).sum(dim=1) / watch.sum(dim=1).clamp(min=1e-30)
                better = (error < best_error) & (epoch - best_epoch <= training.patience) | ~watches
                best_error = torch.where(better, error, best_error)
                best_epoch = torch.where(better, epoch, best_epoch)
                for kept, parameter in zip(best, parameters, strict=True):
                    kept[better] = parameter.detach()[better]
            if bool((epoch - best_epoch > training.patience).all()):
                break
        arrays = {name: kept.numpy().copy() for name, kept in zip(_FIELDS, best, strict=True)}
        return arrays, best_epoch.numpy().astype(np.intp)


def _first_parameters(n_features: int, n_members: int, generator: torch.Generator) -> list[torch.Tensor]:
    """Draw weights with He's scale; biases are 0."""
    import torch

    sizes = (n_features, *HIDDEN, 1)
    parameters: list[torch.Tensor] = []
    for n_in, n_out in itertools.pairwise(sizes):
        scale = (2.0 / n_in) ** 0.5 if n_out > 1 else (1.0 / n_in) ** 0.5
        parameters.append((torch.randn(n_members, n_in, n_out, generator=generator) * scale).requires_grad_())
        parameters.append(torch.zeros(n_members, 1, n_out, requires_grad=True))
    return parameters


def _forward(
    x: torch.Tensor, parameters: list[torch.Tensor], training: Training, generator: torch.Generator | None
) -> torch.Tensor:
    """Give the outputs, shape (n_members, n_rows); with dropout where there is a generator."""
    import torch

    for layer in range(_LAYERS):
        x = torch.baddbmm(parameters[2 * layer + 1], x, parameters[2 * layer])
        last = layer == _LAYERS - 1
        if not last:
            x = x.relu()
        if generator is not None and training.dropout > 0 and (training.drop_output or not last):
            kept = torch.rand(x.shape, generator=generator) >= training.dropout
            x = x * kept / (1 - training.dropout)
    output = x[..., 0]
    return output.sigmoid() if training.sigmoid else output


@contextmanager
def _one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.enable_grad():
            yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True, slots=True, kw_only=True)
class MlpPredictor(TablePredictor):
    """A bag of networks with 100 and 32 hidden units.

    Parameters
    ----------
    bag : int
        How many networks are averaged. Each holds out another inner fold, and stops where that is predicted best.
    dropout : float
        Share of hidden units left out at each step; never of the output.
    decay : float
        Decoupled weight decay.
    rate : float
        Learning rate.
    epochs : int
        At most; all of them where there are too few groups for inner folds.
    aggregate : {"mean", "max"}
        How the predictions of a clip's segments come together.
    shifts : tuple of float, semitones
        Of the copies that are fitted on beside each clip.
    seed : int
        Of the inner folds and of whatever is drawn.

    Raises
    ------
    SpecError
        If a setting is not accepted.
    """

    BASE: ClassVar[str] = "mlp"
    SETTINGS: ClassVar[Mapping[str, Setting]] = {
        "bag": Setting(5, "networks that are averaged", least=1, most=50),
        "dropout": Setting(0.3, "share of hidden units left out at each step", least=0, most=0.9),
        "decay": Setting(0.01, "weight decay", least=0, most=10),
        "rate": Setting(1e-3, "learning rate", least=1e-6, most=1),
        "epochs": Setting(60, "epochs at most", least=1, most=10_000),
        "aggregate": AGGREGATE,
    }

    bag: int = 5
    dropout: float = 0.3
    decay: float = 0.01
    rate: float = 1e-3
    epochs: int = 60

    def learn(self, problem: Problem) -> Learned:
        """Learn the networks.

        Parameters
        ----------
        problem : Problem
            Prepared rows, scores, weights and inner folds.

        Returns
        -------
        Learned
            A :class:`NetworkRegressor`; chosen is ``epochs``, the mean over the bag.
        """
        rows, (mean, deviation) = problem.rows, problem.centre
        members = np.arange(self.bag)
        if problem.folds is None:
            held = np.zeros((len(rows.clip), self.bag), dtype=np.bool_)
        else:
            held = problem.folds[rows.clip][:, None] == members % N_INNER_FOLDS
        parameters, epochs = train_network(
            problem.z,
            (rows.y - mean) / deviation,
            rows.weights,
            held,
            rows.plain,
            training=Training(dropout=self.dropout, decay=self.decay, rate=self.rate, epochs=self.epochs),
            seed=self.seed,
        )
        return Learned(NetworkRegressor(parameters, mean, deviation), {"epochs": float(epochs.mean())})

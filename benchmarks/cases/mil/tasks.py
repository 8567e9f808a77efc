"""Bags, and one classification of them as every contender trains it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from suite import same, start_of
from suite.timing import in_turns
from torch import Tensor

from mlmi_sklearn import Bags, MILClassifier

from . import loops
from .loops import DECAY, HEADS, LR, UNITS, Net

__all__ = ["Task", "make_bags", "mild", "wide"]

INSIDE: dict[str, dict[str, Any]] = {
    "max": {"anneal": 0.0},
    "attention": {"hidden": UNITS},
    "gated-attention": {"hidden": UNITS},
    "transformer": {
        "width": UNITS,
        "heads": HEADS,
        "n_layers": 1,
        "feedforward": 4 * UNITS,
    },
}


@dataclass
class Task:
    """Data, net and length of the training.

    Parameters
    ----------
    pooling : str
        One of :data:`INSIDE`.
    bags : Bags
        Inputs.
    y : array of shape (n_bags,)
        Classes, 0 and 1.
    batch, epochs : int
        Bags of a batch and length of the training.
    way : {"bags", "segments", "padded"}
        How the raw loop pools.
    """

    pooling: str
    bags: Bags
    y: np.ndarray
    batch: int
    epochs: int
    way: str = "segments"
    tensors: list[Tensor] = field(init=False)
    labels: Tensor = field(init=False)

    def __post_init__(self) -> None:
        whole = torch.from_numpy(np.asarray(self.bags.values))
        self.tensors = list(whole.split(self.bags.lengths.tolist()))
        self.labels = torch.from_numpy(self.y).float()

    def estimator(self, epochs: int | None = None) -> MILClassifier:
        """Return ours."""
        inner = {f"pooling__{k}": v for k, v in INSIDE[self.pooling].items()}
        return MILClassifier(
            backbone="mlp",
            pooling=self.pooling,
            level="embedding",
            batch_size=self.batch,
            max_epochs=epochs or self.epochs,
            lr=LR,
            weight_decay=DECAY,
            scale_inputs=False,  # nor do the others
            device="cpu",
            random_state=0,
        ).set_params(backbone__hidden=(UNITS,), **inner)

    def in_quickest_way(self, run: Callable[[Task], object]) -> Task:
        """Return the task with the raw loop that takes the least time here.

        ``run`` runs the raw loop of a task.
        """
        ways = {way: dataclasses.replace(self, way=way) for way in loops.WAYS}
        runs = {way: partial(run, task) for way, task in ways.items()}
        clock = "cpu" if torch.get_num_threads() == 1 else "wall"
        seconds = in_turns(runs, 3, clock)
        return ways[min(seconds, key=lambda way: min(seconds[way]))]

    def ours(self, epochs: int | None = None) -> MILClassifier:
        """Fit ours."""
        return self.estimator(epochs).fit(self.bags, self.y)

    def net(self) -> Net:
        """Return the plain net."""
        return Net(self.tensors[0].shape[1], self.pooling, self.way)

    def limit(self) -> Net:
        """Train the raw loop."""
        return loops.train(
            self.net(), self.tensors, self.labels, self.epochs, self.batch
        )

    def as_ours(self, module: torch.nn.Module) -> Net:
        """Return the plain net with the weights of a module of the estimator."""
        net = self.net()
        of_ours = module.state_dict()
        named = {n: of_ours[self._name_in_ours(n)] for n in net.state_dict()}
        # The projection to the width of the transformer is the identity: no weights.
        assert len(named) == len(of_ours), "the nets have different layers"
        net.load_state_dict(named)
        return net

    def agree(self) -> str:
        """Raw loop and estimator, started alike, must end alike."""
        model = self.ours(1)
        start, order = start_of(model)
        net = self.as_ours(start)
        loops.train(net, self.tensors, self.labels, 1, self.batch, order)
        # Adam blows up what rounding leaves where a gradient is almost zero.
        tolerance = 5e-4 if self.pooling == "transformer" else 1e-4
        found = same(net, self.as_ours(model.net_.module_), tolerance)
        return f"{found}; the way of the limit: {self.way}"

    def _name_in_ours(self, name: str) -> str:
        first, _, rest = name.partition(".")
        if first == "block":
            part, _, rest = rest.partition(".")
            inside = "norm" if part == "last" else f"layers.0.{part}"
            return f"pooling.{inside}.{rest}"
        if first == "backbone":
            return f"backbone.0.{rest}"
        if first == "head":
            return name
        # The transformer ends in gated attention.
        within = "pooling.readout" if self.pooling == "transformer" else "pooling"
        return f"{within}.{first}.{rest}"


def make_bags(lengths: np.ndarray, columns: int = UNITS) -> tuple[Bags, np.ndarray]:
    """Return bags of noise with labels of noise."""
    rng = np.random.default_rng(0)
    shape = (int(lengths.sum()), columns)
    values = rng.standard_normal(shape, dtype=np.float32)
    y = rng.permutation(np.arange(len(lengths)) % 2)
    return Bags(values, lengths), y


def mild(n: int = 400) -> tuple[Bags, np.ndarray]:
    """Return bags of 20 to 39 instances."""
    return make_bags(np.random.default_rng(0).integers(20, 40, n))


def wide(n: int = 200) -> tuple[Bags, np.ndarray]:
    """Return bags of 5 to 968 instances, 54 in the median."""
    rng = np.random.default_rng(0)
    lengths = np.exp(rng.normal(np.log(54), 1.3, n)).astype(int).clip(5, 968)
    lengths[:2] = 5, 968
    return make_bags(lengths)

"""Which nets can be trained together, and where that saves time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn
from torch.optim import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    NAdam,
    Optimizer,
    RAdam,
    RMSprop,
)

from ...nn.models import Predictor
from ..batches import batch_bounds
from ..data import TensorRows, TrainingData
from ..foreign import is_foreign
from ..net import LeanNet
from ..seeding import draws_random_numbers

__all__ = ["ELEMENTWISE", "Structure", "structure_of"]

ELEMENTWISE: tuple[type[Optimizer], ...] = (
    *(Adam, AdamW, SGD, RMSprop, Adagrad, Adadelta, Adamax, NAdam, RAdam),
)
"""Optimisers that treat every number by itself, so that stacked weights change as
single ones do."""

# Multiplications of one net in a forward pass on a batch, above which a step is no
# longer mostly overhead (benchmarks/cases/many_fits.py).
_WORTHWHILE = 4_000_000

# Numbers that all nets of a stack may touch between two of their layers, or in a step
# of the optimiser: what stays in the cache of a processor.
_CACHED = 2**20
_FEWEST = 4
_MOST = 256


@dataclass(frozen=True)
class Structure:
    """What nets must have in common to be trained together.

    Parameters
    ----------
    weights : tuple of (str, tuple of int)
        Names and shapes of all parameters.
    layers : str
        The module as text, with the settings of its layers.
    inputs : tuple
        Shape of a sample, and the types of inputs, targets and weights.
    steps : tuple of int
        Epochs, batches of an epoch and rows of a batch.
    optimizer : type
        Class of the optimiser.
    device : str
        Where the nets are.
    work : int
        Multiplications of a net for a batch, counted roughly.
    numbers : int
        Its weights, or results of its widest layer for a batch, if those are more.
    """

    weights: tuple[tuple[str, tuple[int, ...]], ...]
    layers: str
    inputs: tuple[Any, ...]
    steps: tuple[int, ...]
    optimizer: type[Optimizer]
    device: str
    work: int
    numbers: int

    @property
    def pays(self) -> bool:
        """Whether a step of one such net is mostly overhead on a processor."""
        return self.work <= _WORTHWHILE or self.device != "cpu"

    @property
    def at_once(self) -> int:
        """How many of such nets are best trained together."""
        if self.device != "cpu":
            return _MOST
        return min(max(_CACHED // max(self.numbers, 1), _FEWEST), _MOST)


def structure_of(net: LeanNet, data: TrainingData) -> Structure | None:
    """Return what a net needs the others to share; None if it must train alone.

    Parameters
    ----------
    net : LeanNet
        Initialised, about to be trained.
    data : TrainingData
        What it is to be trained on.

    Returns
    -------
    Structure or None
        None for nets that draw random numbers, have buffers (such as running means),
        are told of their progress, compute in half precision, are compiled, or whose
        optimiser looks at whole tensors.
    """
    module, optimizer = net.module_, net.optimizer_
    if not (_is_plain(net) and _is_plain_module(module) and _is_plain_data(data)):
        return None
    if type(optimizer) not in ELEMENTWISE or len(optimizer.param_groups) != 1:
        return None
    weights = [(n, tuple(p.shape)) for n, p in module.named_parameters()]
    if not weights or not all(p.requires_grad for p in module.parameters()):
        return None
    x = cast(TensorRows, data.rows).values
    y: Any = data.targets.y
    n_batches = len(batch_bounds(len(data), net.batch_size))
    rows = min(net.batch_size, len(data))
    elements = sum(p.numel() for p in module.parameters())
    widest = max(p.shape[0] for p in module.parameters())
    rows *= _reuse(x, module)
    return Structure(
        tuple(weights),
        repr(module),
        (
            tuple(x.shape[1:]),
            x.dtype,
            tuple(y.shape[1:]),
            y.dtype,
            data.targets.weight is None,
        ),
        (net.max_epochs, n_batches, net.batch_size),
        type(optimizer),
        str(net.device),
        rows * elements,
        max(rows * widest, elements),
    )


def _is_plain(net: LeanNet) -> bool:
    """Tell whether a net trains by the loop that is repeated here."""
    return (
        type(net) is LeanNet
        and net.amp_dtype is None
        and net.train_split is None
        and not net.callbacks
        and not net.epochs_before
        and not any(s.get("step", 0) for s in net.optimizer_.state.values())
    )


def _is_plain_module(module: nn.Module) -> bool:
    return (
        isinstance(module, Predictor)
        and next(module.buffers(), None) is None
        and module._compiled_call_impl is None
        and not draws_random_numbers(module)
        and not any(is_foreign(part) for part in module.modules())
    )


def _is_plain_data(data: TrainingData) -> bool:
    return isinstance(data.rows, TensorRows) and data.targets.y is not None


def _reuse(x: torch.Tensor, module: nn.Module) -> int:
    """Return how often a weight meets one sample: once a pixel in convolutions."""
    convolutions = any(
        isinstance(part, nn.modules.conv._ConvNd) for part in module.modules()
    )
    return max(1, x[0, 0].numel()) if convolutions and x.ndim > 2 else 1

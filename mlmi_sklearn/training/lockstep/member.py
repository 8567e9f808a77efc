"""One of the nets that are trained together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from ..data import TrainingData
from ..net import LeanNet

__all__ = ["EarlyStopping", "Member"]


@dataclass(frozen=True)
class EarlyStopping:
    """When a net stops before its last epoch.

    Parameters
    ----------
    data : TrainingData
        Rows that are set aside, on the device of the net.
    patience : int
        Epochs without improvement before training stops.
    tol : float
        Improvement that counts.
    """

    data: TrainingData
    patience: int
    tol: float


@dataclass(frozen=True)
class Member:
    """Where a net begins, and how and on what it is trained.

    Several members may share each of these objects; work that depends on nothing but
    shared ones is then done once.

    Parameters
    ----------
    pattern : LeanNet
        Initialised net that tells layers, loss, optimiser, schedule, epochs and batch
        size. It is neither trained nor changed.
    weights : mapping of str to Tensor
        Parameters to begin with, by name, on the device of the pattern.
    order_seed : int
        Seed of the order of rows.
    data : TrainingData
        What it is trained on, on the device of the pattern.
    stopping : EarlyStopping or None, default=None
        Whether it may stop early. Either all members of a group may, or none.
    """

    pattern: LeanNet
    weights: Mapping[str, Tensor]
    order_seed: int
    data: TrainingData
    stopping: EarlyStopping | None = None

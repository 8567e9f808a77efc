"""Decisions taken once before training: seeds, device, types, batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import (
    GroupShuffleSplit,
    ShuffleSplit,
    StratifiedShuffleSplit,
)
from sklearn.utils import check_random_state

from ..training.device import resolve_device, resolve_dtype, resolve_precision
from ..training.distributed import current_ranks
from ..training.net import LeanNet
from .targets import Encoded

__all__ = ["FitJob", "Plan", "make_plan", "seeded", "split_rows"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Plan:
    """Where, in which precision and with which seeds a fit runs."""

    device: torch.device
    dtype: torch.dtype
    amp_dtype: torch.dtype | None
    init_seed: int
    order_seed: int
    noise_seed: int
    split_seed: int

    @property
    def dtype_name(self) -> str:
        """Name of the type of the weights."""
        return str(self.dtype).removeprefix("torch.")


@dataclass
class FitJob:
    """A fit with everything ready for training.

    Parameters
    ----------
    net : LeanNet
        Initialised.
    inputs : object
        Validated inputs.
    encoded : Encoded
        Their targets.
    plan : Plan
        The decisions taken.
    attributes : dict
        Fitted attributes to write when training has ended.
    resume : bool
        Whether training goes on from earlier weights.
    """

    net: LeanNet
    inputs: Any
    encoded: Encoded
    plan: Plan
    attributes: dict[str, Any]
    resume: bool


def make_plan(
    estimator: Any, input_dtype: torch.dtype, kept: torch.dtype | None = None
) -> Plan:
    """Take the decisions for one fit.

    Parameters
    ----------
    estimator : TorchEstimator
        Its ``device``, ``dtype``, ``precision`` and ``random_state`` are read.
    input_dtype : torch.dtype
        Type of the validated input.
    kept : torch.dtype, optional
        Type of the model that training continues from.

    Returns
    -------
    Plan
        The decisions. Exactly one number is drawn from ``random_state``, so that an
        estimator takes the same amount from a shared generator whatever its options.
    """
    current_ranks()  # are joined first, since that decides which GPU is "cuda"
    device = resolve_device(estimator.device)
    dtype = kept or resolve_dtype(estimator.dtype, input_dtype, device)
    amp_dtype = resolve_precision(estimator.precision, dtype, device)
    return Plan(device, dtype, amp_dtype, *_draw_seeds(estimator.random_state))


def seeded(plan: Plan, random_state: Any) -> Plan:
    """Return a plan with the seeds that a ``random_state`` gives."""
    return Plan(plan.device, plan.dtype, plan.amp_dtype, *_draw_seeds(random_state))


def _draw_seeds(random_state: Any) -> list[int]:
    """Draw one number, and make the seeds of initial weights, order and so on of it."""
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    ranks = current_ranks()
    if ranks is not None:  # random_state=None is another number in each process
        seed = ranks.same(seed)
    return np.random.SeedSequence(seed).generate_state(4).tolist()


def split_rows(
    n: int, fraction: float, seed: int, strata: Array | None, groups: Array | None
) -> tuple[Array, Array]:
    """Split rows into training and validation.

    Parameters
    ----------
    n : int
        Number of rows.
    fraction : float
        Share of rows (or of groups) for validation.
    seed : int
        Seed of the split.
    strata : ndarray or None
        Classes, kept in proportion where that is possible.
    groups : ndarray or None
        Rows of one group stay on one side; takes precedence over ``strata``.

    Returns
    -------
    train, valid : ndarray of int
        Row numbers.

    Raises
    ------
    ValueError
        If there are too few rows or groups for a split.

    Examples
    --------
    >>> train, valid = split_rows(10, 0.2, 0, None, None)
    >>> len(train), len(valid)
    (8, 2)
    """
    options = {"n_splits": 1, "test_size": fraction, "random_state": seed}
    units = n if groups is None else len(np.unique(groups))
    what = "sample" if groups is None else "group"
    if units < 2:
        raise ValueError(
            f"early_stopping=True needs at least two {what}s to set some aside, got "
            f"n_{what}s = {units}. Set early_stopping=False."
        )
    if np.ceil(fraction * units) >= units:
        raise ValueError(
            f"validation_fraction={fraction} of {units} {what}s leaves none to train "
            f"on. Pass at most {(units - 1) / units:.3g}."
        )
    if groups is not None:
        splitter: Any = GroupShuffleSplit(**options)
    elif strata is not None and _can_stratify(strata, n, fraction):
        splitter = StratifiedShuffleSplit(**options)
    else:
        splitter = ShuffleSplit(**options)
    return next(splitter.split(np.empty(n), strata, groups))


def _can_stratify(strata: Array, n: int, fraction: float) -> bool:
    _, counts = np.unique(strata, return_counts=True)
    n_valid = int(np.ceil(fraction * n))
    return bool(counts.min() >= 2 and min(n_valid, n - n_valid) >= len(counts))

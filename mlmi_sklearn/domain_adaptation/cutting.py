"""From a stack of rows of all domains to the sets that a net trains on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from ..base.inputs import as_tensor
from ..base.plan import Plan
from ..base.targets import Encoded
from ..training.data import Targets, TrainingData
from ..training.device import fits_on
from .batches import RowsOfDomains
from .inputs import DomainRows

__all__ = [
    "Cut",
    "as_domain_rows",
    "domain_names",
    "known_rows",
    "labelled_source_rows",
    "require_known_domains",
]

Array = NDArray[Any]


def as_domain_rows(inputs: Any) -> DomainRows:
    """Return rows with their domains; plain rows are all of one source."""
    return inputs if isinstance(inputs, DomainRows) else DomainRows(inputs, None)


def domain_names(rows: DomainRows, known: Array | None) -> Array:
    """Return ids of domains, those already known first, then sources, then targets."""
    names = np.array([]) if rows.domains is None else rows.domains.names
    if known is None or not len(known):
        return names
    new = names[~pd.Series(names).isin(known).to_numpy(bool)]
    return known if not len(new) else np.concatenate([known, new])


def require_known_domains(names: Array, n_domains: int) -> None:
    """Raise a ValueError if a critic of several domains is to learn new ones."""
    if 2 < n_domains < len(names):
        raise ValueError(
            f"sample_domain holds new domains {names[n_domains:].tolist()}; the critic "
            f"of this model knows {names[:n_domains].tolist()}. Pass rows of all "
            "domains in the first call, or fit anew with warm_start=False."
        )


def known_rows(y: Array) -> Array:
    """Return which rows have a target.

    Parameters
    ----------
    y : ndarray of shape (n,) or (n, n_outputs)
        Encoded targets: -1 for an unknown class, NaN for an unknown number.

    Returns
    -------
    ndarray of bool of shape (n,)
        Where to train.

    Raises
    ------
    ValueError
        If of a row only some of several targets are known.
    """
    if y.ndim == 1:
        return np.asarray(y >= 0)
    unknown = np.isnan(y)
    some = unknown.any(1) & ~unknown.all(1)
    if some.any():
        raise ValueError(
            f"y has {int(some.sum())} rows of which only some of the targets are "
            "known. Mark all targets of such a row as unknown, or fill them in."
        )
    return np.asarray(~unknown.all(1))


def labelled_source_rows(known: Array, is_target: Array) -> Array:
    """Return the numbers of rows of a source with a target; there must be some."""
    rows = np.flatnonzero(known & ~is_target)
    if not len(rows):
        raise ValueError(
            "No row of a source has a target that is known and a sample_weight above "
            "0. Pass labelled rows of a source (sample_domain >= 0); where there is "
            "one domain only, pass no sample_domain."
        )
    return rows


class Cut:
    """Make training sets of some rows of a stack.

    Parameters
    ----------
    estimator : DomainEstimator
        Turns rows into tensors.
    rows : DomainRows
        The stack.
    encoded : Encoded
        Targets and weights of its rows.
    plan : Plan
        Types and device.
    """

    def __init__(
        self, estimator: Any, rows: DomainRows, encoded: Encoded, plan: Plan
    ) -> None:
        self.estimator = estimator
        self.rows = rows
        self.encoded = encoded
        self.plan = plan
        self.codes: torch.Tensor | None = None
        names = encoded.attributes["domains_"]
        if len(names) > 2 and rows.domains is not None:
            self.codes = torch.from_numpy(rows.domains.codes(names))

    def __call__(self, index: Array) -> TrainingData:
        """Return the rows of ``index`` and their targets, on the device if they fit.

        Parameters
        ----------
        index : ndarray of int
            Row numbers.

        Returns
        -------
        TrainingData
            The set.
        """
        every = len(index) == len(self.rows)
        part = self.rows if every else self.rows[index]
        rows: Any = self.estimator._rows(part, self.plan.dtype)
        if self.codes is not None:
            rows = RowsOfDomains(rows, self.codes[torch.from_numpy(index)])
        y = as_tensor(self.encoded.y[index])
        if y.is_floating_point():
            y = y.to(self.plan.dtype)
        weight, given = None, self.encoded.weight
        if given is not None:
            weight = as_tensor(given[index], self.plan.dtype, "sample_weight")
        data = TrainingData(rows, Targets(y, weight))
        return (
            data.to(self.plan.device)
            if fits_on(self.plan.device, rows.nbytes)
            else data
        )

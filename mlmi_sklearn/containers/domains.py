"""Which rows come from where: the domains of a stacked data set.

Rows of all domains are stacked, and ``sample_domain`` holds one id a row. Ids of at
least 0 are source domains, negative ids are target domains (the convention of skada);
any ids, strings too, may be used once the targets are named. Without ids, the rows
whose target is not known are the target domain: the habit of
:mod:`sklearn.semi_supervised`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .naming import naming
from .unlabelled import unlabelled

__all__ = ["SOURCE", "TARGET", "Domains", "resolve_domains"]

Array = NDArray[Any]

SOURCE, TARGET = 1, -2
"""Ids of the only source and the only target, where rows have no ids of their own."""


@dataclass(frozen=True)
class Domains:
    """The domain of each row.

    Parameters
    ----------
    ids : ndarray of shape (n,)
        Ids as they were given.
    is_target : ndarray of bool of shape (n,)
        Which rows are of a target domain.

    Examples
    --------
    >>> ids = np.array([3, -1, 0, 3])
    >>> domains = Domains(ids, ids < 0)
    >>> domains.names, domains.n_sources
    (array([ 3,  0, -1]), 2)
    >>> domains.codes(domains.names)
    array([0, 2, 1, 0])
    """

    ids: Array
    is_target: Array

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: Any) -> Domains:
        return Domains(self.ids[rows], self.is_target[rows])

    @property
    def names(self) -> Array:
        """Ids, each once: sources in the order of their first rows, then targets."""
        parts = [pd.unique(self.ids[self.is_target == t]) for t in (False, True)]
        return np.concatenate(parts)

    @property
    def n_sources(self) -> int:
        """Number of source domains."""
        return len(pd.unique(self.ids[~self.is_target]))

    def codes(self, names: Array) -> Array:
        """Return positions in ``names`` of the domains of all rows.

        Parameters
        ----------
        names : ndarray of shape (n_domains,)
            Ids, each once.

        Returns
        -------
        ndarray of int64 of shape (n,)
            -1 for an id that is not among them.
        """
        return pd.Index(names).get_indexer(pd.Index(self.ids)).astype(np.int64)


def resolve_domains(
    sample_domain: Any,
    n: int,
    *,
    y: Any = None,
    target_domains: Collection[Any] | None = None,
    integers: bool = True,
) -> Domains | None:
    """Find out which rows are source and which are target.

    Parameters
    ----------
    sample_domain : array-like of shape (n,), scalar or None
        Ids of domains.
    n : int
        Number of rows.
    y : array-like of shape (n,) or (n, n_outputs), default=None
        Targets. Where there are no ids, rows that carry the marker throughout (-1 for
        integers, NaN for floats, None for objects) are the target.
    target_domains : collection of ids, default=None
        Ids that are targets, in place of the negative ones.
    integers : bool, default=True
        Whether -1 marks integers that are unknown; not for numbers to be predicted.

    Returns
    -------
    Domains or None
        None if neither ids nor markers tell anything.

    Raises
    ------
    ValueError
        If the ids are not one a row, missing for some rows, or not numbers while
        ``target_domains`` does not say which are targets.

    Examples
    --------
    >>> resolve_domains([1, 1, -2], 3).is_target
    array([False, False,  True])
    >>> resolve_domains(["A", "B", "B"], 3, target_domains=["B"]).is_target
    array([False,  True,  True])
    >>> resolve_domains(None, 4, y=[0, 1, -1, 1]).is_target
    array([False, False,  True, False])
    """
    if sample_domain is None:
        return _from_markers(y, integers)
    ids = _read_ids(sample_domain, n)
    if target_domains is not None:
        return Domains(ids, pd.Series(ids).isin(list(target_domains)).to_numpy(bool))
    if ids.dtype.kind not in "iuf":
        raise ValueError(
            f"sample_domain holds ids such as {ids.tolist()[0]!r}, which do not say "
            "what is a target. Name the targets in the constructor "
            "(target_domains=[...]), or pass numbers: at least 0 for sources, below 0 "
            "for targets."
        )
    return Domains(ids, np.asarray(ids.astype(float) < 0, dtype=bool))


def _from_markers(y: Any, integers: bool) -> Domains | None:
    missing = None if y is None else unlabelled(y, integers=integers)
    if missing is None:
        return None
    is_target: Array = missing.reshape(len(missing), -1).min(axis=1)
    if not is_target.any():
        return None
    return Domains(np.where(is_target, TARGET, SOURCE), is_target)


def _read_ids(sample_domain: Any, n: int) -> Array:
    with naming("sample_domain"):
        ids = np.asarray(sample_domain)
    if not ids.dtype.isnative:  # pandas cannot look these up
        ids = ids.astype(ids.dtype.newbyteorder("="))
    if ids.ndim == 0:
        ids = np.full(n, ids)
    elif ids.ndim == 2 and ids.shape[1] == 1:  # a frame of one column
        ids = ids[:, 0]
    if ids.shape != (n,):
        raise ValueError(
            f"sample_domain has shape {ids.shape}, but X has {n} rows. Pass one id a "
            "row, or a single id for all."
        )
    if ids.dtype.kind == "V":
        raise TypeError("sample_domain holds records. Pass numbers or text.")
    if pd.isna(ids).any() or np.ma.is_masked(sample_domain):
        raise ValueError("sample_domain has missing values. Pass an id for every row.")
    if ids.dtype.kind == "f" and np.isinf(ids).any():
        raise ValueError("sample_domain holds infinity. Pass finite ids, or text.")
    if ids.dtype.kind == "b":
        raise ValueError(
            "sample_domain holds True and False, which do not say what is a target. "
            "Pass numbers: at least 0 for sources, below 0 for targets."
        )
    return ids

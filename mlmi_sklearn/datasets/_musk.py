"""The MUSK1 data, the first multiple-instance problem."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from mlmi_sklearn.containers import Bags
from mlmi_sklearn.datasets._io import data_file, description


def load_musk1(*, return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load the MUSK1 data: 92 molecules as bags of their conformations.

    A molecule smells of musk if at least one of its shapes does. The features are
    not scaled.

    =============  ==================
    Bags           92 (47 positive)
    Instances      476 (2-40 per bag)
    Features       166
    =============  ==================

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` alone.
    as_frame : bool, default=False
        Whether `data` is a long frame, with one row per instance and a column ``bag``,
        and `target` a Series with one row per bag.

    Returns
    -------
    sklearn.utils.Bunch or tuple
        With the entries ``data`` (:class:`~mlmi_sklearn.Bags` of float32, or a frame),
        ``target`` (ndarray of int of shape (92,), or Series), ``feature_names``,
        ``target_names``, ``frame`` (``data`` with the column ``target``, if
        `as_frame`) and ``DESCR``; or the tuple ``(data, target)``.

    References
    ----------
    Dietterich, T. G., Lathrop, R. H. and Lozano-Perez, T. (1997). Solving the multiple
    instance problem with axis-parallel rectangles. Artificial Intelligence 89, 31-71.

    Examples
    --------
    >>> from mlmi_sklearn.datasets import load_musk1
    >>> X, y = load_musk1(return_X_y=True)
    >>> X
    <Bags: 92 bags, 476 instances, 166 features (sizes 2/4/40)>
    >>> int(y.sum())
    47
    """
    bags, target = _read()
    bunch = Bunch(
        data=bags,
        target=target,
        frame=None,
        feature_names=list(bags.feature_names or ()),
        target_names=np.array(["not musk", "musk"]),
        DESCR=description("musk1"),
    )
    if as_frame:
        bunch.data = bags.to_frame()
        index = pd.Index(np.arange(len(bags)), name="bag")
        bunch.target = pd.Series(target, index=index, name="target")
        bunch.frame = bunch.data.assign(target=np.repeat(target, bags.lengths))
    return (bunch.data, bunch.target) if return_X_y else bunch


def _read() -> tuple[Bags, np.ndarray]:
    """Read the embedded file."""
    with data_file("musk1.npz").open("rb") as file, np.load(file) as data:
        # Whole numbers of three digits: float32 holds them exactly.
        values = data["X"].astype(np.float32)
        lengths, target = data["lengths"], data["y"].astype(np.int64)
    names = [f"f{number}" for number in range(1, values.shape[1] + 1)]
    return Bags(values, lengths, feature_names=names), target

"""Bags from and to long data frames, which have one row per instance."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlmi_sklearn.containers._store import numbers_of
from mlmi_sklearn.exceptions import BagError

if TYPE_CHECKING:
    from mlmi_sklearn.containers.bags import Bags


def from_frame(
    cls: type[Bags],
    /,
    df: pd.DataFrame,
    bag: str,
    y: str | Sequence[str] | None = None,
    *,
    coords: Sequence[str] | None = None,
    groups: str | None = None,
    y_instances: str | None = None,
    features: Sequence[str] | None = None,
) -> tuple[Bags, np.ndarray | None]:
    """Make bags, and their labels, from a long frame with one row per instance.

    The rows of a bag need not be next to each other; they keep their order. Bags come
    in the order in which they first appear.

    Parameters
    ----------
    df : pandas.DataFrame
        One row per instance.
    bag : str
        Column, or index level, that names the bag of every row.
    y : str or list of str, default=None
        Column with the label of the bag, repeated in each of its rows; several columns
        for several outputs. None: there are no labels, as for prediction.
    coords : list of str, default=None
        Columns with the position of an instance, such as ``["x", "y"]``.
    groups : str, default=None
        Column that names what must not be split, such as the patient.
    y_instances : str, default=None
        Column with the label of the instance, -1 where unknown.
    features : list of str, default=None
        Feature columns. None: all columns not named above.

    Returns
    -------
    bags : Bags
        The bags, with `bag_ids` and `feature_names`.
    y : ndarray of shape (n_bags,) or (n_bags, n_outputs), or None
        Their labels.

    Raises
    ------
    BagError
        If a column is missing or not numeric, or label or group varies in a bag.

    Warns
    -----
    UserWarning
        Without ``features``, if a column that becomes a feature looks like a label or a
        patient: it holds few values and never varies in a bag.

    Examples
    --------
    >>> import pandas as pd
    >>> from mlmi_sklearn.containers import Bags
    >>> df = pd.DataFrame(
    ...     {"slide": ["a", "b", "a"], "tumour": [1, 0, 1], "area": [3.0, 5.0, 4.0]}
    ... )
    >>> bags, y = Bags.from_frame(df, bag="slide", y="tumour")
    >>> bags.bag_ids.tolist(), bags[0].tolist(), y.tolist()
    (['a', 'b'], [[3.0], [4.0]], [1, 0])
    """
    outputs = [y] if isinstance(y, str) else list(y or [])
    named = [*outputs, *(coords or []), *(c for c in (groups, y_instances) if c)]
    df = _with_bag_column(df, bag)
    _require_columns(df, [*named, *(features or [])])
    codes, ids = _bag_codes(df, bag)
    order = np.argsort(codes, kind="stable")
    names = list(features or [c for c in df.columns if c not in {bag, *named}])
    first = np.unique(codes, return_index=True)[1]
    labels = [_constant(df, c, codes, first, ids) for c in outputs]
    bags = cls(
        _numbers(df, names)[order],
        np.bincount(codes),
        bag_ids=ids,
        groups=None if groups is None else _constant(df, groups, codes, first, ids),
        coords=None if coords is None else _numbers(df, list(coords))[order],
        y_instances=(
            None if y_instances is None else _numbers(df, [y_instances])[order, 0]
        ),
        feature_names=names,
    )
    if features is None:
        _warn_of_labels(df, names, codes)
    if y is None:
        return bags, None
    return bags, labels[0] if isinstance(y, str) else np.column_stack(labels)


def _warn_of_labels(df: pd.DataFrame, names: list[str], codes: np.ndarray) -> None:
    """Warn of columns of few values that say the same of all instances of a bag."""
    n_bags = int(codes.max()) + 1
    if len(codes) < 2 * n_bags or n_bags < 2:
        return
    few = max(2, n_bags // 2)
    for name in names:
        varies = 1 < df[name].nunique() <= few
        if varies and df.groupby(codes)[name].nunique().max() == 1:
            warnings.warn(
                f"Column {name!r} never varies in a bag and becomes a feature. If it "
                f"is the label, pass y={name!r}; if it is the patient, groups=; if it "
                "is a feature of the whole bag, name all features with features=.",
                UserWarning,
                stacklevel=3,
            )


def _with_bag_column(df: pd.DataFrame, bag: str) -> pd.DataFrame:
    """Check the frame and move an index level that names the bags into a column."""
    if not isinstance(df, pd.DataFrame):
        df = _as_pandas(df)
    if bag not in df.columns and bag in df.index.names:
        df = df.reset_index(level=bag)
    repeated = df.columns[df.columns.duplicated()].tolist()
    if repeated:
        raise BagError(f"df has several columns named {repeated}: rename them.")
    if len(df) == 0:
        raise BagError("df has no rows, so there is no bag.")
    _require_columns(df, [bag])
    return df


def _require_columns(df: pd.DataFrame, names: Sequence[str]) -> None:
    """Refuse names of columns that do not exist."""
    missing = [name for name in names if name not in df.columns]
    if missing:
        raise BagError(f"df has no column {missing}; it has {list(df.columns)}.")


def _bag_codes(df: pd.DataFrame, bag: str) -> tuple[np.ndarray, np.ndarray]:
    """Give every row the number of its bag, in order of appearance."""
    codes, ids = pd.factorize(df[bag])
    if (codes < 0).any():
        row = df.index[int((codes < 0).argmax())]
        raise BagError(
            f"Column {bag!r} has no bag name in row {row}: drop or fill such rows."
        )
    return codes, np.asarray(ids)


def _as_pandas(df: Any) -> pd.DataFrame:
    """Turn the frame of another library, such as polars, into one of pandas."""
    if isinstance(df, pd.Series) or not (
        hasattr(df, "columns") and hasattr(df, "to_numpy")
    ):
        raise BagError(
            f"df must be a data frame with one row per instance, got "
            f"{type(df).__name__}. For a list of arrays use Bags.from_list."
        )
    return pd.DataFrame({name: df[name].to_numpy() for name in df.columns})


def _numbers(df: pd.DataFrame, names: list[str]) -> np.ndarray:
    """Return numeric columns as one array; missing values become NaN."""
    if not names:
        raise BagError("df has no feature column left: name them with features=[...].")
    wrong = [c for c in names if not pd.api.types.is_numeric_dtype(df[c])]
    if wrong:
        raise BagError(
            f"Columns {wrong} are not numeric. Encode them, or name the feature "
            "columns with features=[...]."
        )
    return numbers_of(df[names])


def _constant(
    df: pd.DataFrame, column: str, codes: np.ndarray, first: np.ndarray, ids: np.ndarray
) -> np.ndarray:
    """Return one value per bag, after checking that all rows of a bag agree."""
    values, _ = pd.factorize(df[column])
    differs = np.flatnonzero(values != values[first][codes])
    if differs.size:
        number = codes[differs[0]]
        seen = df.loc[codes == number, column].unique().tolist()
        raise BagError(
            f"Column {column!r} must be constant in a bag, but bag {ids[number]!r} has "
            f"{seen[:5]}. Correct the rows, or pass y_instances={column!r} if it "
            "labels instances."
        )
    return df[column].iloc[first].to_numpy()


def to_frame(self: Bags, *, y: Any = None, bag: str = "bag") -> pd.DataFrame:
    """Return a long frame with one row per instance.

    Parameters
    ----------
    y : array-like of shape (n_bags,), default=None
        Labels of the bags, repeated for their instances in a column ``y``.
    bag : str, default="bag"
        Name of the column with the bag ids (positions where there are none).

    Returns
    -------
    pandas.DataFrame
        Columns: `bag`; ``y``, ``group``, ``y_instance``, ``coord_0``, ... where
        known; then the features (``x0``, ... where unnamed). Sparse instances become
        sparse columns.

    Raises
    ------
    BagError
        If the instances are images, or `y` has the wrong length.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn.containers import Bags
    >>> Bags(np.arange(4).reshape(2, 2), [1, 1]).to_frame(y=[0, 1])
       bag  y  x0  x1
    0    0  0   0   1
    1    1  1   2   3
    """
    if len(self.instance_shape) != 1:
        raise BagError(
            f"Instances of shape {self.instance_shape} do not fit into columns: "
            "flatten them with bags.with_values(bags.values.reshape(n_instances, -1))."
        )
    ids = np.arange(len(self)) if self.bag_ids is None else self.bag_ids
    columns = {bag: ids, "y": y, "group": self.groups}
    meta = pd.DataFrame(
        {
            name: np.repeat(_one_per_bag(name, column, len(self)), self.lengths)
            for name, column in columns.items()
            if column is not None
        }
    )
    if self.y_instances is not None:
        meta = meta.assign(y_instance=self.y_instances)
    if self.coords is not None:
        meta = meta.assign(**{f"coord_{i}": c for i, c in enumerate(self.coords.T)})
    names = list(self.feature_names or [f"x{i}" for i in range(self.n_features)])
    sparse: Any = pd.DataFrame.sparse
    make = sparse.from_spmatrix if self.is_sparse else pd.DataFrame
    return pd.concat([meta, make(self.values, columns=names)], axis=1)


def _one_per_bag(name: str, column: Any, n_bags: int) -> np.ndarray:
    """Check the length of a column with one entry per bag."""
    array = np.asarray(column)
    if array.shape != (n_bags,):
        raise BagError(f"{name} must have shape ({n_bags},), got {array.shape}.")
    return array

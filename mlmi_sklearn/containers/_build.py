"""Other ways to make :class:`Bags`: from lists, padded arrays and files.

These functions become class methods of :class:`Bags`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlmi_sklearn.containers import _store
from mlmi_sklearn.containers._files import FileStore, find_files
from mlmi_sklearn.containers._names import names_in_frames
from mlmi_sklearn.exceptions import BagError

if TYPE_CHECKING:
    from mlmi_sklearn.containers.bags import Bags


def from_list(
    cls: type[Bags], /, bags: Iterable[Any], *, name: str = "bags", **fields: Any
) -> Bags:
    """Make bags from a list with one array per bag.

    The arrays are copied once, into one array.

    Parameters
    ----------
    bags : iterable of array-like
        One array, CSR matrix, frame or torch tensor of shape
        (n_instances, n_features) per bag, or (n_instances, ...) for images.
    name : str, default="bags"
        What to call the argument in error messages.
    **fields : dict
        `bag_ids`, `groups`, `coords`, `y_instances`, `feature_names` as in
        :class:`Bags`; `coords` and `y_instances` may be lists, one array per bag.

    Returns
    -------
    Bags
        The bags, in the order given.

    Raises
    ------
    BagError
        If a bag is empty, is not numeric, has no feature axis, or differs in width or,
        for frames, in column names.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn.containers import Bags
    >>> Bags.from_list([np.zeros((3, 2)), np.ones((1, 2))])
    <Bags: 2 bags, 4 instances, 2 features (sizes 1/2/3)>
    """
    bags = list(bags)
    _refuse_bags(bags, name)
    names = names_in_frames(bags, name)
    if names is not None:
        fields.setdefault("feature_names", names)
    arrays = [_store.as_numpy(bag) for bag in bags]
    if not arrays:
        raise BagError(f"{name} is empty: pass at least one bag.")
    kinds = {(array.dtype, array.shape[1:]) for array in arrays}
    lengths = [array.shape[0] if array.ndim else 0 for array in arrays]
    if len(kinds) > 1 or arrays[0].ndim < 2 or not min(lengths):
        _check_each(arrays, name)
    arrays = [
        _store.as_numeric(array, f"{name}[{index}]")
        for index, array in enumerate(arrays)
    ]
    return cls(_store.stack(arrays), lengths, **fields)


def _refuse_bags(bags: Sequence[Any], name: str) -> None:
    """Raise a BagError where a list holds whole containers of bags."""
    if any(hasattr(bag, "offsets") and hasattr(bag, "lengths") for bag in bags):
        raise BagError(
            f"{name} is a {type(bags).__name__} that holds Bags. Unpack what "
            "Bags.from_frame returns: bags, y = Bags.from_frame(...); join several "
            "with Bags.concat."
        )


def _check_each(arrays: Sequence[Any], name: str) -> None:
    """Find the first bag that is no bag, or does not fit the first one."""
    for index, array in enumerate(arrays):
        where = f"{name}[{index}]"
        if array.ndim < 2:
            raise BagError(
                f"{where} has shape {array.shape}, but a bag needs shape (n_instances, "
                "n_features). For one instance use reshape(1, -1), for one feature "
                "reshape(-1, 1)."
            )
        if array.shape[0] == 0:
            raise BagError(
                f"{where} is an empty bag. Drop empty bags, and their labels, first."
            )
        if array.shape[1:] != arrays[0].shape[1:]:
            raise BagError(
                f"{where} has instances of shape {array.shape[1:]}, but those of "
                f"{name}[0] have shape {arrays[0].shape[1:]}. All bags must share the "
                "same features."
            )


def from_padded(
    cls: type[Bags], /, array: Any, mask: Any = None, **fields: Any
) -> Bags:
    """Make bags from a padded array, dropping the padding.

    Parameters
    ----------
    array : array-like of shape (n_bags, max_size, n_features)
        Padded bags; more axes for images.
    mask : array-like of bool of shape (n_bags, max_size), default=None
        True, or 1, where an instance is real. None: there is no padding.
    **fields : dict
        `bag_ids`, `groups`, `coords`, `y_instances`, `feature_names` as in
        :class:`Bags`; per-instance fields cover the real instances only.

    Returns
    -------
    Bags
        The real instances, in the order of the array.

    Raises
    ------
    BagError
        If the shapes disagree or a bag has no real instance.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn.containers import Bags
    >>> mask = [[True, True, False], [True, False, False]]
    >>> Bags.from_padded(np.zeros((2, 3, 5)), mask)
    <Bags: 2 bags, 3 instances, 5 features (sizes 1/1.5/2)>
    """
    array = _store.as_numpy(array)
    if array.ndim < 3:
        raise BagError(
            f"array must have shape (n_bags, max_size, n_features), got {array.shape}."
        )
    if mask is None:
        n_bags, size = array.shape[:2]
        return cls(
            array.reshape(n_bags * size, *array.shape[2:]), [size] * n_bags, **fields
        )
    real = _real_slots(mask, array.shape[:2])
    return cls(array[real], real.sum(axis=1), **fields)


def _real_slots(mask: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Validate a padding mask."""
    real = np.asarray(_store.as_numpy(mask))
    if real.shape != shape:
        raise BagError(
            f"mask must have shape {shape}, one entry per slot, got {real.shape}."
        )
    if not np.isin(real, (0, 1)).all():
        raise BagError("mask must hold True and False, or 1 and 0, only.")
    return real.astype(bool)


def from_files(
    cls: type[Bags],
    /,
    paths: str | Path | Iterable[str | Path],
    *,
    key: str | None = None,
    bag_ids: Any = None,
    **fields: Any,
) -> Bags:
    """Make bags from feature files, one file per bag, read when needed.

    Only the headers are read here. Indexing, splitting and pickling handle the paths;
    an instance is read when its bag, or `values`, is asked for.

    Parameters
    ----------
    paths : path or iterable of paths
        A folder, whose ``.npy``, ``.h5`` and ``.hdf5`` files are taken by name, or
        one file per bag. Arrays have shape (n_instances, n_features).
    key : str, default=None
        Data set to read from HDF5 files. None: the only one in the file.
    bag_ids : array-like of shape (n_bags,), default=None
        Names of the bags. None: the file names without suffix where they differ,
        otherwise the paths.
    **fields : dict
        `groups`, `coords`, `y_instances`, `feature_names` as in :class:`Bags`.

    Returns
    -------
    Bags
        Lazy bags. :meth:`Bags.compact` reads them into memory.

    Raises
    ------
    BagError
        If a file is missing, empty, not numeric, or of another width than the first.
    ImportError
        If there are HDF5 files and h5py is not installed.

    Examples
    --------
    >>> import numpy as np, pathlib, tempfile
    >>> from mlmi_sklearn.containers import Bags
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name, size in [("a", 3), ("b", 5)]:
    ...         np.save(pathlib.Path(folder) / f"{name}.npy", np.ones((size, 4)))
    ...     bags = Bags.from_files(folder)
    ...     print(bags.bag_ids, bags["b" == bags.bag_ids].values.shape)
    ['a' 'b'] (5, 4)
    """
    found = find_files(paths)
    store = FileStore(found, key)
    if bag_ids is None:
        stems = [path.stem for path in found]
        unique = len(set(stems)) == len(stems)
        bag_ids = stems if unique else [str(path) for path in found]
    return cls(store, store.lengths, bag_ids=bag_ids, **fields)

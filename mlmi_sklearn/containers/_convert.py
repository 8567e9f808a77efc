"""Ways out of :class:`Bags`: lists, object columns, padded arrays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from mlmi_sklearn.exceptions import BagError

if TYPE_CHECKING:
    from mlmi_sklearn.containers.bags import Bags


def object_column(bags: Iterable[Any], n_bags: int) -> np.ndarray:
    """Return an object array of shape (n_bags, 1) with one array per row."""
    # np.array(list, dtype=object) would make a 3-D array of bags of equal size.
    column = np.empty((n_bags, 1), dtype=object)
    for index, bag in enumerate(bags):
        column[index, 0] = bag
    return column


def to_list(self: Bags) -> list[Any]:
    """Return a list with one read-only array per bag.

    Returns
    -------
    list of ndarray or CSR matrix
        Views of the instances, not copies, unless these are sparse or on disk.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn.containers import Bags
    >>> Bags(np.arange(6).reshape(3, 2), [1, 2]).to_list()
    [array([[0, 1]]), array([[2, 3], [4, 5]])]
    """
    return list(self)


def to_padded(self: Bags, fill_value: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return one array in which every bag has the size of the largest.

    Needs ``n_bags * max_size`` rows, which for bags of uneven size can be many times
    the real number of instances.

    Parameters
    ----------
    fill_value : float, default=0.0
        Value of the padding.

    Returns
    -------
    array : ndarray of shape (n_bags, max_size, n_features)
        Padded bags, in the dtype of the instances; more axes for images.
    mask : ndarray of bool of shape (n_bags, max_size)
        True where an instance is real.

    Raises
    ------
    BagError
        If the instances are sparse.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn.containers import Bags
    >>> array, mask = Bags(np.ones((3, 2)), [1, 2]).to_padded()
    >>> array.shape, mask.tolist()
    ((2, 2, 2), [[True, False], [True, True]])
    """
    if self.is_sparse:
        raise BagError(
            "Padding sparse instances would store every zero: densify them first with "
            "bags.with_values(bags.values.toarray())."
        )
    size = int(self.lengths.max(initial=0))
    mask = np.arange(size) < self.lengths[:, np.newaxis]
    values = self.values
    shape = (len(self), size, *self.instance_shape)
    array = np.full(shape, fill_value, dtype=values.dtype)
    array[mask] = values
    return array, mask

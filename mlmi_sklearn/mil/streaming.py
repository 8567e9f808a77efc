"""Bags that stay on disk: read batch by batch, never all at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..base.inputs import as_tensor, read_array
from ..containers import Bags
from ..exceptions import BagError
from ..training.batches import GATHER_LIMIT
from ..training.ragged import InstanceSampler, RaggedTensor

__all__ = ["StreamedBags", "read_head", "streams"]


def streams(bags: Bags) -> bool:
    """Tell whether bags are better read batch by batch than as one array.

    That is so for files, and for a large store (a memory map, say) that would have to
    be copied: since its bags are in another order, as in a fold of a cross-validation,
    or since its numbers have another type.

    Parameters
    ----------
    bags : Bags
        Not sparse.

    Returns
    -------
    bool
        Whether to stream.
    """
    if bags.is_sparse:
        return False
    if bags.is_lazy:
        return True
    as_it_is = bags.is_contiguous and bags.instance_dtype in (np.float32, np.float64)
    size = bags.n_instances * bags.n_features * max(bags.instance_dtype.itemsize, 4)
    return size > GATHER_LIMIT and not as_it_is


def read_head(estimator: Any, bags: Bags, head: Any, *, reset: bool) -> Bags:
    """Validate width and names of bags that are streamed; numbers follow in batches.

    Parameters
    ----------
    estimator : BaseEstimator
        Receives ``n_features_in_`` and ``feature_names_in_`` if ``reset``.
    bags : Bags
        The bags.
    head : array or DataFrame
        First instance, named if features have names.
    reset : bool
        Whether this is training data.

    Returns
    -------
    Bags
        The same.
    """
    read_array(estimator, head, reset=reset)
    return bags


class StreamedBags:
    """Rows of a data set that are read when a batch needs them.

    Parameters
    ----------
    bags : Bags
        Any store; only the bags of a batch are read.
    dtype : torch.dtype
        Type of the tensors. Bags of that type that lie in one piece are not copied.
    companion : RaggedTensor, optional
        Fields of the instances, in memory, with values of width zero.
    """

    def __init__(
        self, bags: Bags, dtype: torch.dtype, companion: RaggedTensor | None = None
    ) -> None:
        if companion is None:
            lengths = torch.from_numpy(np.array(bags.lengths))
            companion = RaggedTensor(torch.empty(int(lengths.sum()), 0), lengths)
        self.bags = bags
        self.dtype = dtype
        self.companion = companion

    def __len__(self) -> int:
        return len(self.bags)

    def take(self, index: Tensor) -> StreamedBags:
        """Select bags, in the order of ``index``; reads nothing."""
        chosen = self.bags.take(index.cpu().numpy())
        return StreamedBags(chosen, self.dtype, self.companion.take(index))

    def narrow(self, start: int, stop: int) -> RaggedTensor:
        """Read bags ``start`` to ``stop``."""
        return self.sampled(start, stop, lambda n: None)

    def sampled(self, start: int, stop: int, sample: InstanceSampler) -> RaggedTensor:
        """Read a part of the instances of bags ``start`` to ``stop``."""
        batch = self.companion.narrow(start, stop)
        kept = [sample(n) for n in batch.lengths.tolist()]
        if any(rows is not None for rows in kept):
            batch = batch.pick(kept)
        parts = [self._read(start + number, rows) for number, rows in enumerate(kept)]
        joined = parts[0] if len(parts) == 1 else np.concatenate(parts)
        values = as_tensor(joined, self.dtype)
        return RaggedTensor(values, batch.lengths, batch.offsets, batch.fields)

    def to(self, device: torch.device) -> StreamedBags:
        """Return the bags as they are: batches move one by one."""
        return self

    @property
    def nbytes(self) -> int:
        """Size in bytes of the instances, so large that no one gathers them all."""
        size = self.bags.n_instances * self.bags.n_features * self.dtype.itemsize
        return max(size, GATHER_LIMIT + 1)

    def _read(self, number: int, rows: Tensor | None) -> NDArray[Any]:
        """Read one bag, and check it where it is read: once, and in passing."""
        values = self.bags[number]
        if rows is not None:
            values = values[rows.numpy()]
        # The sum is finite only if all are, and needs no second array of booleans.
        with np.errstate(all="ignore"):
            total = values.sum(dtype=np.float64)
        if not np.isfinite(total) and not np.isfinite(values).all():
            ids = self.bags.bag_ids
            name = number if ids is None else repr(ids.tolist()[number])
            raise BagError(
                f"Input X contains NaN or infinity: bag {name} does. Write its "
                "features anew, or drop the bag."
            )
        return values

"""Batches of source rows, each with a batch of the target beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..training.batches import GATHER_LIMIT, TensorBatches
from ..training.data import Rows, Targets, TrainingData
from ..training.distributed import Ranks

__all__ = [
    "DomainBatch",
    "DomainBatches",
    "DomainData",
    "RowsOfDomains",
    "Stream",
    "without_short_tail",
]


class _Coded(NamedTuple):
    """Rows of a batch and the codes of their domains, moved like rows alone."""

    rows: Any
    codes: Tensor

    def to(self, device: torch.device) -> _Coded:
        return _Coded(self.rows.to(device), self.codes.to(device))


class RowsOfDomains:
    """Rows together with the code of the domain of each.

    Parameters
    ----------
    rows : Rows
        The rows.
    codes : Tensor of shape (n,), int64
        Codes of domains.
    """

    __slots__ = ("codes", "rows")

    def __init__(self, rows: Any, codes: Tensor) -> None:
        self.rows = rows
        self.codes = codes

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, index: Tensor) -> RowsOfDomains:
        """Gather the rows of ``index``, in that order."""
        return RowsOfDomains(self.rows.take(index), self.codes.index_select(0, index))

    def narrow(self, start: int, stop: int) -> _Coded:
        """Return rows ``start`` to ``stop``, and their codes."""
        return _Coded(self.rows.narrow(start, stop), self.codes[start:stop])

    def to(self, device: torch.device) -> RowsOfDomains:
        """Move to ``device``."""
        return RowsOfDomains(self.rows.to(device), self.codes.to(device))

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return int(self.rows.nbytes)


@dataclass
class DomainBatch:
    """What the net sees in one step.

    Parameters
    ----------
    source : Tensor of shape (n, ...)
        Labelled rows of source domains.
    source_weight : Tensor of shape (n,) or None
        Their weights.
    labelled : Tensor of shape (l, ...) or None
        Labelled rows of target domains.
    labelled_weight : Tensor of shape (l,) or None
        Their weights.
    target : Tensor of shape (m, ...) or None
        Rows of target domains, whose labels are not looked at.
    target_weight : Tensor of shape (m,) or None
        Their weights.
    domains : tuple of Tensor, or None
        Codes of the domains of source and target rows, where there are more than two.
    """

    source: Any
    source_weight: Tensor | None = None
    labelled: Any = None
    labelled_weight: Tensor | None = None
    target: Any = None
    target_weight: Tensor | None = None
    domains: tuple[Tensor, Tensor] | None = None

    @property
    def parts(self) -> list[tuple[Any, Tensor | None]]:
        """Rows and weights of source, labelled and other rows of the target."""
        return [
            (self.source, self.source_weight),
            (self.labelled, self.labelled_weight),
            (self.target, self.target_weight),
        ]

    def __len__(self) -> int:
        return len(self.source) + (0 if self.labelled is None else len(self.labelled))


class DomainData(TrainingData):
    """Labelled source rows, and what there is of the target.

    Parameters
    ----------
    rows, targets
        Of the source, as in :class:`~mlmi_sklearn.training.data.TrainingData`.
    target : TrainingData or None
        Rows of the target; of their targets only the weights are used.
    labelled : TrainingData or None
        Labelled rows of the target.
    """

    def __init__(
        self,
        rows: Rows,
        targets: Targets,
        target: TrainingData | None = None,
        labelled: TrainingData | None = None,
    ) -> None:
        super().__init__(rows, targets)
        self.target = target
        self.labelled = labelled


def without_short_tail(
    bounds: list[tuple[int, int]], batch_size: int
) -> list[tuple[int, int]]:
    """Join a last batch of less than half the size to the one before it.

    The statistics of a handful of rows say little about their domain.

    Parameters
    ----------
    bounds : list of (int, int)
        Start and stop of every batch.
    batch_size : int
        Rows of a full one.

    Returns
    -------
    list of (int, int)
        The same rows, in at most as many batches.

    Examples
    --------
    >>> without_short_tail([(0, 64), (64, 128), (128, 132)], 64)
    [(0, 64), (64, 132)]
    """
    start, stop = bounds[-1]
    if len(bounds) < 2 or 2 * (stop - start) >= batch_size:
        return bounds
    return [*bounds[:-2], (bounds[-2][0], stop)]


class Stream:
    """Rows of a set in an endless shuffled order, in which none is left out.

    Parameters
    ----------
    data : TrainingData
        The set.
    size : int
        Rows wanted at once. Of a smaller set all rows are returned; a lone row comes
        twice, since batch normalisation has no spread of one row.
    generator : torch.Generator
        Source of the order.
    repeats : int, default=1
        How often the rows of a small set may fill up a batch.
    ranks : Ranks or None, default=None
        Processes that share each batch; this one gets its part, a row at least.

    Examples
    --------
    >>> from mlmi_sklearn.training.data import TensorRows
    >>> data = TrainingData(TensorRows(torch.arange(3.0)), Targets(None))
    >>> stream = Stream(data, 2, torch.Generator().manual_seed(0))
    >>> rows = torch.cat([x for x, _ in stream.batches(3)])
    >>> rows.sort().values
    tensor([0., 0., 1., 1., 2., 2.])
    """

    def __init__(
        self,
        data: TrainingData,
        size: int,
        generator: torch.Generator,
        repeats: int = 1,
        ranks: Ranks | None = None,
    ) -> None:
        self.data = data
        fewest = 2 if ranks is None else max(2, ranks.size)
        self.whole = max(min(size, repeats * len(data)), fewest)
        self.part = slice(0, self.whole)
        if ranks is not None:
            self.part = slice(*ranks.share(0, self.whole))
        self.size = self.part.stop - self.part.start
        self.generator = generator
        self._left = torch.empty(0, dtype=torch.int64)

    def batches(self, n: int) -> Iterator[Any]:
        """Return the next n batches."""
        order = self._next(n * self.whole)
        if self.size < self.whole:
            order = order.reshape(n, self.whole)[:, self.part].reshape(-1)
        whole = self.data.rows.nbytes * n * self.size <= GATHER_LIMIT * len(self.data)
        if whole:
            gathered = self.data.take(order)
            for start in range(0, n * self.size, self.size):
                yield gathered.narrow(start, start + self.size)
            return
        for part in order.split(self.size):
            yield self.data.take(part).narrow(0, len(part))

    def training_state(self) -> list[Tensor]:
        """Return where in its order it is."""
        return [self.generator.get_state(), self._left]

    def load_training_state(self, state: list[Tensor]) -> None:
        """Go on from where another one was."""
        self.generator.set_state(state[0])
        self._left = state[1]

    def _next(self, n: int) -> Tensor:
        """Return the next n row numbers."""
        parts, have = [self._left], len(self._left)
        while have < n:
            parts.append(torch.randperm(len(self.data), generator=self.generator))
            have += len(parts[-1])
        order = torch.cat(parts)
        self._left = order[n:]
        return order[:n]


class DomainBatches:
    """Iterate over source rows once, with rows of the target beside them.

    Parameters
    ----------
    source : TensorBatches
        Batches of the source.
    target, labelled : Stream or None
        Rows of the target, and labelled ones.

    Attributes
    ----------
    class_factors : Tensor of shape (n_classes,) or None
        Factors on the weights of source rows by their classes; None at first.
    """

    def __init__(
        self,
        source: TensorBatches,
        target: Stream | None,
        labelled: Stream | None,
    ) -> None:
        self.source = source
        self.target = target
        self.labelled = labelled
        self.class_factors: Tensor | None = None

    def training_state(self) -> dict[str, Any]:
        """Return where the target is, and the factors of classes."""
        both = (self.target, self.labelled)
        streams = [None if s is None else s.training_state() for s in both]
        factors = self.class_factors
        return {
            "streams": streams,
            "factors": None if factors is None else factors.cpu(),
        }

    def load_training_state(self, state: dict[str, Any]) -> None:
        """Go on from where others were."""
        for stream, kept in zip(
            (self.target, self.labelled), state["streams"], strict=True
        ):
            if stream is not None:
                stream.load_training_state(kept)
        factors = state["factors"]
        here = self.source.device or self.source.data.device
        self.class_factors = None if factors is None else factors.to(here)

    def __len__(self) -> int:
        return len(self.source)

    def __iter__(self) -> Iterator[tuple[DomainBatch, Targets]]:
        n, device = len(self.source), self.source.device
        targets = _moved(self.target, n, device)
        labelled = _moved(self.labelled, n, device)
        for rows, known in self.source:
            yield self._join(rows, known, next(targets), next(labelled))

    def _join(
        self, rows: Any, known: Targets, target: Any, labelled: Any
    ) -> tuple[DomainBatch, Targets]:
        y, weight = known
        if self.class_factors is not None and y is not None:
            factors = self.class_factors[y]
            weight = factors if weight is None else weight * factors
        rows, codes = rows if isinstance(rows, tuple) else (rows, None)
        batch = DomainBatch(rows, weight)
        if target is not None:
            found, (_, batch.target_weight) = target
            if isinstance(found, tuple):
                batch.target, target_codes = found
                batch.domains = (codes, target_codes)
            else:
                batch.target = found
        if labelled is None:
            return batch, Targets(y, weight)
        return batch, _with_labelled(batch, y, labelled)


def _with_labelled(batch: DomainBatch, y: Any, labelled: Any) -> Targets:
    """Let labelled rows of the target count together as much as those of the source."""
    found, (y_labelled, weight) = labelled
    batch.labelled = found[0] if isinstance(found, tuple) else found
    source = batch.source_weight
    like = batch.labelled  # its type is that of the losses
    own = like.new_ones(len(y_labelled)) if weight is None else weight
    ours = like.new_ones(len(y)) if source is None else source
    batch.labelled_weight = weight
    balanced = own * (ours.sum() / own.sum())
    return Targets(torch.cat([y, y_labelled]), torch.cat([ours, balanced]))


def _moved(stream: Stream | None, n: int, device: torch.device | None) -> Iterator[Any]:
    """Return n batches of a stream where they are wanted; None where there is none."""
    if stream is None:
        for _ in range(n):
            yield None
        return
    for rows, targets in stream.batches(n):
        if device is None:
            yield rows, targets
        else:
            yield rows.to(device), targets.to(device)

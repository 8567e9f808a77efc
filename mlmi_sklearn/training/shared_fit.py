"""What a net does differently while several processes share its fit."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.modules.batchnorm import _BatchNorm

from ..exceptions import TrainingDivergedError
from ..nn.norms import WeightedNorm
from .backward import RowGradients
from .data import TrainingData
from .distributed import Ranks, current_ranks
from .interrupts import StopTraining
from .losslog import LossLog
from .ragged import RaggedTensor
from .seeding import draws_random_numbers, seed_generators
from .streams import BlockRows

if TYPE_CHECKING:
    from .net import LeanNet

__all__ = ["SharedGradients", "epoch_mean", "shared_fit", "stop_together"]

# Rows that are compared between ranks, which may be whole slides.
_COMPARED = 8


class SharedGradients(RowGradients):
    """Derivatives of a sum of weighted losses, for a mean over all ranks.

    Its parent has those of the mean over the rows of one process.

    Parameters
    ----------
    ranks : Ranks
        The processes.
    batch_size : int
        Rows of a full share; keeps gradients on the scale of a mean, so that half
        precision does not overflow.

    Examples
    --------
    >>> from mlmi_sklearn.training.distributed import Ranks
    >>> SharedGradients(Ranks(0, 2), 2)(torch.zeros(2), torch.tensor([3.0, 1.0]))
    tensor([1.5000, 0.5000])
    """

    def __init__(self, ranks: Ranks, batch_size: int) -> None:
        super().__init__()
        self.ranks = ranks
        self.batch_size = batch_size
        self.amount = torch.zeros(())

    def __call__(self, losses: Tensor, weight: Tensor | None) -> Tensor:
        """Return w / batch_size; for a scalar loss that of all rows together.

        Parameters
        ----------
        losses : Tensor of shape (n,) or ()
            Losses of one share.
        weight : Tensor of shape (n,) or None
            Weights of its rows.

        Returns
        -------
        Tensor of the shape of ``losses``
            The derivative.
        """
        rows = torch.ones_like(losses) if weight is None else weight.to(losses.dtype)
        rows = rows / self.batch_size
        self.amount = rows.sum()
        return rows if losses.ndim else self.amount

    def average(self, parameters: list[Tensor]) -> None:
        """Turn the gradients of this rank's share into those of the batch."""
        total = self.ranks.sum_gradients(parameters, self.amount)
        gradients = [p.grad for p in parameters if p.grad is not None]
        torch._foreach_div_(gradients, total)


@contextmanager
def shared_fit(net: LeanNet, data: Any) -> Iterator[None]:
    """Share a training with the other ranks, if there are any.

    Parameters
    ----------
    net : LeanNet
        About to be trained.
    data : TrainingData
        What it is trained on.

    Raises
    ------
    ValueError
        If the net cannot be shared, or other ranks train another.
    """
    ranks = current_ranks()
    if ranks is None:
        yield
        return
    _require_support(net, data)
    ranks.compare(_summary(net, data))
    _start_alike(net, ranks)
    net.ranks_ = ranks
    net.row_gradients_ = SharedGradients(ranks, net.batch_size)
    norms = net.weighted_norms_ if net.measures_batches else []
    for norm in norms:
        norm.total = ranks.total
    try:
        with ranks.in_step():
            yield
            _share_buffers(net.module_, ranks)
    except TrainingDivergedError:
        ranks.broadcast_(_tensors(net.module_))  # which weights were finite last
        raise
    finally:
        net.ranks_ = None
        for norm in norms:
            norm.total = None


@contextmanager
def stop_together(ranks: Ranks | None, event: str) -> Iterator[None]:
    """Let a callback that ends training on one rank end it on all.

    Parameters
    ----------
    ranks : Ranks or None
        The processes; None for one alone.
    event : str
        Method of the callbacks that the block calls.

    Raises
    ------
    StopTraining
        On all ranks, if the block has raised it on one of them.
    """
    if ranks is None or event != "on_epoch_end":
        yield
        return
    asked = None
    try:
        yield
    except StopTraining as stop:
        asked = stop
    if any(ranks.each(asked is not None)):
        raise asked or StopTraining


def epoch_mean(ranks: Ranks, log: LossLog, training: bool) -> float:
    """Return the mean loss of an epoch, the same on all ranks.

    Parameters
    ----------
    ranks : Ranks
        The processes.
    log : LossLog
        Losses of this rank.
    training : bool
        Whether they are those of its shares; rows of a validation are seen by all.

    Returns
    -------
    float
        The mean over all rows.
    """
    if training:
        return ranks.mean(log.mean(), log.weight())
    return ranks.same(log.mean())


# -- before training ------------------------------------------------------------------


def _require_support(net: LeanNet, data: Any) -> None:
    if not net.shares_batches or not isinstance(data, TrainingData):
        raise ValueError(_UNSHARED.format(net=type(net).__name__))
    try:
        dist.group.WORLD._get_backend(torch.device(net.device))  # type: ignore[union-attr]
    except RuntimeError as error:
        raise ValueError(
            f"device={net.device!r}: the ranks are connected by "
            f"{dist.get_backend()!r}, which moves no tensors of that device. Pass "
            "device='auto', or start the processes for it (on CPUs: torchrun, and "
            "ACCELERATE_USE_CPU=true where there are GPUs too)."
        ) from error
    foreign = [
        part
        for part in net.module_.modules()
        if isinstance(part, _BatchNorm) and not isinstance(part, WeightedNorm)
    ]
    if foreign:
        message = _OWN_STATISTICS.format(n=len(foreign))
        warnings.warn(message, UserWarning, stacklevel=2)


def _summary(net: LeanNet, data: TrainingData) -> dict[str, Any]:
    """Return what must be equal on all ranks, data as checksums."""
    return {
        "the net": type(net).__name__,
        "the number of rows": len(data),
        "the checksum of some rows": _checksum(_some_rows(data)),
        "the checksum of y and weights": _checksum(data.targets),
        "the model": [tuple(p.shape) for p in net.module_.parameters()],
        "lr": net.lr,
        "batch_size": net.batch_size,
        "max_epochs": net.max_epochs,
    }


def _some_rows(data: TrainingData) -> Iterator[Tensor]:
    """Read a few rows; not of what can be read from front to back only."""
    if isinstance(data.rows, BlockRows):
        return
    step = -(-len(data) // _COMPARED)
    for row in range(0, len(data), step):
        found: Any = data.rows.narrow(row, row + 1)
        found = found[0] if isinstance(found, tuple) else found
        yield found.values if isinstance(found, RaggedTensor) else found


def _checksum(tensors: Any) -> int:
    value = 0
    for tensor in tensors:
        if tensor is not None:
            bare = tensor.detach().cpu().contiguous().numpy()
            value = zlib.crc32(bare.tobytes(), value)
    return value


def _start_alike(net: LeanNet, ranks: Ranks) -> None:
    """Take weights and the order of rows from rank 0; let noise differ."""
    ranks.broadcast_(_tensors(net.module_))
    if net.generator is not None:
        net.generator.set_state(ranks.same(net.generator.get_state()))
    if ranks.rank and draws_random_numbers(net.module_):
        # One mask for all shares would drop the same units for several rows.
        seed = torch.default_generator.initial_seed() + ranks.rank
        seed_generators(seed, torch.device(net.device))


def _tensors(module: nn.Module) -> list[Tensor]:
    return [t.detach() for t in (*module.parameters(), *module.buffers())]


# -- after it -------------------------------------------------------------------------


def _share_buffers(module: nn.Module, ranks: Ranks) -> None:
    """Average what layers have measured, such as running means of their shares."""
    for buffer in module.buffers():
        if buffer.is_floating_point():
            ranks.sum_(buffer).div_(ranks.size)


_UNSHARED = (
    "Several processes cannot share a fit of {net}. Start one process, or let each fit "
    "on its own: `with separate_fits():` (from mlmi_sklearn.training.distributed)."
)
_OWN_STATISTICS = (
    "{n} layers of batch normalisation in a module from elsewhere measure the share of "
    "each rank alone, as in DistributedDataParallel. Those of mlmi_sklearn.nn.norms "
    "measure the whole batch."
)

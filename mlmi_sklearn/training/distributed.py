r"""One fit on several processes: each computes its share of every batch.

``torchrun`` and ``accelerate launch`` start a script as several processes, called
ranks. A fit in such a script is one fit of all ranks. They hold the same weights, visit
the same rows in the same order, and cut each batch of ``size * batch_size`` rows into
shares. With :math:`g_i` the gradient of the loss of row i and :math:`w_i` its weight,
rank r knows the sum over its share :math:`S_r`, and all ranks together

.. math::

    g = \frac{\sum_r \sum_{i \in S_r} w_i g_i}{\sum_r \sum_{i \in S_r} w_i},

the gradient of the whole batch, whatever the sizes of the shares. So the weights are
those of one process with batches of ``size * batch_size`` rows, up to rounding, and the
same on all ranks to the last bit.

Wrappers such as ``DistributedDataParallel`` average over ranks instead, which is
another number for a ragged last batch or unequal weights, and see ``forward`` alone,
while nets here are called in other ways too. What is used of PyTorch are its
collectives, and of accelerate, where it is installed, the choice of device and of
back end.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from ..exceptions import TrainingDivergedError
from .device import wants_cpu
from .interrupts import StopTraining

__all__ = ["Ranks", "current_ranks", "is_main_process", "separate_fits"]

# How long to wait for a rank that has failed, or never comes.
_PATIENCE = timedelta(minutes=10)
_LAUNCHED_BY = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_MARK = "MLMI_SKLEARN_RANK"

_SEPARATE: ContextVar[bool] = ContextVar("separate_fits", default=False)


class _Group:
    """What this process knows of its group, beside what PyTorch keeps."""

    inherited = False  # from the process that forked this one, and of no use here
    lost: str | None = None  # why it can no longer be in step with the others


def _forget_group() -> None:
    _Group.inherited = dist.is_available() and dist.is_initialized()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_group)


def _mark() -> str:
    """Name this process as a rank; its children inherit the name and are none."""
    return ":".join([os.environ.get(name, "") for name in _LAUNCHED_BY])


def _claim_rank() -> None:
    """Note in the environment which process is the rank that was launched.

    Workers of joblib inherit ``RANK`` and ``WORLD_SIZE`` and must not take part.
    """
    if all(name in os.environ for name in _LAUNCHED_BY):
        owner, _, rank = os.environ.get(_MARK, "").partition("@")
        if not owner or rank != _mark():
            os.environ[_MARK] = f"{os.getpid()}@{_mark()}"


_claim_rank()


class Ranks:
    """The processes that share a fit, seen from one of them.

    Parameters
    ----------
    rank : int
        Number of this process, from 0.
    size : int
        Number of processes.

    See Also
    --------
    current_ranks : Returns those of this process.

    Examples
    --------
    >>> from mlmi_sklearn.training.distributed import Ranks
    >>> [Ranks(rank, 3).share(10, 20) for rank in range(3)]
    [(10, 13), (13, 16), (16, 20)]
    """

    def __init__(self, rank: int, size: int) -> None:
        self.rank = rank
        self.size = size

    def share(self, start: int, stop: int) -> tuple[int, int]:
        """Return this rank's part of rows ``start`` to ``stop``.

        Parameters
        ----------
        start, stop : int
            First row of a batch, and the one after the last.

        Returns
        -------
        tuple of (int, int)
            The same for the part. Parts differ by one row at most.
        """
        n = stop - start
        first, last = n * self.rank // self.size, n * (self.rank + 1) // self.size
        return start + first, start + last

    # -- collectives ----------------------------------------------------------------

    def sum_(self, tensor: Tensor) -> Tensor:
        """Replace a tensor by its sum over all ranks, and return it."""
        self._together(dist.all_reduce, tensor)
        return tensor

    def total(self, tensor: Tensor) -> Tensor:
        """Return the sum over all ranks, through which gradients flow."""
        return _Total.apply(tensor, self)

    def same(self, value: Any) -> Any:
        """Return the value that rank 0 has."""
        box = [value]
        self._together(dist.broadcast_object_list, box, src=0)
        return box[0]

    def each(self, value: Any) -> list[Any]:
        """Return the values of all ranks."""
        found: list[Any] = [None] * self.size
        self._together(dist.all_gather_object, found, value)
        return found

    def broadcast_(self, tensors: Iterable[Tensor]) -> None:
        """Write the numbers of rank 0 into tensors."""
        for tensor in tensors:
            self._together(dist.broadcast, tensor, src=0)

    def mean(self, value: float, weight: float) -> float:
        """Return the weighted mean of one number from each rank."""
        pairs = [(v, w) for v, w in self.each((value, weight)) if w]
        return sum(v * w for v, w in pairs) / sum(w for _, w in pairs)

    def sum_gradients(self, owners: list[Tensor], amount: Tensor) -> Tensor:
        """Add up the gradients of all ranks.

        Parameters
        ----------
        owners : list of Tensor
            Parameters, each with the sum over this rank's rows in ``grad``, or None.
        amount : Tensor of shape ()
            What these rows count.

        Returns
        -------
        Tensor of shape ()
            What the rows of all ranks count.
        """
        used = [float(p.grad is not None) for p in owners]
        sums = [
            (torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1)
            for p in owners
        ]
        tail = torch.cat([sums[0].new_tensor(used), amount.reshape(1).to(sums[0])])
        everything = self.sum_(torch.cat([*sums, tail]))
        # A parameter that no rank has used stays without a gradient, so that weight
        # decay leaves it alone, as in one process.
        counts = everything[-len(tail) : -1].tolist()
        parts = everything[: -len(tail)].split([*map(len, sums)])
        for p, part, count in zip(owners, parts, counts, strict=True):
            if not count:
                p.grad = None
                continue
            # Written into memory laid out like the parameter: fused optimisers pair
            # them by address, and weights of convolutions may lie in another order.
            p.grad = torch.empty_like(p) if p.grad is None else p.grad
            p.grad.copy_(part.view_as(p))
        return everything[-1]

    @staticmethod
    def _together(action: Callable[..., Any], *args: Any, **keywords: Any) -> None:
        """Call a collective; say what it means that the others do not answer."""
        try:
            action(*args, **keywords)
        except RuntimeError as error:
            _Group.lost = str(error).partition("\n")[0]
            raise RuntimeError(_NO_ANSWER.format(reason=_Group.lost)) from error

    # -- staying in step --------------------------------------------------------------

    def compare(self, known: dict[str, Any]) -> None:
        """Make sure that all ranks are about to do the same.

        Parameters
        ----------
        known : dict
            What of this rank's fit must be equal on all.

        Raises
        ------
        ValueError
            On all ranks, if something differs.
        """
        found = self.each(known)
        for name in known:
            values = [one.get(name) for one in found]
            if any(value != values[0] for value in values):
                listed = ", ".join(f"{v!r} on rank {r}" for r, v in enumerate(values))
                raise ValueError(_DIFFERENT.format(name=name, listed=listed))

    @contextmanager
    def in_step(self) -> Iterator[None]:
        """Note if this rank leaves a block early by an error of its own."""
        try:
            yield
        except (StopTraining, TrainingDivergedError):
            raise  # all ranks see the same loss and come to the same conclusion
        except BaseException as error:
            _Group.lost = _Group.lost or f"{type(error).__name__}: {error}"
            raise


class _Total(torch.autograd.Function):
    """Sum over ranks; the gradient of each summand is the sum of all gradients."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks = ranks
        return ranks.sum_(tensor.detach().clone())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.ranks.sum_(gradient.contiguous().clone()), None


def current_ranks() -> Ranks | None:
    """Return the ranks that a fit in this thread is shared by.

    Returns
    -------
    Ranks or None
        None if this process was started alone, in its workers and threads (which would
        not come to their fits in the same order on all ranks), and within
        :func:`separate_fits`.

    Raises
    ------
    RuntimeError
        If an earlier fit ended on this rank alone.

    Examples
    --------
    >>> from mlmi_sklearn.training.distributed import current_ranks
    >>> current_ranks() is None
    True
    """
    main = threading.current_thread() is threading.main_thread()
    if _SEPARATE.get() or not main or _Group.inherited or not dist.is_available():
        return None
    if not dist.is_initialized():
        if not _was_launched():
            return None
        _join()
    if dist.get_world_size() == 1:
        return None
    if _Group.lost is not None:
        raise RuntimeError(_OUT_OF_STEP.format(reason=_Group.lost))
    return Ranks(dist.get_rank(), dist.get_world_size())


def is_main_process() -> bool:
    """Tell whether this process is the one that should print, and write files.

    Returns
    -------
    bool
        False on all ranks but the first; True in a process that was started alone.

    Examples
    --------
    >>> from mlmi_sklearn.training.distributed import is_main_process
    >>> is_main_process()
    True
    """
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank() == 0
    return not _was_launched() or os.environ["RANK"] == "0"


@contextmanager
def separate_fits() -> Iterator[None]:
    """Let each rank fit on its own within a block.

    For scripts in which ranks do different work, or rank 0 more than the others.

    Examples
    --------
    >>> from mlmi_sklearn import NetRegressor
    >>> from mlmi_sklearn.training.distributed import separate_fits
    >>> with separate_fits():
    ...     model = NetRegressor(max_epochs=1).fit([[0.0], [1.0]], [0.0, 1.0])
    """
    token = _SEPARATE.set(True)
    try:
        yield
    finally:
        _SEPARATE.reset(token)


def _was_launched() -> bool:
    """Tell whether this very process is one of several that were launched."""
    if os.environ.get("WORLD_SIZE", "1") == "1":
        return False
    return os.environ.get(_MARK) == f"{os.getpid()}@{_mark()}"


def _join() -> None:
    """Form the group, through accelerate if it is there: it knows more devices."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    kind = "cpu" if accelerator is None else accelerator.type
    on_cpu = kind in ("cpu", "mps") or wants_cpu()
    try:
        from accelerate import PartialState
    except ImportError:
        if kind == "cuda" and not on_cpu:
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        backend = "gloo" if on_cpu else dist.get_default_backend_for_device(kind)
        dist.init_process_group(backend, timeout=_PATIENCE)
    else:
        PartialState(cpu=on_cpu, timeout=_PATIENCE)


_NO_ANSWER = (
    "Another rank did not take part in this step of fit ({reason}). It has failed (see "
    "its own messages), or it never came here: all ranks must call the same fits in "
    "the same order. Fits of one rank alone belong into `with separate_fits():` (from "
    "mlmi_sklearn.training.distributed)."
)
_OUT_OF_STEP = (
    "This rank lost the others in an earlier fit ({reason}), so no fit can be shared "
    "any more. Start all processes anew."
)
_DIFFERENT = (
    "The ranks do not fit the same: {name} is {listed}. Pass the same data and "
    "parameters on all ranks, which share each batch by themselves; for different fits "
    "use `with separate_fits():` (from mlmi_sklearn.training.distributed)."
)

"""A backward pass from given row gradients, without checking them each time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import graph

# None in a PyTorch that has moved it.
_engine_run_backward: Callable[..., Any] | None = getattr(
    graph, "_engine_run_backward", None
)

__all__ = ["RowGradients", "run_backward"]


def run_backward(output: Tensor, gradient: Tensor | None) -> None:
    """Compute the gradients of all parameters behind ``output``.

    ``Tensor.backward`` compares sizes, types and layouts of the output and its gradient
    in Python before it calls the engine, which for a small net is a tenth of the time
    of a step. Here the gradient is made like the output, so there is nothing to check.

    Parameters
    ----------
    output : Tensor of shape (n,) or ()
        Where the pass begins.
    gradient : Tensor of shape (n,) or None
        Derivative of the final scalar by ``output``, of the same type and device; None
        for a scalar output.

    Examples
    --------
    >>> import torch
    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> run_backward(x.square(), torch.tensor([1.0, 10.0]))
    >>> x.grad
    tensor([ 2., 40.])
    """
    if gradient is None or _engine_run_backward is None:
        output.backward(gradient)
        return
    _engine_run_backward(
        (output,),
        (gradient,),
        False,  # keep no graph
        False,  # and make none of the gradients
        (),
        allow_unreachable=True,
        accumulate_grad=True,
    )


class RowGradients:
    """Derivative of the weighted mean of losses by the loss of each row.

    Starting the backward pass from it saves the mean itself, forward and backward, in
    each step. Without weights it depends on the size of the batch alone and is kept.

    Examples
    --------
    >>> RowGradients()(torch.zeros(2), torch.tensor([3.0, 1.0]))
    tensor([0.7500, 0.2500])
    """

    def __init__(self) -> None:
        self._even: dict[tuple[int, torch.dtype], Tensor] = {}

    def __call__(self, losses: Tensor, weight: Tensor | None) -> Tensor | None:
        """Return w / sum(w); None for a loss that is a scalar already.

        Parameters
        ----------
        losses : Tensor of shape (n,) or ()
            Losses of one batch.
        weight : Tensor of shape (n,) or None
            Weights of its rows.

        Returns
        -------
        Tensor of shape (n,) or None
            The derivative.
        """
        if losses.ndim == 0:
            return None
        if weight is not None:
            return (weight / weight.sum()).to(losses.dtype)
        key = (len(losses), losses.dtype)
        if key not in self._even:
            self._even[key] = torch.full_like(losses, 1 / len(losses))
        return self._even[key]

    def average(self, parameters: list[Tensor]) -> None:
        """Leave gradients as they are: there is nothing to average them with.

        Parameters
        ----------
        parameters : list of Tensor
            With the gradients of one batch.
        """

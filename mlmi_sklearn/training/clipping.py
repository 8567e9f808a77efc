"""Shorter gradients, without asking the device how long they are."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

__all__ = ["clip_gradients"]


@torch.no_grad()
def clip_gradients(parameters: Iterable[Tensor], limit: float) -> None:
    """Shorten gradients so that their common norm is at most ``limit``.

    The same as :func:`torch.nn.utils.clip_grad_norm_`, which sorts tensors by device
    and type in every call.

    Parameters
    ----------
    parameters : iterable of Tensor
        On one device; those without a gradient are skipped.
    limit : float
        Largest Euclidean norm of all gradients together.

    References
    ----------
    Pascanu et al., *On the difficulty of training recurrent neural networks*, ICML
    2013, algorithm 1.

    Examples
    --------
    >>> p = torch.zeros(2, requires_grad=True)
    >>> p.grad = torch.tensor([3.0, 4.0])
    >>> clip_gradients([p], 1.0)
    >>> p.grad
    tensor([0.6000, 0.8000])
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not gradients:
        return
    norms = torch._foreach_norm(gradients)
    total = torch.linalg.vector_norm(torch.stack(norms))
    torch._foreach_mul_(gradients, (limit / (total + 1e-6)).clamp_(max=1.0))

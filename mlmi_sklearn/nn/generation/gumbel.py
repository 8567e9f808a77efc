"""Categories drawn differentiably, from standard normal numbers."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["gumbel_from_normal", "gumbel_softmax", "share_shift"]

# Normal numbers of this size do not occur, and larger ones would give infinite noise.
_LARGEST = 8.0

_ROUNDS, _CLOSE = 500, 1e-4
# A category that a generator never draws comes back slowly, and need not at all costs.
_FURTHEST = 20.0


def gumbel_softmax(
    logits: Tensor,
    noise: Tensor | None = None,
    temperature: float = 0.2,
    hard: bool = False,
) -> Tensor:
    """Draw categories.

    Parameters
    ----------
    logits : Tensor of shape (..., K)
        Log probabilities, up to a constant.
    noise : Tensor of shape (..., K), optional
        Standard normal numbers. Without them, the result is the softmax.
    temperature : float, default=0.2
        The smaller, the nearer to zeros and ones.
    hard : bool, default=False
        Whether to return zeros and ones, with the gradient of what ``hard=False``
        returns.

    Returns
    -------
    Tensor of shape (..., K)
        Rows that sum to one.

    References
    ----------
    Jang, Gu and Poole, *Categorical reparameterization with Gumbel-softmax*, ICLR
    2017, equation 2.

    Examples
    --------
    >>> noise = torch.tensor([[0.0, 2.0], [1.0, 0.0]])
    >>> gumbel_softmax(torch.zeros(2, 2), noise, hard=True)
    tensor([[0., 1.],
            [1., 0.]])
    """
    if noise is not None:
        logits = (logits + gumbel_from_normal(noise)) / temperature
    soft = torch.softmax(logits, -1)
    if not hard:
        return soft
    ones = F.one_hot(soft.argmax(-1), soft.shape[-1]).to(soft.dtype)
    # The difference is zero exactly, so that the values are zeros and ones exactly.
    return ones + (soft - soft.detach())


def gumbel_from_normal(normal: Tensor) -> Tensor:
    r"""Return standard Gumbel numbers, :math:`-\log(-\log \Phi(x))` of normal ones.

    Parameters
    ----------
    normal : Tensor
        Standard normal numbers.

    Returns
    -------
    Tensor of the same shape
        Rising with ``normal``, and finite for any.

    Examples
    --------
    >>> gumbel_from_normal(torch.tensor([-1.0, 0.0, 1.0]))
    tensor([-0.6103,  0.3665,  1.7559])
    """
    bounded = normal.clamp(-_LARGEST, _LARGEST)
    return -torch.log(-torch.special.log_ndtr(bounded))


def share_shift(logits: Tensor, shares: Tensor) -> Tensor:
    """Return what to add to scores so that categories occur as often as they should.

    Parameters
    ----------
    logits : Tensor of shape (n, K)
        Scores of K categories.
    shares : Tensor of shape (K,)
        Wanted means of their softmax, which sum to one.

    Returns
    -------
    Tensor of shape (K,)
        Shifts, of mean zero and at most 20 in size.

    Examples
    --------
    >>> share_shift(torch.zeros(5, 2), torch.tensor([0.5, 0.5]))
    tensor([0., 0.])
    """
    shift = torch.zeros_like(shares)
    wanted = shares.clamp(min=torch.finfo(shares.dtype).tiny)
    for _ in range(_ROUNDS):
        found = torch.softmax(logits + shift, 1).mean(0)
        if (found - shares).abs().max() < _CLOSE:
            break
        found = found.clamp(min=torch.finfo(found.dtype).tiny)
        shift = shift + torch.log(wanted / found)
        shift = (shift - shift.mean()).clamp(-_FURTHEST, _FURTHEST)
    return shift

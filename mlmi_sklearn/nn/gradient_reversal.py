"""Gradient reversal: the identity whose gradient has the opposite sign."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ._checks import check_interval

__all__ = ["GradientReversal", "reverse_gradient"]


def reverse_gradient(x: Tensor, factor: float = 1.0) -> Tensor:
    r"""Pass a tensor on, and its gradient back with the factor :math:`-\lambda`.

    What comes after it minimises a loss; what comes before it maximises the same loss,
    :math:`\lambda` times as strongly.

    Parameters
    ----------
    x : Tensor
        Any shape, finite.
    factor : float, default=1.0
        :math:`\lambda`; 0 stops the gradient.

    Returns
    -------
    Tensor
        The values of `x`.

    Notes
    -----
    Computed as :math:`c - \lambda (x - c)` with a constant :math:`c = x`, so it needs
    no function of its own and works under all of ``torch.func``, for second
    derivatives and in ``torch.compile``.

    References
    ----------
    Ganin et al., *Domain-adversarial training of neural networks*, JMLR 17 (2016),
    section 4.2.

    Examples
    --------
    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> reverse_gradient(x, 0.5).square().sum().backward()
    >>> x.grad
    tensor([-1., -2.])
    """
    constant = x.detach()
    return torch.add(constant, x - constant, alpha=-factor)


class GradientReversal(nn.Module):
    """:func:`reverse_gradient` as a layer.

    Parameters
    ----------
    factor : float, default=1.0
        Strength, not negative; it may be set anew between steps.

    Raises
    ------
    ValueError
        If `factor` is not a number of at least 0.

    Examples
    --------
    >>> layer = GradientReversal(2.0)
    >>> x = torch.ones(3, requires_grad=True)
    >>> layer(x).sum().backward()
    >>> x.grad
    tensor([-2., -2., -2.])
    """

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = check_interval(factor, "factor")

    def forward(self, x: Tensor) -> Tensor:
        """Return `x`, whose gradient will be reversed.

        Parameters
        ----------
        x : Tensor of any shape
            Features.

        Returns
        -------
        Tensor
            The same numbers.
        """
        return reverse_gradient(x, self.factor)

    def extra_repr(self) -> str:
        """Return what ``repr`` shows in the brackets."""
        return f"factor={self.factor:g}"

"""A critic with slopes of one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .._checks import check_interval
from .contract import Sides
from .critics import Critic, TwoSamples, full_precision

__all__ = ["WassersteinDivergence"]


class WassersteinDivergence(nn.Module):
    r"""Loss of the critic that estimates the Wasserstein distance.

    Over functions :math:`f` whose slope is at most one, the largest difference

    .. math:: \frac1n \sum_i f(z^s_i) - \frac1m \sum_j f(z^t_j)

    is the Wasserstein distance of order one. The loss is minus this difference, in
    training plus `penalty` times the mean of
    :math:`(\lVert \nabla f(\hat z) \rVert - 1)^2` over the rows and over random points
    on the lines between source and target rows.

    Parameters
    ----------
    in_features : int
        Width of the features.
    hidden : sequence of int, int or None, default=None
        Units of the hidden layers of the critic; None for ``(100,)``.
    penalty : float, default=10.0
        Factor of the penalty, not negative.

    Attributes
    ----------
    adversarial : bool
        True.
    uses : frozenset of str
        "weights".

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    Notes
    -----
    The penalty has no gradient with respect to the features: they should come closer,
    not make the critic smooth. The random points are drawn from PyTorch's global
    generator. A critic is no classifier, so there is no accuracy; minus the value in
    evaluation mode estimates the distance.

    References
    ----------
    Shen, Qu, Zhang and Yu, *Wasserstein distance guided representation learning for
    domain adaptation*, AAAI 2018, section 3.

    Examples
    --------
    >>> divergence = WassersteinDivergence(8)
    >>> divergence(torch.randn(5, 8), torch.randn(4, 8)).shape
    torch.Size([])
    """

    adversarial = True
    uses = frozenset({"weights"})
    draws_random_numbers = True  # so whoever trains it lends a generator of its own

    def __init__(
        self,
        in_features: int,
        hidden: Sequence[int] | int | None = None,
        penalty: float = 10.0,
    ) -> None:
        super().__init__()
        self.penalty = check_interval(penalty, "penalty")
        self.critic = Critic(in_features, (100,) if hidden is None else hidden)
        self._rows = TwoSamples()

    @full_precision
    def forward(
        self, zs: Tensor, zt: Tensor, *, weights: Sides | None = None
    ) -> Tensor:
        """Return the loss of the critic.

        Parameters
        ----------
        zs, zt : Tensor of shape (n, D) and (m, D)
            Features of source and target.
        weights : pair of Tensor or None, default=None
            Weights of the rows, (n,) and (m,).

        Returns
        -------
        Tensor of shape ()
            Minus the difference of the means, in training plus the penalty.
        """
        z = torch.cat([zs, zt])
        shares = self._rows.shares(zs, zt, weights)
        signs = 2 * self._rows.labels(zs, zt) - 1
        loss = self.critic(z).squeeze(1).dot(shares * signs)
        if self.training and self.penalty > 0 and torch.is_grad_enabled():
            loss = loss + self.penalty * self._slope(z.detach(), shares, len(zs))
        return loss

    def _slope(self, z: Tensor, shares: Tensor, n: int) -> Tensor:
        """Return the mean squared deviation of the slope from one."""
        # The smaller sample is gone through again until all rows have a partner.
        turns = torch.arange(max(n, len(z) - n), device=z.device)
        source, target = turns % n, n + turns % (len(z) - n)
        place = torch.rand(len(turns), 1, dtype=z.dtype, device=z.device)
        between = torch.lerp(z[source], z[target], place)
        pairs = shares[source] * shares[target]
        pairs = pairs / pairs.sum().clamp_min(torch.finfo(z.dtype).tiny)
        points = torch.cat([z, between]).requires_grad_()
        with torch.enable_grad():
            total = self.critic(points).sum()
        (slopes,) = torch.autograd.grad(total, points, create_graph=True)
        lengths = torch.linalg.vector_norm(slopes, dim=1)
        return (lengths - 1).square().dot(torch.cat([shares, pairs])) / 3

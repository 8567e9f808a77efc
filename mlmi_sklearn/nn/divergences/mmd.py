"""Maximum mean discrepancy."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .._checks import check_interval, check_positive_int
from .contract import Sides
from .critics import TwoSamples, full_precision

__all__ = ["MMDDivergence"]


class MMDDivergence(nn.Module):
    r"""Squared maximum mean discrepancy with Gaussian kernels of several widths.

    .. math::

        \frac1{n^2} \sum_{ii'} k(z^s_i, z^s_{i'})
        + \frac1{m^2} \sum_{jj'} k(z^t_j, z^t_{j'})
        - \frac2{nm} \sum_{ij} k(z^s_i, z^t_j), \qquad
        k(a, b) = \frac1K \sum_{l=1}^K e^{-\lVert a - b \rVert^2 / (2^{l - c} s)},

    c being the middle of 1 to K.

    Parameters
    ----------
    in_features : int
        Width of the features. The divergence does not depend on it.
    n_kernels : int, default=5
        K.
    bandwidth : float or None, default=None
        The s above, a squared distance greater than 0; None for the mean squared
        distance of all rows of the batch, taken as a constant.
    unbiased : bool, default=False
        Leave out pairs of a row with itself. The value may then be negative, and a
        weight of two is not quite the row given twice.

    Attributes
    ----------
    adversarial : bool
        False.
    uses : frozenset of str
        "weights".

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    Notes
    -----
    The mean squared distance stands for the usual median: it knows weights and needs no
    sorting in each step.

    References
    ----------
    Gretton et al., *A kernel two-sample test*, JMLR 13 (2012), equations 3 and 5; Long,
    Cao, Wang and Jordan, *Learning transferable features with deep adaptation
    networks*, ICML 2015.

    Examples
    --------
    >>> divergence = MMDDivergence(2)
    >>> zs = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    >>> divergence(zs, zs.flip(0)).abs().item() < 1e-6
    True
    >>> divergence(zs, zs + 5).item() > 1
    True
    """

    adversarial = False
    uses = frozenset({"weights"})

    def __init__(
        self,
        in_features: int,
        n_kernels: int = 5,
        bandwidth: float | None = None,
        unbiased: bool = False,
    ) -> None:
        super().__init__()
        check_positive_int(in_features, "in_features")
        self.n_kernels = check_positive_int(n_kernels, "n_kernels")
        if bandwidth is not None:
            bandwidth = check_interval(bandwidth, "bandwidth", closed="neither")
        self.bandwidth = bandwidth
        self.unbiased = bool(unbiased)
        self._rows = TwoSamples()

    @full_precision
    def forward(
        self, zs: Tensor, zt: Tensor, *, weights: Sides | None = None
    ) -> Tensor:
        """Return the squared discrepancy.

        Parameters
        ----------
        zs, zt : Tensor of shape (n, D) and (m, D)
            Features of source and target.
        weights : pair of Tensor or None, default=None
            Weights of the rows, (n,) and (m,).

        Returns
        -------
        Tensor of shape ()
            Between 0 and 2, unless it is unbiased.
        """
        labels = self._rows.labels(zs, zt)
        shares = self._rows.shares(zs, zt, weights)
        z = torch.cat([zs, zt])
        # A shift changes no distance, and small numbers lose fewer digits.
        z = z - (0.5 * shares) @ z.detach()
        kernel = self._kernel(z, shares)
        signed = shares * (1 - 2 * labels)
        if self.unbiased:
            return _without_own_pairs(kernel, signed, labels)
        return signed.dot(kernel.mv(signed))

    def _kernel(self, z: Tensor, shares: Tensor) -> Tensor:
        """Return the kernel (n + m, n + m) of centred rows."""
        lengths = z.square().sum(1)
        distances = torch.addmm(lengths.unsqueeze(1), z, z.T, alpha=-2) + lengths
        distances = distances.clamp_min(0)
        # Twice the variance: the mean squared distance of two rows.
        spread = self.bandwidth or (shares.dot(lengths.detach())).clamp_min(
            torch.finfo(z.dtype).tiny
        )
        # Halving a width squares its kernel, so one exponential is enough.
        widest = 2.0 ** (self.n_kernels // 2)
        part = torch.exp(distances / (-widest * spread))
        total = part
        for _ in range(self.n_kernels - 1):
            part = part.square()
            total = total + part
        return total / self.n_kernels


def _without_own_pairs(kernel: Tensor, signed: Tensor, labels: Tensor) -> Tensor:
    """Return the means over pairs of different rows, and over all mixed pairs."""
    n = len(labels)
    pairs = signed.unsqueeze(1) * signed
    own = torch.eye(n, dtype=torch.bool, device=kernel.device)
    pairs = pairs.masked_fill(own, 0)
    total = kernel.new_zeros(())
    for side in (labels == 0, labels == 1):
        inside = pairs * (side.unsqueeze(1) & side)
        tiny = torch.finfo(kernel.dtype).tiny
        total = total + (kernel * inside).sum() / inside.sum().clamp_min(tiny)
    mixed = pairs * (labels.unsqueeze(1) != labels)
    return total + (kernel * mixed).sum()

"""Distance of covariances."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .._checks import check_positive_int
from .contract import Sides
from .critics import TwoSamples, full_precision, weighted_mean

__all__ = ["CORALDivergence"]


class CORALDivergence(nn.Module):
    r"""Distance of the covariances of two samples, as in Deep CORAL.

    .. math:: \frac1{4 D^2} \lVert C_s - C_t \rVert_F^2

    It does not see a shift of the means: they are left to the classifier, or to batch
    normalisation by domain.

    Parameters
    ----------
    in_features : int
        Width D of the features.

    Attributes
    ----------
    adversarial : bool
        False.
    uses : frozenset of str
        "weights".

    Raises
    ------
    ValueError
        If `in_features` is not a positive integer.

    Notes
    -----
    Covariances are divided by n and not by n - 1 as in the paper, so that a row may
    stand alone and a weight of two is the row given twice. For features of unit scale
    the value is of the order of 1 / D; factors of 10 and more are usual.

    References
    ----------
    Sun and Saenko, *Deep CORAL: correlation alignment for deep domain adaptation*, ECCV
    2016 workshops, equation 1.

    Examples
    --------
    >>> divergence = CORALDivergence(2)
    >>> zs = torch.tensor([[0.0, 0.0], [2.0, 0.0]])
    >>> divergence(zs, zs + 5), divergence(zs, 2 * zs)
    (tensor(0.), tensor(0.5625))
    """

    adversarial = False
    uses = frozenset({"weights"})

    def __init__(self, in_features: int) -> None:
        super().__init__()
        self.in_features = check_positive_int(in_features, "in_features")
        self._rows = TwoSamples()

    @full_precision
    def forward(
        self, zs: Tensor, zt: Tensor, *, weights: Sides | None = None
    ) -> Tensor:
        """Return the distance.

        Parameters
        ----------
        zs, zt : Tensor of shape (n, D) and (m, D)
            Features of source and target.
        weights : pair of Tensor or None, default=None
            Weights of the rows, (n,) and (m,).

        Returns
        -------
        Tensor of shape ()
            Not negative.
        """
        ws, wt = weights or (None, None)
        z = torch.cat([zs - weighted_mean(zs, ws), zt - weighted_mean(zt, wt)])
        signs = 1 - 2 * self._rows.labels(zs, zt)
        signed = self._rows.shares(zs, zt, weights) * signs
        gap = z.T @ (z * signed.unsqueeze(1))
        return gap.square().sum() / (4 * self.in_features**2)

"""A discriminator that sees features and predictions together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .._checks import check_positive_int
from .contract import Sides
from .critics import full_precision
from .dann import DANNDivergence
from .discriminator import Judgement

__all__ = ["CDANDivergence"]


class CDANDivergence(DANNDivergence):
    r"""Loss of a discriminator that is conditioned on the predicted classes.

    The discriminator sees the outer product :math:`z \otimes p` of features and
    probabilities, and so compares the domains class by class. Where the product is
    wider than `max_width`, it sees :math:`(R_z z \odot R_p p) / \sqrt{d}` instead, with
    fixed normal matrices of :math:`d` rows, whose inner products are the same on
    average.

    Parameters
    ----------
    in_features : int
        Width D of the features.
    hidden : sequence of int, int or None, default=None
        Units of the hidden layers of the discriminator; None for ``(100,)``.
    entropy_weighting : bool, default=False
        Let rows of sure predictions count more: weight :math:`1 + e^{-H(p)}`.
    max_width : int, default=4096
        Widest outer product, D times C.
    random_width : int, default=1024
        :math:`d`.
    n_classes : int or None, default=None
        Number C of classes. None: it is the loss of
        :class:`~mlmi_sklearn.nn.divergences.DANNDivergence`, and takes no
        probabilities.
    n_domains : int or None, default=None
        As for :class:`~mlmi_sklearn.nn.divergences.DANNDivergence`.

    Attributes
    ----------
    adversarial : bool
        True.
    uses : frozenset of str
        "weights", "probabilities" and "domains".

    Raises
    ------
    ValueError
        If a parameter is out of its range, or probabilities are not of C classes.

    Notes
    -----
    Without probabilities in the call, all classes are equally probable.

    References
    ----------
    Long, Cao, Wang and Jordan, *Conditional adversarial domain adaptation*, NeurIPS
    2018, section 3.

    Examples
    --------
    >>> divergence = CDANDivergence(8, n_classes=3)
    >>> zs, zt = torch.randn(5, 8), torch.randn(4, 8)
    >>> ps, pt = torch.rand(5, 3).softmax(1), torch.rand(4, 3).softmax(1)
    >>> divergence(zs, zt, probabilities=(ps, pt)).shape
    torch.Size([])
    """

    uses = frozenset({"weights", "probabilities", "domains"})

    map_z: Tensor | None
    map_p: Tensor | None

    def __init__(
        self,
        in_features: int,
        hidden: Sequence[int] | int | None = None,
        entropy_weighting: bool = False,
        max_width: int = 4096,
        random_width: int = 1024,
        n_classes: int | None = None,
        n_domains: int | None = None,
    ) -> None:
        width = check_positive_int(in_features, "in_features")
        limit = check_positive_int(max_width, "max_width")
        d = check_positive_int(random_width, "random_width")
        n = 1 if n_classes is None else check_positive_int(n_classes, "n_classes")
        is_random = n_classes is not None and width * n > limit
        super().__init__(d if is_random else width * n, hidden, n_domains)
        self.entropy_weighting = bool(entropy_weighting)
        self.n_classes = n_classes
        self.register_buffer("map_z", _normal(width, d) if is_random else None)
        self.register_buffer("map_p", _normal(n, d) if is_random else None)

    @full_precision
    def forward(
        self,
        zs: Tensor,
        zt: Tensor,
        *,
        weights: Sides | None = None,
        probabilities: tuple[Tensor, Tensor] | None = None,
        domains: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Return the loss of the discriminator.

        Parameters
        ----------
        zs, zt : Tensor of shape (n, D) and (m, D)
            Features of source and target.
        weights : pair of Tensor or None, default=None
            Weights of the rows, (n,) and (m,).
        probabilities : pair of Tensor or None, default=None
            Probabilities of classes, (n, C) and (m, C), without gradient.
        domains : pair of Tensor or None, default=None
            Codes of the rows, int64; read if there are more than two domains.

        Returns
        -------
        Tensor of shape ()
            Loss, not negative.
        """
        judgement = self._judge(
            zs, zt, weights=weights, probabilities=probabilities, domains=domains
        )
        return self._loss(judgement)

    def _judge(
        self,
        zs: Tensor,
        zt: Tensor,
        *,
        weights: Sides | None = None,
        domains: tuple[Tensor, Tensor] | None = None,
        probabilities: tuple[Tensor, Tensor] | None = None,
        **_: Any,
    ) -> Judgement:
        if probabilities is not None:
            check_probabilities(probabilities, self.n_classes, "CDANDivergence")
            if self.entropy_weighting:
                weights = _sure_ones(probabilities, weights)
        if self.n_classes is not None:
            ps, pt = probabilities or (None, None)
            zs, zt = self._condition(zs, ps), self._condition(zt, pt)
        return super()._judge(zs, zt, weights=weights, domains=domains)

    def _condition(self, z: Tensor, p: Tensor | None) -> Tensor:
        """Return what the discriminator sees of rows."""
        if p is None:
            p = z.new_full((len(z), self.n_classes or 1), 1 / (self.n_classes or 1))
        p = p.to(z.dtype)
        if self.map_z is not None and self.map_p is not None:
            return (z @ self.map_z) * (p @ self.map_p)
        return (p.unsqueeze(2) * z.unsqueeze(1)).flatten(1)


def check_probabilities(
    probabilities: tuple[Tensor, Tensor], n_classes: int | None, name: str
) -> None:
    """Raise unless both are of the classes that the divergence was made for."""
    widths = tuple(p.shape[1] for p in probabilities)
    if widths != (n_classes, n_classes):
        made = "without n_classes" if n_classes is None else f"for {n_classes} classes"
        raise ValueError(
            f"{name} was made {made}, but probabilities have {widths[0]} and "
            f"{widths[1]} columns; pass n_classes={widths[0]} when you make it."
        )


def _sure_ones(
    probabilities: tuple[Tensor, Tensor], weights: Sides | None
) -> tuple[Tensor, Tensor]:
    """Return weights of rows, larger for lower entropy."""
    both = []
    for p, weight in zip(probabilities, weights or (None, None), strict=True):
        sure = 1 + torch.exp(-torch.special.entr(p).sum(1))
        both.append(sure if weight is None else sure * weight)
    return both[0], both[1]


def _normal(rows: int, d: int) -> Tensor:
    """Return half of a random map; the scale of both halves is the root of 1 / d."""
    return d**-0.25 * torch.randn(rows, d)

"""Self-attention over the instances of a bag."""

from __future__ import annotations

import math

from torch import Tensor, nn

from .._checks import check_choice, check_interval, check_positive_int
from ..segments import Segments
from ._set_attention import AttentionBlock, BagGroups
from .attention import GatedAttentionPooling

__all__ = ["TransformerPooling"]


class TransformerPooling(nn.Module):
    """Let the instances of a bag see each other, then average them by attention.

    Parameters
    ----------
    in_features : int
        Width of the values.
    width : int, default=64
        Width inside, and of the result; values of another width are projected first.
    n_layers : int, default=1
        Layers of self-attention.
    heads : int, default=4
        Heads of each; they share `width`, which must be a multiple.
    feedforward : int or None, default=None
        Hidden units after each attention; None means twice `width`.
    dropout : float, default=0.0
        Rate in [0, 1) at which units are dropped.
    kind : {"full", "linear"}, default="full"
        ``"full"``: each instance attends to each, in a time that grows with the square
        of the bag. ``"linear"``: each attends to `n_inducing` learned points that
        attended to all instances before; time and memory grow with the bag, which
        bags of many thousand instances need.
    n_inducing : int, default=16
        Points of the linear kind.

    Attributes
    ----------
    out_features : int
        Width of the result, equal to `width`.
    weighted_mean : bool
        False: what is averaged are instances in the context of their bag.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    Notes
    -----
    Without positions, the order of the instances means nothing. Layers normalise
    first. The result is a gated-attention mean of the instances after the last layer,
    whose weights are the weights returned; instances can so be scored in the context
    of their bag. Bags of similar size are padded to a common one for the attention
    alone, and masked: a bag of another size, or none, changes rounding only.

    References
    ----------
    Lee et al., *Set transformer*, ICML 2019, equations 6 to 10 (the linear kind is
    their induced set attention). Shao et al., *TransMIL*, NeurIPS 2021. Ilse, Tomczak
    and Welling, *Attention-based deep multiple instance learning*, ICML 2018.

    Examples
    --------
    >>> import torch
    >>> pool = TransformerPooling(8, width=16, kind="linear", n_inducing=4)
    >>> pooled, weights = pool(torch.randn(5, 8), Segments([3, 2]))
    >>> pooled.shape, weights.shape
    (torch.Size([2, 16]), torch.Size([5]))
    """

    weighted_mean = False

    def __init__(
        self,
        in_features: int,
        width: int = 64,
        n_layers: int = 1,
        heads: int = 4,
        feedforward: int | None = None,
        dropout: float = 0.0,
        kind: str = "full",
        n_inducing: int = 16,
    ) -> None:
        super().__init__()
        in_features = check_positive_int(in_features, "in_features")
        width, heads = _check_width(width, heads)
        hidden = 2 * width if feedforward is None else feedforward
        check_positive_int(hidden, "feedforward")
        rate = check_interval(dropout, "dropout", 0, 1, closed="left")
        linear = check_choice(kind, "kind", ("full", "linear")) == "linear"
        points = check_positive_int(n_inducing, "n_inducing") if linear else None
        same = in_features == width
        self.embed = nn.Identity() if same else nn.Linear(in_features, width)
        self.layers = nn.ModuleList(
            AttentionBlock(width, heads, hidden, rate, points)
            for _ in range(check_positive_int(n_layers, "n_layers"))
        )
        self.norm = nn.LayerNorm(width)
        self.readout = GatedAttentionPooling(width, hidden=width)
        self.out_features = width
        self.power = 1 if linear else 2

    def forward(self, values: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        """Pool the values of each bag.

        Parameters
        ----------
        values : Tensor of shape (N, D)
            Instances, bag after bag.
        segments : Segments
            Where the bags are.

        Returns
        -------
        pooled : Tensor of shape (B, width)
            Weighted means of instances in context.
        weights : Tensor of shape (N,)
            Attention of that mean.
        """
        return self.readout(self.instances(values, segments), segments)

    def instances(self, values: Tensor, segments: Segments) -> Tensor:
        """Return instances in the context of their bags.

        Parameters
        ----------
        values : Tensor of shape (N, D)
            Instances, bag after bag.
        segments : Segments
            Where the bags are.

        Returns
        -------
        Tensor of shape (N, width)
            The pooled vector of a bag is a weighted mean of its rows.
        """
        groups = BagGroups(segments, self.power)
        values = groups.arrange(self.embed(values))
        for layer in self.layers:
            values = layer(values, groups)
        return self.norm(groups.restore(values))

    def pool_with_instances(
        self, values: Tensor, segments: Segments
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return instances in context, their means and weights, computed once.

        Parameters
        ----------
        values : Tensor of shape (N, D)
            Instances, bag after bag.
        segments : Segments
            Where the bags are.

        Returns
        -------
        instances : Tensor of shape (N, width)
            As :meth:`instances`.
        pooled : Tensor of shape (B, width)
            As the first result of :meth:`forward`.
        weights : Tensor of shape (N,)
            As the second.
        """
        seen = self.instances(values, segments)
        return seen, *self.readout(seen, segments)


def _check_width(width: int, heads: int) -> tuple[int, int]:
    """Return width and heads that fit each other."""
    width = check_positive_int(width, "width")
    heads = check_positive_int(heads, "heads")
    if width % heads:
        raise ValueError(
            f"width={width} must be a multiple of heads={heads}; use width="
            f"{heads * math.ceil(width / heads)} or heads={math.gcd(width, heads)}."
        )
    return width, heads

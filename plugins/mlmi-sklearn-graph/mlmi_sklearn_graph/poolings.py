"""Poolings whose instances see their neighbours in space."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import GATv2Conv, SAGEConv

from mlmi_sklearn.nn.poolings import GatedAttentionPooling
from mlmi_sklearn.nn.segments import Segments

from .neighbours import Neighbourhood, neighbourhood

__all__ = ["GraphAttentionPooling", "GraphMeanPooling"]


class _GraphPooling(nn.Module):
    """Message passing between neighbours, then a gated-attention mean of the bag."""

    weighted_mean = False
    uses = frozenset({"coords"})

    def __init__(
        self,
        in_features: int,
        width: int,
        n_layers: int,
        neighbours: int,
        dropout: float,
        make_layer: Callable[[], nn.Module],
    ) -> None:
        super().__init__()
        width = _positive(width, "width")
        self.neighbours = _positive(neighbours, "neighbours")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout={dropout} must be from 0 to below 1.")
        self.out_features = width
        self.embed = nn.Linear(_positive(in_features, "in_features"), width)
        n_layers = _positive(n_layers, "n_layers")
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(n_layers))
        self.layers = nn.ModuleList(make_layer() for _ in range(n_layers))
        self.drop = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(width)
        self.readout = GatedAttentionPooling(width, hidden=width)

    def forward(
        self, values: Tensor, segments: Segments, coords: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Pool the values of each bag.

        Parameters
        ----------
        values : Tensor of shape (N, D)
            Instances, bag after bag.
        segments : Segments
            Where the bags are.
        coords : Tensor of shape (N, C)
            Where the instances are in space.

        Returns
        -------
        pooled : Tensor of shape (B, width)
            Weighted means of instances that have seen their neighbours.
        weights : Tensor of shape (N,)
            Attention of that mean.
        """
        return self.readout(self.instances(values, segments, coords), segments)

    def instances(self, values: Tensor, segments: Segments, coords: Tensor) -> Tensor:
        """Return instances that have seen their neighbours.

        Parameters
        ----------
        values, segments, coords
            As in :meth:`forward`.

        Returns
        -------
        Tensor of shape (N, width)
            The pooled vector of a bag is a weighted mean of its rows.
        """
        around = neighbourhood(coords, segments, self.neighbours)
        seen = self.embed(values)
        for norm, layer in zip(self.norms, self.layers, strict=True):
            seen = seen + self.drop(F.gelu(_passed(layer, norm(seen), around)))
        return self.norm(seen)

    def pool_with_instances(
        self, values: Tensor, segments: Segments, coords: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return instances that have seen their neighbours, their means and weights.

        Parameters
        ----------
        values, segments, coords
            As in :meth:`forward`.

        Returns
        -------
        instances : Tensor of shape (N, width)
            As :meth:`instances`.
        pooled : Tensor of shape (B, width)
            As the first result of :meth:`forward`.
        weights : Tensor of shape (N,)
            As the second.
        """
        seen = self.instances(values, segments, coords)
        return seen, *self.readout(seen, segments)


class GraphAttentionPooling(_GraphPooling):
    r"""Let tiles attend to the tiles around them, then average them by attention.

    Tile :math:`i` with features :math:`h_i` sees the places :math:`N_i` nearest to its
    own, and its own, by the attention of Brody et al.,

    .. math::

        h_i' = h_i + \operatorname{GELU}\Big(
        \sum_{j \in N_i} \alpha_{ij} W h_j + b\Big), \quad
        \alpha_{ij} = \operatorname{softmax}_j\, a^\top
        \operatorname{LeakyReLU}(W h_j + V h_i),

    where :math:`h_j` on the right is layer-normalised, and the mean of the tiles where
    a place has several. The bag is the gated-attention mean of its tiles.

    Parameters
    ----------
    in_features : int
        Width of the values.
    width : int, default=64
        Width inside, and of the result; a multiple of `heads`.
    n_layers : int, default=1
        Rounds of attention; a tile then sees what is so many neighbours away.
    neighbours : int, default=8
        Nearest places that a tile sees, 8 being those around a tile of a grid; more
        where several are equally far, fewer in bags of fewer.
    heads : int, default=4
        Attention patterns of each layer; they share `width`.
    dropout : float, default=0.0
        Rate in [0, 1) at which units of a layer's result are dropped.

    Attributes
    ----------
    out_features : int
        Width of the result, equal to `width`.
    weighted_mean : bool
        False: what is averaged are tiles in context.
    uses : frozenset of str
        ``{"coords"}``: bags need coordinates.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    Notes
    -----
    Time and memory grow with tiles times neighbours, not with the square of the bag.
    The neighbours are found anew in each call, on the CPU.

    References
    ----------
    Brody, Alon and Yahav, *How attentive are graph attention networks?*, ICLR 2022.
    Ilse, Tomczak and Welling, *Attention-based deep multiple instance learning*, ICML
    2018. Chen et al., *Whole slide images are 2D point clouds*, MICCAI 2021, for graphs
    of neighbouring tiles.

    Examples
    --------
    >>> import torch
    >>> pool = GraphAttentionPooling(in_features=8, width=16)
    >>> xy = torch.tensor([[0., 0.], [32., 0.], [64., 0.], [0., 0.]])
    >>> pooled, weights = pool(torch.randn(4, 8), Segments([3, 1]), coords=xy)
    >>> pooled.shape, weights.shape
    (torch.Size([2, 16]), torch.Size([4]))
    """

    def __init__(
        self,
        in_features: int,
        width: int = 64,
        n_layers: int = 1,
        neighbours: int = 8,
        heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        heads, width = _positive(heads, "heads"), _positive(width, "width")
        if width % heads:
            raise ValueError(f"width={width} must be a multiple of heads={heads}.")

        def make_layer() -> nn.Module:
            # Its own place is among the neighbours already.
            return GATv2Conv(
                (width, width), width // heads, heads=heads, add_self_loops=False
            )

        super().__init__(in_features, width, n_layers, neighbours, dropout, make_layer)


class GraphMeanPooling(_GraphPooling):
    r"""Let tiles see the mean of the tiles around them, then average by attention.

    As :class:`GraphAttentionPooling`, with the layer of Hamilton et al.,

    .. math::

        h_i' = h_i + \operatorname{GELU}\Big(W \frac{1}{|N_i|} \sum_{j \in N_i} h_j
        + V h_i + b\Big),

    which needs a fraction of the memory.

    Parameters
    ----------
    in_features : int
        Width of the values.
    width : int, default=64
        Width inside, and of the result.
    n_layers : int, default=1
        Rounds of averaging; a tile then sees what is so many neighbours away.
    neighbours : int, default=8
        Nearest places that a tile sees; more where several are equally far, fewer in
        bags of fewer.
    dropout : float, default=0.0
        Rate in [0, 1) at which units of a layer's result are dropped.

    Attributes
    ----------
    out_features : int
        Width of the result, equal to `width`.
    weighted_mean : bool
        False: what is averaged are tiles in context.
    uses : frozenset of str
        ``{"coords"}``: bags need coordinates.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    References
    ----------
    Hamilton, Ying and Leskovec, *Inductive representation learning on large graphs*,
    NeurIPS 2017.

    Examples
    --------
    >>> import torch
    >>> pool = GraphMeanPooling(in_features=8, width=16)
    >>> xy = torch.tensor([[0., 0.], [32., 0.], [64., 0.], [0., 0.]])
    >>> pooled, weights = pool(torch.randn(4, 8), Segments([3, 1]), coords=xy)
    >>> pooled.shape
    torch.Size([2, 16])
    """

    def __init__(
        self,
        in_features: int,
        width: int = 64,
        n_layers: int = 1,
        neighbours: int = 8,
        dropout: float = 0.0,
    ) -> None:
        def make_layer() -> nn.Module:
            return SAGEConv((width, width), width)

        super().__init__(in_features, width, n_layers, neighbours, dropout, make_layer)


def _passed(layer: nn.Module, values: Tensor, around: Neighbourhood) -> Tensor:
    """Pass messages from places to tiles."""
    return layer((around.at_places(values), values), around.edges)


def _positive(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name}={value!r} must be an int of at least 1.")
    return value

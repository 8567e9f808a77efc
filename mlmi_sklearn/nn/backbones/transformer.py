"""Transformer for sets and sequences."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .._checks import check_choice, check_interval, check_positive_int
from ._shapes import check_sequence

__all__ = ["SetTransformer"]


class SetTransformer(nn.Module):
    """Transformer encoder over the elements of a set or sequence, then their mean.

    Without positions the result does not depend on the order of the elements.

    Parameters
    ----------
    input_shape : tuple of int
        ``(L, D)``: so many elements of so many features.
    width : int, default=64
        Width inside, and of the result.
    n_layers : int, default=2
        Encoder layers.
    heads : int, default=4
        Attention heads; they share `width`, which must be a multiple.
    feedforward : int or None, default=None
        Hidden units after each attention; None means twice `width`.
    dropout : float, default=0.0
        Rate in [0, 1) at which units are dropped after attention and inside and after
        the hidden layer; attention weights themselves are not dropped.
    positional : {"none", "sinusoidal"}, default="none"
        Whether elements know their position.

    Attributes
    ----------
    out_features : int
        Width of the result.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or inputs are no sequences.

    Notes
    -----
    Layers normalise first (Xiong et al. 2020), which trains without a warm-up of the
    learning rate.

    References
    ----------
    Vaswani et al., *Attention is all you need*, NeurIPS 2017, sections 3.1 and 3.5.
    Lee et al., *Set transformer*, ICML 2019, on attention without positions.
    Xiong et al., *On layer normalization in the transformer architecture*, ICML 2020.

    Examples
    --------
    >>> SetTransformer((10, 6), width=16)(torch.zeros(2, 10, 6)).shape
    torch.Size([2, 16])
    """

    positions: Tensor | None

    def __init__(
        self,
        input_shape: Sequence[int],
        width: int = 64,
        n_layers: int = 2,
        heads: int = 4,
        feedforward: int | None = None,
        dropout: float = 0.0,
        positional: str = "none",
    ) -> None:
        super().__init__()
        length, n_features = check_sequence(input_shape, "transformer")
        width = check_positive_int(width, "width")
        heads = check_positive_int(heads, "heads")
        if width % heads:
            raise ValueError(
                f"width={width} must be a multiple of heads={heads}; use width="
                f"{heads * math.ceil(width / heads)} or heads={math.gcd(width, heads)}."
            )
        hidden = 2 * width if feedforward is None else feedforward
        check_positive_int(hidden, "feedforward")
        rate = check_interval(dropout, "dropout", 0, 1, closed="left")
        check_choice(positional, "positional", ("none", "sinusoidal"))
        self.embed = nn.Linear(n_features, width)
        table = _sinusoids(length, width) if positional == "sinusoidal" else None
        self.register_buffer("positions", table, persistent=False)
        self.layers = nn.Sequential(
            *(
                _encoder_layer(width, heads, hidden, rate)
                for _ in range(check_positive_int(n_layers, "n_layers"))
            ),
            nn.LayerNorm(width),
        )
        self.out_features = width

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean of the encoded elements.

        Parameters
        ----------
        x : Tensor of shape (B, L, D)
            Sets or sequences.

        Returns
        -------
        Tensor of shape (B, out_features)
            Features.
        """
        x = self.embed(x)
        if self.positions is not None:
            x = x + self.positions
        return self.layers(x).mean(1)


def _encoder_layer(width: int, heads: int, hidden: int, rate: float) -> nn.Module:
    """Return one layer whose only dropout is in modules, where it can be seen."""
    layer = nn.TransformerEncoderLayer(
        width,
        heads,
        dim_feedforward=hidden,
        dropout=rate,
        activation="gelu",
        batch_first=True,
        norm_first=True,
    )
    layer.self_attn.dropout = 0.0
    return layer


def _sinusoids(length: int, width: int) -> Tensor:
    """Return sines and cosines of wavelengths from 2 pi to 20,000 pi, (L, width)."""
    steps = torch.arange(0, width, 2, dtype=torch.float64) / width
    places = torch.arange(length, dtype=torch.float64).unsqueeze(1)
    angles = places * 10_000.0**-steps
    table = torch.stack((angles.sin(), angles.cos()), dim=2).flatten(1)
    return table[:, :width].to(torch.get_default_dtype())

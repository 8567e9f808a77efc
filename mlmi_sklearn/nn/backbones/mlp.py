"""Backbones for vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .._checks import check_positive_int, check_sizes
from ._layers import (
    FeatureDropout,
    activation_layer,
    dropout_layers,
    input_dropout_layers,
    norm_layers,
)
from ._shapes import check_vector

__all__ = ["MLP", "Linear"]


class MLP(nn.Sequential):
    """Layers of linear maps, each followed by an activation.

    Parameters
    ----------
    input_shape : tuple of int
        ``(n_features,)``.
    hidden : tuple of int or int, default=(100,)
        Units of each layer; the last is `out_features`. Empty for no layer at all.
    activation : str, default="relu"
        "relu", "leaky-relu", "elu", "selu", "gelu", "silu", "mish", "hardswish",
        "softplus", "tanh", "sigmoid" or "identity".
    dropout : float, default=0.0
        Rate in [0, 1) at which units are dropped after each activation.
    norm : {"none", "batch", "layer"}, default="none"
        Normalisation before each activation.
    input_dropout : float, default=0.0
        Rate in [0, 1) at which features of the input are dropped, the same ones for a
        whole batch.

    Attributes
    ----------
    out_features : int
        Width of the result.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or inputs are not vectors.

    Examples
    --------
    >>> import torch
    >>> MLP((20,), hidden=(64, 32))(torch.zeros(5, 20)).shape
    torch.Size([5, 32])
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        hidden: Sequence[int] | int = (100,),
        activation: str = "relu",
        dropout: float = 0.0,
        norm: str = "none",
        input_dropout: float = 0.0,
    ) -> None:
        width = check_vector(input_shape, "mlp")
        layers: list[nn.Module] = input_dropout_layers(input_dropout)
        for units in check_sizes(hidden, "hidden"):
            layers += [nn.Linear(width, units), *norm_layers(norm, units)]
            layers += [activation_layer(activation), *dropout_layers(dropout)]
            width = units
        super().__init__(*layers)
        self.out_features = width

    def forward_affine(
        self, x: Tensor, factor: Tensor | None, offset: Tensor | None
    ) -> Tensor:
        """Return the features of ``factor * x + offset`` without making that.

        The map, and the dropout of input features, go into the weights of the first
        layer instead, so that no copy of a large input is needed.

        Parameters
        ----------
        x : Tensor of shape (B, n_features)
            Inputs.
        factor : Tensor of shape () or None
            Common factor; None for 1.
        offset : Tensor of shape (n_features,) or None
            Offsets; None for 0.

        Returns
        -------
        Tensor of shape (B, out_features)
            The same as ``self(factor * x + offset)``, but for rounding.
        """
        layers: list[Any] = list(self)
        drop = layers.pop(0) if isinstance(layers[0], FeatureDropout) else None
        first = layers.pop(0)
        weight, bias = first.weight, first.bias
        if drop is not None and self.training:
            weight = weight * drop.factors(x)
        if offset is not None:
            bias = torch.addmv(bias, weight, offset)
        if factor is not None:
            weight = weight * factor
        out = functional.linear(x, weight, bias)
        for layer in layers:
            out = layer(out)
        return out


class Linear(nn.Sequential):
    """No hidden layer: with a linear head, a linear model.

    Parameters
    ----------
    input_shape : tuple of int
        ``(n_features,)``.
    out_features : int or None, default=None
        Width of a linear projection; None passes the input on as it is and has no
        parameters.

    Attributes
    ----------
    out_features : int
        Width of the result.

    Raises
    ------
    ValueError
        If `out_features` is not positive, or inputs are not vectors.

    Examples
    --------
    >>> import torch
    >>> Linear((20,))(torch.zeros(5, 20)).shape
    torch.Size([5, 20])
    >>> Linear((20,), out_features=3)(torch.zeros(5, 20)).shape
    torch.Size([5, 3])
    """

    def __init__(
        self, input_shape: Sequence[int], out_features: int | None = None
    ) -> None:
        width = check_vector(input_shape, "linear")
        if out_features is None:
            super().__init__()
        else:
            units = check_positive_int(out_features, "out_features")
            super().__init__(nn.Linear(width, units))
            width = units
        self.out_features = width

"""Generator of vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from .._checks import check_sizes
from ..backbones._layers import activation_layer, dropout_layers, norm_layers
from ._parts import with_something
from .contract import Generator

__all__ = ["MLPGenerator"]


class MLPGenerator(Generator):
    """Fully connected layers: from `z` and the condition to a vector.

    Parameters
    ----------
    latent_dim : int
        Columns of `z`.
    output_shape : tuple of int
        ``(n_features,)``; a longer shape is filled from one vector.
    vector_size : int, default=0
        Columns of the condition, which enter beside `z`.
    map_channels : int, default=0
        Must be 0: there are no places that a map could speak of.
    hidden : tuple of int or int, default=(256, 256)
        Units of each layer.
    norm : {"batch", "layer", "none"}, default="batch"
        Normalisation before each activation. That by batches has the statistics of
        training in evaluation mode, so a batch with one and the same condition in all
        rows does not lose it.
    activation : str, default="relu"
        As in :class:`~mlmi_sklearn.nn.backbones.MLP`.
    dropout : float, default=0.0
        Rate in [0, 1) at which units are dropped in training.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or maps are asked for.

    References
    ----------
    Mirza and Osindero, *Conditional generative adversarial nets*, arXiv 1411.1784,
    2014, section 3.2, for the condition beside `z`.

    Examples
    --------
    >>> import torch
    >>> generator = MLPGenerator(32, (64,), vector_size=10)
    >>> generator(torch.randn(5, 32), torch.eye(10)[:5]).shape
    torch.Size([5, 64])
    """

    def __init__(
        self,
        latent_dim: int,
        output_shape: Sequence[int],
        vector_size: int = 0,
        map_channels: int = 0,
        hidden: Sequence[int] | int = (256, 256),
        norm: str = "batch",
        activation: str = "relu",
        dropout: float = 0.0,
    ) -> None:
        super().__init__(latent_dim, output_shape, vector_size, map_channels)
        if self.map_channels:
            raise ValueError(
                "generator 'mlp' takes a vector as condition, no maps, got "
                f"map_channels={self.map_channels}; use generator='conv' for images "
                "or volumes with maps."
            )
        width = max(self.code_size, 1)
        layers: list[nn.Module] = []
        for units in check_sizes(hidden, "hidden"):
            norms = norm_layers(norm, units)
            # A normalisation takes away the mean, and any intercept with it.
            layers += [nn.Linear(width, units, bias=not norms), *norms]
            layers += [activation_layer(activation), *dropout_layers(dropout)]
            width = units
        layers.append(nn.Linear(width, math.prod(self.output_shape)))
        self.layers = nn.Sequential(*layers)

    def generate(self, code: Tensor, noise: Tensor, maps: Tensor | None) -> Tensor:
        """Make samples of checked inputs.

        Parameters
        ----------
        code, noise : Tensor of shape (B, n_numbers)
            As in :meth:`Generator.generate`.
        maps : Tensor of shape (B, map_channels, *output_shape[1:]) or None
            Conditions for every place.

        Returns
        -------
        Tensor of shape (B, *output_shape)
            Samples.
        """
        return self.layers(with_something(code)).reshape(-1, *self.output_shape)

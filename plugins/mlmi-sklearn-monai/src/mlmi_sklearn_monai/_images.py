"""What all encoders share: shapes of images and volumes, and room for their strides."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

__all__ = ["Encoder"]


class Encoder(nn.Module):
    """Base of the encoders: pads, encodes, averages over what is left of the image.

    Parameters
    ----------
    input_shape : tuple of int
        ``(H, W)`` or ``(C, H, W)`` for images, ``(C, D, H, W)`` for volumes.
    least : int
        Shortest side that the encoder takes.
    step : int, default=1
        Sides are padded to multiples of it.

    Attributes
    ----------
    out_features : int
        Width of the result.

    Raises
    ------
    ValueError
        If the shape is that of neither images nor volumes.
    """

    out_features: int

    def __init__(self, input_shape: tuple[int, ...], least: int, step: int = 1) -> None:
        super().__init__()
        shape = tuple(input_shape)
        if len(shape) not in (2, 3, 4) or min(shape) < 1:
            raise ValueError(
                f"{type(self).__name__} takes images, (H, W) or (C, H, W), and "
                f"volumes, (C, D, H, W), not samples of shape {shape}."
            )
        self.has_channels = len(shape) > 2
        sides = shape[1:] if self.has_channels else shape
        self.in_channels = shape[0] if self.has_channels else 1
        self.spatial_dims = len(sides)
        self.padding: list[int] = []
        for side in reversed(sides):  # as torch wants it, the last axis first
            extra = -(-max(side, least) // step) * step - side
            self.padding += [extra // 2, extra - extra // 2]

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """Return maps of features, (B, out_features, ...)."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the features of images or volumes.

        Parameters
        ----------
        x : Tensor
            Shape (B, *input_shape).

        Returns
        -------
        Tensor
            Shape (B, out_features).
        """
        if not self.has_channels:
            x = x.unsqueeze(1)
        if any(self.padding):
            x = nn.functional.pad(x, self.padding)
        return torch.flatten(self.encode(x), 2).mean(dim=2)

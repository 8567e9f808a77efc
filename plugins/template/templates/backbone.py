"""The network; it is imported when somebody uses it."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class {{ cookiecutter.class_name }}(nn.Module):
    """Sines of linear functions of a vector.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one sample, ``(n_features,)``.
    width : int, default=32
        Number of features that come out.
    """

    def __init__(self, input_shape: tuple[int, ...], width: int = 32) -> None:
        super().__init__()
        (n_features,) = input_shape
        self.layer = nn.Linear(n_features, width)
        self.out_features = width

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, n_features) to (B, out_features)."""
        return torch.sin(self.layer(x))

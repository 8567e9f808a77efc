"""An autoencoder around any backbone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["Autoencoder", "GridDecoder", "Standardize", "vector_decoder"]

# By the number of axes of the grid.
_CONVS: dict[int, Callable[..., nn.Module]] = {2: nn.Conv2d, 3: nn.Conv3d}
_DECODER_CHANNELS = {2: 32, 3: 16}
_HALVINGS = 2


class Standardize(nn.Module):
    """Inputs on the scale of the training data, and back.

    Parameters
    ----------
    shape : tuple of int
        Of mean and deviation: (n_features,), or (n_channels, 1, ...) for images.

    Attributes
    ----------
    mean, deviation : Tensor
        Buffers, 0 and 1 at first.

    Examples
    --------
    >>> scale = Standardize((2,))
    >>> _ = scale.mean.fill_(1.0), scale.deviation.fill_(2.0)
    >>> scale(torch.tensor([[3.0, 1.0]]))
    tensor([[1., 0.]])
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("deviation", torch.ones(shape))

    def forward(self, x: Tensor) -> Tensor:
        """Return standardised inputs (B, ...)."""
        return (x - self.mean) / self.deviation

    def inverse(self, z: Tensor) -> Tensor:
        """Return standardised values (B, ...) in their original unit."""
        return z * self.deviation + self.mean


class GridDecoder(nn.Module):
    """From a code to an image or volume: a coarse map, made finer by convolutions.

    Parameters
    ----------
    code_size : int
        Width of the code.
    shape : tuple of int
        ``(C, H, W)`` or ``(C, D, H, W)``.

    Examples
    --------
    >>> GridDecoder(8, (1, 14, 10))(torch.zeros(2, 8)).shape
    torch.Size([2, 1, 14, 10])
    """

    def __init__(self, code_size: int, shape: Sequence[int]) -> None:
        super().__init__()
        channels, *size = shape
        self.size = tuple(size)
        factor = 2**_HALVINGS
        self.coarse = tuple(max(math.ceil(side / factor), 1) for side in size)
        conv, width = _CONVS[len(size)], _DECODER_CHANNELS[len(size)]
        self.first = nn.Linear(code_size, width * math.prod(self.coarse))
        self.middle = nn.ModuleList(
            conv(width, width, 3, padding=1) for _ in range(_HALVINGS)
        )
        self.last = conv(width, channels, 3, padding=1)

    def forward(self, code: Tensor) -> Tensor:
        """Return images (B, C, ...) for codes (B, code_size)."""
        x = F.relu(self.first(code)).reshape(len(code), -1, *self.coarse)
        sizes = [
            tuple(-(-side // 2 ** (_HALVINGS - step)) for side in self.size)
            for step in range(1, _HALVINGS + 1)
        ]
        for size, layer in zip(sizes, self.middle, strict=True):
            x = F.interpolate(x, size=size, mode="nearest")
            x = F.relu(layer(x))
        return self.last(x)


def vector_decoder(code_size: int, width: int, n_features: int) -> nn.Module:
    """Return one hidden layer of ``width`` units and a linear one.

    Parameters
    ----------
    code_size, width, n_features : int
        Sizes of code, hidden layer and output.

    Returns
    -------
    nn.Module
        Maps (B, code_size) to (B, n_features).
    """
    return nn.Sequential(
        nn.Linear(code_size, width), nn.ReLU(), nn.Linear(width, n_features)
    )


class Autoencoder(nn.Module):
    """A backbone, a linear code of its features, and a way back.

    In training, a share of the inputs is set to their mean first: what comes back must
    be made from the rest (Vincent et al. 2008).

    Parameters
    ----------
    backbone : nn.Module
        Maps (B, *shape) to (B, out_features).
    shape : tuple of int
        Of one sample.
    code_size : int
        Width of the code.
    denoising : float
        Share of inputs that is masked in training, in [0, 1).

    Attributes
    ----------
    draws_random_numbers : bool
        Whether training uses PyTorch's generator.

    Examples
    --------
    >>> from mlmi_sklearn.nn.backbones import MLP
    >>> model = Autoencoder(MLP((6,)), (6,), code_size=2, denoising=0.1)
    >>> model.embed(torch.zeros(3, 6)).shape, model(torch.zeros(3, 6)).shape
    (torch.Size([3, 2]), torch.Size([3, 6]))
    """

    def __init__(
        self, backbone: Any, shape: tuple[int, ...], code_size: int, denoising: float
    ) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.denoising = denoising
        self.draws_random_numbers = denoising > 0
        # Images may come without an axis for channels.
        grid = (1, *shape) if len(shape) == 2 else tuple(shape)
        per_channel = (shape[0], *[1] * (len(shape) - 1)) if len(shape) > 2 else (1, 1)
        width = int(backbone.out_features)
        self.scale = Standardize(tuple(shape) if len(shape) == 1 else per_channel)
        self.backbone = backbone
        self.code = nn.Linear(width, code_size)
        self.decoder = (
            vector_decoder(code_size, width, grid[0])
            if len(grid) == 1
            else GridDecoder(code_size, grid)
        )

    def embed(self, x: Tensor) -> Tensor:
        """Return codes (B, code_size) of inputs."""
        return self.code(self.backbone(self.scale(x)))

    def decode(self, code: Tensor) -> Tensor:
        """Return inputs (B, ...), in their unit, for codes (B, code_size)."""
        return self.scale.inverse(self.decoder(code).reshape(-1, *self.shape))

    def both(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return codes, what they decode to, and what that should have been.

        Parameters
        ----------
        x : Tensor of shape (B, ...)
            Inputs.

        Returns
        -------
        code : Tensor of shape (B, code_size)
            Codes.
        decoded, wanted : Tensor of shape (B, n_values)
            Standardised and flattened.
        """
        z = self.scale(x)
        seen = z
        if self.training and self.denoising:
            seen = z * (torch.rand_like(z) >= self.denoising)
        code = self.code(self.backbone(seen))
        return code, self.decoder(code).flatten(1), z.flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """Return inputs (B, ...) as they come back."""
        return self.decode(self.embed(x))

    def errors(self, x: Tensor) -> Tensor:
        """Return the mean squared error (B, 1) of each input, standardised."""
        _, decoded, wanted = self.both(x)
        return (decoded - wanted).square().mean(dim=1, keepdim=True)

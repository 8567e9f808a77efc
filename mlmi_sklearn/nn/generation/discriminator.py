"""A discriminator that knows what was asked for: D(x, y)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from .._checks import check_choice

__all__ = [
    "ConditionalDiscriminator",
    "MinibatchDeviation",
    "apply_spectral_norm",
    "discriminator_input_shape",
]

_WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def discriminator_input_shape(
    sample_shape: Sequence[int],
    vector_size: int = 0,
    map_channels: int = 0,
    conditioning: str = "concat",
) -> tuple[int, ...]:
    """Return the shape of what the backbone of a discriminator sees.

    Parameters
    ----------
    sample_shape : sequence of int
        (n_features,) or (C, H, W) or (C, D, H, W).
    vector_size : int, default=0
        Length of the condition, which becomes further features or constant channels
        unless it is projected.
    map_channels : int, default=0
        Channels of the map that stands beside an image.
    conditioning : {"concat", "projection"}, default="concat"
        How the vector comes in.

    Returns
    -------
    tuple of int
        The shape.

    Examples
    --------
    >>> discriminator_input_shape((1, 28, 28), vector_size=10)
    (11, 28, 28)
    >>> discriminator_input_shape((64,), vector_size=10, conditioning="projection")
    (64,)
    """
    added = vector_size if conditioning == "concat" else 0
    first, *rest = sample_shape
    return (first + added + (map_channels if rest else 0), *rest)


class ConditionalDiscriminator(nn.Module):
    r"""Say how real samples look, given their conditions.

    With ``conditioning="concat"`` the condition is part of the input,
    :math:`D(x, y) = w^\top f(x, y) + b`; with ``"projection"`` (Miyato and Koyama)
    :math:`D(x, y) = w^\top f(x) + b + (V y)^\top f(x)`. Maps always stand beside the
    image.

    Parameters
    ----------
    backbone : nn.Module
        Maps inputs of :func:`discriminator_input_shape` to (B, out_features).
    vector_size : int, default=0
        Length of the condition.
    conditioning : {"concat", "projection"}, default="concat"
        How it comes in.
    minibatch_std : bool, default=False
        Whether the deviation over the batch is a feature, which shows a generator
        that always draws the same.
    n_auxiliary : int, default=0
        Further outputs, scores of classes (AC-GAN).

    References
    ----------
    Mirza and Osindero, *Conditional generative adversarial nets*, 2014. Miyato and
    Koyama, *cGANs with projection discriminator*, ICLR 2018, equation 6. Karras et
    al., *Progressive growing of GANs*, ICLR 2018, section 3. Odena, Olah and Shlens,
    *Conditional image synthesis with auxiliary classifier GANs*, ICML 2017.

    Examples
    --------
    >>> from mlmi_sklearn.nn.backbones import MLP
    >>> critic = ConditionalDiscriminator(MLP((5,), hidden=8), vector_size=3)
    >>> critic(torch.zeros(4, 2), torch.zeros(4, 3)).shape
    torch.Size([4])
    """

    def __init__(
        self,
        backbone: nn.Module,
        vector_size: int = 0,
        conditioning: str = "concat",
        minibatch_std: bool = False,
        n_auxiliary: int = 0,
    ) -> None:
        super().__init__()
        check_choice(conditioning, "conditioning", ("concat", "projection"))
        self.backbone = backbone
        self.projects = conditioning == "projection" and vector_size > 0
        width = int(getattr(backbone, "out_features", 0))
        self.deviation = MinibatchDeviation(width) if minibatch_std else None
        self.head = _head(width, self.deviation)
        self.projection = (
            nn.Linear(vector_size, width, bias=False) if self.projects else None
        )
        self.auxiliary = nn.Linear(width, n_auxiliary) if n_auxiliary else None

    @property
    def sees_batches(self) -> bool:
        """Whether, in training, the score of a row depends on its batch."""
        norms = (nn.modules.batchnorm._BatchNorm, MinibatchDeviation)
        return any(isinstance(part, norms) for part in self.modules())

    def forward(
        self, x: Tensor, vector: Tensor | None = None, maps: Tensor | None = None
    ) -> Tensor:
        """Return logits (B,); above zero for what looks real."""
        return self.judge(x, vector, maps)[0]

    def judge(
        self, x: Tensor, vector: Tensor | None = None, maps: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Return logits (B,) and, if there is an auxiliary head, scores (B, K)."""
        f = self.backbone(self._joined(x, vector, maps))
        wide = f if self.deviation is None else self.deviation(f)
        logits = self.head(wide).squeeze(1)
        if self.projection is not None and vector is not None:
            logits = logits + (self.projection(vector) * f).sum(1)
        return logits, None if self.auxiliary is None else self.auxiliary(f)

    def _joined(self, x: Tensor, vector: Tensor | None, maps: Tensor | None) -> Tensor:
        parts = [x]
        if vector is not None and not self.projects:
            spread = vector.reshape(*vector.shape, *[1] * (x.ndim - 2))
            parts.append(spread.expand(*vector.shape, *x.shape[2:]))
        if maps is not None:
            parts.append(maps)
        return x if len(parts) == 1 else torch.cat(parts, 1)


class MinibatchDeviation(nn.Module):
    """Append deviations over the batch of a few projections of the features.

    In evaluation mode they are the running mean of training, so that the score of a
    sample does not depend on its companions.

    Parameters
    ----------
    in_features : int
        D, length of the features.
    n_projections : int, default=8
        K, deviations that are appended.

    Examples
    --------
    >>> MinibatchDeviation(3)(torch.zeros(4, 3)).shape
    torch.Size([4, 11])
    """

    typical: Tensor

    def __init__(self, in_features: int, n_projections: int = 8) -> None:
        super().__init__()
        self.project = nn.Linear(in_features, n_projections, bias=False)
        self.register_buffer("typical", torch.zeros(n_projections))

    def forward(self, f: Tensor) -> Tensor:
        """Return (B, D + K)."""
        if self.training and len(f) > 1:
            # The epsilon keeps the root's slope finite where features agree.
            found = (self.project(f).var(0, unbiased=False) + 1e-8).sqrt()
            self.typical.lerp_(found.detach(), 0.01)
        else:
            found = self.typical
        return torch.cat([f, found.expand(len(f), -1)], 1)


def _head(width: int, deviation: MinibatchDeviation | None) -> nn.Module:
    """Return what makes a logit of features; deviations need a hidden layer."""
    if deviation is None:
        return nn.Linear(width, 1)
    wider = width + len(deviation.typical)
    return nn.Sequential(nn.Linear(wider, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))


def apply_spectral_norm(module: nn.Module) -> nn.Module:
    """Divide the weight of each layer by its largest singular value, in place.

    Parameters
    ----------
    module : nn.Module
        Its linear and convolutional layers are changed.

    Returns
    -------
    nn.Module
        The module.

    References
    ----------
    Miyato, Kataoka, Koyama and Yoshida, *Spectral normalization for generative
    adversarial networks*, ICLR 2018.

    Examples
    --------
    >>> layer = apply_spectral_norm(nn.Sequential(nn.Linear(2, 2)))
    >>> for _ in range(50):
    ...     _ = layer(torch.ones(1, 2))
    >>> round(float(torch.linalg.matrix_norm(layer[0].weight, 2)), 3)
    1.0
    """
    layers: list[Any] = [m for m in module.modules() if isinstance(m, _WEIGHTED)]
    for layer in layers:
        if math.prod(layer.weight.shape) > 0:
            spectral_norm(layer)
    return module

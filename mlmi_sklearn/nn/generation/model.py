"""Generator, discriminator and the average of the generator, as one module."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from .averaging import WeightAverage
from .discriminator import ConditionalDiscriminator

__all__ = ["GANModel", "Sampler"]


class Sampler(nn.Module):
    """A generator and what makes values of its raw outputs: G(z, y).

    Parameters
    ----------
    generator : nn.Module
        ``(z, vector, maps) -> raw``, as components of the kind "generator" are.
    activation : nn.Module
        ``(raw, noise, hard) -> samples``, see
        :class:`~.blocks.OutputActivation`.
    latent_dim : int
        Structured latent numbers; those that generator and activation want as mere
        noise come on top.

    Attributes
    ----------
    noise_dim : int
        Standard normal numbers that one sample takes.

    Examples
    --------
    >>> from mlmi_sklearn.nn.generation.blocks import Block, OutputActivation
    >>> from mlmi_sklearn.nn.generators import MLPGenerator
    >>> activation = OutputActivation([Block("sigmoid", 0, 2)])
    >>> draw = Sampler(MLPGenerator(4, (2,), hidden=8), activation, 4).eval()
    >>> draw(torch.zeros(3, draw.noise_dim)).shape
    torch.Size([3, 2])
    """

    def __init__(
        self, generator: nn.Module, activation: nn.Module, latent_dim: int
    ) -> None:
        super().__init__()
        self.generator = generator
        self.activation = activation
        self.latent_dim = latent_dim
        self._cut = latent_dim + int(getattr(generator, "noise_features", 0))
        self.noise_dim = self._cut + int(getattr(activation, "noise_features", 0))

    def forward(
        self,
        z: Tensor,
        vector: Tensor | None = None,
        maps: Tensor | None = None,
        hard: bool = False,
    ) -> Tensor:
        """Return samples in model space.

        Parameters
        ----------
        z : Tensor of shape (B, noise_dim)
            Standard normal numbers.
        vector : Tensor of shape (B, vector_size), optional
            Conditions.
        maps : Tensor of shape (B, map_channels, ...), optional
            Conditions pixel by pixel.
        hard : bool, default=False
            Whether categories come as zeros and ones.
        """
        return self.activation(self.raw(z, vector, maps), z[:, self._cut :], hard)

    def raw(
        self, z: Tensor, vector: Tensor | None = None, maps: Tensor | None = None
    ) -> Tensor:
        """Return outputs of the generator as they are."""
        return self.generator(z[:, : self._cut], vector, maps)


class GANModel(nn.Module):
    """The whole model.

    Parameters
    ----------
    sampler : Sampler
        What is trained.
    discriminator : ConditionalDiscriminator
        Against which it is trained.
    sample_shape : tuple of int, default=()
        Shape of one sample, for those who draw.

    Attributes
    ----------
    average : Sampler
        Copy of the sampler whose weights are a running mean: what samples are drawn
        with.

    Examples
    --------
    >>> from mlmi_sklearn.nn.backbones import MLP
    >>> from mlmi_sklearn.nn.generation.blocks import Block, OutputActivation
    >>> from mlmi_sklearn.nn.generators import MLPGenerator
    >>> activation = OutputActivation([Block("linear", 0, 2)])
    >>> sampler = Sampler(MLPGenerator(4, (2,), hidden=8), activation, 4)
    >>> model = GANModel(sampler, ConditionalDiscriminator(MLP((2,), hidden=8)))
    >>> model(torch.zeros(3, 4)).shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        sampler: Sampler,
        discriminator: ConditionalDiscriminator,
        sample_shape: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        self.sample_shape = sample_shape
        self.sampler = sampler
        self.discriminator = discriminator
        self.average = copy.deepcopy(sampler).requires_grad_(False)

    def match_shares(self, draws: Any, shares: Tensor) -> None:
        """Give categories, over all samples, the shares that they have in the data.

        A generator that is a little off loses rare categories.

        Parameters
        ----------
        draws : iterable of (z, vector, maps)
            Latent vectors, and conditions as they are in the data.
        shares : Tensor of shape (width,)
            Means of the data in model space.
        """
        activation: Any = self.average.activation
        if not getattr(activation, "noise_features", 0):
            return
        with torch.no_grad():
            raw = torch.cat([self.average.raw(*draw) for draw in draws])
        activation.match_shares(raw, shares)

    def forward(self, z: Tensor, *conditions: Any) -> Tensor:
        """Return samples of the average generator, categories as zeros and ones."""
        return self.average(z, *conditions, hard=True)

    def averaging(self) -> WeightAverage:
        """Return what keeps the average."""
        return WeightAverage(self.average, self.sampler)

    def renew_norms(self, draws: Any) -> None:
        """Measure the batch statistics of the average generator anew.

        Those of the live generator belong to other weights.

        Parameters
        ----------
        draws : iterable of (z, vector, maps)
            Batches as they are in training.
        """
        kinds = nn.modules.batchnorm._BatchNorm
        norms: list[Any] = [m for m in self.average.modules() if isinstance(m, kinds)]
        if not norms:
            return
        kept = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # an average with equal weights
            norm.train()
        with torch.no_grad():
            for z, vector, maps in draws:
                self.average(z, vector, maps)
        for norm, momentum in zip(norms, kept, strict=True):
            norm.momentum = momentum
            norm.eval()

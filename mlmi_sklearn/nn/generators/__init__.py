"""Generators: from random numbers and conditions to vectors, images or volumes.

``Generator(latent_dim, output_shape, vector_size=0, map_channels=0, **params)`` maps
``(z, vector, maps)`` to ``(B, *output_shape)``, raw: what becomes of the numbers, such
as a tanh, is up to the caller. See :mod:`~mlmi_sklearn.nn.generators.contract`. All
chance is in ``z``, so in evaluation mode a row is a function of its own ``z`` and its
own condition. :class:`PatchDiscriminator` judges what they make, place by place.
"""

from __future__ import annotations

from .contract import Generator
from .conv import ConvGenerator
from .mlp import MLPGenerator
from .patch import PatchDiscriminator
from .unet import UNetGenerator

__all__ = [
    "ConvGenerator",
    "Generator",
    "MLPGenerator",
    "PatchDiscriminator",
    "UNetGenerator",
]

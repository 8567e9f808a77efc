"""Parts of a conditional generator that are not chosen by name.

:mod:`.blocks` makes values of raw outputs, :mod:`.discriminator` judges samples
together with their conditions, :mod:`.averaging` keeps a running mean of weights, and
:mod:`.model` joins them.
"""

from __future__ import annotations

from .averaging import WeightAverage
from .blocks import Block, OutputActivation
from .discriminator import ConditionalDiscriminator
from .model import GANModel, Sampler

__all__ = [
    "Block",
    "ConditionalDiscriminator",
    "GANModel",
    "OutputActivation",
    "Sampler",
    "WeightAverage",
]

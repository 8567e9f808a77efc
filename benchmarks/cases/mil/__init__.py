"""Deep MIL on bags of different size, beside raw loops and torchmil.

A raw loop is written in three ways, bag after bag, by scattering and with padding; the
one that takes the least time for the bags of a row is the limit there.

The layer under all poolings has 64 ReLU units. Nets of ours, of the raw loop and of
torchmil are the same, but for the transformer: torchmil's has no biases and no output
layer in its attention.
"""

from . import costs, prediction, training

__all__ = ["costs", "prediction", "training"]

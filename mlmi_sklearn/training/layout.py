"""How the weights of convolutions lie in memory.

With channels next to one another (NHWC) convolutions on a CPU are about as fast as in
PyTorch's usual order, but max pooling and batch normalisation between them are much
faster: a training step of the ``conv`` backbone takes a third less, a prediction less
than half. Outputs follow the weights, so that no input has to be converted.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils import (
    convert_conv2d_weight_memory_format,
    convert_conv3d_weight_memory_format,
)

from .foreign import is_foreign

__all__ = ["put_channels_last"]


def put_channels_last(module: nn.Module) -> None:
    """Lay out the weights of convolutions with the channels last, in place.

    Only where there is maximum pooling, which is what gains most: nets of residual
    blocks or of strides are no faster, and players of images a little slower.

    A module with parts from elsewhere is left alone: their ``forward`` may ask for a
    ``view`` that only PyTorch's usual order allows.

    Parameters
    ----------
    module : nn.Module
        The model. The values of its weights do not change.

    Examples
    --------
    >>> net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.MaxPool2d(2), nn.Flatten())
    >>> put_channels_last(net)
    >>> net[0].weight.is_contiguous(memory_format=torch.channels_last)
    True
    """
    parts = list(module.modules())
    if any(map(is_foreign, parts)):
        return
    if not any(isinstance(part, nn.modules.pooling._MaxPoolNd) for part in parts):
        return
    convert_conv2d_weight_memory_format(module, torch.channels_last)
    convert_conv3d_weight_memory_format(module, torch.channels_last_3d)

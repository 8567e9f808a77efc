"""Backbones: from a batch of inputs to a batch of feature vectors.

``Backbone(input_shape, **params)`` maps ``(B, *input_shape)`` to
``(B, out_features)``. Every one of them can be run by
:func:`torch.func.functional_call`, starts from the same weights under the same seed,
and, in evaluation mode, treats each row as if it were alone.
"""

from __future__ import annotations

from .conv import Conv4, ConvNet, ConvNet3d
from .mlp import MLP, Linear
from .resnet import ResNet
from .strided import StridedConv
from .transformer import SetTransformer
from .unet import UNetEncoder

__all__ = [
    "MLP",
    "Conv4",
    "ConvNet",
    "ConvNet3d",
    "Linear",
    "ResNet",
    "SetTransformer",
    "StridedConv",
    "UNetEncoder",
]

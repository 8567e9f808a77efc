"""Encoders of MONAI as backbones.

All take images, ``(H, W)`` or ``(C, H, W)``, and volumes, ``(C, D, H, W)``, of any
size: what is too small for the strides of a net is padded with zeros on all sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from monai.networks.nets import DenseNet, EfficientNetBN
from monai.networks.nets.basic_unet import Down, TwoConv
from monai.networks.nets.swin_unetr import SwinTransformer
from torch import Tensor, nn

from ._images import Encoder

__all__ = ["DenseNet121", "EfficientNet", "SwinUNETREncoder", "UNetEncoder"]


class DenseNet121(Encoder):
    """Densely connected convolutions; 121 layers by default.

    Parameters
    ----------
    input_shape : tuple of int
        Images or volumes.
    block_config : sequence of int, default=(6, 12, 24, 16)
        Layers of each block. (6, 12, 32, 32) is DenseNet169, (6, 12, 48, 32)
        DenseNet201.
    init_features : int, default=64
        Channels of the first convolution.
    growth_rate : int, default=32
        Channels that each layer adds.
    norm : str or tuple, default="batch"
        Normalisation, in MONAI's notation.
    dropout_prob : float, default=0.0
        Rate of dropout after each layer.

    Attributes
    ----------
    out_features : int
        Width of the result, 1024 by default.

    References
    ----------
    Huang et al., *Densely connected convolutional networks*, CVPR 2017.

    Examples
    --------
    >>> import torch
    >>> from mlmi_sklearn_monai.encoders import DenseNet121
    >>> DenseNet121((1, 28, 28))(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 1024])
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        block_config: Sequence[int] = (6, 12, 24, 16),
        init_features: int = 64,
        growth_rate: int = 32,
        norm: str | tuple[Any, ...] = "batch",
        dropout_prob: float = 0.0,
    ) -> None:
        # The stem quarters a side, and each transition halves it.
        super().__init__(input_shape, least=2 ** (len(block_config) + 1))
        net = DenseNet(
            self.spatial_dims,
            self.in_channels,
            out_channels=1,
            init_features=init_features,
            growth_rate=growth_rate,
            block_config=block_config,
            norm=norm,
            dropout_prob=dropout_prob,
        )
        self.features = net.features
        self.out_features = net.class_layers.out.in_features

    def encode(self, x: Tensor) -> Tensor:
        """Return maps of features."""
        return nn.functional.relu(self.features(x))


class EfficientNet(Encoder):
    """Inverted bottlenecks with attention over channels.

    Parameters
    ----------
    input_shape : tuple of int
        Images or volumes; sides are padded to multiples of 32.
    model_name : str, default="efficientnet-b0"
        ``"efficientnet-b0"`` to ``"efficientnet-b8"``, from small to large.
    norm : str or tuple, default=("batch", {"eps": 1e-3, "momentum": 0.1})
        Normalisation, in MONAI's notation. MONAI's own momentum, 0.01, needs hundreds
        of batches before predictions are of use.

    Attributes
    ----------
    out_features : int
        Width of the result, 1280 for ``"efficientnet-b0"``.

    References
    ----------
    Tan and Le, *EfficientNet: rethinking model scaling for convolutional neural
    networks*, ICML 2019.

    Examples
    --------
    >>> import torch
    >>> from mlmi_sklearn_monai.encoders import EfficientNet
    >>> EfficientNet((3, 32, 32)).eval()(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 1280])
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        model_name: str = "efficientnet-b0",
        norm: str | tuple[Any, ...] = ("batch", {"eps": 1e-3, "momentum": 0.1}),
    ) -> None:
        # MONAI computes the paddings of its strides for whole multiples.
        super().__init__(input_shape, least=32, step=32)
        net = EfficientNetBN(
            model_name,
            pretrained=False,
            spatial_dims=self.spatial_dims,
            in_channels=self.in_channels,
            num_classes=1,
            norm=norm,
        )
        self.out_features = net._fc.in_features
        # The other form writes its own backward pass, which has no second derivative.
        net.set_swish(memory_efficient=False)
        net._fc = nn.Identity()
        self.net = net

    def encode(self, x: Tensor) -> Tensor:
        """Return the average of all maps, which MONAI's net takes itself."""
        return self.net(x).unsqueeze(2)


class SwinUNETREncoder(Encoder):
    """Encoder of SwinUNETR: attention in windows that shift from layer to layer.

    Parameters
    ----------
    input_shape : tuple of int
        Images or volumes; sides are padded to multiples of 32.
    feature_size : int, default=24
        Channels of the first stage, a multiple of 12; the last has 16 times as many.
    depths : sequence of int, default=(2, 2, 2, 2)
        Layers of each of the four stages.
    num_heads : sequence of int, default=(3, 6, 12, 24)
        Heads of attention in each stage.
    window_size : int, default=7
        Side of a window.
    drop_rate, attn_drop_rate, dropout_path_rate : float, default=0.0
        Rates of dropout of features, attention and residual branches.

    Attributes
    ----------
    out_features : int
        Width of the result, 384 by default.

    References
    ----------
    Hatamizadeh et al., *Swin UNETR: Swin transformers for semantic segmentation of
    brain tumors in MRI images*, BrainLes 2021.

    Examples
    --------
    >>> import torch
    >>> from mlmi_sklearn_monai.encoders import SwinUNETREncoder
    >>> SwinUNETREncoder((1, 32, 32), feature_size=12)(torch.zeros(2, 1, 32, 32)).shape
    torch.Size([2, 192])
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        feature_size: int = 24,
        depths: Sequence[int] = (2, 2, 2, 2),
        num_heads: Sequence[int] = (3, 6, 12, 24),
        window_size: int = 7,
        drop_rate: float = 0.0,
        attn_drop_rate: float = 0.0,
        dropout_path_rate: float = 0.0,
    ) -> None:
        super().__init__(input_shape, least=32, step=32)
        if feature_size < 1 or feature_size % 12:
            raise ValueError(
                f"feature_size={feature_size!r} must be a positive multiple of 12."
            )
        # Under the name it has in SwinUNETR, so that published weights fit.
        self.swinViT = SwinTransformer(
            in_chans=self.in_channels,
            embed_dim=feature_size,
            window_size=(window_size,) * self.spatial_dims,
            patch_size=(2,) * self.spatial_dims,
            depths=depths,
            num_heads=num_heads,
            drop_rate=drop_rate,
            attn_drop_rate=attn_drop_rate,
            drop_path_rate=dropout_path_rate,
            spatial_dims=self.spatial_dims,
        )
        self.out_features = 16 * feature_size

    def encode(self, x: Tensor) -> Tensor:
        """Return the maps of the last stage."""
        last: Tensor = self.swinViT(x, True)[-1]
        return last


class UNetEncoder(Encoder):
    """Contracting path of MONAI's U-Net.

    Parameters
    ----------
    input_shape : tuple of int
        Images or volumes.
    features : sequence of int, default=(32, 32, 64, 128, 256)
        Channels of each level; a side is halved between levels.
    norm : str or tuple, default=("instance", {"affine": True})
        Normalisation, in MONAI's notation. That by instances takes away brightness and
        contrast of an image; ``"batch"`` keeps them.
    dropout : float, default=0.0
        Rate of dropout after each convolution.

    Attributes
    ----------
    out_features : int
        Width of the result, the last of `features`.

    References
    ----------
    Falk et al., *U-Net: deep learning for cell counting, detection, and morphometry*,
    Nature Methods 2019.

    Examples
    --------
    >>> import torch
    >>> from mlmi_sklearn_monai.encoders import UNetEncoder
    >>> UNetEncoder((1, 8, 32, 32), features=(4, 8))(torch.zeros(2, 1, 8, 32, 32)).shape
    torch.Size([2, 8])
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        features: Sequence[int] = (32, 32, 64, 128, 256),
        norm: str | tuple[Any, ...] = ("instance", {"affine": True}),
        dropout: float = 0.0,
    ) -> None:
        widths = tuple(features)
        if not widths or min(widths) < 1:
            raise ValueError(
                f"features={features!r} must be positive ints, one a level."
            )
        # Two pixels have to be left, or normalisation by instances has nothing to do.
        super().__init__(input_shape, least=2 ** len(widths))
        act = ("LeakyReLU", {"negative_slope": 0.1, "inplace": True})
        rest = (act, norm, True, dropout)
        # Under the names they have in BasicUNet, so that its weights fit.
        self.conv_0 = TwoConv(self.spatial_dims, self.in_channels, widths[0], *rest)
        for level, (before, after) in enumerate(pairwise(widths), 1):
            down = Down(self.spatial_dims, before, after, *rest)
            setattr(self, f"down_{level}", down)
        self.levels = len(widths)
        self.out_features = widths[-1]

    def encode(self, x: Tensor) -> Tensor:
        """Return the maps of the last level."""
        x = self.conv_0(x)
        for level in range(1, self.levels):
            x = getattr(self, f"down_{level}")(x)
        return x

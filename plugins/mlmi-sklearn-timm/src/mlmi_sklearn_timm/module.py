"""The module around a model of timm."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["HardSigmoid", "TimmBackbone"]


class HardSigmoid(nn.Module):
    """PyTorch's function in plain operations, which have a second derivative.

    Examples
    --------
    >>> import torch
    >>> from mlmi_sklearn_timm.module import HardSigmoid
    >>> HardSigmoid()(torch.tensor([-4.0, 0.0, 4.0])).tolist()
    [0.0, 0.5, 1.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return clip(x + 3, 0, 6) / 6 of each element."""
        return nn.functional.relu6(x + 3) / 6


class TimmBackbone(nn.Module):
    """A model of timm without its head, and what its images need before it.

    Parameters
    ----------
    model : nn.Module
        From ``timm.create_model(..., num_classes=0)``.
    input_shape : tuple of int
        ``(H, W)`` or ``(C, H, W)``.
    size : tuple of int
        Height and width to which images are padded, with zeros and on all sides.
    out_features : int
        Width of the result.

    Attributes
    ----------
    model : nn.Module
        That model.
    out_features : int
        Width of the result.

    Examples
    --------
    >>> import torch
    >>> from mlmi_sklearn_timm.models import factory_of
    >>> backbone = factory_of("convnext_atto")((3, 28, 28))
    >>> backbone.padding
    (2, 2, 2, 2)
    >>> backbone(torch.zeros(5, 3, 28, 28)).shape
    torch.Size([5, 320])
    """

    def __init__(
        self,
        model: nn.Module,
        input_shape: tuple[int, ...],
        size: tuple[int, int],
        out_features: int,
    ) -> None:
        super().__init__()
        self.model = _twice_differentiable(model)
        self.has_channels = len(input_shape) == 3
        extra = [size[0] - input_shape[-2], size[1] - input_shape[-1]]
        above, left = (number // 2 for number in extra)
        self.padding = (left, extra[1] - left, above, extra[0] - above)
        self.out_features = out_features

    def forward(self, x: Tensor) -> Tensor:
        """Return the features of images.

        Parameters
        ----------
        x : Tensor
            Shape (B, *input_shape).

        Returns
        -------
        Tensor
            Shape (B, out_features).
        """
        if not self.has_channels:
            x = x.unsqueeze(1)
        if any(self.padding):
            x = nn.functional.pad(x, self.padding)
        return torch.flatten(self.model(x), 1)


def _twice_differentiable(model: nn.Module) -> nn.Module:
    """Replace layers of which PyTorch has no second derivative, for MAML's sake."""
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.Hardsigmoid:
                setattr(parent, name, HardSigmoid())
    return model

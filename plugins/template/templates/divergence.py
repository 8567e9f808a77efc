"""The divergence; it is imported when somebody uses it."""

from __future__ import annotations

from torch import Tensor, nn


class {{ cookiecutter.class_name }}(nn.Module):
    """Squared distance between the means of two samples.

    Parameters
    ----------
    in_features : int
        Width of the features.
    """

    adversarial = False  # it owns no critic

    def __init__(self, in_features: int) -> None:
        super().__init__()

    def forward(self, zs: Tensor, zt: Tensor) -> Tensor:
        """Map samples (n, D) and (m, D) to a scalar."""
        return (zs.mean(dim=0) - zt.mean(dim=0)).square().sum()

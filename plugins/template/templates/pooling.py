"""The pooling; it is imported when somebody uses it."""

from __future__ import annotations

from torch import Tensor, nn

from mlmi_sklearn.nn.segments import Segments


class {{ cookiecutter.class_name }}(nn.Module):
    """Mean of a bag with more weight on instances whose values are large.

    Parameters
    ----------
    in_features : int
        Width of the values.
    sharpness : float, default=1.0
        0 gives the plain mean.
    """

    weighted_mean = True  # pooled is the sum of weights times values

    def __init__(self, in_features: int, sharpness: float = 1.0) -> None:
        super().__init__()
        self.out_features = in_features
        self.sharpness = sharpness

    def forward(self, values: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        """Map values (N, D) to pooled (B, D) and weights (N,)."""
        weights = segments.softmax(self.sharpness * values.mean(dim=1))
        return segments.weighted_sum(values, weights), weights

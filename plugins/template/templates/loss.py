"""The loss; it is imported when somebody uses it."""

from __future__ import annotations

from torch import Tensor


class {{ cookiecutter.class_name }}:
    """Error that grows like a square near zero and like a line far away.

    Parameters
    ----------
    scale : float, default=1.0
        Size of an error at which the one turns into the other.
    """

    link = "identity"  # predictions are the raw outputs

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    def __call__(self, raw: Tensor, target: Tensor) -> Tensor:
        """Give one loss for each row of (B, K): no mean over rows here."""
        error = (raw - target.reshape(raw.shape)) / self.scale
        return ((1 + error.square()).sqrt() - 1).mean(dim=1)

"""The outputs of many nets of one structure in one pass."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ...nn.models import Predictor
from ...nn.tasks import StackedForward
from ...nn.tasks.chains import linear

__all__ = ["StackedNets"]


class StackedNets:
    """A backbone and a linear head with weights of their own for each of K nets.

    Parameters
    ----------
    module : Predictor
        Its own weights are never used.
    """

    def __init__(self, module: Predictor) -> None:
        # None of the layers that can be stacked knows training from evaluation.
        self.backbone = StackedForward(module.backbone.train())
        self._names: dict[str, str] = {
            f"backbone.{name}": name for name, _ in module.backbone.named_parameters()
        }

    def __call__(self, weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """Return raw outputs.

        Parameters
        ----------
        weights : mapping of str to Tensor of shape (K, ...)
            Parameters of the nets.
        x : Tensor of shape (K, B, ...)
            A batch of each net.

        Returns
        -------
        Tensor of shape (K, B, n_outputs)
            Outputs of the heads.
        """
        inner = {short: weights[name] for name, short in self._names.items()}
        return linear(weights, "head.", self.backbone(inner, x))

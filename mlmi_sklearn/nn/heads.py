"""Heads: from features to scores."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ._checks import check_interval, check_positive_int

__all__ = ["CosineHead"]


class CosineHead(nn.Module):
    r"""Similarity to one prototype a class.

    The scores of features :math:`f` are

    .. math:: \frac{1}{T} W^\top \frac{f}{\lVert f \rVert},

    whose columns :math:`w_k` point, after training, at the centre of class k on the
    sphere of features: they are its prototype. A row of zeros has scores of zero.

    Parameters
    ----------
    in_features : int
        Width D of the features.
    n_outputs : int
        Columns of the scores: one a class; 1 for two classes, whose score is that of
        the second class minus that of the first, so that its sigmoid is the softmax of
        the two.
    temperature : float, default=0.05
        T, greater than 0; the smaller, the surer the predictions.

    Attributes
    ----------
    n_classes : int
        Prototypes, two for one output.
    prototypes : Tensor of shape (in_features, n_classes)
        W, without gradient.

    Raises
    ------
    ValueError
        If a number is out of its range.

    References
    ----------
    Saito, Kim, Sclaroff, Darrell and Saenko, *Semi-supervised domain adaptation via
    minimax entropy*, ICCV 2019, section 3.1.

    Examples
    --------
    >>> head = CosineHead(8, n_outputs=3)
    >>> f = torch.randn(5, 8)
    >>> head(f).shape, head.prototypes.shape
    (torch.Size([5, 3]), torch.Size([8, 3]))
    >>> torch.allclose(head(10 * f), head(f), atol=1e-4)
    True
    """

    def __init__(
        self, in_features: int, n_outputs: int, temperature: float = 0.05
    ) -> None:
        super().__init__()
        self.in_features = check_positive_int(in_features, "in_features")
        self.n_outputs = check_positive_int(n_outputs, "n_outputs")
        self.temperature = check_interval(temperature, "temperature", closed="neither")
        self.n_classes = max(self.n_outputs, 2)
        self.weight = nn.Parameter(torch.empty(self.n_classes, self.in_features))
        # As a linear layer begins; with larger weights the low temperature settles on
        # classes before the features are any good (benchmarks/bench_da_digits.py).
        nn.init.uniform_(self.weight, -(in_features**-0.5), in_features**-0.5)

    @property
    def prototypes(self) -> Tensor:
        """Prototypes of the classes as columns, without gradient."""
        return self.weight.detach().T

    def forward(self, features: Tensor) -> Tensor:
        """Return scores.

        Parameters
        ----------
        features : Tensor of shape (B, in_features)
            Features of any length.

        Returns
        -------
        Tensor of shape (B, n_outputs)
            Scores.
        """
        weight: Tensor = self.weight
        if self.n_outputs == 1:
            weight = weight[1:] - weight[:1]
        return F.linear(_unit(features), weight) / self.temperature

    def extra_repr(self) -> str:
        """Return what ``repr`` shows in the brackets."""
        sizes = f"{self.in_features}, {self.n_outputs}"
        return f"{sizes}, temperature={self.temperature:g}"


def _unit(features: Tensor) -> Tensor:
    """Return rows of length one; rows of zeros stay, with a gradient of zero."""
    length = torch.linalg.vector_norm(features, dim=1, keepdim=True)
    # The usual division by at least 1e-12 has a gradient of 1e12 there.
    return features / length.masked_fill(length == 0, torch.inf)

"""What critics are made of: the net, and labels and weights of the rows it sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from .._checks import check_positive_int, check_sizes
from ..backbones._layers import activation_layer
from .contract import Sides

__all__ = ["Critic", "TwoSamples", "full_precision", "weighted_mean"]

Method = TypeVar("Method", bound=Callable[..., Any])

_HALF = frozenset({torch.float16, torch.bfloat16})

# Sizes of batches that are remembered; an epoch has two or three.
_KEPT = 64


class Critic(nn.Sequential):
    """A small net that scores features.

    Parameters
    ----------
    in_features : int
        Width of the features.
    hidden : sequence of int or int, default=(100,)
        Units of the hidden layers; empty for a linear critic.
    n_outputs : int, default=1
        Scores a row.
    activation : str, default="relu"
        As for :class:`~mlmi_sklearn.nn.backbones.MLP`.

    Raises
    ------
    ValueError
        If a size is not a positive integer, or the activation is unknown.

    Examples
    --------
    >>> Critic(8, hidden=())(torch.zeros(5, 8)).shape
    torch.Size([5, 1])
    """

    def __init__(
        self,
        in_features: int,
        hidden: Sequence[int] | int = (100,),
        n_outputs: int = 1,
        activation: str = "relu",
    ) -> None:
        width = check_positive_int(in_features, "in_features")
        layers: list[nn.Module] = []
        for units in check_sizes(hidden, "hidden"):
            layers += [nn.Linear(width, units), activation_layer(activation)]
            width = units
        outputs = check_positive_int(n_outputs, "n_outputs")
        super().__init__(*layers, nn.Linear(width, outputs))


class TwoSamples:
    """Labels and weights of rows of two samples, one after the other.

    Without weights they depend on the sizes alone and are kept, which saves a good
    part of the step of a small net. Copies and pickles begin empty.

    Examples
    --------
    >>> zs, zt = torch.zeros(2, 8), torch.zeros(1, 8)
    >>> rows = TwoSamples()
    >>> rows.labels(zs, zt)
    tensor([0., 0., 1.])
    >>> rows.shares(zs, zt)
    tensor([0.5000, 0.5000, 1.0000])
    """

    def __init__(self) -> None:
        self._made: dict[tuple[object, ...], tuple[Tensor, Tensor]] = {}

    def __reduce__(self) -> tuple[type[TwoSamples], tuple[()]]:
        return TwoSamples, ()

    def labels(self, zs: Tensor, zt: Tensor) -> Tensor:
        """Return 0 for source and 1 for target rows, (n + m,)."""
        return self._constants(zs, zt)[0]

    def shares(self, zs: Tensor, zt: Tensor, weights: Sides | None = None) -> Tensor:
        """Return weights (n + m,) that sum to one over each sample.

        The sum of losses under them is the mean over the source plus the mean over the
        target. A sample without rows, or without weight, counts nothing.

        Parameters
        ----------
        zs, zt : Tensor of shape (n, D) and (m, D)
            The samples.
        weights : pair of Tensor or None, default=None
            Weights of their rows, (n,) and (m,).

        Returns
        -------
        Tensor of shape (n + m,)
            Of the type of `zs`.
        """
        even = self._constants(zs, zt)[1]
        if weights is None or (weights[0] is None and weights[1] is None):
            return even
        parts = zip(weights, even.split([len(zs), len(zt)]), strict=True)
        return torch.cat([e if w is None else _normalised(w, zs) for w, e in parts])

    def _constants(self, zs: Tensor, zt: Tensor) -> tuple[Tensor, Tensor]:
        key = (len(zs), len(zt), zs.dtype, zs.device)
        found = self._made.get(key)
        if found is None:
            found = _constants(len(zs), len(zt), zs.dtype, zs.device)
            # Tensors of inference mode cannot take part in training afterwards.
            if not torch.is_inference_mode_enabled():
                if len(self._made) >= _KEPT:
                    self._made.clear()
                self._made[key] = found
        return found


def full_precision(method: Method) -> Method:
    """Make a method of a divergence leave autocast, and widen features of half width.

    Differences of means and of kernels are small against what they are made of, and
    half precision would round them away.

    Parameters
    ----------
    method : callable
        ``(self, zs, zt, **keywords)``.

    Returns
    -------
    callable
        The same, computed in single precision at least.
    """

    @wraps(method)
    def call(self: Any, zs: Tensor, zt: Tensor, **keywords: Any) -> Any:
        device = zs.device.type
        if zs.dtype in _HALF or torch.is_autocast_enabled(device):
            with torch.autocast(device, enabled=False):
                wide = (z.float() if z.dtype in _HALF else z for z in (zs, zt))
                return method(self, *wide, **keywords)
        return method(self, zs, zt, **keywords)

    return cast(Method, call)


def weighted_mean(values: Tensor, weight: Tensor | None) -> Tensor:
    """Return the mean over rows; 0 where no row has weight.

    Parameters
    ----------
    values : Tensor of shape (n, ...)
        One entry a row.
    weight : Tensor of shape (n,) or None
        Not negative.

    Returns
    -------
    Tensor of shape (...)
        Mean.

    Examples
    --------
    >>> weighted_mean(torch.tensor([1.0, 4.0]), torch.tensor([2.0, 1.0]))
    tensor(2.)
    """
    if weight is None:
        return values.mean(0)
    return torch.tensordot(_normalised(weight, values), values, 1)


def _normalised(weight: Tensor, like: Tensor) -> Tensor:
    weight = weight.to(like.dtype)
    return weight / weight.sum().clamp_min(torch.finfo(like.dtype).tiny)


def _constants(
    n: int, m: int, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return labels and even weights."""
    labels = torch.zeros(n + m, dtype=dtype, device=device)
    labels[n:] = 1
    shares = torch.full((n + m,), 1 / max(n, 1), dtype=dtype, device=device)
    shares[n:] = 1 / max(m, 1)
    return labels, shares

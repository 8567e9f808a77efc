"""Functions of tensors: a quicker tanh, and how sure scores are."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

__all__ = ["log_probabilities", "prediction_entropy", "tanh"]

# Below this size the call of a function written in Python costs more than it saves.
_LARGE = 1 << 15


def _has_quick_tanh() -> bool:
    """Tell whether PyTorch's own is quick: Intel's MKL takes a slow way on others."""
    ask: Any = getattr(torch.cpu, "get_capabilities", None)  # old ones have none
    name = str(ask().get("cpu_name")) if ask else ""
    return name.startswith("Intel") and torch.backends.mkl.is_available()


_QUICK = _has_quick_tanh()


def tanh(x: Tensor) -> Tensor:
    """Compute the hyperbolic tangent, by the sigmoid where that is quicker.

    Where Intel's MKL runs on a processor of another make, PyTorch's float32 ``tanh``
    takes over twice as long as ``2 sigmoid(2 x) - 1``, which is the same but for
    rounding: at most 2e-7. On Intel's own it takes less than half of that.

    Parameters
    ----------
    x : Tensor
        Any shape.

    Returns
    -------
    Tensor
        Same shape and type.

    Examples
    --------
    >>> x = torch.linspace(-3, 3, 7)
    >>> torch.allclose(tanh(x), torch.tanh(x), rtol=0, atol=2e-7)
    True
    """
    large = not _QUICK and x.numel() >= _LARGE
    if large and x.device.type == "cpu" and x.dtype == torch.float32:
        return _Tanh.apply(x)
    return torch.tanh(x)


def log_probabilities(raw: Tensor, link: str = "softmax") -> Tensor:
    """Compute the logarithms of the probabilities of classes.

    Parameters
    ----------
    raw : Tensor of shape (n, K)
        Scores; one column is the logit of the second of two classes.
    link : str, default="softmax"
        Of the loss. With "sigmoid", each column is a class against the rest, and the
        probabilities are scaled to sum to one. Scores that are no logits ("identity")
        are taken for logits.

    Returns
    -------
    Tensor of shape (n, max(K, 2))
        Logarithms, finite for any finite scores.

    Examples
    --------
    >>> log_probabilities(torch.tensor([[0.0], [1000.0]])).exp()
    tensor([[0.5000, 0.5000],
            [0.0000, 1.0000]])
    """
    if raw.shape[1] == 1:
        return F.logsigmoid(torch.cat([-raw, raw], 1))
    if link == "sigmoid":
        raw = F.logsigmoid(raw)
    return F.log_softmax(raw, dim=1)


def prediction_entropy(raw: Tensor, link: str = "softmax") -> Tensor:
    """Compute the entropy of predicted classes, in nats.

    Parameters
    ----------
    raw : Tensor of shape (n, K)
        Scores; one column is the logit of the second of two classes.
    link : str, default="softmax"
        Of the loss. If it is not "softmax", each column is a yes or no of its own, and
        the entropy is the mean over the columns.

    Returns
    -------
    Tensor of shape (n,)
        Between 0 and log(max(K, 2)), with finite gradients for any finite scores.

    References
    ----------
    Grandvalet and Bengio, *Semi-supervised learning by entropy minimization*, NeurIPS
    2004.

    Examples
    --------
    >>> prediction_entropy(torch.tensor([[0.0], [1000.0]]))
    tensor([0.6931, 0.0000])
    >>> prediction_entropy(torch.tensor([[0.0, 0.0], [0.0, 1000.0]]))
    tensor([0.6931, 0.0000])
    """
    if link == "softmax" and raw.shape[1] > 1:
        log_p = F.log_softmax(raw, dim=1)
        return (log_p.exp() * -log_p).sum(1)
    p = torch.sigmoid(raw)
    return F.binary_cross_entropy_with_logits(raw, p, reduction="none").mean(1)


class _Tanh(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return torch.add(x, x).sigmoid_().mul_(2).sub_(1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return torch.ops.aten.tanh_backward(grad, y)

"""Heads of tasks: linear maps whose weights at the start of a task differ in origin."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from .._checks import check_choice

__all__ = ["TASK_HEADS", "TaskHead", "class_means", "score"]

TASK_HEADS = ("learned", "zero", "proto", "shared")
"""Where weights of the head come from at the start of a task."""


class TaskHead(nn.Module):
    r"""Weights of a linear head at the start of a task.

    Parameters
    ----------
    in_features : int
        Width D of the features.
    n_outputs : int
        Scores K; with ``"learned"`` the most that a task can have.
    kind : {"learned", "zero", "proto", "shared"}, default="learned"
        ``"learned"``: K weight vectors that are learned. ``"zero"``: zeros.
        ``"proto"``: those of a classifier by the nearest mean,
        :math:`w_k = 2 c_k, b_k = -\lVert c_k \rVert^2` with the mean :math:`c_k` of
        the features of class k (Proto-MAML). ``"shared"``: one learned vector for
        every class, so that the number of classes is free.

    References
    ----------
    Triantafillou et al., *Meta-Dataset*, ICLR 2020, section 3, for ``"proto"``.

    Examples
    --------
    >>> head = TaskHead(4, 3, "zero")
    >>> {name: tuple(value.shape) for name, value in head.start(2, 5).items()}
    {'weight': (2, 5, 4), 'bias': (2, 5)}
    """

    weight: Tensor | None
    bias: Tensor | None
    like: Tensor

    def __init__(self, in_features: int, n_outputs: int, kind: str = "learned") -> None:
        super().__init__()
        self.kind = check_choice(kind, "head", TASK_HEADS)
        self.in_features, self.n_outputs = in_features, n_outputs
        rows = {"learned": n_outputs, "shared": 1}.get(kind)
        if rows is None:
            self.weight = self.bias = None
            self.register_buffer("like", torch.zeros(()), persistent=False)
            return
        linear = nn.Linear(in_features, rows)
        self.weight, self.bias = linear.weight, linear.bias

    def start(
        self,
        n_tasks: int,
        n_outputs: int,
        means: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return stacked weights for the first step.

        Parameters
        ----------
        n_tasks : int
            Tasks T.
        n_outputs : int
            Scores of each of them.
        means : Tensor of shape (T, n_outputs, D) or None, default=None
            Means of the features of classes, for ``"proto"``.

        Returns
        -------
        dict
            ``weight`` (T, n_outputs, D) and ``bias`` (T, n_outputs), which a gradient
            can be taken of.
        """
        if self.kind == "proto":
            assert means is not None
            return {"weight": 2 * means, "bias": -means.square().sum(-1)}
        if self.weight is None or self.bias is None:
            shape = (n_tasks, n_outputs, self.in_features)
            return {
                "weight": self.like.new_zeros(shape).requires_grad_(),
                "bias": self.like.new_zeros(shape[:2]).requires_grad_(),
            }
        rows = n_outputs if self.kind == "learned" else 1
        weight, bias = self.weight[:rows], self.bias[:rows]
        return {
            "weight": weight.expand(n_tasks, n_outputs, self.in_features),
            "bias": bias.expand(n_tasks, n_outputs),
        }


def score(weights: Mapping[str, Tensor], z: Tensor) -> Tensor:
    """Return scores (T, N, K) of features (T, N, D) under stacked head weights."""
    weight, bias = weights["head.weight"], weights["head.bias"]
    return torch.baddbmm(bias.unsqueeze(1), z, weight.transpose(1, 2))


def class_means(z: Tensor, codes: Tensor, rows: Tensor | None, n_way: int) -> Tensor:
    """Return the mean of the features of each class.

    Parameters
    ----------
    z : Tensor of shape (T, N, D)
        Features.
    codes : Tensor of int of shape (T, N)
        Classes, below `n_way`.
    rows : Tensor of shape (T, N) or None
        0 for rows that do not count.
    n_way : int
        Number of classes.

    Returns
    -------
    Tensor of shape (T, n_way, D)
        Zeros for a class without rows.

    Examples
    --------
    >>> z = torch.tensor([[[1.0], [3.0], [5.0]]])
    >>> class_means(z, torch.tensor([[0, 0, 1]]), None, 2)
    tensor([[[2.],
             [5.]]])
    """
    member = nn.functional.one_hot(codes, n_way).to(z.dtype)
    if rows is not None:
        member = member * rows.unsqueeze(-1)
    counts = member.sum(1).clamp_min(1)
    return torch.bmm(member.transpose(1, 2), z) / counts.unsqueeze(-1)

"""Attention that is taught what it should attend to."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .._checks import check_choice, check_interval, check_positive_int
from ..functional import tanh
from ..segments import Segments
from .contract import Criterion

__all__ = ["CLAMPooling"]


class CLAMPooling(nn.Module):
    """Average by gated attention, and cluster what is attended to most and least.

    The score of a bag is the mean of its instances' affine scores under attention
    weights: one set of weights for all classes, or one for each. Beside the loss of
    the bags, for the class of a bag the most attended instances are taught to be
    positive evidence and the least attended to be negative evidence; for every other
    class, its most attended instances are taught not to be evidence of it.

    Parameters
    ----------
    in_features : int
        Width of the values.
    n_outputs : int, default=1
        Scores of a bag; an estimator sets it to what its targets need. One score is
        the difference between two classes.
    hidden : int, default=64
        Units of the attention.
    branches : {"single", "multi"}, default="single"
        Whether all classes share the attention.
    n_sampled : int, default=8
        Most and least attended instances that are used, each. A bag of fewer than
        twice as many is cut in halves; of a bag of one, the instance is positive
        evidence.
    out_of_class : bool, default=True
        Whether classes that the bag does not have are taught, too. Meant for classes
        that exclude each other.
    instance_loss : {"svm", "cross-entropy"}, default="svm"
        Loss of the evidence: the smooth top-1 SVM, which with two outcomes is
        ``softplus(1 - z)`` for a right answer of logit z, or log loss.
    auxiliary_weight : float, default=0.4
        Weight of that loss, beside that of the bags; 0.3 : 0.7 in the paper.

    Attributes
    ----------
    out_features : int
        Width of the result, equal to `in_features`.
    weighted_mean : bool
        True. With several branches, the result is the mean of theirs.
    owns_head : bool
        True: bags and instances are scored here.

    References
    ----------
    Lu, Williamson, Chen, Chen, Barbieri and Mahmood, *Data-efficient and weakly
    supervised computational pathology on whole-slide images*, Nature Biomedical
    Engineering 5, 2021, methods, equations 1 to 7. Berrada, Zisserman and Kumar,
    *Smooth loss functions for deep top-k classification*, ICLR 2018.

    Examples
    --------
    >>> pool = CLAMPooling(8, n_outputs=3, branches="multi")
    >>> bags = Segments([3, 1])
    >>> raw, instances, weights = pool.score(torch.randn(4, 8), bags)
    >>> raw.shape, instances.shape, weights.shape
    (torch.Size([2, 3]), torch.Size([4, 3]), torch.Size([4]))
    """

    weighted_mean = True
    owns_head = True

    def __init__(
        self,
        in_features: int,
        n_outputs: int = 1,
        hidden: int = 64,
        branches: str = "single",
        n_sampled: int = 8,
        out_of_class: bool = True,
        instance_loss: str = "svm",
        auxiliary_weight: float = 0.4,
    ) -> None:
        super().__init__()
        self.out_features = check_positive_int(in_features, "in_features")
        self.n_outputs = check_positive_int(n_outputs, "n_outputs")
        self.n_classes = max(2, n_outputs)
        hidden = check_positive_int(hidden, "hidden")
        self.multi = check_choice(branches, "branches", ("single", "multi")) == "multi"
        self.n_sampled = check_positive_int(n_sampled, "n_sampled")
        self.out_of_class = bool(out_of_class)
        choices = ("svm", "cross-entropy")
        loss = check_choice(instance_loss, "instance_loss", choices)
        self.margin = 1.0 if loss == "svm" else 0.0
        self.auxiliary_weight = check_interval(auxiliary_weight, "auxiliary_weight")
        self.project = nn.Linear(in_features, hidden)
        self.gate = nn.Linear(in_features, hidden)
        rows = self.n_classes if self.multi else 1
        self.attention = nn.Linear(hidden, rows, bias=False)
        self.head = nn.Linear(in_features, self.n_classes)
        self.evidence = nn.Linear(in_features, self.n_classes)

    def attend(self, values: Tensor, segments: Segments) -> Tensor:
        """Compute attention.

        Parameters
        ----------
        values : Tensor of shape (N, D)
            Instances, bag after bag.
        segments : Segments
            Where the bags are.

        Returns
        -------
        Tensor of shape (N, 1) or (N, n_classes)
            Sums to 1 over each bag and column.
        """
        units = tanh(self.project(values)) * torch.sigmoid(self.gate(values))
        return segments.softmax(self.attention(units))

    def forward(self, values: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        """Pool the values of each bag.

        Parameters
        ----------
        values : Tensor of shape (N, D)
            Instances, bag after bag.
        segments : Segments
            Where the bags are.

        Returns
        -------
        pooled : Tensor of shape (B, D)
            Weighted means.
        weights : Tensor of shape (N,)
            Attention, averaged over the branches.
        """
        weights = self.attend(values, segments).mean(1)
        return segments.weighted_sum(values, weights), weights

    def score(
        self, values: Tensor, segments: Segments
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Score bags and instances.

        Parameters
        ----------
        values : Tensor of shape (N, D)
            Instances, bag after bag.
        segments : Segments
            Where the bags are.

        Returns
        -------
        raw : Tensor of shape (B, K)
            Scores of bags.
        instances : Tensor of shape (N, K)
            Scores of instances, each as a bag of one.
        weights : Tensor of shape (N,)
            As in :meth:`forward`.
        """
        attention, scores = self.attend(values, segments), self.head(values)
        raw = segments.sum(attention * scores)
        if self.n_outputs == 1:
            raw, scores = raw.diff(dim=1), scores.diff(dim=1)
        return raw, scores, attention.mean(1)

    def auxiliary_loss(
        self, values: Tensor, segments: Segments, target: Tensor, criterion: Criterion
    ) -> Tensor:
        """Compute the loss of the evidence.

        Parameters
        ----------
        values : Tensor of shape (N, D)
            Instances, bag after bag.
        segments : Segments
            Where the bags are.
        target : Tensor of shape (B,) or (B, K)
            Class codes, or memberships between 0 and 1.
        criterion : callable
            Not used.

        Returns
        -------
        Tensor of shape (B,)
            One loss a bag, times `auxiliary_weight`.

        Raises
        ------
        ValueError
            If the targets are no classes.
        """
        member = self._memberships(target, values.dtype)
        with torch.no_grad():
            attention = self.attend(values, segments).expand(-1, self.n_classes)
        sizes, evidence = segments.on_host, self.evidence(values)
        many = ((sizes + 1) // 2).clamp(max=self.n_sampled)
        few = (sizes // 2).clamp(1, self.n_sampled)
        best, worst = segments.topk(attention, many), segments.topk(-attention, few)
        top, low = evidence.gather(0, best.indices), evidence.gather(0, worst.indices)
        right = best.segments.sum(F.softplus(self.margin - top))
        wrong = worst.segments.sum(F.softplus(self.margin + low))
        # Of a bag of one, the instance is the most attended and not the least as well.
        sizes = segments.lengths
        many, few = best.segments.lengths, worst.segments.lengths
        cuts = (sizes > 1).to(few.dtype) * few
        inside = (right + wrong * (sizes > 1)[:, None]) / (many + cuts)[:, None]
        loss, terms = member * inside, member
        if self.out_of_class:
            apart = best.segments.mean(F.softplus(self.margin + top))
            loss, terms = loss + (1 - member) * apart, torch.ones_like(member)
        total = loss.sum(1) / terms.sum(1).clamp(min=1.0)
        return self.auxiliary_weight * total

    def _memberships(self, target: Tensor, dtype: torch.dtype) -> Tensor:
        """Return which classes each bag has, (B, n_classes)."""
        if not target.is_floating_point() and target.ndim == 1:
            return F.one_hot(target.long(), self.n_classes).to(dtype)
        if bool(((target < 0) | (target > 1)).any()):
            raise ValueError(
                "pooling='clam' looks for evidence of classes, but targets lie outside "
                "[0, 1]. For regression, choose another pooling, such as 'dsmil' or "
                "'attention', or set pooling__auxiliary_weight=0."
            )
        member = target.to(dtype).reshape(len(target), -1)
        if self.n_outputs == 1:
            member = torch.cat((1 - member, member), 1)
        return member

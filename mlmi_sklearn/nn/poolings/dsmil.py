"""Two streams: the critical instance, and attention to what resembles it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .._checks import check_interval, check_positive_int
from ..functional import tanh
from ..segments import Segments
from .contract import Criterion

__all__ = ["DSMILPooling"]


class DSMILPooling(nn.Module):
    r"""Average the score of the critical instance with that of the bag around it.

    For each output c, the first stream scores instances and finds the critical one,

    .. math:: s_{jc} = w_c^\top h_j + \beta_c, \qquad m_c = \arg\max_j s_{jc};

    the second weighs instances by their likeness to it and scores the weighted means,

    .. math::

        a_{jc} = \operatorname{softmax}_j \langle q_j, q_{m_c} \rangle / \sqrt{d},
        \qquad b_c = \sum_j a_{jc} v_j, \qquad t_k = \sum_c W_{kc} b_c + \gamma_k,

    where the queries q come from a small net and :math:`v_j` is :math:`h_j` or a
    projection of it. The bag scores :math:`(s_{m_k k} + t_k) / 2`. The loss of
    the first stream alone is added to that of the bag.

    Parameters
    ----------
    in_features : int
        Width of the values.
    n_outputs : int, default=1
        Scores of a bag; an estimator sets it to what its targets need.
    hidden : int, default=128
        Width d of the queries q.
    nonlinear : bool, default=True
        Whether queries are ``tanh(Q2 relu(Q1 h))``, or linear in h.
    project : bool, default=False
        Whether v is ``relu(V h)``, or h itself.
    dropout : float, default=0.0
        Rate in [0, 1) at which features are dropped before that projection.
    auxiliary_weight : float, default=1.0
        Weight of the loss of the first stream, beside that of the bag. The authors
        train on the mean of both, which is 1 here.

    Attributes
    ----------
    out_features : int
        Width of the result, equal to `in_features`.
    weighted_mean : bool
        Whether v is h itself.
    owns_head : bool
        True: bags and instances are scored here.

    Notes
    -----
    The result is the mean of :math:`b_c` over outputs, the weights that of a. The
    scores pass through means of features, so the bag can score below its best
    instance: this is no guarantee of the standard assumption. The score of an
    instance is that of a bag of one.

    References
    ----------
    Li, Li and Eliceiri, *Dual-stream multiple instance learning network for whole
    slide image classification with self-supervised contrastive learning*, CVPR 2021,
    equations 2 to 7. The scaling by :math:`\sqrt{d}` is in the authors' code only.

    Examples
    --------
    >>> pool = DSMILPooling(8, n_outputs=3)
    >>> raw, instances, weights = pool.score(torch.randn(5, 8), Segments([3, 2]))
    >>> raw.shape, instances.shape, weights.shape
    (torch.Size([2, 3]), torch.Size([5, 3]), torch.Size([5]))
    """

    owns_head = True

    def __init__(
        self,
        in_features: int,
        n_outputs: int = 1,
        hidden: int = 128,
        nonlinear: bool = True,
        project: bool = False,
        dropout: float = 0.0,
        auxiliary_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.out_features = check_positive_int(in_features, "in_features")
        self.n_outputs = check_positive_int(n_outputs, "n_outputs")
        hidden = check_positive_int(hidden, "hidden")
        rate = check_interval(dropout, "dropout", 0, 1, closed="left")
        self.auxiliary_weight = check_interval(auxiliary_weight, "auxiliary_weight")
        self.first = nn.Linear(in_features, n_outputs)
        self.reduce = nn.Linear(in_features, hidden)
        self.query = nn.Linear(hidden, hidden) if nonlinear else None
        self.drop = nn.Dropout(rate)
        self.value = nn.Linear(in_features, in_features) if project else None
        self.weighted_mean = not project
        # From n_outputs vectors to n_outputs scores.
        self.second = nn.Linear(n_outputs * in_features, n_outputs)

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
            Means of the second stream, averaged over outputs.
        weights : Tensor of shape (N,)
            Likeness to the critical instances, averaged over outputs.
        """
        critical = segments.argmax(self.first(values))
        weights = self._attend(values, critical, segments).mean(1)
        return segments.weighted_sum(self._projected(values), weights), weights

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
        scores, projected = self.first(values), self._projected(values)
        critical = segments.argmax(scores)
        attention = self._attend(values, critical, segments)
        columns = [
            segments.weighted_sum(projected, weights) for weights in attention.unbind(1)
        ]
        best = scores.gather(0, critical)
        raw = (best + self.second(torch.cat(columns, 1))) / 2
        # A bag of one fills all columns with its only instance.
        alone = self.second.weight.unflatten(1, (self.n_outputs, -1)).sum(1)
        alone = nn.functional.linear(projected, alone, self.second.bias)
        return raw, (scores + alone) / 2, attention.mean(1)

    def auxiliary_loss(
        self, values: Tensor, segments: Segments, target: Tensor, criterion: Criterion
    ) -> Tensor:
        """Compute the loss of the critical instances.

        Parameters
        ----------
        values : Tensor of shape (N, D)
            Instances, bag after bag.
        segments : Segments
            Where the bags are.
        target : Tensor of shape (B,) or (B, K)
            Encoded targets.
        criterion : callable
            Maps ``(raw, target)`` to one loss a bag.

        Returns
        -------
        Tensor of shape (B,)
            One loss a bag, times `auxiliary_weight`.
        """
        best = segments.max(self.first(values))
        return self.auxiliary_weight * criterion(best, target)

    def _projected(self, values: Tensor) -> Tensor:
        if self.value is None:
            return values
        return torch.relu(self.value(self.drop(values)))

    def _attend(self, values: Tensor, critical: Tensor, segments: Segments) -> Tensor:
        """Return the likeness (N, K) of instances to the critical ones."""
        queries = self.reduce(values)
        if self.query is not None:
            queries = tanh(self.query(torch.relu(queries)))
        scale = queries.shape[1] ** -0.5
        # One output at a time: a gather of all (N, K, hidden) would be large.
        weights = []
        for rows in critical.unbind(1):
            asked = segments.broadcast(queries.index_select(0, rows) * scale)
            weights.append(segments.softmax((queries * asked).sum(1)))
        return torch.stack(weights, 1)

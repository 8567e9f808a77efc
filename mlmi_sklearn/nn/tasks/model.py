"""Models that learn from episodes."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from .chains import pixel_by_pixel
from .heads import TaskHead, class_means, score
from .inner_loop import Criterion, InnerLoop, Support, task_losses
from .methods import MetaMethod
from .norms import TaskNorm, task_batch, use_plain_norms, use_task_norms
from .rates import StepSizes
from .stacked import StackedForward

__all__ = ["Episode", "MetaModel", "PrototypeModel", "TaskPass"]


class Episode(NamedTuple):
    """Several tasks of one shape.

    Parameters
    ----------
    support, query : Support
        Rows to learn from, and to be judged by.
    n_outputs : int
        Scores of every task.
    """

    support: Support
    query: Support
    n_outputs: int

    def narrow(self, start: int, stop: int) -> Episode:
        """Return tasks `start` to `stop`."""
        support, query = (part.narrow(start, stop) for part in self[:2])
        return Episode(support, query, self.n_outputs)


class TaskPass(NamedTuple):
    """What one pass over tasks gives.

    Parameters
    ----------
    losses : Tensor of shape (T,)
        On the query.
    objective : Tensor of shape (T,)
        What the outer loop lowers; the losses, but for methods that interpolate.
    raw : Tensor of shape (T, N, K)
        Scores of the query.
    """

    losses: Tensor
    objective: Tensor
    raw: Tensor


class MetaModel(nn.Module):
    r"""Weights from which a few steps lead to a good model of any task.

    Algorithm 1 of Finn, Abbeel and Levine (ICML 2017) lowers

    .. math:: \sum_i L_i(\theta - \alpha \nabla L_i(\theta)).

    Parameters
    ----------
    backbone : nn.Module
        Maps a batch to (B, out_features). Its batch normalisations are replaced.
    n_outputs : int
        Scores.
    method : MetaMethod
        The method.
    head : str, default="learned"
        As in :class:`TaskHead`.
    norm : str, default="transductive"
        As in :func:`use_task_norms`.
    rate : float, default=0.1
        Step size within tasks.
    rates : str, default="given"
        As in :class:`StepSizes`.
    steps : int, default=1
        Inner steps in training.
    max_norm : float or None, default=10.0
        As in :class:`InnerLoop`.
    engine : str, default="auto"
        As in :class:`StackedForward`.
    scale : nn.Module, optional
        What inputs go through before they come here; kept with the model.

    Examples
    --------
    >>> from mlmi_sklearn.nn.backbones import MLP
    >>> model = MetaModel(MLP((1,), hidden=8), 1, MetaMethod())
    >>> rows = Support(torch.randn(3, 5, 1), torch.randn(3, 5, 1))
    >>> loss = lambda raw, y: (raw - y).square().mean(1)
    >>> model.episode(Episode(rows, rows, 1), loss).losses.shape
    torch.Size([3])
    """

    def __init__(
        self,
        backbone: nn.Module,
        n_outputs: int,
        method: MetaMethod,
        *,
        head: str = "learned",
        norm: str = "transductive",
        rate: float = 0.1,
        rates: str = "given",
        steps: int = 1,
        max_norm: float | None = 10.0,
        engine: str = "auto",
        scale: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.scale = scale
        width = width_of(backbone)
        self.backbone = use_task_norms(backbone, norm, steps)
        self.head = TaskHead(width, n_outputs, head)
        self.method, self.steps, self.n_outputs = method, steps, n_outputs
        self.max_norm, self.engine = max_norm, engine
        kind = "elementwise" if method.rates == "elementwise" else rates
        # The way to adapted weights says nothing about the steps that led there.
        kind = "given" if method.outer == "interpolate" else kind
        named = [(n, p) for n, p in self.named_parameters() if method.changes(n)]
        self.step_sizes = StepSizes(named, rate, kind, steps)

    def inner_loop(self, criterion: Criterion, **changes: Any) -> InnerLoop:
        """Return the steps of a task, with other settings where given."""
        settings: dict[str, Any] = {
            "method": self.method,
            "rates": self.step_sizes,
            "max_norm": self.max_norm,
            "trained_steps": self.steps,
            **changes,
        }
        forward = settings.pop("forward", None) or self._stacked()
        return InnerLoop(forward, self.head, criterion, **settings)

    def _stacked(self) -> StackedForward:
        found = self.__dict__.get("_forward")
        if found is None:
            found = self.__dict__["_forward"] = self.single_forward(self.engine)
        return found

    def single_forward(self, engine: str = "loop") -> StackedForward:
        """Return a forward pass of its own, such as one for a single task."""
        return StackedForward(self.backbone, engine)

    def __getstate__(self) -> dict[str, Any]:
        # A copy has a backbone of its own, and chooses its engine anew.
        own = ("_forward", "_compiled")
        return {k: v for k, v in self.__dict__.items() if k not in own}

    def episode(self, episode: Episode, criterion: Criterion) -> TaskPass:
        """Adapt to the support of each task and return what the query says."""
        if self.method.outer == "interpolate":
            return self._interpolate(self.inner_loop(criterion), episode)
        compiled = self.__dict__.get("_compiled")
        if compiled is not None and self._stacked().engine == "stack":
            losses, raw = compiled(episode, criterion, functional=True)
        else:
            losses, raw = self._run(episode, criterion)
        return TaskPass(losses, losses, raw)

    def _run(
        self, episode: Episode, criterion: Criterion, functional: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Return losses and scores of the query after the steps."""
        loop = self.inner_loop(criterion, functional=functional)
        weights = loop.adapt(episode.support, episode.n_outputs, self.steps)
        return loop.scored(weights, episode.query, self.steps)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile whole episodes, where the backbone is a chain of plain layers."""
        self.__dict__["_compiled"] = torch.compile(self._run, *args, **kwargs)

    def _interpolate(self, loop: InnerLoop, episode: Episode) -> TaskPass:
        """Return an objective whose gradient points away from adapted weights."""
        rows = joined(episode.support, episode.query)
        start = loop.start(rows, episode.n_outputs)
        adapted = loop.adapt(rows, episode.n_outputs, self.steps)
        losses, raw = loop.scored(adapted, episode.query, self.steps)
        away = [
            (start[n] * (start[n] - adapted[n]).detach()).flatten(1).sum(1)
            for n in start
            if self.method.changes(n)
        ]
        return TaskPass(losses.detach(), torch.stack(away).sum(0), raw)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores (B, K) under the common weights, as one task."""
        rows = Support(x.unsqueeze(0), torch.zeros(1, len(x), dtype=torch.int64))
        loop = self.inner_loop(_no_loss)
        weights = loop.start(rows, self.head.n_outputs)
        return score(weights, loop.embed(weights, rows, 0))[0]

    def plain(self) -> nn.Module:
        """Return a copy as an ordinary net: scale, backbone, and a learned head."""
        return PlainModel(self.scale, self.backbone, self.head)

    @torch.no_grad()
    def set_statistics(self, x: Tensor, policies: Sequence[str] = ("frozen",)) -> None:
        """Give normalisations that follow some policies the statistics of a batch."""
        norms = [m for m in self.backbone.modules() if isinstance(m, TaskNorm)]
        norms = [norm for norm in norms if norm.policy in policies]
        if not norms:
            return
        for norm in norms:
            norm.measure = True
        try:
            with task_batch(norms, None, 0):
                self.backbone(pixel_by_pixel(x))
        finally:
            for norm in norms:
                norm.measure = False


class PlainModel(nn.Module):
    """Copies of the parts of a model, as one that is trained in the ordinary way.

    Parameters
    ----------
    scale : nn.Module or None
        What inputs go through first.
    backbone : nn.Module
        Its normalisations of tasks become ordinary ones.
    head : TaskHead
        Kept as a linear layer if it is learned.

    Examples
    --------
    >>> from mlmi_sklearn.nn.backbones import MLP
    >>> net = PlainModel(None, MLP((2,), hidden=4), TaskHead(4, 3))
    >>> net.head(net.backbone(torch.zeros(1, 2))).shape
    torch.Size([1, 3])
    """

    def __init__(
        self, scale: nn.Module | None, backbone: nn.Module, head: TaskHead
    ) -> None:
        super().__init__()
        body = use_plain_norms(copy.deepcopy(backbone))
        parts = [body] if scale is None else [copy.deepcopy(scale), body]
        self.backbone = nn.Sequential(*parts)
        self.backbone.out_features = backbone.out_features
        if head.kind == "learned" and head.weight is not None:
            self.head = nn.Linear(head.in_features, head.n_outputs)
            self.head.load_state_dict(copy.deepcopy(head.state_dict()))

    def forward(self, x: Tensor) -> Tensor:
        """Return scores, or features where there is no head."""
        z = self.backbone(x)
        return self.head(z) if hasattr(self, "head") else z


class PrototypeModel(nn.Module):
    r"""Classify by the nearest mean of features (prototypical networks).

    .. math:: p(k \mid x) \propto \exp(-d(f(x), c_k)),

    with the mean :math:`c_k` of the features of the support of class k.

    Parameters
    ----------
    backbone : nn.Module
        Maps a batch to (B, out_features).
    distance : {"euclidean", "cosine"}, default="euclidean"
        Squared Euclidean distance, or the negative cosine times ten.
    scale : nn.Module, optional
        What inputs go through before they come here; kept with the model.

    References
    ----------
    Snell, Swersky and Zemel, *Prototypical networks for few-shot learning*, NeurIPS
    2017, equations 1 and 2.

    Examples
    --------
    >>> from mlmi_sklearn.nn.backbones import MLP
    >>> model = PrototypeModel(MLP((2,), hidden=4))
    >>> model(torch.zeros(3, 2)).shape
    torch.Size([3, 4])
    """

    def __init__(
        self,
        backbone: nn.Module,
        distance: str = "euclidean",
        scale: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.backbone = backbone
        self.distance = distance
        self.out_features = width_of(backbone)

    def forward(self, x: Tensor) -> Tensor:
        """Return features (B, D) of scaled inputs."""
        return self.backbone(x)

    def embed(self, x: Tensor) -> Tensor:
        """Return features (B, D) of inputs as they are."""
        return self.backbone(x if self.scale is None else self.scale(x))

    def episode(self, episode: Episode, criterion: Criterion) -> TaskPass:
        """Score the query by the prototypes of the support."""
        both = joined(episode.support, episode.query)
        n_tasks, n_rows = both.x.shape[:2]
        counted = None if both.rows is None else both.rows.flatten() > 0
        z = self._features(both.x.flatten(0, 1), counted)
        z = z.reshape(n_tasks, n_rows, -1)
        n_support = episode.support.x.shape[1]
        support, query = episode.support, episode.query
        means = class_means(
            z[:, :n_support], support.y, support.rows, episode.n_outputs
        )
        raw = prototype_scores(z[:, n_support:], means, self.distance)
        losses = task_losses(criterion, raw, query.y, query.rows)
        return TaskPass(losses, losses, raw)

    def _features(self, x: Tensor, counted: Tensor | None) -> Tensor:
        """Return features; rows that only fill up are not seen by the net."""
        if counted is None or bool(counted.all()):
            return self.backbone(x)
        found = self.backbone(x[counted])
        z = found.new_zeros(len(x), found.shape[1])
        return z.index_put((counted.nonzero().squeeze(1),), found)


def prototype_scores(z: Tensor, means: Tensor, distance: str) -> Tensor:
    """Return scores (T, N, K) of features (T, N, D) by prototypes (T, K, D)."""
    if distance == "cosine":
        z, means = (functional.normalize(a, dim=-1) for a in (z, means))
        return 10 * torch.bmm(z, means.transpose(1, 2))
    cross = 2 * torch.bmm(z, means.transpose(1, 2))
    squares = z.square().sum(-1, keepdim=True), means.square().sum(-1).unsqueeze(1)
    return cross - squares[0] - squares[1]


def width_of(backbone: Any) -> int:
    """Return the number of features of a backbone."""
    return int(backbone.out_features)


def joined(support: Support, query: Support) -> Support:
    """Put support and query of each task one after the other."""
    rows = None
    if support.rows is not None or query.rows is not None:
        rows = torch.cat([_ones(support), _ones(query)], 1)
    x = torch.cat([support.x, query.x], 1)
    return Support(x, torch.cat([support.y, query.y], 1), rows)


def _ones(part: Support) -> Tensor:
    if part.rows is not None:
        return part.rows
    return torch.ones(part.x.shape[:2], dtype=part.x.dtype, device=part.x.device)


def _no_loss(raw: Tensor, y: Tensor) -> Tensor:
    return raw.sum(1)

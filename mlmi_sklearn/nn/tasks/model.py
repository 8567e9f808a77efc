"""Models that learn from episodes."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .chains import pixel_by_pixel
from .episode import Episode, Support, TaskPass, joined
from .heads import TaskHead, score
from .inner_loop import Criterion, InnerLoop
from .methods import MetaMethod
from .norms import TaskNorm, task_batch, use_plain_norms, use_task_norms
from .rates import StepSizes
from .stacked import StackedForward

__all__ = ["MetaModel", "width_of"]


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
        Step sizes: "given", "learn", "learn-per-step" or "elementwise".
    steps : int, default=1
        Inner steps in training.
    max_norm : float or None, default=10.0
        As in :class:`InnerLoop`.
    engine : str, default="auto"
        As in :class:`StackedForward`.
    scale : nn.Module or None, default=None
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
        """Return the steps of a task, with other settings where given.

        Parameters
        ----------
        criterion : callable
            Maps raw (B, K) and targets to one loss a row.
        **changes
            Fields of :class:`InnerLoop`.

        Returns
        -------
        InnerLoop
            With the weights of the model, not a copy.
        """
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
        """Return a forward pass of its own, such as one for a single task.

        Parameters
        ----------
        engine : str, default="loop"
            As in :class:`StackedForward`.

        Returns
        -------
        StackedForward
            Of the backbone.
        """
        return StackedForward(self.backbone, engine)

    def __getstate__(self) -> dict[str, Any]:
        # A copy has a backbone of its own, and chooses its engine anew.
        own = ("_forward", "_compiled")
        return {k: v for k, v in self.__dict__.items() if k not in own}

    def episode(self, episode: Episode, criterion: Criterion) -> TaskPass:
        """Adapt to the support of each task and return what the query says.

        Parameters
        ----------
        episode : Episode
            The tasks.
        criterion : callable
            Maps raw (B, K) and targets to one loss a row.

        Returns
        -------
        TaskPass
            Losses and scores of the query.
        """
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
        """Compile whole episodes, where the backbone is a chain of plain layers.

        Parameters
        ----------
        *args, **kwargs
            As of :func:`torch.compile`.
        """
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
        """Compute scores under the common weights, as one task.

        Parameters
        ----------
        x : Tensor of shape (B, *input_shape)
            Scaled inputs.

        Returns
        -------
        Tensor of shape (B, K)
            Scores.
        """
        rows = Support(x.unsqueeze(0), torch.zeros(1, len(x), dtype=torch.int64))
        loop = self.inner_loop(_no_loss)
        weights = loop.start(rows, self.head.n_outputs)
        return score(weights, loop.embed(weights, rows, 0))[0]

    def plain(self) -> nn.Module:
        """Return a copy as an ordinary net: scale, backbone, and a learned head.

        Returns
        -------
        nn.Module
            Maps (B, *input_shape) to (B, K).
        """
        return PlainModel(self.scale, self.backbone, self.head)

    @torch.no_grad()
    def set_statistics(self, x: Tensor, policies: Sequence[str] = ("frozen",)) -> None:
        """Give normalisations that follow some policies the statistics of a batch.

        Parameters
        ----------
        x : Tensor of shape (B, *input_shape)
            Inputs.
        policies : sequence of str, default=("frozen",)
            As in :func:`use_task_norms`.
        """
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
        self.scale = copy.deepcopy(scale)
        self.backbone = use_plain_norms(copy.deepcopy(backbone))
        if head.kind == "learned" and head.weight is not None:
            self.head = nn.Linear(head.in_features, head.n_outputs)
            self.head.load_state_dict(copy.deepcopy(head.state_dict()))

    def forward(self, x: Tensor) -> Tensor:
        """Return scores, or features where there is no head."""
        z = self.backbone(x if self.scale is None else self.scale(x))
        return self.head(z) if hasattr(self, "head") else z


def width_of(backbone: Any) -> int:
    """Return the number of features of a backbone."""
    return int(backbone.out_features)


def _no_loss(raw: Tensor, y: Tensor) -> Tensor:
    return raw.sum(1)

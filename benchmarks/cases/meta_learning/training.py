"""Whole fits of meta-learners, as each contender does them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from suite import largest_difference, start_of
from torch import nn

from mlmi_sklearn import MAMLClassifier, MAMLRegressor, ProtoNetClassifier
from mlmi_sklearn.datasets import make_sinusoid_tasks
from mlmi_sklearn.meta_learning.episodes import EpisodeBatches

from .episodes import kept_episodes
from .loops import (
    LR,
    Losses,
    Rule,
    Tasks,
    by_class,
    by_group,
    conv4,
    mlp,
    one_by_one,
    prototypes,
    together,
    train,
)

EXACT = {
    "max_grad_norm": None,
    "lr": LR,
    "lr_schedule": "constant",
    "device": "cpu",
    "random_state": 0,
}
STEPS_ONLY = {"inner_max_norm": None, "finetune_steps": 0}


@dataclass
class Race:
    """One fit, as each contender does it.

    Parameters
    ----------
    ours : callable
        Number of steps of the outer loop -> unfitted estimator.
    data : tuple
        What ``fit`` takes: X, y, groups.
    net : callable
        Makes the plain net.
    batches : callable
        Number of steps -> tasks, as one draws them by hand.
    rule : Rule
        How a task is learnt.
    losses : callable
        The faster way of the raw loop.
    steps : int
        Steps of the outer loop in a run.
    """

    ours: Callable[[int], Any]
    data: tuple[Any, Any, Any]
    net: Callable[[], nn.Module]
    batches: Callable[[int], Iterator[Tasks]]
    rule: Rule
    losses: Losses
    steps: int

    def fit(self, steps: int | None = None, dtype: str = "float32") -> Any:
        """Fit ours."""
        X, y, groups = self.data
        y = y.astype(dtype) if y.dtype.kind == "f" else y
        return self.ours(steps or self.steps).fit(X.astype(dtype), y, groups=groups)

    def by_hand(self, losses: Losses | None = None) -> nn.Module:
        """Train a raw loop."""
        tasks = self.batches(self.steps)
        net = train(self.net(), tasks, self.rule, losses or self.losses)
        if self.losses is prototypes:
            self.means(net)
        return net

    @torch.no_grad()
    def means(self, net: nn.Module) -> torch.Tensor:
        """Return the mean feature of every class, which the fit leaves as well."""
        rows = torch.from_numpy(self.data[0])
        features = torch.cat([net(part) for part in rows.split(256)])
        return features.reshape(
            len(np.unique(self.data[1])), -1, features.shape[1]
        ).mean(1)

    def start(self) -> tuple[nn.Module, nn.Module, list[Tasks]]:
        """Return the plain net as ours starts, ours after few steps, and its tasks."""
        with kept_episodes() as kept:
            model = self.fit(2, "float64")
        module, order = start_of(model)
        rng = np.random.default_rng([order.initial_seed(), 0])
        drawn = [batch.parts[0] for batch, _ in EpisodeBatches(kept["data"], rng)]
        tasks = [Tasks(*d.support[:2], *d.query[:2]) for d in drawn]
        net = self.net().double()
        pairs = zip(net.parameters(), _learned(module), strict=True)
        with torch.no_grad():
            for mine, theirs in pairs:
                mine.copy_(theirs)
        return net, model.net_.module_, tasks

    def agree(self) -> str:
        """Two steps of each way must end in the same weights, in double precision."""
        net, trained, tasks = self.start()
        ended = train(net, tasks, self.rule, self.losses)
        apart = largest_difference(
            (p.detach() for p in ended.parameters()),
            (p.detach() for p in _learned(trained)),
        )
        if not apart < 1e-7:
            raise AssertionError(f"weights differ by {apart:.1e} after two steps")
        return (
            "in double precision, weights of ours and the limit differ by "
            f"{apart:.0e} at most after {len(tasks)} steps; the limit is "
            f"{self.losses.__name__.replace('_', ' ')}"
        )


def _learned(module: nn.Module) -> list[nn.Parameter]:
    """Return the weights of backbone and head, without step sizes."""
    head = getattr(module, "head", None)
    return [*module.backbone.parameters(), *(head.parameters() if head else ())]


# -- tasks ----------------------------------------------------------------------------


def sinusoid(rule: Rule, steps: int, size: int = 25) -> Race:
    """Return sinusoids of 10 + 10 points and an MLP 1-40-40-1."""

    def some(n: int) -> tuple[Any, Any, Any]:
        X, y, groups = make_sinusoid_tasks(n * size, 20, random_state=0)
        return X.astype(np.float32), y.astype(np.float32), groups

    data = some(20)

    def ours(n: int) -> MAMLRegressor:
        epochs = -(-n // 20)
        model = MAMLRegressor(
            method="fomaml" if rule.first_order else "maml",
            backbone="mlp",
            inner_steps=rule.steps,
            inner_lr=rule.rate,
            episodes="groups",
            n_shot=10,
            n_query=10,
            meta_batch_size=size,
            max_epochs=epochs,
            **STEPS_ONLY,
            **EXACT,
        )
        return model.set_params(backbone__hidden=(40, 40))

    x = torch.from_numpy(data[0]).reshape(20 * size, 20, 1)
    y = torch.from_numpy(data[1]).reshape(20 * size, 20, 1)
    return Race(
        ours,
        data,
        lambda: mlp(1, (40, 40), 1),
        lambda n: by_group(x, y, size, 10, -(-n // 20)),
        rule,
        together,
        steps,
    )


def vectors(rule: Rule, n_way: int, steps: int, size: int = 16) -> Race:
    """Return classes of vectors and an MLP of one hidden layer."""
    x = np.random.default_rng(0).normal(size=(100, 20, 32)).astype(np.float32)
    x += 2 * np.random.default_rng(1).normal(size=(100, 1, 32)).astype(np.float32)

    def net() -> nn.Module:
        return mlp(32, (64,), n_way)

    return _of_classes(x, net, rule, n_way, steps, size, 5, together, _mlp)


def _mlp(model: Any) -> Any:
    return model.set_params(backbone="mlp", backbone__hidden=(64,))


def characters(
    rule: Rule, n_way: int, steps: int, size: int, losses: Losses = one_by_one
) -> Race:
    """Return 50 classes of images of 28 x 28 and four blocks of 64 filters."""
    x = np.random.default_rng(0).random((50, 20, 1, 28, 28), dtype=np.float32)

    def net() -> nn.Module:
        whole: Any = conv4(n_way)
        return nn.Sequential(*whole[:-1]) if losses is prototypes else whole

    def conv(model: Any) -> Any:
        return model.set_params(backbone="conv4")

    return _of_classes(x, net, rule, n_way, steps, size, 1, losses, conv)


def _of_classes(
    x: np.ndarray,
    net: Callable[[], nn.Module],
    rule: Rule,
    n_way: int,
    steps: int,
    size: int,
    n_shot: int,
    losses: Losses,
    with_backbone: Callable[[Any], Any],
) -> Race:
    def ours(n: int) -> Any:
        shape = {"n_way": n_way, "n_shot": n_shot, "n_query": n_shot}
        length = {
            "meta_batch_size": size,
            "episodes_per_epoch": n * size,
            "max_epochs": 1,
            "episodes": "classes",
        }
        if losses is prototypes:
            return with_backbone(ProtoNetClassifier(**shape, **length, **EXACT))
        model = MAMLClassifier(
            method="fomaml" if rule.first_order else "maml",
            inner_steps=rule.steps,
            inner_lr=rule.rate,
            **shape,
            **length,
            **STEPS_ONLY,
            **EXACT,
        )
        return with_backbone(model)

    rows = torch.from_numpy(x)
    data = x.reshape(-1, *x.shape[2:]), np.repeat(np.arange(len(x)), x.shape[1]), None
    return Race(
        ours,
        data,
        net,
        lambda n: by_class(rows, size, n_way, n_shot, n_shot, n),
        rule,
        losses,
        steps,
    )

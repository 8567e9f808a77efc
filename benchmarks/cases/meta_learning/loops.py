"""Meta-learning as one writes it by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional

__all__ = [
    "LR",
    "Losses",
    "Rule",
    "Tasks",
    "by_class",
    "by_group",
    "conv4",
    "in_clones",
    "mlp",
    "one_by_one",
    "prototypes",
    "together",
    "train",
]

LR = 1e-3
Weights = dict[str, Tensor]


class Tasks(NamedTuple):
    """The tasks of a step: (T, N, ...) to learn from, and to be judged by."""

    xs: Tensor
    ys: Tensor
    xq: Tensor
    yq: Tensor


class Rule(NamedTuple):
    """How a task is learnt."""

    steps: int
    rate: float
    first_order: bool = False


Losses = Callable[[nn.Module, Tasks, Rule], Tensor]


def mlp(inputs: int, hidden: tuple[int, ...], outputs: int) -> nn.Module:
    """Return a plain net for rows of a table."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


def conv4(outputs: int, filters: int = 64) -> nn.Module:
    """Return four blocks for images of 28 x 28."""
    layers: list[nn.Module] = []
    for inner in (1, filters, filters, filters):
        layers += [
            nn.Conv2d(inner, filters, 3, padding=1, bias=False),
            nn.BatchNorm2d(filters, track_running_stats=False),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(filters, outputs))


def loss_of(raw: Tensor, y: Tensor) -> Tensor:
    if y.is_floating_point():
        return functional.mse_loss(raw, y)
    return functional.cross_entropy(raw, y)


def together(net: nn.Module, tasks: Tasks, rule: Rule) -> Tensor:
    """Return the sum of the losses of all tasks at once."""

    def of_support(weights: Weights, x: Tensor, y: Tensor) -> Tensor:
        return loss_of(functional_call(net, weights, (x,)), y)

    def of_task(
        weights: Weights, xs: Tensor, ys: Tensor, xq: Tensor, yq: Tensor
    ) -> Tensor:
        for _ in range(rule.steps):
            slopes = grad(of_support)(weights, xs, ys)
            if rule.first_order:
                slopes = {name: slope.detach() for name, slope in slopes.items()}
            weights = {n: w - rule.rate * slopes[n] for n, w in weights.items()}
        return loss_of(functional_call(net, weights, (xq,)), yq)

    start = dict(net.named_parameters())
    return vmap(of_task, (None, 0, 0, 0, 0))(start, *tasks).sum()


def one_by_one(net: nn.Module, tasks: Tasks, rule: Rule) -> Tensor:
    """Return the sum of the losses, one task after the other."""
    start = dict(net.named_parameters())
    losses = []
    for xs, ys, xq, yq in zip(*tasks, strict=True):
        weights = start
        for _ in range(rule.steps):
            loss = loss_of(functional_call(net, weights, (xs,)), ys)
            slopes = torch.autograd.grad(
                loss, list(weights.values()), create_graph=not rule.first_order
            )
            weights = {
                name: w - rule.rate * slope
                for (name, w), slope in zip(weights.items(), slopes, strict=True)
            }
        losses.append(loss_of(functional_call(net, weights, (xq,)), yq))
    return torch.stack(losses).sum()


def in_clones(net: nn.Module, tasks: Tasks, rule: Rule) -> Tensor:
    """Return the sum of the losses, each task with a copy whose weights are replaced.

    That is how learn2learn does it.
    """
    losses = []
    for xs, ys, xq, yq in zip(*tasks, strict=True):
        learner = clone(net)
        places = [
            (part, name) for part in learner.modules() for name in part._parameters
        ]
        places = [(part, n) for part, n in places if part._parameters[n] is not None]
        for _ in range(rule.steps):
            weights = [part._parameters[name] for part, name in places]
            slopes = torch.autograd.grad(
                loss_of(learner(xs), ys), weights, create_graph=not rule.first_order
            )
            for (part, name), w, slope in zip(places, weights, slopes, strict=True):
                part._parameters[name] = w - rule.rate * slope
        losses.append(loss_of(learner(xq), yq))
    return torch.stack(losses).sum()


def clone(net: nn.Module) -> Any:
    """Return a net whose weights are functions of those of another."""
    found = net.__new__(type(net))
    found.__dict__ = net.__dict__.copy()
    found._parameters = {
        name: None if p is None else p.clone() for name, p in net._parameters.items()
    }
    found._modules = {name: clone(part) for name, part in net._modules.items()}
    return found


def prototypes(net: nn.Module, tasks: Tasks, rule: Rule) -> Tensor:
    """Return the sum of the losses by distances to means of classes."""
    losses = []
    for xs, ys, xq, yq in zip(*tasks, strict=True):
        features = net(torch.cat([xs, xq]))
        zs, zq = features[: len(xs)], features[len(xs) :]
        n_way = int(ys.max()) + 1
        means = torch.stack([zs[ys == k].mean(0) for k in range(n_way)])
        losses.append(functional.cross_entropy(-torch.cdist(zq, means).square(), yq))
    return torch.stack(losses).sum()


def train(
    net: nn.Module, batches: Iterable[Tasks], rule: Rule, losses: Losses
) -> nn.Module:
    """Take a step of the outer loop for each batch of tasks."""
    adam = torch.optim.Adam(net.parameters(), lr=LR, fused=True)
    for tasks in batches:
        adam.zero_grad()
        losses(net, tasks, rule).backward()
        adam.step()
    return net


def by_group(
    x: Tensor, y: Tensor, size: int, n_shot: int, epochs: int
) -> Iterator[Tasks]:
    """Yield tasks whose rows (T, N, ...) were named, each once an epoch."""
    n_tasks, n_rows = x.shape[:2]
    for _ in range(epochs):
        for tasks in torch.randperm(n_tasks).split(size):
            order = torch.rand(len(tasks), n_rows).argsort(1)
            rows = tasks.unsqueeze(1), order
            xs, ys = x[rows], y[rows]
            yield Tasks(xs[:, :n_shot], ys[:, :n_shot], xs[:, n_shot:], ys[:, n_shot:])


def by_class(
    x: Tensor, size: int, n_way: int, n_shot: int, n_query: int, steps: int
) -> Iterator[Tasks]:
    """Yield tasks of classes (C, N, ...) drawn by chance."""
    n_classes, n_rows = x.shape[:2]
    ways = torch.arange(n_way)
    labels = [ways.repeat_interleave(k).expand(size, -1) for k in (n_shot, n_query)]
    for _ in range(steps):
        classes = torch.rand(size, n_classes).argsort(1)[:, :n_way]
        rows = torch.rand(size, n_way, n_rows).argsort(2)[..., : n_shot + n_query]
        found = x[classes.unsqueeze(2), rows]
        support, query = found[:, :, :n_shot], found[:, :, n_shot:]
        yield Tasks(support.flatten(1, 2), labels[0], query.flatten(1, 2), labels[1])

"""MAML with TorchOpt, as the tutorial of TorchOpt on meta-learning writes it.

A differentiable optimiser steps the net itself; its state is taken before a task and
put back after it. Runs under the Python of that peer and imports nothing of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import torch
import torchopt
from torch import Tensor, nn
from torch.nn import functional

Batch = list[Tensor]


def conv4(outputs: int, filters: int = 64) -> nn.Module:
    layers: list[nn.Module] = []
    for inner in (1, filters, filters, filters):
        layers += [
            nn.Conv2d(inner, filters, 3, padding=1, bias=False),
            nn.BatchNorm2d(filters, track_running_stats=False),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(filters, outputs))


def net_of(kind: str, n_way: int) -> nn.Module:
    if kind == "characters":
        return conv4(n_way)
    widths = (1, 40, 40, 1) if kind == "sinusoid" else (32, 64, n_way)
    layers: list[nn.Module] = []
    for inner, outer in pairwise(widths):
        layers += [nn.Linear(inner, outer), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def loss_of(raw: Tensor, y: Tensor) -> Tensor:
    if y.is_floating_point():
        return functional.mse_loss(raw, y)
    return functional.cross_entropy(raw, y)


def episodes(kind: str, size: int, n_way: int, n_shot: int, outer: int) -> list[Batch]:
    """Return tasks of the same shapes as those of the other contenders."""
    if kind == "sinusoid":
        x = 10 * torch.rand(outer, size, 2 * n_shot, 1) - 5
        y = torch.sin(x + 3 * torch.rand(outer, size, 1, 1))
        parts = x[:, :, :n_shot], y[:, :, :n_shot], x[:, :, n_shot:], y[:, :, n_shot:]
        return [list(batch) for batch in zip(*parts, strict=True)]
    shape = (32,) if kind == "vectors" else (1, 28, 28)
    y = torch.arange(n_way).repeat_interleave(n_shot).expand(size, -1)
    n = n_way * n_shot
    return [
        [torch.rand(size, n, *shape), y, torch.rand(size, n, *shape), y]
        for _ in range(outer)
    ]


def backward(net: nn.Module, inner: Any, batch: Iterable[Tensor], steps: int) -> None:
    """Add the gradients of the losses of tasks after their steps."""
    net_state = torchopt.extract_state_dict(net, by="reference")
    inner_state = torchopt.extract_state_dict(inner, by="reference")
    losses = []
    for xs, ys, xq, yq in zip(*batch, strict=True):
        for _ in range(steps):
            inner.step(loss_of(net(xs), ys))
        losses.append(loss_of(net(xq), yq))
        torchopt.recover_state_dict(net, net_state)
        torchopt.recover_state_dict(inner, inner_state)
    torch.stack(losses).sum().backward()


def training(
    kind: str,
    steps: int,
    rate: float,
    lr: float,
    outer: int,
    size: int,
    n_way: int,
    n_shot: int,
) -> Callable[[], int]:
    """Return a training; episodes are ready before the clock runs."""
    batches = episodes(kind, size, n_way, n_shot, outer)

    def run() -> int:
        net = net_of(kind, n_way)
        inner = torchopt.MetaSGD(net, lr=rate)
        adam = torch.optim.Adam(net.parameters(), lr=lr, fused=True)
        for batch in batches:
            adam.zero_grad()
            backward(net, inner, batch, steps)
            adam.step()
        return len(batches)

    return run


def gradient(
    path: str, kind: str, steps: int, rate: float, n_way: int, **_: Any
) -> Callable[[], None]:
    """Return what replaces weights and tasks in a file by the gradient there."""

    def run() -> None:
        weights, batch = torch.load(path)
        net = net_of(kind, n_way).double()
        with torch.no_grad():
            for mine, theirs in zip(net.parameters(), weights, strict=True):
                mine.copy_(theirs)
        parameters = list(net.parameters())
        backward(net, torchopt.MetaSGD(net, lr=rate), batch, steps)
        torch.save([p.grad for p in parameters], path)

    return run

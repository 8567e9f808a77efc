"""What the benchmarks of domain adaptation share: data, a hand-written loop, tables."""

from __future__ import annotations

import json
import os
import platform
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
DATA = os.environ.get("MLMI_SKLEARN_SHARED_DATA")
SHARED = Path(DATA) if DATA else HERE.parents[1] / "shared" / "data"


def folder(name: str) -> Path:
    """Return the folder of a data set, or end the benchmark in one sentence."""
    path = SHARED / name
    if not path.is_dir():
        sys.exit(f"{path} is not there; set MLMI_SKLEARN_SHARED_DATA.")
    return path


def quiet() -> None:
    """Use one thread and do not repeat the estimators' advice in every run."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")


def stack(Xs, ys, Xt, yt=None, marker=-1):
    """Return rows, labels and domains; target labels that are not given are masked.

    Parameters
    ----------
    Xs, Xt : ndarray or sparse matrix
        Rows of source and target.
    ys, yt : ndarray or None
        Labels; without `yt` the target rows carry `marker`.
    marker : int, default=-1
        Stands for "no label".

    Returns
    -------
    X, y, sample_domain
        Stacked, source (0) first, then target (-1).
    """
    if hasattr(Xs, "tocsr"):
        from scipy import sparse

        X = sparse.vstack([Xs, Xt], format="csr")
    else:
        X = np.concatenate([Xs, Xt])
    if yt is None:
        yt = np.full(Xt.shape[0], marker)
    y = np.concatenate([ys, yt]).astype(np.int64)
    return X, y, np.repeat([0, -1], [Xs.shape[0], Xt.shape[0]])


# -- DANN as one writes it by hand ---------------------------------------------------


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        return -ctx.factor * gradient, None


def encoder(n_features: int, hidden: tuple[int, ...], norm: bool = True) -> nn.Module:
    """Return linear layers, each with batch normalisation and ReLU."""
    layers: list[nn.Module] = []
    for before, units in pairwise((n_features, *hidden)):
        layers += [nn.Linear(before, units)]
        layers += [nn.BatchNorm1d(units)] if norm else []
        layers += [nn.ReLU()]
    return nn.Sequential(*layers)


def discriminator(n_features: int, hidden: tuple[int, ...]) -> nn.Module:
    """Return the net that tells source from target, ending in one logit."""
    net = encoder(n_features, hidden, norm=False)
    return net.append(nn.Linear((n_features, *hidden)[-1], 1))


class Plain(nn.Module):
    """Encoder, head and discriminator of a net for `n_classes` classes."""

    def __init__(self, n_features, n_classes, hidden, critic=(100,)):
        super().__init__()
        self.encoder = encoder(n_features, hidden)
        self.head = nn.Linear(hidden[-1], n_classes)
        self.critic = discriminator(hidden[-1], critic)

    @torch.no_grad()
    def accuracy(self, X, y):
        """Share of rows whose class is the likeliest."""
        self.eval()
        logits = self.head(self.encoder(torch.as_tensor(X, dtype=torch.float32)))
        return float((logits.argmax(1).numpy() == y).mean())


def endless(n: int, batch: int) -> Iterator[torch.Tensor]:
    """Yield shuffled batches for ever."""
    left = torch.randperm(n)
    while True:
        if len(left) < batch:
            left = torch.cat([left, torch.randperm(n)])
        yield left[:batch]
        left = left[batch:]


def train_plain(
    net, Xs, ys, Xt, *, epochs, batch=64, lr=0.03, lambda_=0.3, momentum=0.9
):
    """Train DANN by hand: separate passes, both schedules of Ganin et al., fused SGD.

    Rows left over by the last full batch join it, as in the estimator.
    """
    xs, xt = (torch.as_tensor(a, dtype=torch.float32) for a in (Xs, Xt))
    y = torch.as_tensor(ys, dtype=torch.int64)
    optimizer = torch.optim.SGD(net.parameters(), lr=lr, momentum=momentum, fused=True)
    stream = endless(len(xt), batch)
    steps = max(len(xs) // batch, 1)
    net.train()
    for epoch in range(epochs):
        order = torch.randperm(len(xs))
        for step in range(steps):
            share = (epoch + step / steps) / epochs
            optimizer.param_groups[0]["lr"] = lr / (1 + 10 * share) ** 0.75
            weight = lambda_ * (2 / (1 + np.exp(-10 * share)) - 1)
            last = step == steps - 1
            rows = order[step * batch :] if last else order[step * batch :][:batch]
            optimizer.zero_grad()
            zs, zt = net.encoder(xs[rows]), net.encoder(xt[next(stream)])
            loss = functional.cross_entropy(net.head(zs), y[rows])
            if lambda_:
                logits = net.critic(_Reverse.apply(torch.cat([zs, zt]), weight))
                as_source, as_target = logits.split([len(zs), len(zt)])
                # Cross-entropy of either domain on its own, added up as in the paper.
                loss = loss + functional.softplus(as_source).mean()
                loss = loss + functional.softplus(-as_target).mean()
            loss.backward()
            optimizer.step()
    return net


# -- results -------------------------------------------------------------------------


def mean_sd(values) -> str:
    """Return "mean ± standard deviation"."""
    return f"{np.mean(values):.3f} ± {np.std(values):.3f}"


def verdict(value: float, goal: float | None) -> str:
    """Return the goal and whether it was reached; nothing without a goal."""
    if goal is None:
        return ""
    return f"{goal:.3f} {'reached' if value >= goal else 'MISSED'}"


def print_table(head: list[str], lines: list[list[str]]) -> None:
    """Print Markdown."""
    print(f"\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for cells in lines:
        print(f"| {' | '.join(cells)} |")
    sys.stdout.flush()


def write(file: str, title: str, rows: list[dict[str, Any]], key: Callable, **more):
    """Write rows as JSON, in place of earlier ones of the same key.

    Parameters
    ----------
    file : str
        Name in benchmarks/results.
    title : str
        What was measured.
    rows : list of dict
        One a line of the table.
    key : callable
        Row -> what tells rows apart.
    **more
        Further facts, such as the protocol.
    """
    path, merged = RESULTS / file, {}
    if path.exists():
        merged = {key(row): row for row in json.loads(path.read_text())["rows"]}
    merged |= {key(row): row for row in rows}
    content = {"title": title, **more, "python": platform.python_version()}
    content["versions"] = {p: _version(p) for p in ("torch", "scikit-learn", "skada")}
    content["rows"] = list(merged.values())
    RESULTS.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

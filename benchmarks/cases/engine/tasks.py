"""One classification, as every contender trains it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.neural_network import MLPClassifier
from skorch import NeuralNetClassifier
from suite import same, start_of
from torch import Tensor, nn

from mlmi_sklearn import NetClassifier

__all__ = ["DECAY", "LR", "Task", "images", "mlp", "table", "wide"]

LR, DECAY = 1e-3, 1e-4
Rows = Callable[[Tensor], Tensor]


@dataclass
class Task:
    """Data, net and length of the training.

    Parameters
    ----------
    X : array of shape (n, ...) or CSR matrix
        Inputs.
    y : array of shape (n,)
        Classes.
    net : callable
        Makes the net, without arguments.
    epochs, batch : int
        Length of the training and rows of a batch.
    hidden : tuple of int or None
        Units of hidden layers; None for images.
    """

    X: Any
    y: np.ndarray
    net: Callable[[], nn.Module]
    epochs: int
    batch: int
    hidden: tuple[int, ...] | None = None

    def rows(self) -> Rows:
        """Return what gathers the inputs of a batch, as one writes it by hand."""
        if sp.issparse(self.X):
            return lambda i: torch.from_numpy(self.X[i.numpy()].toarray())
        return torch.from_numpy(self.X).__getitem__

    def ours(self, epochs: int | None = None) -> NetClassifier:
        """Return the estimator."""
        model = NetClassifier(
            max_epochs=epochs or self.epochs,
            batch_size=self.batch,
            lr=LR,
            weight_decay=DECAY,
            device="cpu",
            random_state=0,
        )
        hidden = {} if self.hidden is None else {"backbone__hidden": self.hidden}
        return model.set_params(**hidden)

    def limit(self) -> nn.Module:
        """Train a raw loop."""
        return raw_loop(self.net(), self.rows(), self.y, self.epochs, self.batch)

    def skorch(self) -> NeuralNetClassifier:
        """Return skorch as it comes, with the fused optimiser."""
        return NeuralNetClassifier(
            self.net,
            criterion=nn.CrossEntropyLoss,
            optimizer=torch.optim.AdamW,
            optimizer__weight_decay=DECAY,
            optimizer__fused=True,
            lr=LR,
            max_epochs=self.epochs,
            batch_size=self.batch,
            train_split=None,
            iterator_train__shuffle=True,
            verbose=0,
        )

    def sklearn(self) -> MLPClassifier:
        """Return the net of scikit-learn."""
        return MLPClassifier(
            self.hidden,
            batch_size=min(self.batch, len(self.y)),
            learning_rate_init=LR,
            max_iter=self.epochs,
            n_iter_no_change=self.epochs + 1,
            random_state=0,
        )

    def as_ours(self, module: nn.Module) -> nn.Module:
        """Return the plain net with the weights of a module of the estimator."""
        net = self.net()
        values = module.state_dict().values()
        net.load_state_dict(dict(zip(net.state_dict(), values, strict=True)))
        return net

    def agree(self) -> str:
        """Raw loop and estimator, started alike, must end alike."""
        model = self.ours(1).fit(self.X, self.y)
        start, order = start_of(model)
        # Rounding depends on how weights of convolutions lie; AdamW makes it large.
        net = self.as_ours(start).to(memory_format=torch.channels_last)
        net = raw_loop(net, self.rows(), self.y, 1, self.batch, order)
        return same(net, model.net_.module_)


def raw_loop(
    net: nn.Module,
    rows: Rows,
    y: np.ndarray,
    epochs: int,
    batch: int,
    generator: torch.Generator | None = None,
) -> nn.Module:
    """Train as one writes it by hand."""
    labels = torch.from_numpy(y)
    optimizer = torch.optim.AdamW(
        net.parameters(), lr=LR, weight_decay=DECAY, fused=True
    )
    loss_of = nn.CrossEntropyLoss()
    for _ in range(epochs):
        order = torch.randperm(len(y), generator=generator)
        for start in range(0, len(y), batch):
            chosen = order[start : start + batch]
            optimizer.zero_grad()
            loss = loss_of(net(rows(chosen)), labels[chosen])
            loss.backward()
            optimizer.step()
    return net


def mlp(columns: int, hidden: int, classes: int) -> nn.Module:
    """Return a net with one hidden layer."""
    return nn.Sequential(
        nn.Linear(columns, hidden), nn.ReLU(), nn.Linear(hidden, classes)
    )


def convolutional(classes: int = 10) -> nn.Module:
    """Return three blocks for grey images."""
    blocks: list[nn.Module] = [nn.Unflatten(1, (1, 28))]
    for inner, outer in ((1, 16), (16, 32), (32, 64)):
        blocks += [
            nn.Conv2d(inner, outer, 3, padding=1, bias=False),
            nn.BatchNorm2d(outer),
            nn.ReLU(),
            nn.MaxPool2d(2) if outer < 64 else nn.AdaptiveAvgPool2d(1),
        ]
    return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(64, classes))


def table(n: int, columns: int, batch: int, epochs: int, hidden: int = 64) -> Task:
    """Return three noisy linear classes."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, columns)).astype(np.float32)
    scores = X @ rng.normal(size=(columns, 3))
    y = (scores + rng.normal(size=scores.shape)).argmax(axis=1)
    return Task(X, y, lambda: mlp(columns, hidden, 3), epochs, batch, (hidden,))


def wide(n: int, columns: int, batch: int, epochs: int, hidden: int = 64) -> Task:
    """Return three classes of rows like counts of words, one entry in a hundred."""
    rng = np.random.default_rng(0)
    X = sp.random(n, columns, 0.01, format="csr", dtype=np.float32, random_state=rng)
    scores = X @ rng.normal(size=(columns, 3))
    y = scores.argmax(axis=1)
    return Task(X, y, lambda: mlp(columns, hidden, 3), epochs, batch, (hidden,))


def images(n: int, batch: int, epochs: int) -> Task:
    """Return ten classes of images of 28 x 28: a bright spot, and noise."""
    rng = np.random.default_rng(0)
    y = rng.integers(10, size=n)
    X = rng.normal(size=(n, 28, 28)).astype(np.float32)
    X[np.arange(n), 2 + 2 * y] += 2
    return Task(X, y, convolutional, epochs, batch)

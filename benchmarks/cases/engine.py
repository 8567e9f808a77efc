"""The engine of every estimator: tables, wide sparse counts, images, tiny fits.

Raw loop and estimator train the same net with the same batches and the same fused
AdamW. Loops are what one writes by hand: a permutation an epoch, rows gathered batch by
batch. ``MLPClassifier`` has Adam, without decay of the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.neural_network import MLPClassifier
from skorch import NeuralNetClassifier
from suite import Case, case, same, start_of
from torch import Tensor, nn

from mlmi_sklearn import NetClassifier

LR, DECAY = 1e-3, 1e-4


@dataclass(frozen=True)
class Table:
    """A classification of rows by a net with one hidden layer."""

    n: int
    columns: int
    batch: int
    epochs: int
    hidden: int = 64
    classes: int = 3

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Return noisy linear classes."""
        rng = np.random.default_rng(0)
        X = rng.normal(size=(self.n, self.columns)).astype(np.float32)
        scores = X @ rng.normal(size=(self.columns, self.classes))
        return X, (scores + rng.normal(size=scores.shape)).argmax(axis=1)

    def net(self) -> nn.Module:
        """Return a fresh net."""
        return nn.Sequential(
            nn.Linear(self.columns, self.hidden),
            nn.ReLU(),
            nn.Linear(self.hidden, self.classes),
        )

    def ours(self, epochs: int | None = None) -> NetClassifier:
        """Return the estimator."""
        model = NetClassifier(
            max_epochs=epochs or self.epochs,
            batch_size=self.batch,
            lr=LR,
            weight_decay=DECAY,
            random_state=0,
        )
        return model.set_params(backbone__hidden=(self.hidden,))

    def skorch(self) -> NeuralNetClassifier:
        """Return skorch as it comes."""
        return skorch_net(self.net, self.epochs, self.batch)

    def sklearn(self) -> MLPClassifier:
        """Return the net of scikit-learn."""
        return MLPClassifier(
            (self.hidden,),
            batch_size=min(self.batch, self.n),
            learning_rate_init=LR,
            max_iter=self.epochs,
            n_iter_no_change=self.epochs + 1,
            random_state=0,
        )


def skorch_net(net: Callable[[], nn.Module], epochs: int, batch: int):
    return NeuralNetClassifier(
        net,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.AdamW,
        optimizer__weight_decay=DECAY,
        optimizer__fused=True,
        lr=LR,
        max_epochs=epochs,
        batch_size=batch,
        train_split=None,
        iterator_train__shuffle=True,
        verbose=0,
    )


def raw_loop(
    net: nn.Module,
    rows: Callable[[Tensor], Tensor],
    y: np.ndarray,
    epochs: int,
    batch: int,
    generator: torch.Generator | None = None,
) -> nn.Module:
    """Train as one writes it by hand; ``rows`` gathers the inputs of a batch."""
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


def agree(table: Table, X, y, rows: Callable[[Tensor], Tensor]) -> str:
    """Raw loop and estimator, started alike, must end alike."""
    model = table.ours(1).fit(X, y)
    start, order = start_of(model)
    net = table.net()
    values = start.state_dict().values()
    net.load_state_dict(dict(zip(net.state_dict(), values, strict=True)))
    return same(raw_loop(net, rows, y, 1, table.batch, order), model.net_.module_)


def table_case(table: Table, aim: float = 1.0) -> Case:
    X, y = table.data()

    def loop() -> nn.Module:
        tensors = torch.from_numpy(X)
        net, size = table.net(), table.batch
        return raw_loop(net, tensors.__getitem__, y, table.epochs, size)

    return Case(
        unit="epoch",
        units=table.epochs,
        contenders={
            "ours": lambda: table.ours().fit(X, y),
            "limit": loop,
            "skorch": lambda: table.skorch().fit(X, y),
            "MLPClassifier": lambda: table.sklearn().fit(X, y),
        },
        agree=lambda: agree(table, X, y, torch.from_numpy(X).__getitem__),
        aim=aim,
    )


@case("engine", "50,000 x 20, batch 128")
def large_table() -> Case:
    return table_case(Table(50_000, 20, 128, 3))


@case("engine", "1,000 x 20, batch 32")
def small_table() -> Case:
    return table_case(Table(1_000, 20, 32, 20))


@case("engine", "tiny fit: 100 x 20, 20 epochs, batch 32", threads=(1,))
def tiny() -> Case:
    return table_case(Table(100, 20, 32, 20), aim=0.5)

"""Imports, growth of cost, memory."""

from __future__ import annotations

import numpy as np
from suite import Case, Command, Memory, Scaling, case

from mlmi_sklearn import NetClassifier

from .tasks import table

TINY = "X, y = np.eye(20, dtype='float32')[:, :5], np.arange(20) % 2"


def started(code: str, peers: dict[str, str], unit: str) -> Case:
    """Return a race of fresh processes; a start of Python is in all of them."""
    codes = {"ours": code, **peers}
    return Case(
        {name: Command(text) for name, text in codes.items()},
        lambda: "nothing is computed but by a tiny fit, so nothing was compared",
        unit,
    )


@case("engine", "import of the package", threads=(1,))
def import_package() -> Case:
    return started(
        "import mlmi_sklearn",
        {"import torch": "import torch", "import sklearn": "import sklearn"},
        "process",
    )


@case("engine", "import of the first estimator", threads=(1,))
def import_estimator() -> Case:
    """Both need scikit-learn and torch, which take most of it."""
    return started(
        "from mlmi_sklearn import NetClassifier",
        {"skorch": "from skorch import NeuralNetClassifier"},
        "process",
    )


@case("engine", "first fit in a fresh process", threads=(1,))
def first_fit() -> Case:
    head = "import numpy as np; " + TINY
    skorch = (
        "; import torch; from torch import nn; from skorch import NeuralNetClassifier; "
        "NeuralNetClassifier(nn.Linear(5, 2), criterion=nn.CrossEntropyLoss, "
        "optimizer=torch.optim.AdamW, train_split=None, max_epochs=1, verbose=0)"
        ".fit(X, y)"
    )
    ours = "; from mlmi_sklearn import NetClassifier; NetClassifier(max_epochs=1).fit"
    return started(head + ours + "(X, y)", {"skorch": head + skorch}, "process")


@case("engine", "fit over instances", threads=(1,))
def over_instances() -> Scaling:
    def make(n: int):
        task = table(n, 20, 128, 1)
        return lambda: task.ours().fit(task.X, task.y)

    return Scaling("instances", (10_000, 20_000, 40_000, 80_000, 160_000), make)


@case("engine", "fit over epochs", threads=(1,))
def over_epochs() -> Scaling:
    task = table(2_000, 20, 128, 1)

    def make(epochs: int):
        return lambda: task.ours(epochs).fit(task.X, task.y)

    return Scaling("epochs", (8, 16, 32, 64, 128), make)


def memory(n: int, columns: int) -> Memory:
    """Return the peak of a fit on a table of float32."""

    def model() -> NetClassifier:
        net = NetClassifier(max_epochs=1, device="cpu", random_state=0)
        return net.set_params(backbone__hidden=(64,))

    def run() -> int:
        rng = np.random.default_rng(0)
        X = rng.standard_normal((n, columns), dtype=np.float32)
        y = (X[:, 0] > 0).astype(np.int64)
        weights = model().fit(X, y).net_.module_.parameters()
        # Weights, their gradients and both moments of AdamW.
        return int(X.nbytes + y.nbytes + 4 * sum(p.nbytes for p in weights))

    tiny = np.eye(20, columns, dtype=np.float32)
    return Memory(lambda: model().fit(tiny, np.arange(20) % 2), run)


@case("engine", "peak memory: table of 400 MB", threads=(1,))
def memory_400() -> Memory:
    return memory(100_000, 1_000)


@case("engine", "peak memory: table of 200 MB", threads=(1,))
def memory_200() -> Memory:
    """Small enough for one gather an epoch, were there memory for it."""
    return memory(50_000, 1_000)

"""Whole fits."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from suite import Case, case, not_installed, same, start_of

from mlmi_sklearn import DANNClassifier, MMEClassifier
from mlmi_sklearn.datasets import make_shifted_digits

from .loops import BATCH, CRITIC, HIDDEN, LAMBDA, LR, Loop, Net

# Peers that the benchmarks of accuracy use too stand beside them.
sys.path.append(str(Path(__file__).parents[2]))

CLASSES, EPOCHS = 10, 20
ADAPT = "ADAPT needs TensorFlow, which is not installed beside torch"


@dataclass
class Task:
    """One method on digits that are turned.

    Parameters
    ----------
    terms : str
        What the target adds, as the raw loop calls it.
    diagnostics : bool, default=False
        Whether the estimator measures the domains after the training.
    epochs : int, default=20
        Length of the training.
    """

    terms: str
    diagnostics: bool = False
    epochs: int = EPOCHS

    def __post_init__(self) -> None:
        X, self.y, self.domain = make_shifted_digits("rotate", random_state=0)
        self.X = X.astype(np.float32)
        source = self.domain >= 0
        self.loop = Loop(
            torch.from_numpy(self.X[source]),
            torch.from_numpy(self.y[source]).long(),
            torch.from_numpy(self.X[~source]),
            self.terms,
        )

    def estimator(self, epochs: int | None = None) -> Any:
        """Return ours."""
        common = {
            "backbone": "mlp",
            "lr": LR,
            "batch_size": BATCH,
            "max_epochs": epochs or self.epochs,
            "device": "cpu",
            "diagnostics": self.diagnostics,
            "random_state": 0,
        }
        if self.terms == "mme":
            model: Any = MMEClassifier(target_labels="ignore", **common)
        else:
            model = DANNClassifier(
                divergence=self.terms,
                discriminator=(CRITIC,),
                lambda_=LAMBDA,
                **common,
            )
        return model.set_params(backbone__hidden=(HIDDEN,), backbone__norm="batch")

    def ours(self, epochs: int | None = None) -> Any:
        """Fit ours."""
        return self.estimator(epochs).fit(self.X, self.y, sample_domain=self.domain)

    def net(self) -> Net:
        """Return the plain net."""
        seen = {"dann": HIDDEN, "cdan": HIDDEN * CLASSES}.get(self.terms, 0)
        return Net(self.X.shape[1], CLASSES, seen, self.terms == "mme")

    def limit(self) -> Net:
        """Train the raw loop."""
        return self.loop.train(self.net(), self.epochs)

    def agree(self) -> str:
        """Raw loop and estimator, started alike, must end alike."""
        model = self.ours(1)
        start, order = start_of(model)
        net = self.net()
        values = start.state_dict().values()
        net.load_state_dict(dict(zip(net.state_dict(), values, strict=True)))
        # The order of the target has a generator of its own.
        beside = torch.Generator().manual_seed(order.initial_seed() ^ 1)
        self.loop.train(net, 1, order, beside)
        return same(net, model.net_.module_)


def race(task: Task, peers: dict[str, Callable[[], object]] | None = None) -> Case:
    """Return a race of whole fits."""
    contenders = {"ours": task.ours, "limit": task.limit, **(peers or {})}
    absent = {"ADAPT": ADAPT} | not_installed("skada", "torch")
    return Case(contenders, task.agree, "epoch", task.epochs, absent)


def skada(task: Task) -> dict[str, Callable[[], object]]:
    """Return skada's DANN with a discriminator that has a gradient.

    Its own ends in a softmax over one unit, so that no gradient reaches anything.
    """
    from _skada import working_dann

    if working_dann is None:
        return {}

    def fit() -> object:
        model = working_dann(
            64,
            CLASSES,
            (HIDDEN,),
            (CRITIC,),
            task.epochs,
            batch=BATCH,
            lr=LR,
            lambda_=LAMBDA,
        )
        y = np.where(task.domain < 0, -1, task.y)
        return model.fit(task.X, y, sample_domain=task.domain)

    return {"skada": fit}


@case("domain_adaptation", "DANN, digits")
def of_dann() -> Case:
    task = Task("dann")
    return race(task, skada(task))


@case("domain_adaptation", "DANN, digits, with diagnostics", threads=(1,))
def with_diagnostics() -> Case:
    """Compare with a limit that measures nothing; 100 epochs are the default."""
    return race(Task("dann", diagnostics=True, epochs=100))


@case("domain_adaptation", "CDAN, digits")
def of_cdan() -> Case:
    return race(Task("cdan"))


@case("domain_adaptation", "MMD, digits")
def of_mmd() -> Case:
    return race(Task("mmd"))


@case("domain_adaptation", "CORAL, digits")
def of_coral() -> Case:
    return race(Task("coral"))


@case("domain_adaptation", "MME, digits")
def of_mme() -> Case:
    return race(Task("mme"))

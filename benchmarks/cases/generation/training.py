"""Whole fits of CGANSampler, and rows drawn."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer, load_digits
from suite import Case, case, largest_difference, not_installed

from mlmi_sklearn import CGANSampler
from mlmi_sklearn.generation.batches import GANBatches
from mlmi_sklearn.generation.net import GANNet

from .loops import BATCH, LR, Loop

WIDTH = 256


class Race:
    """One training, as each contender does it.

    Parameters
    ----------
    X, y : ndarray
        Samples and their classes.
    steps : int
        Steps of the generator in a run.
    """

    def __init__(self, X: np.ndarray, y: np.ndarray, steps: int) -> None:
        self.X, self.y, self.steps = X.astype(np.float32), y, steps
        self.begun = self._beginning(self.X)

    def model(self, steps: int) -> CGANSampler:
        """Return ours."""
        model = CGANSampler(
            max_iter=steps, batch_size=BATCH, lr=LR, device="cpu", random_state=0
        )
        if self.X.ndim > 2:
            return model
        sizes = {
            "generator": "mlp",
            "generator__hidden": (WIDTH, WIDTH),
            "discriminator": "mlp",
            "discriminator__hidden": (WIDTH, WIDTH),
        }
        return model.set_params(**sizes)

    def ours(self) -> CGANSampler:
        """Fit ours."""
        return self.model(self.steps).fit(self.X, self.y)

    def _beginning(self, X: np.ndarray, steps: int = 2) -> dict[str, Any]:
        """Fit shortly; return what the training began with, and the fitted model."""
        kept: dict[str, Any] = {}
        fit_loop = GANNet.fit_loop

        def keep(net: Any, data: Any, *args: Any, **kwargs: Any) -> Any:
            kept.update(
                module=copy.deepcopy(net.module_),
                data=data,
                noise=net.noise_seed,
                order=net.generator.get_state(),
            )
            return fit_loop(net, data, *args, **kwargs)

        with mock.patch.object(GANNet, "fit_loop", keep):
            kept["fitted"] = self.model(steps).fit(X, self.y)
        return kept

    def loop(self, begun: dict[str, Any]) -> Loop:
        """Return the raw loop over the rows of a fit."""
        rows = begun["data"].all
        return Loop(rows.x, rows.vector)

    def limit(self) -> None:
        """Train the raw loop from copies of the nets."""
        loop = self.loop(self.begun)
        nets = [part.train() for part in players(copy.deepcopy(self.begun["module"]))]
        loop.train(*nets, torch.randint(len(self.X), (self.steps, BATCH)))

    def agree(self) -> str:
        """Both must end in the same weights, in double precision."""
        steps = 9
        begun = self._beginning(self.X.astype(np.float64), steps)
        order = torch.Generator()
        order.set_state(begun["order"])
        # The draws of ours, in the order of ours; the clock runs on plain ones.
        drawn = GANBatches(begun["data"], BATCH, order, steps)
        batches = drawn._order(steps * BATCH).split(BATCH)
        draws = torch.Generator().manual_seed(begun["noise"])
        nets = players(begun["module"])
        self.loop(begun).train(*[net.train() for net in nets], batches, draws)
        theirs = players(begun["fitted"].net_.module_)
        # All but the average, whose last layer is fitted to shares at the end.
        apart = max(
            largest_difference(
                (p.detach() for p in one.parameters()),
                (p.detach() for p in other.parameters()),
            )
            for one, other in zip(nets[:2], theirs[:2], strict=True)
        )
        if not apart < 1e-7:
            raise AssertionError(f"weights differ by {apart:.1e} after {steps} steps")
        return (
            "in double precision, weights of both players of ours and the limit differ "
            f"by {apart:.0e} at most after {steps} steps"
        )


def players(module: Any) -> list[Any]:
    """Return generator, discriminator and average of a model, ready to train."""
    for parameter in module.average.parameters():
        parameter.requires_grad_(False)
    return [module.sampler, module.discriminator, module.average]


def ctgan(task: Race, steps: int) -> Any:
    """Fit CTGAN: as many steps, rows a batch and units."""
    import pandas as pd
    from ctgan import CTGAN

    frame = pd.DataFrame(task.X).rename(columns=str)
    frame["y"] = task.y
    each = max(len(frame) // BATCH, 1)
    model = CTGAN(
        generator_dim=(WIDTH, WIDTH),
        discriminator_dim=(WIDTH, WIDTH),
        batch_size=BATCH,
        epochs=steps // each,
        generator_lr=LR,
        discriminator_lr=LR,
        enable_gpu=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(frame, ["y"])
    return model


def cancer(steps: int) -> Race:
    return Race(*load_breast_cancer(return_X_y=True), steps)


def digits(steps: int) -> Race:
    return Race(*load_digits(return_X_y=True), steps)


def images(steps: int, n: int = 500, size: int = 16) -> Race:
    """Return bright bars on noise, at a place that the class says."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 4
    X = rng.normal(size=(n, 1, size, size)).clip(-3, 3) / 10
    for k in range(4):
        X[y == k, :, 2 + 3 * k : 4 + 3 * k] += 1
    return Race(X, y, steps)


def race(task: Race, *, with_ctgan: bool = False) -> Case:
    """Return a race of whole fits."""
    contenders: dict[str, Callable[[], object]] = {
        "ours": task.ours,
        "limit": task.limit,
    }
    agree = task.agree
    if with_ctgan and not not_installed("ctgan"):
        contenders["CTGAN"] = lambda: ctgan(task, task.steps)

        def agree() -> str:
            return (
                f"{task.agree()}; CTGAN, another method, takes as many steps of "
                f"{BATCH} rows with as many hidden units"
            )

    absent = not_installed("ctgan") if with_ctgan else {}
    rounds = 3 if with_ctgan else 100  # CTGAN takes long
    return Case(contenders, agree, "step", task.steps, absent, 1 / 3, rounds)


@case("generation", "CGAN, breast cancer, 569 x 30", threads=(1,))
def of_cancer() -> Case:
    return race(cancer(120), with_ctgan=True)


@case("generation", "CGAN, digits, 1,797 x 64", threads=(1,))
def of_digits() -> Case:
    return race(digits(120))


@case("generation", "CGAN, images of 16 x 16")
def of_images() -> Case:
    return race(images(60))


@case("generation", "10,000 rows drawn, breast cancer", threads=(1,))
def drawn_rows() -> Case:
    """Draw rows; the net alone does not go back to columns."""
    task = cancer(60)
    model = task.ours()
    average = model.net_.module_.average
    told = torch.eye(2)[torch.arange(10_000) % 2]

    def limit() -> torch.Tensor:
        noise = torch.randn(10_000, average.noise_dim)
        with torch.no_grad():
            return average(noise, told)

    contenders: dict[str, Callable[[], object]] = {
        "ours": lambda: model.sample(10_000),
        "net alone": limit,
    }
    if not not_installed("ctgan"):
        rival = ctgan(task, 60)
        contenders["CTGAN"] = lambda: rival.sample(10_000)

    def agree() -> str:
        X, y = model.sample(10_000)
        if X.shape != (10_000, 30) or not np.isfinite(X).all() or len(y) != len(X):
            raise AssertionError("not 10,000 finite rows")
        return "10,000 finite rows of 30 columns and their classes"

    absent = not_installed("ctgan")
    return Case(contenders, agree, "1,000 rows", 10, absent, 1 / 3)

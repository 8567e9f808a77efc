"""A few points of a new sine wave: meta-learning beside ordinary pre-training."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel

from ....datasets import make_sinusoid_tasks
from ....meta_learning import FineTuneRegressor, MAMLRegressor
from ....model_selection import few_shot_score
from ...content import Figure, Finding, Metric, Scores, Section, Table
from ...session import progress
from .settings import Settings
from .sinusoid_pictures import Curve, common_reach, curve_panel
from .words import by_method, error_verdict, least, with_intervals, with_widths

__all__ = ["GAUSSIAN", "sinusoids_section"]

Array = NDArray[Any]

GAUSSIAN = "Gaussian process on the points"
_HALF = 100  # points of a new curve to be judged by

_QUESTION = """\
Every task is a sine wave of another height and phase, and a new one is to be drawn \
through a few of its points. A model of all waves together can only learn their mean. \
MAML learns weights from which a step or two lead to any of them."""


def sinusoids_section(settings: Settings) -> Section:
    """Train on many curves, judge by new ones, and write the section.

    Parameters
    ----------
    settings : Settings
        Curves, epochs and points.

    Returns
    -------
    Section
        Squared errors with intervals, and one curve in pictures.
    """
    models = _train(settings)
    rows = _judge(models, settings)
    metrics = tuple(Metric(_key(n), f"{n} points", decimals=2) for n in settings.points)
    caption = (
        "mean squared error (lower is better) and half its 95 % interval over "
        f"{settings.new_curves} new curves"
    )
    return Section(
        title="A few points of a new sine wave",
        question=_QUESTION,
        table=Table("sinusoids", caption, with_intervals(*metrics), rows),
        findings=(_finding(rows, metrics),),
        figures=(_figure(models, rows, settings),),
        protocol=_protocol(settings),
    )


def _key(points: int) -> str:
    return f"mse_{points}"


def candidates() -> dict[str, tuple[str, dict[str, int]]]:
    """Return rows of the table: which model, and with what settings it adapts."""
    return {
        "MAML, as it begins": ("maml", {"inner_steps_eval": 0}),
        "MAML, 1 step": ("maml", {"inner_steps_eval": 1}),
        "MAML, 5 steps": ("maml", {"inner_steps_eval": 5}),
        "Pre-training, 5 steps": ("pre-trained", {"adapt_epochs": 5}),
        "Pre-training, 100 steps": ("pre-trained", {"adapt_epochs": 100}),
        GAUSSIAN: ("gaussian", {}),
    }


def _train(settings: Settings) -> Mapping[str, Any]:
    """Return the models that know many curves, and one that knows none."""
    X, y, groups = make_sinusoid_tasks(settings.curves, 20, random_state=0)
    common: dict[str, Any] = {"device": "cpu", "random_state": 0}

    def two_layers(model: Any) -> Any:
        return model.set_params(backbone="mlp", backbone__hidden=(40, 40))

    with progress("Sinusoids, training", 2) as step:
        maml = two_layers(
            MAMLRegressor(
                n_shot=5,
                n_query=10,
                finetune_steps=0,
                max_epochs=settings.curve_epochs,
                **common,
            )
        ).fit(X, y, groups=groups)
        step("MAML")
        trained = two_layers(
            FineTuneRegressor(max_epochs=settings.pretraining_epochs, **common)
        ).fit(X, y)
        step("pre-training")
    kernel = ConstantKernel() * RBF()
    return {
        "maml": maml,
        "pre-trained": trained,
        "gaussian": GaussianProcessRegressor(kernel, alpha=1e-6, normalize_y=True),
    }


def _judge(models: Mapping[str, Any], settings: Settings) -> tuple[Scores, ...]:
    """Learn new curves from a few points and score the rest."""
    n = settings.new_curves
    X, y, groups = make_sinusoid_tasks(n, max(settings.points) + _HALF, random_state=1)
    rows = []
    found = candidates()
    with progress("Sinusoids, new curves", len(found)) as step, _quietly():
        for name, (which, params) in found.items():
            model = models[which].set_params(**params)
            errors = {}
            for points in settings.points:
                score = few_shot_score(
                    model,
                    X,
                    y,
                    groups,
                    n_shot=points,
                    n_query=_HALF,
                    n_episodes=n,
                    scoring="neg_mean_squared_error",
                    random_state=0,
                )
                by_curve = score.frame.sort_values("task")["score"]
                errors[_key(points)] = -by_curve.to_numpy()
            rows.append(Scores(name, which == "maml", with_widths(errors)))
            step(name)
    return tuple(rows)


@contextmanager
def _quietly() -> Iterator[None]:
    """Let the Gaussian process not complain of kernels that five points allow."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def _finding(rows: Sequence[Scores], metrics: Sequence[Metric]) -> Finding:
    """Say who errs least at each number of points, and how MAML stands."""
    named = by_method(rows)
    leaders, details = [], []
    for metric in metrics:
        best = least(rows, metric.key)
        leaders.append(
            f"with {metric.title} {best.method} ({best.mean(metric.key):.2f})"
        )
        spoken = Metric(metric.key, f"squared error with {metric.title}", 2)
        details += [
            error_verdict(named["MAML, 5 steps"], named[other], spoken)
            for other in ("Pre-training, 100 steps", GAUSSIAN)
        ]
    details.append(
        "The Gaussian process knows no other curves, only that curves are smooth. With "
        "points enough and without noise that may be all one needs; with few points, "
        "what other curves are like counts."
    )
    return Finding(f"Least squared error: {'; '.join(leaders)}.", tuple(details))


def _figure(
    models: Mapping[str, Any], rows: Sequence[Scores], settings: Settings
) -> Figure:
    """Show a middling curve: the one where MAML errs as much as in half of all."""
    points = settings.points[-1]
    errors = by_method(rows)["MAML, 5 steps"].values[_key(points)]
    which = int(np.argsort(errors)[len(errors) // 2])
    X, y, groups, amplitude, phase = make_sinusoid_tasks(
        settings.new_curves,
        max(settings.points) + _HALF,
        random_state=1,
        return_params=True,
    )
    mine = np.flatnonzero(groups == which)[:points]
    grid = np.linspace(-5, 5, 201)
    truth = amplitude[which] * np.sin(grid - phase[which])
    support = X[mine], y[mine]
    maml, trained = models["maml"], models["pre-trained"]

    def steps_of(model: Any, name: str, numbers: Sequence[int]) -> dict[str, Array]:
        return {
            "as it begins" if not k else f"{k} step{'s' * (k > 1)}": model.adapt(
                *support, **{name: k}
            ).predict(grid[:, None])
            for k in numbers
        }

    beginning = trained.predict(grid[:, None])
    panels = {
        "MAML": steps_of(maml, "inner_steps", (0, 1, 5)),
        "Pre-training": {
            "as it begins": beginning,
            **steps_of(trained, "adapt_epochs", (5, 100)),
        },
        "Gaussian process": {
            "fitted": models["gaussian"].fit(*support).predict(grid[:, None])
        },
    }
    curves = [
        Curve(name, grid, truth, support, drawn) for name, drawn in panels.items()
    ]
    reach = common_reach(curves)
    return Figure(
        f"A new curve (dashed), {points} of its points, and what each method makes of "
        "them. It is the curve of middling error of MAML among those of the table. "
        "MAML begins with weights that fit no curve, and a few steps lead far; "
        "ordinary training begins with the mean of all curves, from which it takes "
        "many.",
        tuple(curve_panel(curve, reach) for curve in curves),
    )


def _protocol(settings: Settings) -> tuple[str, ...]:
    """Say how it was done."""
    counts = " and ".join(str(n) for n in settings.points)
    return (
        f"make_sinusoid_tasks: {settings.curves} curves of 20 points to learn from "
        f"(random_state 0), {settings.new_curves} others to be judged by "
        f"(random_state 1), each at {_HALF} points that are not among the {counts} "
        "to learn from. The ranges of height and phase are those of Finn et al.",
        f"MAML: {settings.curve_epochs} passes over the curves, 5 points to learn from "
        "and 10 to be judged by, all else are the defaults. The article trains "
        "for 70,000 steps, and is better for it. Pre-training: "
        f"{settings.pretraining_epochs} epochs on all points together, then the given "
        "number of steps on the points of the new curve. Both are nets of two layers "
        "of 40 units, random_state 0.",
        "The Gaussian process is scikit-learn's with a scaled RBF kernel, whose two "
        "numbers it fits to the points of the new curve alone.",
        "Intervals are over curves, of one training each. How long to train was "
        "settled by a look at errors on such curves, for both nets alike.",
    )

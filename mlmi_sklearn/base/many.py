"""Many fits at once: nets of one structure are trained together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..training.data import TrainingData
from ..training.lockstep import Lockstep, structure_of
from ..training.net import LeanNet
from .estimator import TorchEstimator
from .plan import FitJob

__all__ = ["fit_many", "fit_together"]

# Bytes of training data that are put below each other for one group of nets.
_BYTES_AT_ONCE = 256 * 2**20
_NETS_AT_ONCE = 256


@dataclass
class _Fit:
    """One of the fits: its estimator, its data, and how far it is."""

    estimator: Any
    data: tuple[Any, ...]
    job: FitJob | None = None
    train: TrainingData | None = None
    error: Exception | None = None

    def __post_init__(self) -> None:
        self.before = dict(vars(self.estimator))

    def take_back(self) -> None:
        """Make the estimator what it was."""
        self.job = self.train = None
        vars(self.estimator).clear()
        vars(self.estimator).update(self.before)


def fit_many(
    estimators: Sequence[Any],
    data: Iterable[tuple[Any, ...]],
    *,
    return_errors: bool = False,
) -> list[Any]:
    """Fit several estimators, those of one structure together.

    Nets that differ in nothing but their data, seeds, learning rates, weight decay and
    schedules are stacked and trained by the same steps (see
    :mod:`mlmi_sklearn.training.lockstep`), where that is faster: small nets without
    dropout and batch normalisation. All others are fitted one after the other. Either
    way, every estimator ends as its own ``fit`` would have left it, up to rounding.

    Parameters
    ----------
    estimators : sequence of estimator
        Of any class. Each is fitted in place.
    data : iterable of tuple
        ``(X, y)`` or ``(X, y, sample_weight)`` for each of them.
    return_errors : bool, default=False
        Whether to return the exception of a fit that failed in its place, rather than
        raise the first one when all others are done.

    Returns
    -------
    list
        The fitted estimators, in order.

    Raises
    ------
    ValueError
        If there is not one set of data for each estimator.
    Exception
        What a fit raises.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from mlmi_sklearn import NetClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> models = [NetClassifier(lr=lr, random_state=0) for lr in (1e-4, 1e-3, 1e-2)]
    >>> fitted = fit_many(models, [(X, y)] * 3)
    >>> [round(m.score(X, y), 2) for m in fitted]
    [0.34, 0.97, 0.97]
    """
    fits = [_Fit(e, tuple(d)) for e, d in zip(estimators, data, strict=True)]
    with _all_or_nothing(fits):
        for fit in _fit_those_that_can(fits):
            _fit_alone(fit)
    for fit in fits:
        if fit.error is not None and not return_errors:
            raise fit.error
    return [fit.error or fit.estimator for fit in fits]


def fit_together(
    estimators: Sequence[Any], data: Iterable[tuple[Any, ...]]
) -> list[Any]:
    """Fit those of several estimators that can be trained together.

    Parameters
    ----------
    estimators, data
        As in :func:`fit_many`.

    Returns
    -------
    list
        For each estimator itself, fitted; the exception of its fit; or None if it is
        left as it was, since it has to be fitted alone.
    """
    fits = [_Fit(e, tuple(d)) for e, d in zip(estimators, data, strict=True)]
    with _all_or_nothing(fits):
        left = {id(fit) for fit in _fit_those_that_can(fits)}
    return [None if id(fit) in left else fit.error or fit.estimator for fit in fits]


def _fit_those_that_can(fits: list[_Fit]) -> list[_Fit]:
    """Train what can be trained together; return the rest, as it was."""
    alone = [fit for fit in fits if not _prepare(fit)]
    for group in _groups(fits):
        if len(group) == 1:
            group[0].take_back()
            alone += group
        else:
            _train(group)
    return alone


@contextmanager
def _all_or_nothing(fits: list[_Fit]) -> Iterator[None]:
    """Take every change back if something unforeseen, or Ctrl-C, ends the work."""
    try:
        yield
    except BaseException:
        for fit in fits:
            fit.take_back()
        raise


def _prepare(fit: _Fit) -> bool:
    """Get a fit ready for training with others; False if it is to be done alone."""
    estimator = fit.estimator
    if not _may_join(estimator):
        return False
    X, y, *weight = fit.data
    try:
        estimator._validate_params()
        job = estimator._prepare(X, y, *weight or [None], resume=False)
        train, _ = estimator._training_data(job.net, job.inputs, job.encoded, job.plan)
    except Exception as error:
        fit.take_back()
        fit.error = error
        return True
    fit.job, fit.train = job, train
    return True


def _may_join(estimator: Any) -> bool:
    """Tell whether an estimator trains by the plain loop and by nothing else."""
    if not isinstance(estimator, TorchEstimator):
        return False
    kind = type(estimator)
    return (
        kind._train is TorchEstimator._train
        and kind._net_class is LeanNet
        and not (estimator.early_stopping or estimator.callbacks or estimator.verbose)
        and not (estimator.compile or getattr(estimator, "_skl_callbacks", None))
        and not hasattr(estimator, "net_")
        # Drawing a seed from it twice would change what comes after.
        and not isinstance(estimator.random_state, np.random.RandomState)
    )


def _groups(fits: list[_Fit]) -> Iterator[list[_Fit]]:
    """Yield fits whose nets can be trained together, in portions that fit memory."""
    by_structure: dict[Any, list[_Fit]] = defaultdict(list)
    for number, fit in enumerate(fits):
        if fit.job is not None and fit.train is not None:
            key = _common_to_all(fit.job, fit.train)
            by_structure[number if key is None else key].append(fit)
    for group in by_structure.values():
        first = group[0].train
        assert first is not None
        size = max(1, min(_NETS_AT_ONCE, _BYTES_AT_ONCE // max(1, first.rows.nbytes)))
        # Neighbours with equal rates share a call of the optimiser.
        group.sort(key=_rate)
        for start in range(0, len(group), size):
            yield group[start : start + size]


def _common_to_all(job: FitJob, train: TrainingData) -> Any:
    """Return what fits must share to be trained together; None to train alone."""
    structure = structure_of(job.net, train)
    parts = job.attributes["_recipe"].parts
    if structure is None or not structure.pays:
        return None
    if not isinstance(parts["loss"].source, str):  # may return one value for a batch
        return None
    # Layers need not show all their settings; the parameters they were built with do.
    built = [
        (name, str(part.source), repr(part.params)) for name, part in parts.items()
    ]
    return structure, tuple(built)


def _rate(fit: _Fit) -> tuple[float, float]:
    return fit.estimator.lr, fit.estimator.weight_decay


def _train(group: list[_Fit]) -> None:
    """Train and publish a group."""
    nets = [fit.job.net for fit in group if fit.job is not None]
    sets = [fit.train for fit in group if fit.train is not None]
    together = Lockstep(nets, sets)
    together.run()
    for fit, error in zip(group, together.errors, strict=True):
        fit.error = error
        assert fit.job is not None
        fit.estimator._publish(fit.job.net, fit.job.attributes, resume=False)
        fit.job = fit.train = None  # frees the data of this group


def _fit_alone(fit: _Fit) -> None:
    X, y, *weight = fit.data
    options = {"sample_weight": weight[0]} if weight and weight[0] is not None else {}
    try:
        fit.estimator.fit(X, y, **options)
    except Exception as error:
        fit.error = error

"""Many fits at once: nets of one structure are trained together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..nn.initial import weights_follow
from ..training.lockstep import Lockstep, Member
from .later import unbuilt
from .sharing import PreparedFit, SharedStages, may_join, scratch_copy

__all__ = ["TrainedFit", "fit_many", "fit_together", "train_together"]

# Bytes of training data that are put below each other for one group of nets.
_BYTES_AT_ONCE = 256 * 2**20


@dataclass
class TrainedFit:
    """One of the fits that were done together.

    Parameters
    ----------
    estimator : TorchEstimator
        Whose fit it is; not fitted itself.
    fit : PreparedFit or None
        What went into training; None if it did not come to that.
    error : Exception or None
        What the fit raised.
    nets : Lockstep or None
        All nets of its group.
    number : int
        Its own among them.
    """

    estimator: Any
    fit: PreparedFit | None
    error: Exception | None = None
    nets: Lockstep | None = None
    number: int = 0

    @property
    def attributes(self) -> dict[str, Any]:
        """All fitted attributes but those that need a net."""
        assert self.fit is not None
        return {**self.fit.reading.attributes, **self.fit.attributes}

    def results(self) -> dict[str, Any]:
        """Build the net; return it with what else is written when training ends."""
        assert self.fit is not None
        assert self.nets is not None
        made = scratch_copy(self.estimator)
        vars(made).update(self.attributes)
        inputs, recipe, plan = self.fit.reading.inputs, self.fit.recipe, self.fit.plan
        with weights_follow():
            net = made._start_net(inputs, recipe, plan, False, None)
        self.nets.write_to(self.number, net, self._score)
        before = set(vars(made))
        made._publish(net, {}, False)
        return {k: v for k, v in vars(made).items() if k not in before}

    def _score(self, raw: Tensor) -> float:
        """Return the score of outputs for the rows that were set aside."""
        assert self.fit is not None
        assert self.fit.stopping is not None
        targets = self.fit.stopping.data.targets
        y, weight = (None if t is None else t.cpu().numpy() for t in targets)
        criterion = self.fit.pattern.criterion_
        return float(self.estimator._score_raw(raw.numpy(), y, weight, criterion))

    def state(self) -> dict[str, Any]:
        """Return all fitted attributes; the net is built when somebody asks for it."""
        return {**self.attributes, **unbuilt(self.results)}

    def fitted_estimator(self) -> Any:
        """Return a fitted copy of the estimator, of which the net is not built yet."""
        made = scratch_copy(self.estimator)
        vars(made).update(self.state())
        return made


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
    jobs = _jobs(estimators, data)
    with _all_or_nothing(estimators):
        found = _fit_in_place(jobs)
        for number, (job, result) in enumerate(zip(jobs, found, strict=True)):
            if result is None:
                found[number] = _fit_alone(*job)
    errors = [result for result in found if isinstance(result, Exception)]
    if errors and not return_errors:
        raise errors[0]
    return found


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
    with _all_or_nothing(estimators):
        return _fit_in_place(_jobs(estimators, data))


def train_together(jobs: Sequence[tuple[Any, Any, Any, Any]]) -> list[Any]:
    """Train what can be trained together, and leave estimators as they are.

    Parameters
    ----------
    jobs : sequence of (estimator, X, y, sample_weight)
        The fits. Several may share an estimator or data; those are looked at once.

    Returns
    -------
    list of TrainedFit or None
        None for those that have to be fitted alone.
    """
    shared = SharedStages()
    fits = [_prepare(shared, *job) for job in jobs]
    for group in _groups([fit for fit in fits if fit is not None]):
        if len(group) > 1:
            _train(group)
    return [None if _is_left(fit) else fit for fit in fits]


def _prepare(
    shared: SharedStages, estimator: Any, X: Any, y: Any, sample_weight: Any
) -> TrainedFit | None:
    if not may_join(estimator):
        return None
    try:
        fit = shared.prepare(estimator, X, y, sample_weight)
    except Exception as error:
        return TrainedFit(estimator, None, error)
    return TrainedFit(estimator, fit)


def _is_left(fit: TrainedFit | None) -> bool:
    """Tell whether nothing has come of a fit, neither a net nor an error."""
    return fit is None or (fit.nets is None and fit.error is None)


def _groups(fits: list[TrainedFit]) -> Iterator[list[TrainedFit]]:
    """Yield fits whose nets can be trained together, in portions that fit memory."""
    by_structure: dict[Any, list[TrainedFit]] = defaultdict(list)
    for fit in fits:
        if fit.fit is not None and fit.fit.group is not None:
            by_structure[fit.fit.group].append(fit)
    for group in by_structure.values():
        first = group[0].fit
        assert first is not None
        assert first.group is not None
        n_bytes = max(1, first.train.rows.nbytes)
        structure, _ = first.group
        n_bytes += _bytes_noted(first)
        most = max(1, min(structure.at_once, _BYTES_AT_ONCE // n_bytes))
        # Neighbours with equal rates share a call of the optimiser.
        group.sort(key=lambda fit: (fit.estimator.lr, fit.estimator.weight_decay))
        n_parts = -(-len(group) // most)
        size = -(-len(group) // n_parts)
        for start in range(0, len(group), size):
            yield group[start : start + size]


def _bytes_noted(fit: PreparedFit) -> int:
    """Return how much of a net is remembered to score its epochs with, if ever."""
    if fit.stopping is None:
        return 0
    return 8 * fit.pattern.max_epochs * len(fit.stopping.data) * fit.recipe.n_outputs


def _train(group: list[TrainedFit]) -> None:
    nets = Lockstep([_member(fit.fit) for fit in group if fit.fit is not None])
    nets.run()
    for number, (fit, error) in enumerate(zip(group, nets.errors, strict=True)):
        fit.nets, fit.number, fit.error = nets, number, error


def _member(fit: PreparedFit) -> Member:
    start = fit.weights, fit.plan.order_seed
    return Member(fit.pattern, *start, fit.train, fit.stopping)


def _jobs(
    estimators: Sequence[Any], data: Iterable[tuple[Any, ...]]
) -> list[tuple[Any, Any, Any, Any]]:
    pairs = zip(estimators, data, strict=True)
    return [(e, X, y, weight[0] if weight else None) for e, (X, y, *weight) in pairs]


def _fit_in_place(jobs: list[tuple[Any, Any, Any, Any]]) -> list[Any]:
    """Return fitted estimators, errors, or None for what cannot be done together."""
    found: list[Any] = []
    for fit in train_together(jobs):
        if fit is not None and fit.nets is not None:
            vars(fit.estimator).update({**fit.attributes, **fit.results()})
        found.append(None if fit is None else fit.error or fit.estimator)
    return found


def _fit_alone(estimator: Any, X: Any, y: Any, sample_weight: Any) -> Any:
    options = {} if sample_weight is None else {"sample_weight": sample_weight}
    try:
        return estimator.fit(X, y, **options)
    except Exception as error:
        return error


@contextmanager
def _all_or_nothing(estimators: Sequence[Any]) -> Iterator[None]:
    """Take every change back if something unforeseen, or Ctrl-C, ends the work."""
    before = [dict(vars(estimator)) for estimator in estimators]
    try:
        yield
    except BaseException:
        for estimator, old in zip(estimators, before, strict=True):
            vars(estimator).clear()
            vars(estimator).update(old)
        raise

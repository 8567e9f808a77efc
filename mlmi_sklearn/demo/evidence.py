"""What the numbers allow to say: sentences that are made from them.

A difference between two methods is judged by its interval, and a simple method that
is as good wins: nobody should read "deep" as "better" out of a demo.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .content import Finding, Metric, Scores

__all__ = ["Comparison", "compare", "finding", "interval_of_mean", "verdict"]

_SIMPLE_IS_BETTER = (
    "The simple method is the better choice until more data say otherwise."
)
_USE_SIMPLE = "For data like these, use the simple method."
_ADVICE = (_SIMPLE_IS_BETTER, _USE_SIMPLE)
_VERDICTS = {
    "behind": "{baseline} beats {ours}: {metric} {b} against {a}, a difference of {d} "
    f"({{interval}}). {_USE_SIMPLE}",
    "behind, perhaps": "{baseline} is ahead of {ours}, {metric} {b} against {a}, but "
    f"the difference of {{d}} could be chance ({{interval}}). {_SIMPLE_IS_BETTER}",
    "level": f"{{ours}} and {{baseline}} have the same {{metric}}, {{a}} "
    f"({{interval}}). {_SIMPLE_IS_BETTER}",
    "ahead, perhaps": "{ours} is ahead of {baseline}, {metric} {a} against {b}, but "
    "the difference of {d} could be chance ({interval}). These data do not show "
    "that it is better.",
    "ahead": "{ours} beats {baseline}: {metric} {a} against {b}, a difference of {d} "
    "({interval}).",
}


@dataclass(frozen=True)
class Comparison:
    """One of our methods beside a baseline.

    Parameters
    ----------
    ours, baseline : Scores
        The two.
    metric : Metric
        What they are compared by; higher is better.
    low, high : float
        95 % interval of the mean difference, ours minus baseline.
    """

    ours: Scores
    baseline: Scores
    metric: Metric
    low: float
    high: float

    @property
    def difference(self) -> float:
        """Mean of ours minus mean of the baseline."""
        return self.ours.mean(self.metric.key) - self.baseline.mean(self.metric.key)

    @property
    def outcome(self) -> str:
        """How ours stands: behind, behind perhaps, level, ahead perhaps, ahead."""
        if round(self.difference, self.metric.decimals) == 0:
            return "level"
        side = "ahead" if self.difference > 0 else "behind"
        return side if self.low > 0 or self.high < 0 else f"{side}, perhaps"


def compare(
    ours: Scores, baseline: Scores, metric: Metric, overlap: float = 0.0
) -> Comparison:
    """Compare two methods over the same repetitions.

    Parameters
    ----------
    ours, baseline : Scores
        The two.
    metric : Metric
        What to compare them by; higher is better.
    overlap : float, default=0.0
        Size of a test set divided by that of a training set, where repetitions share
        training data as folds do; 0 for independent repetitions.

    Returns
    -------
    Comparison
        With a 95 % interval from Student's t distribution.

    References
    ----------
    Nadeau, C. and Bengio, Y. (2003). Inference for the generalization error. Machine
    Learning 52, 239-281: the corrected resampled t-test. Without the correction,
    intervals from cross-validation are much too narrow.

    Examples
    --------
    >>> metric = Metric("auc", "ROC AUC")
    >>> net = Scores("a net", True, {"auc": np.array([0.80, 0.82, 0.81])})
    >>> tree = Scores("a tree", False, {"auc": np.array([0.90, 0.91, 0.92])})
    >>> compare(net, tree, metric).outcome
    'behind'
    """
    differences = ours.values[metric.key] - baseline.values[metric.key]
    return Comparison(ours, baseline, metric, *interval_of_mean(differences, overlap))


def interval_of_mean(
    values: NDArray[np.float64], overlap: float = 0.0
) -> tuple[float, float]:
    """Return a 95 % interval of a mean, from Student's t distribution.

    Parameters
    ----------
    values : ndarray of shape (n_repetitions,)
        At least 2.
    overlap : float, default=0.0
        As in :func:`compare`.

    Returns
    -------
    low, high : float
        The ends.

    Examples
    --------
    >>> low, high = interval_of_mean(np.array([0.1, 0.2, 0.3]))
    >>> round(low, 3), round(high, 3)
    (-0.048, 0.448)
    """
    n = len(values)
    error = np.sqrt(values.var(ddof=1) * (1 / n + overlap))
    reach = float(stats.t.ppf(0.975, n - 1) * error)
    mean = float(values.mean())
    return mean - reach, mean + reach


def verdict(comparison: Comparison) -> str:
    """Put a comparison into words.

    Parameters
    ----------
    comparison : Comparison
        From :func:`compare`.

    Returns
    -------
    str
        One or two sentences, with the numbers.
    """
    key, digits = comparison.metric.key, comparison.metric.decimals
    return _VERDICTS[comparison.outcome].format(
        ours=comparison.ours.method,
        baseline=comparison.baseline.method,
        metric=comparison.metric.title,
        a=f"{comparison.ours.mean(key):.{digits}f}",
        b=f"{comparison.baseline.mean(key):.{digits}f}",
        d=f"{abs(comparison.difference):.{digits}f}",
        interval=_interval(comparison),
    )


def finding(
    rows: Sequence[Scores],
    metric: Metric,
    *,
    overlap: float = 0.0,
    reference: str | None = None,
) -> Finding:
    """Say what a column shows: who leads, and how methods stand to simple baselines.

    Parameters
    ----------
    rows : sequence of Scores
        At least one of ours and one baseline.
    metric : Metric
        What to judge by; higher is better.
    overlap : float, default=0.0
        See :func:`compare`.
    reference : str, default=None
        Name of a baseline that our first method is also compared with.

    Returns
    -------
    Finding
        Each of our methods is compared with the best baseline.
    """
    ours = [row for row in rows if row.ours]
    baselines = [row for row in rows if not row.ours]
    top, best = _best(ours, metric), _best(baselines, metric)
    pairs = [(row, best) for row in ours]
    pairs += [(ours[0], row) for row in baselines if row.method == reference]
    details = [verdict(compare(*pair, metric, overlap)) for pair in pairs]
    # The reference may be the best baseline: no sentence twice.
    return Finding(_headline(top, best, metric), _advised_once(dict.fromkeys(details)))


def _advised_once(details: Iterable[str]) -> tuple[str, ...]:
    """Give the same advice after the first sentence alone."""
    first, *others = details
    for number, text in enumerate(others):
        for advice in _ADVICE:
            if any(advice in earlier for earlier in (first, *others[:number])):
                others[number] = text.removesuffix(f" {advice}")
    return (first, *others)


def _best(rows: Sequence[Scores], metric: Metric) -> Scores:
    """Return the row with the highest mean."""
    return max(rows, key=lambda row: row.mean(metric.key))


def _headline(ours: Scores, baseline: Scores, metric: Metric) -> str:
    """Name the leader and the runner-up of the other kind."""
    a, b = (f"{r.mean(metric.key):.{metric.decimals}f}" for r in (ours, baseline))
    lead = f"Highest mean {metric.title}:"
    if float(a) > float(b):
        return (
            f"{lead} {ours.method}, {a}; best simple baseline: {baseline.method}, {b}."
        )
    if a == b:
        return (
            f"{lead} {a}, by {baseline.method}, a simple baseline, and {ours.method}."
        )
    return (
        f"{lead} {baseline.method}, a simple baseline, {b}; best of the other methods: "
        f"{ours.method}, {a}."
    )


def _interval(comparison: Comparison) -> str:
    """Write the interval in the direction of the text: the leader's lead."""
    low, high = comparison.low, comparison.high
    if comparison.difference < 0:
        low, high = -high, -low
    digits = comparison.metric.decimals
    return f"95 % interval {_signed(low, digits)} to {_signed(high, digits)}"


def _signed(value: float, digits: int) -> str:
    """Write a number with a proper minus sign, and zero without one."""
    text = f"{value:.{digits}f}"
    return text.replace("-", "−") if float(text) else text.removeprefix("-")

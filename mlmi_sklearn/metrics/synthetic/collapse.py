"""Mode collapse: has the generator lost part of what is in real data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils import check_random_state

from mlmi_sklearn.metrics.synthetic._distances import neighbours
from mlmi_sklearn.metrics.synthetic._features import feature_arrays
from mlmi_sklearn.metrics.synthetic._labels import strata
from mlmi_sklearn.metrics.synthetic._reports import SyntheticReport
from mlmi_sklearn.metrics.synthetic.closeness import prdc
from mlmi_sklearn.metrics.synthetic.spread import within_class_variance_ratio

__all__ = ["ModeCollapseReport", "mode_collapse_report"]

Array = NDArray[Any]

# A class with less than this part of its share is lost, if as many rows were due.
_LOST, _DUE = 0.2, 5.0
# Parts of the real value below which recall, coverage and variance are too low.
_LOW = 0.5
# Coverage says something of diversity where this share of the rows looks real.
_PRECISE = 0.5
# Rows count as twins nearer than this part of the usual distance of neighbours.
_TWIN = 0.1
# Excess of the share of rows with a twin that is too much.
_EXCESS = 0.2


class ModeCollapseReport(SyntheticReport):
    """Result of :func:`mode_collapse_report`: a mapping of names to values.

    Parameters
    ----------
    values : dict of str to float
        What was found for synthetic data.
    reference : dict of str to float
        The same for real data.
    reasons : sequence of str
        What shows the collapse; empty if nothing does.

    Examples
    --------
    >>> from mlmi_sklearn.metrics import ModeCollapseReport
    >>> report = ModeCollapseReport({"recall": 0.7}, {"recall": 0.8}, [])
    >>> report.collapsed, report["recall"]
    (False, 0.7)
    >>> report.to_frame()
            synthetic  real
    recall        0.7   0.8
    """

    _good = "No sign of mode collapse."
    _bad = "The generator has collapsed"

    @property
    def collapsed(self) -> bool:
        """Whether there is any reason to say so."""
        return bool(self.reasons)


def mode_collapse_report(
    X: Any,
    X_synthetic: Any,
    y: Any = None,
    y_synthetic: Any = None,
    X_reference: Any = None,
    *,
    n_neighbors: int = 5,
    features: Any = None,
    random_state: int | np.random.RandomState | None = 0,
) -> ModeCollapseReport:
    """Look for modes of real data that synthetic data have lost.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n, ...)
        Real data, best such as the generator has not seen; four rows at least.
    X_synthetic : DataFrame or array-like of shape (m, ...)
        Synthetic data with the same columns, two rows at least.
    y : array-like of shape (n,) or (n, k), default=None
        Classes of real rows. Numbers are cut at their quintiles.
    y_synthetic : array-like of shape (m,) or (m, k), default=None
        Classes that were asked for; None if the generator was free in this.
    X_reference : DataFrame or array-like of shape (r, ...), default=None
        Other real data, such as the training data, that show what is to be expected.
        None compares two random halves of X.
    n_neighbors : int, default=5
        For recall and coverage; fewer where a sample is too small.
    features : None, "robust", "raw", callable or transformer, default=None
        See :func:`~mlmi_sklearn.metrics.robust_features`.
    random_state : int, RandomState instance or None, default=0
        Draws subsamples, so that real and synthetic samples are of one size.

    Returns
    -------
    ModeCollapseReport
        Mapping with ``collapsed``, ``reasons``, ``reference`` and these values:

        - "class_coverage" (with y): share of classes that synthetic rows are found in
          by their nearest real row. A class is lost at less than a fifth of its share,
          if five rows or more were due. Any loss is a collapse.
        - "recall": see :func:`~mlmi_sklearn.metrics.prdc`. A collapse below half of the
          real value.
        - "variance_ratio": see
          :func:`~mlmi_sklearn.metrics.within_class_variance_ratio`. A collapse below
          0.5.
        - "coverage": a collapse below half of the real value, if the precision is 0.5
          or more; otherwise samples are poor rather than alike.
        - "precision": not judged here.
        - "twins": share of rows with another one nearer than a tenth of the median
          distance between real neighbours. A collapse if 0.2 above the real value.
        - "support": number of different samples the generator seems to have, by the
          number of twins (the birthday paradox); infinite without any.

    Raises
    ------
    ValueError
        If there are too few rows, columns differ or labels do not fit the data.

    Notes
    -----
    For digits at 3,000 steps, a GAN with hinge loss and spectral norm (recall 0.15,
    variance ratio 0.46) is a collapse, and the default (0.72 to 0.81, 0.77 to 0.85) is
    none.

    References
    ----------
    Arora and Zhang, "Do GANs actually learn the distribution? An empirical study", ICLR
    2018, on the birthday paradox. Otherwise see the functions named.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn.metrics import mode_collapse_report
    >>> rng = np.random.RandomState(0)
    >>> real, good = rng.normal(size=(2, 200, 2))
    >>> mode_collapse_report(real, good).collapsed
    False
    >>> report = mode_collapse_report(real, good[:1] + 0.01 * good)
    >>> report.collapsed, report["recall"] < 0.1
    (True, True)
    """
    named = {"X": X, "X_synthetic": X_synthetic}
    if X_reference is not None:
        named["X_reference"] = X_reference
    real, made, *other = feature_arrays(named, features)
    if len(real) < 4 or len(made) < 2 or (other and len(other[0]) < 2):
        raise ValueError(
            "X must have four rows at least, the other samples two, got "
            f"{[len(part) for part in (real, made, *other)]}."
        )
    rng = check_random_state(random_state)
    values, reference = _class_coverage(real, made, X, y, X_synthetic, y_synthetic)
    ratio = within_class_variance_ratio(real, y, made, y_synthetic, features="raw")
    found = _neighbourhoods(real, made, n_neighbors, rng)
    first, second = (real, other[0]) if other else _halves(real, rng)
    expected = _neighbourhoods(first, second, n_neighbors, rng)
    values |= {"variance_ratio": ratio, **found}
    reference |= {"variance_ratio": 1.0, **expected}
    return ModeCollapseReport(values, reference, _reasons(values, reference))


def _class_coverage(
    real: Array, made: Array, X: Any, y: Any, X_synthetic: Any, y_synthetic: Any
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the share of classes found, and that of real data, if there are labels."""
    if y is None:
        return {}, {}
    asked = y if y_synthetic is None else y_synthetic
    rows = X if y_synthetic is None else X_synthetic
    codes, wanted, names = strata(X, y, rows, asked)
    nearest = KNeighborsClassifier(n_neighbors=1).fit(real, codes).predict(made)
    got = np.bincount(nearest, minlength=len(names)) / len(made)
    share = np.bincount(wanted[wanted >= 0], minlength=len(names)) / len(wanted)
    due = np.where(share * len(made) >= _DUE, share, 0.0)
    lost = (due > 0) & (got < _LOST * due)
    return {"class_coverage": float(1 - lost.mean())}, {"class_coverage": 1.0}


def _halves(real: Array, rng: np.random.RandomState) -> tuple[Array, Array]:
    """Return two random halves."""
    order = rng.permutation(len(real))
    middle = len(real) // 2
    return real[order[:middle]], real[order[middle:]]


def _neighbourhoods(
    real: Array, made: Array, k: int, rng: np.random.RandomState
) -> dict[str, float]:
    """Return what depends on the size of samples, for samples of one size."""
    size = min(len(real), len(made))
    real, made = (
        part if len(part) == size else part[rng.permutation(len(part))[:size]]
        for part in (real, made)
    )
    found = prdc(real, made, n_neighbors=min(k, size - 1), features="raw")
    twins, pairs = _twins(real, made)
    support = size * (size - 1) / (2 * pairs) if pairs else np.inf
    return {
        "recall": found["recall"],
        "coverage": found["coverage"],
        "precision": found["precision"],
        "twins": twins,
        "support": float(support),
    }


def _twins(real: Array, made: Array) -> tuple[float, float]:
    """Return the share of rows with a twin, and the number of pairs of twins."""
    usual = np.median(neighbours(real, real, 1, same=True))
    k = min(16, len(made) - 1)  # more twins than these do not change the picture
    near = neighbours(made, made, k, same=True) <= _TWIN * usual
    return float(near[:, 0].mean()), float(near.sum() / 2)


def _reasons(values: dict[str, float], real: dict[str, float]) -> list[str]:
    """Return what shows a collapse."""
    found = []
    if values.get("class_coverage", 1.0) < 1.0:
        found.append(f"class coverage is {values['class_coverage']:.2f} of 1")
    if values["recall"] < _LOW * real["recall"]:
        found.append(_below("recall", values, real))
    if values["variance_ratio"] < _LOW:
        found.append(
            f"variance within classes is {values['variance_ratio']:.2f} of the real one"
        )
    low = values["coverage"] < _LOW * real["coverage"]
    if low and values["precision"] >= _PRECISE:
        found.append(_below("coverage", values, real))
    if values["twins"] > real["twins"] + _EXCESS:
        found.append(
            f"{values['twins']:.0%} of the rows have a twin, {real['twins']:.0%} of "
            f"real ones; there seem to be {values['support']:.0f} different rows"
        )
    return found


def _below(name: str, values: dict[str, float], real: dict[str, float]) -> str:
    return f"{name} is {values[name]:.2f}, that of real data {real[name]:.2f}"

"""Memorisation: has the generator learned its training data by heart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from sklearn.utils import check_random_state

from mlmi_sklearn.metrics.synthetic._distances import nearest, neighbours
from mlmi_sklearn.metrics.synthetic._features import feature_arrays
from mlmi_sklearn.metrics.synthetic._reports import SyntheticReport
from mlmi_sklearn.metrics.synthetic.closeness import distance_to_closest_record
from mlmi_sklearn.metrics.synthetic.two_samples import c2st_auc

__all__ = ["MemorisationReport", "membership_auc", "memorisation_report"]

Array = NDArray[Any]

# How much further than real data a value may be from what is right, ...
_COPIES, _AUC, _MEMBERS = 0.01, 0.15, 0.1
# ... how far towards the value of plain copies, ...
_TOWARDS = 0.75
# ... and below which part of the real ratio of distances.
_RATIO = 0.5
# Standard errors by which a value must be off besides.
_ERRORS = 3.0


class MemorisationReport(SyntheticReport):
    """Result of :func:`memorisation_report`: a mapping of names to values.

    Parameters
    ----------
    values : dict of str to float
        What was found for synthetic data.
    reference : dict of str to float
        The same for real data that are not in the training set.
    reasons : sequence of str
        What shows that rows were memorised; empty if nothing does.

    Examples
    --------
    >>> from mlmi_sklearn.metrics import MemorisationReport
    >>> report = MemorisationReport({"exact_copies": 1.0}, {}, ["all rows are copies"])
    >>> report.memorised, report["exact_copies"]
    (True, 1.0)
    >>> print(report.verdict)
    Training rows were memorised: all rows are copies.
    """

    _good = "No sign of memorised rows."
    _bad = "Training rows were memorised"

    @property
    def memorised(self) -> bool:
        """Whether there is any reason to say so."""
        return bool(self.reasons)


def memorisation_report(
    X_train: Any,
    X_synthetic: Any,
    X_holdout: Any = None,
    *,
    features: Any = None,
    random_state: int | np.random.RandomState | None = 0,
) -> MemorisationReport:
    """Look for training rows in synthetic data.

    Parameters
    ----------
    X_train : DataFrame or array-like of shape (n, ...)
        Real data that the generator has learned from, five rows at least.
    X_synthetic : DataFrame or array-like of shape (m, ...)
        Synthetic data, five rows at least.
    X_holdout : DataFrame or array-like of shape (k, ...), default=None
        Real data that it has not seen, five rows at least. Without, what needs them is
        left out, and training rows among themselves serve as reference.
    features : None, "robust", "raw", callable or transformer, default=None
        See :func:`~mlmi_sklearn.metrics.robust_features`.
    random_state : int, RandomState instance or None, default=0
        Draws subsamples, folds and trees.

    Returns
    -------
    MemorisationReport
        Mapping with ``memorised``, ``reasons``, ``reference`` and these values. Each
        must also be off by three standard errors where one is known.

        - "exact_copies": share of rows equal to a training row. An alarm if 0.01 above
          that of real rows.
        - "distance_ratio": median of the distance to the nearest training row divided
          by that to the second nearest. An alarm below half of the real value.
        - "c2st": see :func:`~mlmi_sklearn.metrics.c2st_auc`, against training rows. An
          alarm if 0.15 below that of real rows: copies have twins.
        - "dcr" (with held-out rows): see
          :func:`~mlmi_sklearn.metrics.distance_to_closest_record`. An alarm
          beyond three quarters of the way from 0.5 to "dcr_of_copies", which the
          training rows themselves have.
        - "membership_auc" (with held-out rows): area under the ROC curve with which an
          attacker tells training from other rows by their distance to the nearest
          synthetic row. An alarm above 0.6.

    Raises
    ------
    ValueError
        If there are too few rows, or columns differ.

    Notes
    -----
    No alarm is no proof of privacy. Interpolation between training rows, as in SMOTE,
    raises an alarm as it should.

    References
    ----------
    Platzer and Reutterer, Frontiers in Big Data 4, 2021, on distances. Chen et al.,
    "GAN-Leaks", ACM CCS 2020, section 4.2, on membership.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn.metrics import memorisation_report
    >>> rng = np.random.RandomState(0)
    >>> train, other, made = rng.normal(size=(3, 100, 4))
    >>> memorisation_report(train, made, other).memorised
    False
    >>> report = memorisation_report(train, train[::2], other)
    >>> report.memorised, report["exact_copies"]
    (True, 1.0)
    """
    named = {"X_train": X_train, "X_synthetic": X_synthetic}
    if X_holdout is not None:
        named["X_holdout"] = X_holdout
    train, made, *rest = feature_arrays(named, features)
    if min(len(part) for part in (train, made, *rest)) < 5:
        sizes = [len(part) for part in (train, made, *rest)]
        raise ValueError(f"All samples must have five rows at least, got {sizes}.")
    rng = check_random_state(random_state)
    seed = int(rng.randint(np.iinfo(np.int32).max))
    other = rest[0] if rest else None
    values, real = _distances(train, made, other)
    size = min(len(made), len(train if other is None else other))
    values["c2st"] = _told_apart(train, made, size, seed)
    real["c2st"] = 0.5 if other is None else _told_apart(train, other, size, seed)
    sizes = [len(train), len(made)]
    if other is not None:
        options: dict[str, Any] = {"features": "raw", "random_state": seed}
        values |= {
            "dcr": distance_to_closest_record(train, other, made, **options),
            "dcr_of_copies": distance_to_closest_record(train, other, train, **options),
            "membership_auc": membership_auc(train, other, made),
        }
        real |= {"dcr": 0.5, "membership_auc": 0.5}
        sizes.append(len(other))
    return MemorisationReport(values, real, _reasons(values, real, sizes))


def membership_auc(train: Array, holdout: Array, made: Array) -> float:
    """Return how well distances to synthetic rows tell training rows from others."""
    scores = -np.concatenate([nearest(train, made), nearest(holdout, made)])
    member = np.repeat([1, 0], [len(train), len(holdout)])
    return float(roc_auc_score(member, scores))


def _distances(
    train: Array, made: Array, other: Array | None
) -> tuple[dict[str, float], dict[str, float]]:
    """Return what the nearest training rows tell, of synthetic and of real rows."""
    if other is None:
        real = neighbours(train, train, 2, same=True)
    else:
        real = neighbours(other, train, 2)
    found = []
    for near in (neighbours(made, train, 2), real):
        # Two copies of one row: no nearer to the one than to the other.
        ratio = np.divide(
            near[:, 0], near[:, 1], out=np.ones(len(near)), where=near[:, 1] > 0
        )
        found.append(
            {
                "exact_copies": float(np.mean(near[:, 0] == 0)),
                "distance_ratio": float(np.median(ratio)),
            }
        )
    return found[0], found[1]


def _told_apart(train: Array, rows: Array, size: int, seed: int) -> float:
    """Return how well a forest tells so many rows from all training rows."""
    order = check_random_state(seed).permutation(len(rows))[:size]
    return c2st_auc(train, rows[order], features="raw", random_state=seed)


def _reasons(
    values: dict[str, float], real: dict[str, float], sizes: list[int]
) -> list[str]:
    """Return what shows memorisation."""
    found = []
    copies, usual = values["exact_copies"], real["exact_copies"]
    error = np.sqrt(usual * (1 - usual) / min(sizes))
    if copies > usual + max(_COPIES, _ERRORS * error):
        found.append(
            f"{copies:.1%} of the rows are training rows, {usual:.1%} of real ones"
        )
    if values["distance_ratio"] < _RATIO * real["distance_ratio"]:
        found.append(
            "rows are nearer to one training row than real ones are (ratio "
            f"{values['distance_ratio']:.2f}, real {real['distance_ratio']:.2f})"
        )
    if values["c2st"] < real["c2st"] - _AUC:
        found.append(
            f"a forest mistakes rows for their twins (AUC {values['c2st']:.2f}, real "
            f"{real['c2st']:.2f})"
        )
    if "dcr" in values:
        found += _holdout_reasons(values, sizes)
    return found


def _holdout_reasons(values: dict[str, float], sizes: list[int]) -> list[str]:
    """Return what held-out rows show."""
    found = []
    error = 0.5 / np.sqrt(min(sizes))
    towards = _TOWARDS * (values["dcr_of_copies"] - 0.5)
    if values["dcr"] > 0.5 + max(towards, _ERRORS * error):
        found.append(
            f"{values['dcr']:.0%} of the rows are nearer to training than other data "
            f"({values['dcr_of_copies']:.0%} of plain copies)"
        )
    n, _, k = sizes
    error = np.sqrt((1 / n + 1 / k) / 12)
    if values["membership_auc"] > 0.5 + max(_MEMBERS, _ERRORS * error):
        found.append(
            "training rows can be told from others by their distance to the samples "
            f"(AUC {values['membership_auc']:.2f})"
        )
    return found

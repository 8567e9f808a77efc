"""Grades of bags: classes with an order."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from ..base.targets import Encoded
from .classifier import MILClassifier
from .docs import with_parameters_of
from .fields import encode_classes

__all__ = ["MILOrdinalClassifier"]

Array = NDArray[Any]


@with_parameters_of(MILClassifier)
class MILOrdinalClassifier(MILClassifier):
    r"""Classify bags into grades, such as those of a tumour.

    The K grades become K - 1 questions, is the grade above k?, each with a score of
    its own (Frank and Hall 2001). With ``pooling="max"`` each question is answered by
    the instance that exceeds k most clearly, so that the grade of a bag is that of its
    highest instance, :math:`y_i = \max_j y_{ij}`: the standard assumption of
    multiple-instance learning for more than two classes.

    All else is as in :class:`MILClassifier`, but that -1 is a grade: NaN or None mark
    unlabelled bags. Grades are ordered by value: encode names as numbers first.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The grades, ascending.
    net_ : skorch.NeuralNet
        The trained net.
    history_ : DataFrame
        Loss, learning rate and duration, one row an epoch.
    loss_curve_ : list of float
        Training loss of each epoch.
    n_iter_ : int
        Epochs trained.
    n_features_in_ : int
        Features of an instance.
    feature_names_in_ : ndarray of str
        Only when ``X`` was a table with column names.
    link_ : str
        How scores become probabilities.
    device_ : str
        Where the net is.

    See Also
    --------
    MILClassifier : For classes without an order.
    MILRegressor : For numbers whose differences have a meaning.

    Notes
    -----
    :meth:`instance_scores` has one column a question. Probabilities of exceeding a
    higher grade are cut to those of exceeding a lower one before their differences are
    taken, so that probabilities of grades are never negative. ``predict`` returns the
    most probable grade.

    References
    ----------
    Frank and Hall, *A simple approach to ordinal classification*, ECML 2001.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn import Bags, MILOrdinalClassifier
    >>> rng = np.random.default_rng(0)
    >>> bags = Bags(rng.uniform(0, 3, size=(500, 1)), lengths=np.full(100, 5))
    >>> y = np.array([int(bag.max()) for bag in bags])
    >>> model = MILOrdinalClassifier(lr=1e-2, random_state=0).fit(bags, y)
    >>> model.score(bags, y) > 0.9
    True
    """

    _minus_one_marks = False

    def decision_function(self, X: Any) -> Array:
        """Compute scores of grades.

        Parameters
        ----------
        X : Bags or other bags
            As in :meth:`fit`.

        Returns
        -------
        ndarray of shape (n_bags,) or (n_bags, n_classes)
            One raw score for two grades; logarithms of probabilities for more.
        """
        check_is_fitted(self)
        return self._decision_of(self._raw(X))

    def predict_instances(self, X: Any, *, flat: bool = False) -> Any:
        """Predict grades of instances.

        Parameters
        ----------
        X : Bags or other bags
            As in :meth:`fit`.
        flat : bool, default=False
            Whether to return one array for all instances.

        Returns
        -------
        list of ndarray of shape (n_instances,)
            One array a bag; one array in all with ``flat=True``.
        """
        probabilities = self.predict_instances_proba(X, flat=flat)
        if flat:
            return self.classes_[probabilities.argmax(axis=1)]
        return [self.classes_[p.argmax(axis=1)] for p in probabilities]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = False
        return tags

    def _decision_of(self, raw: Array) -> Array:
        if raw.shape[1] == 1:
            return raw[:, 0]
        smallest = np.finfo(np.float64).tiny
        return np.log(np.maximum(self._to_probabilities(raw), smallest))

    def _to_probabilities(self, raw: Array) -> Array:
        above = np.minimum.accumulate(expit(raw.astype(np.float64)), axis=1)
        bounds = np.ones(len(raw)), np.zeros(len(raw))
        return -np.diff(np.column_stack([bounds[0], above, bounds[1]]), axis=1)

    def _read_targets(self, y: Any) -> Any:
        if getattr(getattr(y, "dtype", None), "ordered", False):
            raise ValueError(
                "y is an ordered Categorical, whose order would be lost. Pass its "
                "codes, which follow it (y.cat.codes of a Series)."
            )
        y = super()._read_targets(y)
        if getattr(y, "values", y).ndim == 2:
            raise ValueError(
                "y has several columns; MILOrdinalClassifier takes one grade a bag. "
                "Fit one estimator for each column."
            )
        return y

    def _encode_classes(
        self, classes: Array, codes: Array, weight: Array | None
    ) -> Encoded:
        if classes.dtype.kind in "OSU":
            warnings.warn(
                f"Grades with names are ordered as text: {classes.tolist()}. If that "
                "is not their order, pass numbers.",
                UserWarning,
                stacklevel=2,
            )
        encoded = super()._encode_classes(classes, codes, weight)
        encoded.y = _above(encoded.y, len(classes))
        encoded.n_outputs = len(classes) - 1
        return encoded

    def _encode_instances(self, labels: Array, encoded: Encoded) -> Array:
        classes = encoded.attributes["classes_"]
        return _above(encode_classes(labels, classes), len(classes))

    @staticmethod
    def _score_raw(raw: Array, y: Array, weight: Array | None, criterion: Any) -> float:
        """Return the share of grades that are right, where known."""
        known = ~np.isnan(y).any(axis=1)
        if not known.any():
            return np.nan
        same = ((raw > 0).sum(axis=1) == y.sum(axis=1))[known]
        return float(
            np.average(same, weights=None if weight is None else weight[known])
        )


def _above(codes: Array, n_classes: int) -> Array:
    """Answer each question, is the grade above k?; NaN for unknown grades."""
    answers = (codes[:, None] > np.arange(n_classes - 1)).astype(float)
    answers[codes < 0] = np.nan
    return answers

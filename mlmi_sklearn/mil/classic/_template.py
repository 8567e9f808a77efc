"""What all transformers from bags to one row a bag share."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from ...base.inputs import require_finite_outputs
from ...base.state import rollback
from ...components.doclink import DocumentationLink
from ...containers import Bags, check_bags
from ..inputs import read_bags

__all__ = ["BagFeatures", "read_pair", "read_vectors"]


def read_vectors(estimator: Any, X: Any, *, reset: bool) -> Bags:
    """Validate X as bags of vectors, dense or CSR.

    Parameters
    ----------
    estimator : BaseEstimator
        Receives ``n_features_in_`` and ``feature_names_in_`` if ``reset``.
    X : object
        See :func:`~mlmi_sklearn.check_bags`.
    reset : bool
        Whether this is training data.

    Returns
    -------
    Bags
        Of float32 or float64 instances, a matrix.

    Raises
    ------
    BagError, ValueError
        If X cannot be read as bags of finite vectors.
    """
    bags = read_bags(estimator, X, reset=reset, accept_sparse=True)
    return check_bags(bags, allow_nd=False)


class _Reader(BaseEstimator):
    """Stands in for an estimator where a function reads bags."""


def read_pair(X: Any, Y: Any) -> tuple[Bags, Bags | None]:
    """Validate the arguments of a function that compares bags with bags.

    Parameters
    ----------
    X, Y : object
        See :func:`read_vectors`; Y may be None.

    Returns
    -------
    first : Bags
        From X.
    second : Bags or None
        From Y.

    Raises
    ------
    BagError, ValueError
        As in :func:`read_vectors`, or if the two differ in width.
    """
    first = read_vectors(_Reader(), X, reset=True)
    if Y is None:
        return first, None
    second = read_vectors(_Reader(), Y, reset=True)
    if first.n_features != second.n_features:
        raise ValueError(
            f"X holds instances of {first.n_features} features and Y of "
            f"{second.n_features}; bags are compared in the same features."
        )
    return first, second


class BagFeatures(DocumentationLink, TransformerMixin, BaseEstimator):
    """Template of transformers whose output has one row for each bag.

    Subclasses have ``_learn(bags)``, which sets fitted attributes, and
    ``_encode(bags)``, which returns the output.
    """

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from training bags.

        Parameters
        ----------
        X : Bags, list of arrays of shape (n_instances, n_features), 3-D or 2-D array
            Bags; see :func:`~mlmi_sklearn.check_bags`. Rows of a 2-D array or CSR
            matrix are bags of one instance.
        y : object, default=None
            Ignored.

        Returns
        -------
        estimator
            The fitted transformer.

        Raises
        ------
        BagError
            If X cannot be read as bags of vectors.
        ValueError
            If X holds NaN or infinity, or a parameter is out of range.
        """
        self._validate_params()
        with rollback(self):
            self._learn(read_vectors(self, X, reset=True))
        return self

    def transform(self, X: Any) -> Any:
        """Compute one row for each bag.

        Parameters
        ----------
        X : Bags or other bags
            As in :meth:`fit`.

        Returns
        -------
        ndarray of shape (n_bags, n_features_out)
            Of float32 or float64 as the instances; a frame if `set_output` says so.
        """
        check_is_fitted(self)
        bags = read_vectors(self, X, reset=False)
        return require_finite_outputs(self._encode(bags))

    @abstractmethod
    def _learn(self, bags: Bags) -> None: ...

    @abstractmethod
    def _encode(self, bags: Bags) -> NDArray[Any]: ...

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

"""Ordinary transformers on bags."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Tags, get_tags
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ..components.doclink import DocumentationLink
from ..containers import Bags, check_bags
from ..exceptions import BagError
from .inputs import holds_bags, named_instances

__all__ = ["InstanceWise"]


def _can_invert(estimator: Any) -> bool:
    inner = getattr(estimator, "transformer_", None) or estimator._inner()
    return hasattr(inner, "inverse_transform")


class InstanceWise(  # type: ignore[call-arg]  # a keyword of a base mypy cannot see
    DocumentationLink, TransformerMixin, BaseEstimator, auto_wrap_output_keys=None
):
    """Lift a transformer of instances to bags.

    The transformer is fitted on the instances of all training bags and applied to
    each instance; the bags stay as they are. A plain table passes through as if the
    transformer stood alone.

    Parameters
    ----------
    transformer : estimator, default=None
        Any scikit-learn transformer that keeps the number of rows. None means
        ``StandardScaler()``. Parameters are reached as ``transformer__*``.

    Attributes
    ----------
    transformer_ : estimator
        The fitted transformer.
    n_features_in_ : int
        Features of an instance.
    feature_names_in_ : ndarray of str
        Only when ``X`` was a table with column names.

    See Also
    --------
    Bags : The container for bags of different size.

    Notes
    -----
    Transformers that need targets, such as ``SelectKBest``, get the label of the bag
    for each of its instances.

    Examples
    --------
    >>> from sklearn.decomposition import PCA
    >>> from mlmi_sklearn import InstanceWise
    >>> from mlmi_sklearn.datasets import make_digit_bags
    >>> bags, y = make_digit_bags(n_bags=20, random_state=0)
    >>> InstanceWise(PCA(8)).fit_transform(bags).n_features
    8
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "transformer": [HasMethods(["fit", "transform"]), None],
    }

    def __init__(self, transformer: Any = None) -> None:
        self.transformer = transformer

    def fit(self, X: Any, y: Any = None) -> InstanceWise:
        """Fit the transformer on the instances of all bags.

        Parameters
        ----------
        X : Bags or other bags, or a table
            See :func:`~mlmi_sklearn.check_bags`.
        y : array-like of shape (n_bags,), default=None
            Labels of bags.

        Returns
        -------
        InstanceWise
            The fitted transformer.
        """
        self._validate_params()
        inner = self._inner()
        if holds_bags(X):
            bags = check_bags(X)
            X, y = named_instances(bags), _labels_of_instances(y, bags)
        else:
            _refuse_long_frame(X)
        self.transformer_ = inner.fit(X, y)
        return self

    def transform(self, X: Any) -> Any:
        """Transform every instance.

        Parameters
        ----------
        X : Bags or other bags, or a table
            As in :meth:`fit`.

        Returns
        -------
        Bags or array
            Bags of the same structure; for a table what the transformer returns.
        """
        check_is_fitted(self)
        if not holds_bags(X):
            _refuse_long_frame(X)
            return self.transformer_.transform(X)
        bags = check_bags(X)
        values = self.transformer_.transform(named_instances(bags))
        return self._refill(bags, values, self._names_of(values, bags))

    @available_if(_can_invert)
    def inverse_transform(self, X: Any) -> Any:
        """Undo the transformation of every instance.

        Parameters
        ----------
        X : Bags or other bags, or a table
            Transformed instances.

        Returns
        -------
        Bags or array
            As in :meth:`transform`.
        """
        check_is_fitted(self)
        if not holds_bags(X):
            _refuse_long_frame(X)
            return self.transformer_.inverse_transform(X)
        bags = check_bags(X)
        values = self.transformer_.inverse_transform(bags.values)
        return self._refill(bags, values, getattr(self, "feature_names_in_", None))

    def set_output(self, *, transform: str | None = None) -> InstanceWise:
        """Choose the container of transformed tables; bags stay :class:`Bags`.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            As in scikit-learn; None changes nothing.

        Returns
        -------
        InstanceWise
            The transformer itself.
        """
        if transform is not None:
            # Under scikit-learn's name for it, since that is what clone copies.
            self._sklearn_output_config = {"transform": transform}
            if hasattr(self, "transformer_"):
                self.transformer_.set_output(transform=transform)
        return self

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Return the names of the transformed features.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the features of an instance.

        Returns
        -------
        ndarray of str
            What the transformer says.
        """
        check_is_fitted(self)
        return self.transformer_.get_feature_names_out(input_features)

    @property
    def n_features_in_(self) -> int:
        """Features of an instance."""
        return self.transformer_.n_features_in_

    @property
    def feature_names_in_(self) -> Any:
        """Names of the features, where the transformer saw any."""
        return self.transformer_.feature_names_in_

    def _inner(self) -> Any:
        """Return an unfitted copy of the transformer."""
        given = StandardScaler() if self.transformer is None else self.transformer
        inner = clone(given)
        output = getattr(self, "_sklearn_output_config", None)
        return inner if output is None else inner.set_output(**output)

    def _names_of(self, values: Any, bags: Bags) -> Any:
        """Return the names of the transformed features, where there are any."""
        if hasattr(values, "columns"):
            return list(values.columns)
        known = bags.feature_names is not None
        if known and hasattr(self.transformer_, "get_feature_names_out"):
            return self.transformer_.get_feature_names_out()
        return None

    def _refill(self, bags: Bags, values: Any, names: Any) -> Bags:
        """Return the bags with transformed instances."""
        if values.shape[0] != bags.n_instances:
            raise BagError(
                f"{self.transformer_} returned {values.shape[0]} rows for "
                f"{bags.n_instances} instances. InstanceWise needs a transformer that "
                "keeps the number of rows."
            )
        return bags.with_values(values, feature_names=names)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "transformer_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        inner = get_tags(
            StandardScaler() if self.transformer is None else self.transformer
        )
        tags.input_tags = inner.input_tags
        tags.target_tags.required = inner.target_tags.required
        if inner.transformer_tags is not None:
            tags.transformer_tags = inner.transformer_tags
        return tags


def _refuse_long_frame(X: Any) -> None:
    """Name ``Bags.from_frame`` to those who pass a frame with a column of bags."""
    if hasattr(X, "columns"):
        check_bags(X)


def _labels_of_instances(y: Any, bags: Bags) -> Any:
    """Repeat the label of each bag for its instances."""
    if y is None:
        return None
    y = np.asarray(y)
    if len(y) != len(bags):
        raise ValueError(f"X has {len(bags)} bags, but y has {len(y)} labels.")
    return np.repeat(y, bags.lengths, axis=0)

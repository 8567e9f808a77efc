"""Numbers on the way in, predictions in their unit on the way out."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import r2_score
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .host import ScoredRegressor
from .inputs import read_targets
from .parts import resolve_part
from .targets import Array, Encoded, require_task

__all__ = ["RegressorOutputs", "unit_of"]


def _has_quantiles(estimator: Any) -> bool:
    fitted = getattr(estimator, "net_", None)
    loss = resolve_part("loss", estimator.loss).build() if fitted is None else None
    criterion = loss if fitted is None else fitted.criterion_
    if not hasattr(criterion, "q"):
        raise AttributeError(
            f"predict_quantiles needs loss='quantile', not loss={estimator.loss!r}."
        )
    return True


def unit_of(y: Array, weight: Array | None) -> dict[str, Any]:
    """Return the unit in which targets are trained on.

    Parameters
    ----------
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Targets.
    weight : ndarray of shape (n_samples,) or None
        Weights of their rows.

    Returns
    -------
    dict
        ``y_mean_`` and ``y_scale_``, the weighted mean and standard deviation.

    Examples
    --------
    >>> {k: float(v) for k, v in unit_of(np.array([1.0, 3.0]), None).items()}
    {'y_mean_': 2.0, 'y_scale_': 1.0}
    """
    # The square of a number beyond these bounds is infinite, or zero.
    size = np.abs(y).max(axis=0)
    unit = np.where((size > 1e150) | ((size < 1e-150) & (size > 0)), size, 1.0)
    mean = np.average(y / unit, axis=0, weights=weight)
    sd = np.sqrt(np.average((y / unit - mean) ** 2, axis=0, weights=weight))
    mean, sd = mean * unit, sd * unit
    # A constant target has a deviation of rounding errors only.
    negligible = sd <= 10 * np.finfo(np.float64).eps * np.abs(mean)
    return {"y_mean_": mean, "y_scale_": np.where(negligible, 1.0, sd)}


class RegressorOutputs(ScoredRegressor):
    """What every regressor does with its targets and raw outputs.

    Targets are standardised for training (weighted mean 0 and standard deviation 1 of
    the training targets) and predictions brought back, so that ``lr`` and the
    parameters of losses do not depend on the unit of ``y``.

    Examples
    --------
    >>> from mlmi_sklearn import NetRegressor
    >>> from mlmi_sklearn.base import RegressorOutputs
    >>> model = NetRegressor(max_epochs=1).fit([[0.0], [1.0]], [10.0, 30.0])
    >>> isinstance(model, RegressorOutputs)
    True
    >>> float(model.y_mean_), float(model.y_scale_)
    (20.0, 10.0)
    """

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags

    def _read_targets(self, y: Any) -> Array:
        return read_targets(self, y, numeric=True).astype(np.float64, copy=False)

    def _encode(self, y: Array, weight: Array | None) -> Encoded:
        return self._standardise(y, weight, unit_of(y, weight))

    def _encode_again(self, y: Array, weight: Array | None) -> Encoded:
        attributes = {"y_mean_": self.y_mean_, "y_scale_": self.y_scale_}
        return self._standardise(y, weight, attributes)

    @staticmethod
    def _standardise(
        y: Array, weight: Array | None, attributes: dict[str, Any]
    ) -> Encoded:
        z = (y - attributes["y_mean_"]) / attributes["y_scale_"]
        if z.ndim == 1:
            z = z[:, None]
        attributes = {**attributes, "_y_ndim": y.ndim}
        return Encoded(z, z.shape[1], weight, None, attributes)

    def _link_of(self, criterion: Any, encoded: Encoded) -> str:
        require_task(self.loss, "regression")
        link = getattr(criterion, "link", None)
        if link != "identity":
            raise ValueError(
                f"loss={self.loss!r} has link={link!r}; a regression loss must have "
                "the attribute link='identity', as 'mse' and 'huber' do."
            )
        return link

    def predict(self, X: Any) -> Array:
        """Predict targets in their original unit.

        Parameters
        ----------
        X : array-like
            Samples, as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions, of the shape of ``y``. With several quantiles, the one
            nearest to the median.
        """
        check_is_fitted(self)
        return self._in_unit_of_y(self._raw(X))

    @available_if(_has_quantiles)
    def predict_quantiles(self, X: Any) -> Array:
        """Predict every quantile that ``loss="quantile"`` was asked for.

        Parameters
        ----------
        X : array-like
            Samples, as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_levels) or (n_samples, n_outputs, n_levels)
            Quantiles in ascending order, in the order of sorted ``loss__q``. They are
            sorted for each sample, since separately learned quantiles can cross.
        """
        check_is_fitted(self)
        levels = self.net_.criterion_.q
        raw = self._raw(X)
        z = raw.reshape(len(raw), -1, len(levels))
        z = np.sort(z, axis=2)
        scale, mean = (np.atleast_1d(a)[:, None] for a in (self.y_scale_, self.y_mean_))
        quantiles = z * scale + mean
        return quantiles[:, 0] if self._y_ndim == 1 else quantiles

    def _in_unit_of_y(self, raw: Array) -> Array:
        """Turn raw outputs into predictions."""
        z = self._central(raw, self.net_.criterion_)
        if self._y_ndim == 1:
            z = z[:, 0]
        return z * self.y_scale_ + self.y_mean_

    @staticmethod
    def _central(raw: Array, criterion: Any) -> Array:
        """Pick one column a target from the columns of several quantiles."""
        levels = getattr(criterion, "q", (0.5,))
        middle = int(np.abs(np.asarray(levels) - 0.5).argmin())
        return raw[:, middle :: len(levels)]

    @classmethod
    def _score_raw(
        cls, raw: Array, y: Array, weight: Array | None, criterion: Any
    ) -> float:
        """Return R2 of raw outputs against encoded targets, where known."""
        known = ~np.isnan(y).any(axis=1)
        if known.sum() < 2:
            return np.nan
        weight = None if weight is None else weight[known]
        central = cls._central(raw, criterion)[known]
        return r2_score(y[known], central, sample_weight=weight)

"""What a trained translator does: translate, go back, and be scored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import TransformerMixin
from sklearn.metrics import r2_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted
from torch import Tensor

from ..base.inputs import as_tensor, read_weight, require_finite_outputs
from ..metrics import frechet_distance
from .translation_base import TranslationStages
from .translation_inputs import Side, read_target
from .translation_quality import looks_of, structural_similarity

__all__ = ["Translating"]

Array = NDArray[Any]

# Rows and elements of a batch: enough to keep the processor busy.
_ROWS = 512
_ELEMENTS = 2**16


def _goes_back(estimator: Any) -> bool:
    fitted = hasattr(estimator, "net_")
    if estimator._cyclic if fitted else estimator.paired is not True:
        return True
    raise AttributeError(
        "inverse_transform needs a translator back, which is trained on unpaired "
        "samples only: fit(X, X_target=...). For pairs, fit another one on (y, X)."
    )


def _has_columns(estimator: Any) -> bool:
    return not hasattr(estimator, "net_") or not estimator._target.is_grid


class Translating(TransformerMixin, TranslationStages):
    """Mixin: ``transform``, ``inverse_transform``, ``score``."""

    def transform(self, X: Any) -> Array:
        """Translate.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Images or rows like those of ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, ...)
            In the units of the target; images in its type, too, rows in the
            floating-point type of ``X``, with two dimensions. The same input gives
            the same output, whatever else is translated with it.
        """
        check_is_fitted(self)
        return self._translated(self._read_source(X, reset=False), "there")

    @available_if(_goes_back)
    def inverse_transform(self, Y: Any) -> Array:
        """Translate from the target back to the source.

        Parameters
        ----------
        Y : array-like of shape (n_samples, ...)
            Images or rows like ``X_target`` of ``fit``. After training on pairs there
            is no such method.

        Returns
        -------
        ndarray of shape (n_samples, ...)
            In the units of ``X``; images in its type, too.
        """
        check_is_fitted(self)
        return self._translated(self._read_goal(Y, "Y"), "back")

    @available_if(_has_columns)
    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return names of the columns that ``transform`` makes of rows.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Only compared with the names seen in ``fit``.

        Returns
        -------
        ndarray of str
            Those of the targets, if they had any, otherwise numbered. Images have no
            columns, and a translator of images no such method.
        """
        check_is_fitted(self)
        _check_feature_names_in(self, input_features, generate_names=False)
        if self._target.names is not None:
            return np.asarray(self._target.names, dtype=object)
        prefix = type(self).__name__.lower()
        names = [f"{prefix}{k}" for k in range(self._target.shape[0])]
        return np.asarray(names, dtype=object)

    def score(self, X: Any, y: Any = None, *, sample_weight: Any = None) -> float:
        """Return how good translations are; higher is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Images or rows to translate.
        y : array-like of shape (n_samples, ...), default=None
            What they should become.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the mean; a Frechet distance takes none.

        Returns
        -------
        float
            What ``scoring`` says. "auto": with ``y``, the mean structural similarity
            of images, R2 of rows; without, minus the Frechet distance between the
            looks of translations and of training targets.

        Raises
        ------
        ValueError
            If the score needs ``y`` and there is none, or is for images and these are
            rows.
        """
        check_is_fitted(self)
        scoring = self._chosen_score(y)
        source = self._read_source(X, reset=False)
        weight = read_weight(sample_weight, len(source))
        made = self._translated(source, "there")
        if scoring == "cycle":
            back = self._translated(made, "back")
            return -float(np.average(_distance(back, source), weights=weight))
        if scoring == "frechet":
            return self._likeness(made, weight)
        truth = self._read_goal(y, "y")
        if len(truth) != len(made):
            raise ValueError(
                f"X and y have inconsistent numbers of samples: X has {len(made)}, "
                f"but y has {len(truth)}. Pass one target for each sample."
            )
        return self._compared(scoring, made, truth, weight)

    def _likeness(self, made: Array, weight: Array | None) -> float:
        if weight is not None:
            raise ValueError(
                "sample_weight is for means over samples; the Frechet distance of "
                "looks has none. Set scoring='cycle', or pass y."
            )
        looks = looks_of(self._target.codec.encode(made))
        return -frechet_distance(self._looks, looks, features="raw")

    def _chosen_score(self, y: Any) -> str:
        """Decide what "auto" means, and refuse what cannot be."""
        scoring = str(self.scoring)
        grid = self._target.is_grid
        if scoring == "auto":
            if y is not None:
                return "ssim" if grid else "r2"
            scoring = "frechet" if self._cyclic else "l1"
        if y is None and scoring in ("ssim", "l1", "r2"):
            raise ValueError(
                f"score needs y, the target of each sample, for scoring="
                f"{self.scoring!r}. Pass y, or set scoring='frechet'."
            )
        if scoring == "ssim" and not grid:
            raise ValueError("scoring='ssim' is for images; use 'r2' or 'l1' for rows.")
        if scoring == "cycle" and not self._cyclic:
            raise ValueError(
                "scoring='cycle' needs a translator that was fitted on unpaired "
                "samples, fit(X, X_target=...)."
            )
        return scoring

    def _compared(
        self, scoring: str, made: Array, truth: Array, weight: Array | None
    ) -> float:
        if scoring == "r2":
            flat = (a.reshape(len(a), -1) for a in (truth, made))
            return float(r2_score(*flat, sample_weight=weight))
        if scoring == "l1":
            return -float(np.average(_distance(made, truth), weights=weight))
        codec = self._target.codec
        width = float((codec.high_ - codec.low_).max()) or 1.0
        if not codec.has_channels_:
            made, truth = made[:, None], truth[:, None]
        alike = structural_similarity(made, truth, width)
        return float(np.average(alike, weights=weight))

    # -- the way through the nets -----------------------------------------------------

    def _read_goal(self, values: Any, name: str) -> Array:
        """Validate samples of the kind of the target."""
        array = read_target(values, name, len(self._source.shape) + 1)
        found = array.shape[1:] or (1,)
        if found != self._target.shape:
            raise ValueError(
                f"{name} has samples of shape {found}, but {type(self).__name__} was "
                f"fitted on targets of shape {self._target.shape}. Pass such targets."
            )
        return array.reshape(len(array), *found)

    def _translated(self, values: Array, direction: str) -> Array:
        """Translate validated samples."""
        ways: dict[str, tuple[Side, Side]] = {
            "there": (self._source, self._target),
            "back": (self._target, self._source),
        }
        before, after = ways[direction]
        dtype = getattr(torch, self._recipe.dtype)
        encoded = as_tensor(before.codec.encode(values), dtype)
        made = after.codec.decode(_outputs(self.net_.module_, encoded, direction))
        require_finite_outputs(made)
        if after.is_grid:
            return made
        single = values.dtype == np.float32
        return made.astype(np.float32 if single else np.float64)


@torch.inference_mode()
def _outputs(module: Any, rows: Tensor, direction: str) -> Array:
    """Translate in batches of one size: another size may round differently."""
    like = next(module.parameters(), rows)
    elements = int(np.prod(rows.shape[1:])) or 1
    size = 2 ** int(np.log2(min(_ROWS, max(_ELEMENTS // elements, 1))))
    parts = [
        module(batch.to(like), direction)[:real].cpu().numpy()
        for batch, real in _batches(rows, size)
    ]
    return np.concatenate(parts)


def _batches(rows: Tensor, size: int) -> Iterator[tuple[Tensor, int]]:
    for batch in rows.split(size):
        missing = size - len(batch)
        filler = batch[-1:].expand(missing, *batch.shape[1:])
        yield (torch.cat([batch, filler]) if missing else batch), len(batch)


def _distance(made: Array, truth: Array) -> Array:
    """Return the mean absolute difference of each sample."""
    # Unsigned integers would wrap round.
    gap = np.abs(made.astype(np.float64) - truth.astype(np.float64))
    return np.asarray(gap.reshape(len(gap), -1).mean(1))

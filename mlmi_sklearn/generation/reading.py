"""From the arguments of ``fit`` to rows in model space with their conditions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from ..base.inputs import as_host_array, read_targets
from .conditions import ConditionEncoder
from .encoding import make_codec
from .inputs import GANInputs, MapScale, Passed, read_maps, read_samples

__all__ = ["Reading", "joined_vector"]

Array = NDArray[Any]


class Reading(BaseEstimator):
    """Mixin: samples and conditions, read and encoded.

    Fitted: ``_codec``, ``_encoder`` (of y), ``_vector_encoder`` (of a condition that
    is a vector), ``_map_scale``, and ``_known_y``, the conditions of training.
    """

    def _read(
        self, X: Any, y: Any, sample_weight: Any, resume: bool
    ) -> tuple[GANInputs, Any, None]:
        passed: Passed = X
        inputs = self._read_training(passed, reset=not resume)
        return inputs, inputs, None

    def _read_training(self, passed: Passed, reset: bool) -> GANInputs:
        X = self._read_X(passed.X, reset=reset, min_samples=2)
        codec = self._new_codec(X).fit(X) if reset else self._codec
        values = np.asarray(codec.encode(X), dtype=np.float32)
        y = self._read_y(passed.y, len(values))
        if reset:
            encoder = ConditionEncoder(self.condition).fit(_known(y, passed.classes))
        else:
            encoder = self._encoder
            self._require_alike(y, encoder)
        condition, maps, found = self._read_condition(
            passed.condition, len(values), values.shape[2:], reset
        )
        vector = joined_vector(encoder, y, condition)
        strata = None if y is None else encoder.strata(y)
        labels = None
        if encoder.classes is not None:
            labels = encoder.columns_[0].codes(np.asarray(y), "y").astype(np.int64)
        attributes = {"_codec": codec, "_encoder": encoder, "_known_y": y, **found}
        if encoder.classes is not None:
            attributes["classes_"] = encoder.classes
        original = (X, y, passed.condition)
        return GANInputs(values, vector, maps, labels, strata, original, attributes)

    def _new_codec(self, X: Any) -> Any:
        return make_codec(X, self.categorical_features, self.preprocess)

    def _read_X(self, X: Any, *, reset: bool, min_samples: int = 1) -> Any:
        by_type = isinstance(self.categorical_features, str)
        categorical = self.categorical_features is not None and not by_type
        return read_samples(
            self, X, reset=reset, categorical=categorical, min_samples=min_samples
        )

    def _read_y(self, y: Any, n: int) -> Any:
        """Validate conditions: (n,) or (n, k), a table stays one."""
        if y is None or self.condition == "none":
            return None
        read: Any
        if hasattr(y, "columns"):
            read = pd.DataFrame(y).reset_index(drop=True)
        else:
            read = read_targets(self, as_host_array(y), numeric=False)
        if len(read) != n:
            raise ValueError(
                f"X and y have inconsistent numbers of samples: X has {n}, but y has "
                f"{len(read)}. Pass one condition for each sample."
            )
        return read

    def _require_alike(self, y: Any, encoder: ConditionEncoder) -> None:
        if (y is None) != (encoder.ndim_ == 0):
            had, has = ("no y", "one") if y is not None else ("y", "none")
            raise ValueError(
                f"y: {type(self).__name__} was fitted with {had}, now it is given "
                f"{has}. Pass conditions of the same kind."
            )

    def _read_condition(
        self, condition: Any, n: int, spatial: tuple[int, ...], reset: bool
    ) -> tuple[Array | None, Array | None, dict[str, Any]]:
        """Encode ``condition``: rows of numbers, or maps beside images."""
        found: dict[str, Any] = {"_vector_encoder": None, "_map_scale": None}
        if not reset:
            found = {name: getattr(self, name) for name in found}
            self._require_condition(condition, found)
        if condition is None:
            return None, None, found
        ndim = np.ndim(condition)
        if ndim > 2:
            if not spatial:
                raise ValueError(
                    f"condition has shape {np.shape(condition)}, which is a map a "
                    "sample; maps need images as X. Pass numbers of shape (n_samples, "
                    "k)."
                )
            maps = read_maps(condition, n, len(spatial))
            if reset:
                found["_map_scale"] = MapScale.of(maps, spatial)
            return None, found["_map_scale"].encode(maps), found
        numbers = np.asarray(condition)
        if len(numbers) != n:
            raise ValueError(
                f"condition has {len(numbers)} rows, but there are {n} samples. Pass "
                "one row for each."
            )
        if reset:
            found["_vector_encoder"] = ConditionEncoder("continuous").fit(numbers)
        return found["_vector_encoder"].encode(numbers), None, found

    def _require_condition(self, condition: Any, found: dict[str, Any]) -> None:
        """Raise a ValueError unless a condition is there exactly if fit had one."""
        name = type(self).__name__
        vector, maps = found["_vector_encoder"], found["_map_scale"]
        if condition is None:
            if vector is None and maps is None:
                return
            kind = "a map" if vector is None else "a vector"
            raise ValueError(
                f"condition is None, but {name} was fitted with {kind} for each "
                "sample. Pass condition=."
            )
        if vector is None and maps is None:
            raise ValueError(
                f"condition was passed, but {name} was fitted without one. Fit with "
                "condition=, or leave it away."
            )
        if (np.ndim(condition) > 2) != (maps is not None):
            kind = "maps" if vector is None else "vectors"
            raise ValueError(
                f"condition has shape {np.shape(condition)}, but {name} was fitted "
                f"with {kind}. Pass the same kind."
            )


def joined_vector(encoder: Any, y: Any, numbers: Array | None) -> Array | None:
    """Put encoded conditions beside further numbers; None where there are neither."""
    parts = [] if y is None else [encoder.encode(y)]
    parts += [] if numbers is None else [numbers]
    return np.concatenate(parts, 1).astype(np.float32) if parts else None


def _known(y: Any, classes: Any) -> Any:
    """Return conditions from which to learn kinds: announced classes count."""
    if classes is None or y is None:
        return y
    return np.concatenate([np.asarray(classes), np.asarray(y)])

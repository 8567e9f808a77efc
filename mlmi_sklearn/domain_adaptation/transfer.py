"""Does adapting pay? A comparison with the source alone, without target labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone

from ..base.warn import warn_user
from ..exceptions import DomainWarning, TrainingDivergedError
from ..metrics import reverse_validation_score
from .inputs import Stacked, StackedTargets

if TYPE_CHECKING:
    from .base import DomainEstimator as Host
else:  # a mixin: real inheritance would put scikit-learn's mixins last
    Host = object

__all__ = ["TransferCheck"]

# Reverse validation is noisy: a difference below this is none.
_TOLERANCE = 0.01


class TransferCheck(Host):
    """Mixin: compare with ``lambda_=0`` by reverse validation after training."""

    def _fit(self, X: Any, y: Any, sample_weight: Any, **options: Any) -> Any:
        """Train, then check or replace what was trained, if that is asked for."""
        if self.selection is not None and options.get("epochs") is not None:
            raise ValueError(
                f"selection={self.selection!r} needs all data at once, which "
                "partial_fit has not. Use fit, or set selection=None."
            )
        super()._fit(X, y, sample_weight, **options)
        wanted = self.selection is not None and isinstance(y, StackedTargets)
        if not wanted or self.lambda_ == 0 or not self.n_target_:
            return self
        try:
            own, control = self._reverse_scores(X, y)
        except (ValueError, TrainingDivergedError) as error:
            self._warn(_NOT_POSSIBLE.format(error))
            return self
        self.adaptation_report_.reverse_validation = own
        self.adaptation_report_.reverse_validation_source_only = control
        if own >= control - _TOLERANCE:
            return self
        keep = self.selection == "safe"
        if keep:
            self._replace_by_source_only(X, y, sample_weight)
        self._warn(_NEGATIVE.format(own, control) + (_KEPT if keep else _ADVICE))
        return self

    def _warn(self, text: str) -> None:
        self.adaptation_report_.warnings.append(text)
        warn_user(text, DomainWarning)

    def _reverse_scores(self, X: Stacked, y: StackedTargets) -> tuple[float, float]:
        """Return scores of reverse validation: of these settings, and of no target."""
        plain = clone(self).set_params(
            selection=None, diagnostics=False, warm_start=False, callbacks=None
        )
        control = clone(plain).set_params(lambda_=0.0, entropy=0.0)
        labels = np.asarray(y.y)
        seed = self._recipe_seed()
        scores = [
            reverse_validation_score(
                model, X.X, labels, X.domains.ids, random_state=seed
            )
            for model in (plain, control)
        ]
        return scores[0], scores[1]

    def _recipe_seed(self) -> int:
        """Return a seed for the splits, the same for both candidates."""
        state = self.random_state
        return int(state) if isinstance(state, (int, np.integer)) else 0

    def _replace_by_source_only(self, X: Any, y: Any, sample_weight: Any) -> None:
        """Keep a net trained on the source alone."""
        report = self.adaptation_report_
        control = clone(self).set_params(
            lambda_=0.0, entropy=0.0, selection=None, label_shift=None
        )
        control._fit(X, y, sample_weight, resume=False)
        own = self.get_params(deep=False)
        for name, value in vars(control).items():
            if name not in own:
                setattr(self, name, value)
        for key in ("reverse_validation", "reverse_validation_source_only"):
            self.adaptation_report_[key] = report[key]


_NEGATIVE = (
    "Adaptation seems to hurt (negative transfer): reverse validation scores {:.3f}, "
    "and {:.3f} for the source alone. "
)
_NOT_POSSIBLE = (
    "Whether adaptation pays could not be checked, as reverse validation failed: {}"
)
_ADVICE = (
    "Lower lambda_, look at label_shift, or let "
    "mlmi_sklearn.model_selection.safe_select choose."
)
_KEPT = "The net trained on the source alone is kept."

"""What the deep estimators for several domains share."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags, _safe_indexing
from sklearn.utils.validation import _num_samples, check_is_fitted

from ..base.inputs import as_host_array, as_tensor, read_array, require_shape
from ..base.naming import naming
from ..base.plan import Plan, split_rows
from ..base.targets import Encoded
from ..base.warn import warn_user
from ..exceptions import DomainWarning
from ..nn.adaptation import (
    class_probabilities,
    has_batch_statistics,
    set_statistics,
)
from ..training.batches import TensorBatches
from ..training.data import Rows, Targets, TensorRows, TrainingData
from ..training.net import LeanNet
from ..training.sparse import SparseRows
from .batches import DomainData
from .constraints import DOMAIN_CONSTRAINTS
from .cutting import (
    Cut,
    as_domain_rows,
    known_rows,
    labelled_source_rows,
)
from .diagnostics import diagnose, unmeasured
from .inputs import (
    DomainRows,
    Stacked,
    StackedTargets,
    stack,
    warn_of_a_label_that_is_none,
)
from .model import DomainModel
from .net import DomainNet

__all__ = ["DomainEstimator"]

Array = NDArray[Any]


class DomainEstimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, DomainModel):
    """Base of estimators that learn from several domains."""

    __metadata_request__fit: ClassVar[dict[str, Any]] = {"sample_domain": True}
    __metadata_request__partial_fit: ClassVar[dict[str, Any]] = {"sample_domain": True}
    __metadata_request__score: ClassVar[dict[str, Any]] = {"sample_domain": True}

    _parameter_constraints: ClassVar[dict[str, Any]] = DOMAIN_CONSTRAINTS
    _components: ClassVar[dict[str, str]] = {
        "backbone": "backbone",
        "divergence": "divergence",
        "loss": "loss",
    }
    _net_class: ClassVar[type[LeanNet]] = DomainNet
    # Whether -1 marks integers without a label; numbers to be predicted may be -1.
    _minus_one_marks: ClassVar[bool] = True
    # The head sees every row of the target, or only those without a label.
    _streams_labelled: ClassVar[bool] = True

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        # The name of lambda_ would count as the trace of a fit.
        return hasattr(self, "net_")

    @property
    def _n_features_out(self) -> int:
        return self.net_.module_.out_features

    def transform(self, X: Any) -> Array:
        """Compute features that training has made alike in all domains.

        Parameters
        ----------
        X : array-like
            Samples of any domain, as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_out)
            What the backbone makes of them.
        """
        check_is_fitted(self)
        return self._outputs(self._read_inputs(X, reset=False), "embed")

    def adapt(self, X: Any) -> Any:
        """Bring batch normalisation to the statistics of other data, without labels.

        Nothing is trained: the test-time adaptation of Li et al. (2018).

        Parameters
        ----------
        X : array-like
            Samples of the domain that predictions are wanted for.

        Returns
        -------
        estimator
            A copy; this estimator is left as it is. Warns with
            :class:`~mlmi_sklearn.exceptions.DomainWarning` if the backbone has no
            batch normalisation, so that there is nothing to adapt.
        """
        check_is_fitted(self)
        inputs = self._read_inputs(X, reset=False)
        adapted = copy.deepcopy(self)
        adapted._match_statistics(adapted.net_, inputs)
        return adapted

    def _fit_domains(
        self,
        data: tuple[Any, Any],
        sample_domain: Any = None,
        sample_weight: Any = None,
        apart: tuple[Any, Any] = (None, None),
        **options: Any,
    ) -> Any:
        """Stack the domains and train; ``apart`` is the target where it came so."""
        self._validate_params()
        X, y = self._stack(data, sample_domain, apart)
        weight = _extended(sample_weight, data[0], X)
        return self._fit(X, y, weight, **options)

    def _stack(
        self, data: tuple[Any, Any], sample_domain: Any, apart: tuple[Any, Any]
    ) -> tuple[Any, Any]:
        """Bring the ways of passing source and target into one."""
        stacked = stack(
            *data,
            sample_domain,
            *apart,
            target_domains=self.target_domains,
            use_target_labels=self.target_labels == "use",
            integers=self._minus_one_marks,
        )
        X, y = stacked
        if not (isinstance(X, Stacked) and X.domains.is_target.any()):
            self._warn_of_no_target(X, sample_domain, apart[0])
        elif isinstance(y, StackedTargets) and self.target_labels == "use":
            with naming("y"):
                warn_of_a_label_that_is_none(y, X.domains.is_target)
        return stacked

    def _warn_of_no_target(self, X: Any, sample_domain: Any, X_target: Any) -> None:
        """Warn if a target was meant: by ids, or by an option that is idle without."""
        options = ("partial", "label_shift", "selection")
        asked = [name for name in options if getattr(self, name, None)]
        if sample_domain is not None:
            found = [repr(name) for name in X.domains.names.tolist()[:5]]
            found += ["..."] if len(X.domains.names) > 5 else []
            what = f"sample_domain names no row of a target (ids: {', '.join(found)}"
            if self.target_domains is not None:
                what += f", target_domains={list(self.target_domains)!r}"
            what += ")"
        elif X_target is not None:
            what = "X_target names no row of a target"
        elif asked:
            what = f"{asked[0]}={getattr(self, asked[0])!r} is for a target, and none "
            what += "was passed (sample_domain=, X_target=)"
        else:
            return
        warn_user(
            f"{what}, so {type(self).__name__} trains on the source alone. Targets "
            "have ids below 0, or are named by target_domains=[...]. In a "
            "cross-validation, use mlmi_sklearn.model_selection.DomainStratifiedKFold.",
            DomainWarning,
        )

    # -- stages of the template --------------------------------------------------------

    def _read_inputs(self, X: Any, *, reset: bool) -> Any:
        stacked = isinstance(X, Stacked)
        domains = X.domains if isinstance(X, Stacked) else None
        values = X.X if isinstance(X, Stacked) else X
        if not reset:
            require_shape(self, values, self._recipe.input_shape)
        values = read_array(self, values, reset=reset, accept_sparse=True)
        if not reset:
            require_shape(self, values, self._recipe.input_shape)
        return DomainRows(values, domains) if reset or stacked else values

    def _rows(self, inputs: Any, dtype: torch.dtype) -> Rows:
        values = inputs.values if isinstance(inputs, DomainRows) else inputs
        if not isinstance(values, np.ndarray):
            return SparseRows(values, dtype)
        return TensorRows(as_tensor(values, dtype))

    def _training_data(
        self, net: LeanNet, inputs: Any, encoded: Encoded, plan: Plan
    ) -> tuple[TrainingData, TrainingData | None]:
        """Cut the stack into labelled source, target and labelled target."""
        rows = as_domain_rows(inputs)
        net.to_probabilities_ = self._probabilities_of(net, encoded)
        cut = Cut(self, rows, encoded, plan)
        known, target = known_rows(encoded.y), rows.is_target
        labelled = known & target
        others = target if self._streams_labelled else target & ~known
        first, valid = labelled_source_rows(known, target), None
        if self.early_stopping:
            strata = None if encoded.strata is None else encoded.strata[first]
            parts = split_rows(
                len(first), self.validation_fraction, plan.split_seed, strata, None
            )
            first, held_out = first[parts[0]], first[parts[1]]
            valid = cut(held_out)
        if len(first) == 1 and has_batch_statistics(net.module_):
            raise ValueError(
                "Found one labelled row of a source (n_samples = 1; rows whose "
                "sample_weight is 0 do not count), but batch normalisation needs two "
                "at least. Pass more rows, or a backbone without it."
            )
        vectors = len(rows.shape) == 2 and self.domain_norm != "shared"
        if self.batch_size == 1 and vectors and has_batch_statistics(net.module_):
            raise ValueError(
                "batch_size=1 is too small: batch normalisation needs two rows of each "
                "side at least. Raise batch_size, or take a backbone without it."
            )
        idle = self._objective().is_idle
        data = cut(first)
        return (
            DomainData(
                data.rows,
                data.targets,
                None if idle or not others.any() else cut(np.flatnonzero(others)),
                cut(np.flatnonzero(labelled)) if labelled.any() else None,
            ),
            valid,
        )

    def _probabilities_of(self, net: Any, encoded: Encoded) -> Any:
        """Return raw scores -> probabilities, or None where there are no classes."""
        link = self._link_of(net.criterion_, encoded)
        return partial(class_probabilities, link=link)

    def _train(
        self,
        net: LeanNet,
        inputs: Any,
        encoded: Encoded,
        plan: Plan,
        attributes: dict[str, Any],
        data: tuple[Any, Any],
    ) -> None:
        attributes |= unmeasured(net, encoded)  # is published if training diverges
        super()._train(net, inputs, encoded, plan, attributes, data)
        rows = as_domain_rows(inputs)
        if self.domain_norm == "adabn" and rows.is_target.any():
            self._match_statistics(net, rows[rows.is_target])
        net.module_.eval()
        attributes |= diagnose(self, net, rows, encoded, plan)

    def _match_statistics(self, net: Any, inputs: Any) -> None:
        """Set statistics of batch normalisation to those of some rows."""
        if not has_batch_statistics(net.module_):
            warn_user(
                f"The backbone {type(net.module_.backbone).__name__} has no batch "
                "normalisation, so there are no statistics to adapt. For vectors: "
                "backbone='mlp' with backbone__norm='batch'.",
                DomainWarning,
            )
            return
        if inputs.shape[0] < 2:
            warn_user(
                "One row has no spread, so statistics of batch normalisation stay "
                "those of training. Pass more rows of the target.",
                DomainWarning,
            )
            return
        rows = self._rows(inputs, next(net.module_.parameters()).dtype)
        data = TrainingData(rows, Targets(None))
        size = self._rows_per_prediction(inputs)
        device = torch.device(net.device)
        batches = TensorBatches(data, size, device=device, copy=True)
        set_statistics(net.module_, (x for x, _ in batches))

    def _publish(self, net: LeanNet, attributes: dict[str, Any], resume: bool) -> None:
        super()._publish(net, attributes, resume)
        path = self.history_.get("lambda")
        # An epoch without rows of a target has none.
        self.lambda_path_ = (
            np.zeros(self.n_iter_) if path is None else path.fillna(0.0).to_numpy()
        )

    def _open_bridge(
        self, net: LeanNet, attributes: dict[str, Any], data: tuple[Any, Any]
    ) -> Any:
        """Let scikit-learn's callbacks see rows and targets as they were passed."""
        X, y = data
        if isinstance(X, Stacked) and isinstance(y, StackedTargets):
            seen = np.flatnonzero(~y.hidden)
            X, y = _safe_indexing(X.X, seen), _safe_indexing(y.y, seen)
        return super()._open_bridge(net, attributes, (X, y))


def _extended(sample_weight: Any, X: Any, stacked: Any) -> Any:
    """Give weight 1 to rows of the target that were passed apart from the source."""
    if sample_weight is None or not isinstance(stacked, Stacked):
        return sample_weight
    with naming("sample_weight"):
        weight = np.asarray(as_host_array(sample_weight))
    n, n_given = len(stacked.domains), _num_samples(X)
    if weight.shape != (n_given,) or n == n_given:
        return sample_weight
    with naming("sample_weight"):
        return np.concatenate([weight, np.ones(n - n_given)])

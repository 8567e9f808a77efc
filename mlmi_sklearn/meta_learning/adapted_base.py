"""The steps from a frozen prior to the model of one task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from threading import RLock
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from ..base.footprint import widest
from ..base.inputs import as_tensor, read_array, require_shape
from ..components.doclink import DocumentationLink
from ..exceptions import TaskError
from ..nn.tasks import Support, TaskNorm
from ..nn.tasks.heads import score
from .constraints import POSITIVE, STEPS
from .freezing import read_patterns

__all__ = ["AdaptedEstimator"]

Array = NDArray[Any]

_ELEMENTS = 2**22


class AdaptedEstimator(DocumentationLink, BaseEstimator):
    """Base: take the inner steps from a frozen prior, then predict.

    Parameters are those of the two subclasses.
    """

    _kind: ClassVar[str]
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "inner_steps": [STEPS, None],
        "inner_lr": [POSITIVE, None],
        "freeze": [str, list, tuple],
        "norm": [StrOptions({"transductive", "frozen"}), None],
    }

    def __init__(
        self,
        prior: Any,
        inner_steps: int | None = None,
        inner_lr: float | None = None,
        freeze: Sequence[str] | str = (),
        norm: str | None = None,
    ) -> None:
        self.prior = prior
        self.inner_steps = inner_steps
        self.inner_lr = inner_lr
        self.freeze = freeze
        self.norm = norm

    def fit(self, X: Any, y: Any) -> Self:
        """Adapt to the support of a task.

        Parameters
        ----------
        X : array-like
            Samples, of the shape the prior was trained on.
        y : array-like
            Their targets.

        Returns
        -------
        estimator
            The fitted estimator; the prior is left as it is.

        Raises
        ------
        TypeError
            If the prior is not a meta-learner of this kind.
        TaskError
            If there are more classes than the head of the prior can score.
        ValueError
            If the data or a parameter is unusable; the message names it.
        """
        self._validate_params()
        meta = self._meta()
        x = self._inputs(X, reset=True)
        codes, n_outputs = self._codes(y, len(x))
        targets = as_tensor(codes).to(x.device)
        if targets.is_floating_point():
            targets = targets.to(x.dtype)
        support = Support(x.unsqueeze(0), targets.unsqueeze(0))
        steps, norm = self._steps(), self._norm()
        with _use_norm(meta.net_.module_, norm):
            weights, losses = self._loop().adapt_safely(support, n_outputs, steps)
        self.support_loss_ = float(losses[0])
        self._used = steps, norm
        self._support = x.cpu().numpy() if norm != "frozen" else None
        self._weights = {name: w[0].cpu().numpy() for name, w in weights.items()}
        return self

    # -- the prior --------------------------------------------------------------------

    def _meta(self) -> Any:
        meta = getattr(self.prior, "estimator", self.prior)
        check_is_fitted(meta)
        if not hasattr(meta, "_eval_steps") or meta.kind != self._kind:
            raise TypeError(
                f"prior must be a MAMLEstimator for {self._kind}, fitted, plain or in "
                f"a FrozenEstimator, got {meta!r:.80}."
            )
        return meta

    def _steps(self) -> int:
        steps = self.inner_steps
        return int(self._meta()._eval_steps if steps is None else steps)

    def _loop(self) -> Any:
        meta = self._meta()
        module = meta.net_.module_
        patterns = read_patterns(self.freeze, "freeze")
        _require_matches(patterns, module)
        changes: dict[str, Any] = {"forward": module.single_forward()}
        if patterns:
            changes["frozen"] = lambda name: any(fnmatchcase(name, p) for p in patterns)
        if self.inner_lr is not None:
            rate = float(self.inner_lr)
            changes["rates"] = lambda name, step: rate
            changes["trained_steps"] = 0
        return module.inner_loop(meta.net_.criterion_, **changes)

    def _norm(self) -> str:
        """Return the policy of normalisations, "frozen" where there are none."""
        norms = _task_norms(self._meta().net_.module_)
        if not norms:
            return "frozen"
        given = norms[0].policy
        if given == "per-step" and self.norm == "frozen":
            raise ValueError(
                "norm='frozen' is not possible: the prior was trained with "
                "norm='per-step', whose scales go with the statistics of the rows at "
                "hand. Leave norm=None, or train with norm='frozen'."
            )
        return given if self.norm is None or given == "per-step" else self.norm

    # -- data -------------------------------------------------------------------------

    def _inputs(self, X: Any, *, reset: bool) -> Any:
        """Validate samples and bring them to the scale of the prior."""
        meta = self._meta()
        X = meta._without_task(X)
        require_shape(self, X, meta._recipe.input_shape)
        values = read_array(self, X, reset=reset)
        if reset and values.shape[1:] != tuple(meta._recipe.input_shape):
            raise TaskError(
                f"X has samples of shape {values.shape[1:]}, but the prior was trained "
                f"on samples of shape {tuple(meta._recipe.input_shape)}."
            )
        x = as_tensor(values, getattr(torch, meta._recipe.dtype)).to(meta.device_)
        with torch.no_grad():
            return meta.net_.module_.scale(x)

    def _codes(self, y: Any, n: int) -> tuple[Array, int]:
        raise AssertionError("of the two subclasses")

    def _raw(self, X: Any) -> Array:
        """Return scores of shape (n, K)."""
        check_is_fitted(self)
        x = self._inputs(X, reset=False)
        meta, loop = self._meta(), self._loop()
        steps, norm = self._used
        weights = {
            name: torch.from_numpy(w).to(x.device).unsqueeze(0)
            for name, w in self._weights.items()
        }
        found = []
        with _use_norm(meta.net_.module_, norm), torch.no_grad():
            for part, extra in self._parts(x):
                rows = Support(part.unsqueeze(0), torch.zeros(1, len(part)))
                z = loop.embed(weights, rows, steps)
                found.append(score(weights, z)[0, extra:].cpu().numpy())
        return np.concatenate(found)

    def _parts(self, x: Any) -> Iterator[tuple[Any, int]]:
        """Yield batches, and how many rows at their start are of the support."""
        if self._support is not None:
            # Statistics of a lone row say nothing: the support keeps it company.
            alone = len(x) == 1
            company = torch.from_numpy(self._support).to(x.device)
            yield (torch.cat([company, x]), len(company)) if alone else (x, 0)
            return
        backbone = self._meta().net_.module_.backbone
        elements = max(x[0].numel(), widest(backbone, tuple(x.shape[1:])))
        size = max(1, _ELEMENTS // max(1, elements))
        for start in range(0, len(x), size):
            yield x[start : start + size], 0


# A prior lends its modules to all that is adapted from it, in threads as well.
_ONE_AT_A_TIME = RLock()


@contextmanager
def _use_norm(module: Any, policy: str) -> Iterator[None]:
    """Let normalisations follow a policy for a while; nobody else uses them then."""
    with _ONE_AT_A_TIME:
        norms = _task_norms(module)
        before = [norm.policy for norm in norms]
        for norm in norms:
            norm.policy = policy
        try:
            yield
        finally:
            for norm, own in zip(norms, before, strict=True):
                norm.policy = own


def _task_norms(module: Any) -> list[TaskNorm]:
    return [m for m in module.modules() if isinstance(m, TaskNorm)]


def _require_matches(patterns: Sequence[str], module: Any) -> None:
    names = [name for name, _ in module.named_parameters()]
    known = [n for n in names if n.startswith(("backbone.", "head."))]
    known += ["head.weight", "head.bias"]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise ValueError(
                f"freeze={pattern!r} matches no parameter. Parameters are "
                f"{sorted(set(known))[:12]}."
            )

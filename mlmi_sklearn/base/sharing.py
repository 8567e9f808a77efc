"""What fits have in common, done once.

Fits of a search differ in a seed or a rate, and see one of a few training sets. Reading
and encoding a set, building a net and drawing its first weights cost as much as the
training of a small net; here each is done once for all fits for which it comes out the
same. What a stage depends on is its key: all parameters but those that only say how
training goes, and the data by identity.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, cast

import numpy as np
import torch

from ..training.data import TensorRows, TrainingData
from ..training.distributed import current_ranks
from ..training.lockstep import EarlyStopping, Structure, structure_of
from ..training.net import LeanNet
from .estimator import TorchEstimator
from .keys import key_of
from .netbuild import build_module
from .parts import Recipe
from .plan import Plan, seeded
from .targets import Encoded

__all__ = ["PreparedFit", "SharedStages", "may_join", "scratch_copy"]

# Parameters that neither reading data nor choosing parts looks at.
_OF_TRAINING = frozenset(
    {"lr", "weight_decay", "momentum", "lr_schedule", "optimizer"}
    | {"max_epochs", "batch_size", "random_state", "warm_start"}
    | {"n_iter_no_change", "tol"}
)
_OF_MODEL = frozenset({"backbone", "loss"})

# Stages that are repeated here, so that a class must not have changed them.
_REPEATED = (
    *("_fit", "_prepare", "_read_and_plan", "_attributes", "_start_net", "_calibrate"),
    *("_train", "_training_data", "_publish", "_set_history", "_epoch_scorer"),
)


@dataclass(frozen=True)
class Reading:
    """A data set as a net sees it.

    Parameters
    ----------
    inputs : object
        Validated inputs.
    encoded : Encoded
        Their targets.
    plan : Plan
        Device and types; its seeds belong to no fit.
    attributes : dict
        What reading wrote to the estimator.
    """

    inputs: Any
    encoded: Encoded
    plan: Plan
    attributes: dict[str, Any]


@dataclass(frozen=True)
class PreparedFit:
    """A fit that can begin at once.

    Parameters
    ----------
    reading : Reading
        The data.
    train : TrainingData
        What to train on, as tensors.
    stopping : EarlyStopping or None
        Whether training may stop early.
    recipe : Recipe
        How the module is built.
    plan : Plan
        With the seeds of this fit.
    pattern : LeanNet
        A net like the one to be trained.
    weights : dict of str to Tensor
        First weights.
    attributes : dict
        Fitted attributes that are known already.
    group : (Structure, hashable) or None
        Equal for fits that can be trained together; None to train alone.
    """

    reading: Reading
    train: TrainingData
    stopping: EarlyStopping | None
    recipe: Recipe
    plan: Plan
    pattern: LeanNet
    weights: dict[str, torch.Tensor]
    attributes: dict[str, Any]
    group: tuple[Structure, Hashable] | None


def may_join(estimator: Any) -> bool:
    """Tell whether an estimator trains by the plain loop and by nothing else."""
    if not isinstance(estimator, TorchEstimator):
        return False
    kind = type(estimator)
    return (
        all(getattr(kind, s) is getattr(TorchEstimator, s) for s in _REPEATED)
        and kind._net_class is LeanNet
        # Processes that train one net together share its batches.
        and current_ranks() is None
        and not (estimator.callbacks or estimator.verbose or estimator.compile)
        and not getattr(estimator, "_skl_callbacks", None)
        and not hasattr(estimator, "net_")
        # Drawing a seed from it twice would change what comes after.
        and not isinstance(estimator.random_state, np.random.RandomState)
    )


def scratch_copy(estimator: Any) -> Any:
    """Return an estimator with the same attributes, to be written to."""
    made = object.__new__(type(estimator))
    vars(made).update(vars(estimator))
    return made


class SharedStages:
    """Prepare fits, each stage once.

    Estimators and data must outlive this object, and must not change meanwhile.
    """

    def __init__(self) -> None:
        self._made: dict[Hashable, Any] = {}

    def prepare(
        self, estimator: Any, X: Any, y: Any, sample_weight: Any
    ) -> PreparedFit:
        """Run all stages of a fit up to training.

        Parameters
        ----------
        estimator : TorchEstimator
            One that :func:`may_join`. It is left as it is.
        X, y, sample_weight : object
            Its data.

        Returns
        -------
        PreparedFit
            What to train.

        Raises
        ------
        Exception
            What ``fit`` would raise.
        """
        params = self._params(estimator)
        like = (type(estimator), _key(params, _OF_TRAINING))
        data = _key(params, _OF_TRAINING | _OF_MODEL), id(X), id(y), id(sample_weight)
        reading: Reading = self._once(
            ("reading", type(estimator), *data),
            lambda: _read(estimator, X, y, sample_weight),
        )
        parts = self._once(
            ("recipe", *like, id(reading)), lambda: _recipe(estimator, reading)
        )
        # Sets of equal form have equal recipes, which need not be kept twice.
        shapes = parts.input_shape, parts.n_outputs, parts.dtype
        form = (*like, *shapes, key_of(parts.options))
        recipe: Recipe = self._once(("form", form), lambda: parts)
        plan = seeded(reading.plan, estimator.random_state)
        n_rows = estimator._rows_per_batch(reading.inputs)
        net = form, str(plan.device), str(plan.amp_dtype), n_rows
        pattern: LeanNet = self._once(
            ("net", net, _key(params, {"random_state"})),
            lambda: estimator._start_net(reading.inputs, recipe, plan, False, None),
        )
        weights = self._once(
            ("weights", form, str(plan.device), plan.init_seed),
            lambda: _first_weights(estimator, recipe, plan),
        )
        attributes = self._once(
            ("attributes", form, id(reading)),
            lambda: estimator._attributes(recipe, pattern, reading.encoded, plan),
        )
        train, stopping = self._sets(estimator, reading, plan)
        group = self._once(
            ("group", id(pattern), _form_of(train), stopping is None),
            lambda: _common_to_all(pattern, recipe, train, stopping),
        )
        return PreparedFit(
            reading=reading,
            train=train,
            stopping=stopping,
            recipe=recipe,
            plan=plan,
            pattern=pattern,
            weights=weights,
            attributes=attributes,
            group=group,
        )

    def _sets(
        self, estimator: Any, reading: Reading, plan: Plan
    ) -> tuple[TrainingData, EarlyStopping | None]:
        """Return the data as tensors, split where training may stop early."""
        seed = plan.split_seed if estimator.early_stopping else None
        train, valid = self._once(
            ("sets", id(reading), seed),
            lambda: estimator._training_data(
                None, reading.inputs, reading.encoded, plan
            ),
        )
        if valid is None:
            return train, None
        return train, EarlyStopping(valid, estimator.n_iter_no_change, estimator.tol)

    def _params(self, estimator: Any) -> dict[str, Hashable]:
        """Validate the parameters; return their keys."""

        def read() -> dict[str, Hashable]:
            estimator._validate_params()
            params = estimator.get_params(deep=False)
            return {name: key_of(value) for name, value in params.items()}

        return cast(dict[str, Hashable], self._once(("params", id(estimator)), read))

    def _once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        if key not in self._made:
            try:
                self._made[key] = make()
            except Exception as error:
                self._made[key] = _Failed(error, error.__traceback__)
        found = self._made[key]
        if isinstance(found, _Failed):
            # A traceback would grow each time.
            raise found.error.with_traceback(found.origin)
        return found


@dataclass
class _Failed:
    """A stage that raised, as it will for the next fit."""

    error: Exception
    origin: TracebackType | None


def _key(params: dict[str, Hashable], without: Any) -> Hashable:
    return tuple((name, key) for name, key in params.items() if name not in without)


def _read(estimator: Any, X: Any, y: Any, sample_weight: Any) -> Reading:
    scratch = scratch_copy(estimator)
    scratch.random_state = 0
    before = dict(vars(scratch))
    inputs, encoded, plan = scratch._read_and_plan(
        X, y, sample_weight, False, scratch._encode
    )
    new = {k: v for k, v in vars(scratch).items() if before.get(k, _read) is not v}
    return Reading(inputs, encoded, plan, new)


def _recipe(estimator: Any, reading: Reading) -> Any:
    scratch = scratch_copy(estimator)
    vars(scratch).update(reading.attributes)
    return scratch._make_recipe(reading.inputs, reading.encoded, reading.plan, None)


def _first_weights(
    estimator: Any, recipe: Recipe, plan: Plan
) -> dict[str, torch.Tensor]:
    module = build_module(estimator, recipe, plan.init_seed).to(plan.device)
    return {name: p.detach() for name, p in module.named_parameters()}


def _form_of(train: TrainingData) -> Hashable:
    """Return all of a training set that a structure depends on."""
    y, weight = train.targets
    if not isinstance(train.rows, TensorRows) or y is None:
        return id(train)
    x = train.rows.values
    return len(train), x.shape[1:], x.dtype, y.shape[1:], y.dtype, weight is None


def _common_to_all(
    pattern: LeanNet,
    recipe: Recipe,
    train: TrainingData,
    stopping: EarlyStopping | None,
) -> tuple[Structure, Hashable] | None:
    """Return what fits must share to be trained together; None to train alone."""
    structure = structure_of(pattern, train)
    if structure is None or not structure.pays:
        return None
    if not isinstance(recipe.parts["loss"].source, str):
        return None  # it may return one value for a batch
    # Layers need not show all their settings; the parameters they were built with do.
    built = [(n, str(p.source), key_of(p.params)) for n, p in recipe.parts.items()]
    return structure, (stopping is None, *built)

"""The stages of a fit of a conditional generator."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.utils import Tags
from torch import nn

from ..base import Recipe, TorchEstimator, build_backbone
from ..base.checkpoints import checkpointed
from ..base.inputs import as_tensor
from ..base.netbuild import make_callbacks
from ..base.parts import resolve_part
from ..base.plan import Plan, split_rows
from ..base.state import resume_optimizer
from ..base.targets import Encoded
from ..base.warn import warn_user
from ..exceptions import FitInterruptedWarning
from ..nn.augmentations import as_augmentation
from ..nn.generation import (
    ConditionalDiscriminator,
    GANModel,
    OutputActivation,
    Sampler,
)
from ..nn.generation.discriminator import (
    apply_spectral_norm,
    discriminator_input_shape,
)
from ..specs import AutoBackbone, make_spec
from ..training.net import LeanNet
from ..training.seeding import borrowed_generator, draws_random_numbers
from .batches import Conditioned, GANData
from .checkpoint import MetricCheckpoint
from .health import warn_of_dead_players
from .inputs import GANInputs
from .net import GANNet
from .objective import Settings
from .reading import Reading

__all__ = ["GenerativeEstimator"]

Array = NDArray[Any]

# Steps of the generator in one row of the history.
_ROW = 100

# Steps between two penalties on slopes; each costs as much as the rest of a step.
_R1_INTERVAL = 4

# Evaluations of a metric during training.
_EVALUATIONS = 20

_HIDDEN = (256, 256)

_INTERRUPTED = (
    "{}.fit was interrupted after {} steps; the generator trained so far is kept and "
    "can draw samples."
)


class GenerativeEstimator(Reading, TorchEstimator):
    """Base of estimators that train a generator against a discriminator."""

    _components: ClassVar[dict[str, str]] = {
        "generator": "generator",
        "discriminator": "backbone",
        "loss": "adversarial-loss",
    }
    _further_components: ClassVar[dict[str, str]] = {"augment": "augmentation"}
    _net_class: ClassVar[type[LeanNet]] = GANNet
    # Penalties on slopes need second derivatives, which torch.compile does not have.
    compile: ClassVar[bool] = False
    net_: GANNet

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        tags.input_tags.allow_nan = True
        return tags

    def _promote(self, owner: str) -> None:
        if owner == "generator" and self.generator == "auto":
            raise ValueError(
                "generator='auto' is chosen in fit and has no parameters before. Name "
                "it: generator='mlp' for tables, 'conv' for images and volumes."
            )
        super()._promote(owner)

    # -- what the template asks -------------------------------------------------------

    def _input_dtype(self, inputs: Any) -> torch.dtype:
        """Compute in single precision: samples are no more exact than the model."""
        return torch.float32

    def _sample_shape(self, inputs: GANInputs) -> tuple[int, ...]:
        return tuple(inputs.values.shape[1:])

    def _encode(self, y: Any, weight: Any) -> Encoded:
        """Pass on what :meth:`_read` found; ``y`` holds all inputs."""
        return Encoded(np.zeros(len(y)), 1, None, y.strata, y.attributes)

    def _encode_again(self, y: Any, weight: Any) -> Encoded:
        return self._encode(y, weight)

    def _link_of(self, criterion: Any, encoded: Encoded) -> str:
        return "none"

    def _epoch_scorer(self, data: Any) -> None:
        """Let the progress bar show losses alone."""

    def _epochs(self) -> int:
        return -(-int(self.max_iter) // _ROW)

    def _net_options(self) -> dict[str, Any]:
        return {
            "settings": Settings(
                r1=float(self.r1),
                r1_interval=_R1_INTERVAL,
                gradient_penalty=float(self.gradient_penalty),
                diversity=float(self.diversity),
                augment=as_augmentation(self.augment),
            ),
            "discriminator_lr": self.lr_discriminator,
            "averaging": float(self.ema),
            "optimizer__betas": tuple(self.betas),
        }

    def _make_recipe(
        self, inputs: Any, encoded: Encoded, plan: Plan, fitted: Recipe | None
    ) -> Recipe:
        shape = self._sample_shape(inputs)
        parts = {
            "generator": resolve_part("generator", _generator(self.generator, shape)),
            "discriminator": resolve_part(
                "backbone", _discriminator(self.discriminator, shape)
            ),
            "loss": resolve_part("adversarial-loss", self.loss),
        }
        options = self._model_options(inputs)
        return Recipe(parts, shape, 1, plan.dtype_name, options)

    def _model_options(self, inputs: GANInputs) -> dict[str, Any]:
        """Return what else the model is built from."""
        found = inputs.attributes
        classes = found.get("classes_")
        return {
            "vector_size": 0 if inputs.vector is None else inputs.vector.shape[1],
            "map_channels": 0 if inputs.maps is None else inputs.maps.shape[1],
            "blocks": [tuple(block) for block in found["_codec"].blocks_],
            "latent_dim": int(self.latent_dim),
            "conditioning": self.conditioning,
            "spectral_norm": bool(self.spectral_norm),
            "minibatch_std": self._sees_batches(inputs),
            "n_classes": 0 if classes is None else len(classes),
        }

    def _sees_batches(self, inputs: GANInputs) -> bool:
        if self.minibatch_std == "auto":
            return inputs.values.ndim > 2 and inputs.maps is None
        return bool(self.minibatch_std)

    def _assemble(self, recipe: Recipe) -> nn.Module:
        options = recipe.options
        sizes = options["vector_size"], options["map_channels"]
        generator = recipe.parts["generator"].build(
            options["latent_dim"], recipe.input_shape, *sizes
        )
        activation = OutputActivation(options["blocks"])
        sampler = Sampler(generator, activation, options["latent_dim"])
        seen = discriminator_input_shape(
            recipe.input_shape, *sizes, options["conditioning"]
        )
        backbone = build_backbone(recipe.parts["discriminator"], seen)
        loss = recipe.parts["loss"].build()
        n_auxiliary = options["n_classes"] if getattr(loss, "auxiliary", False) else 0
        if getattr(loss, "auxiliary", False) and not n_auxiliary:
            raise ValueError(
                f"loss={self.loss!r} teaches classes, but y is not one column of "
                "classes. Use loss='nonsaturating'."
            )
        critic = ConditionalDiscriminator(
            backbone,
            options["vector_size"],
            options["conditioning"],
            options["minibatch_std"],
            n_auxiliary,
        )
        if options["spectral_norm"]:
            apply_spectral_norm(critic)
        return GANModel(sampler, critic, recipe.input_shape)

    # -- training -------------------------------------------------------------------

    def _start_net(
        self, inputs: Any, recipe: Recipe, plan: Plan, resume: bool, epochs: int | None
    ) -> LeanNet:
        net: Any = super()._start_net(inputs, recipe, plan, resume, epochs)
        net.noise_seed = plan.noise_seed
        net.n_planned = int(self.max_iter)
        net.steps_before = self.n_iter_ if resume else 0
        if epochs is None:
            net.n_steps = int(self.max_iter)
        elif resume:
            resume_optimizer(
                net.optimizer_discriminator_, self.net_.optimizer_discriminator_
            )
        return net

    def _train(
        self,
        net: LeanNet,
        inputs: Any,
        encoded: Encoded,
        plan: Plan,
        attributes: dict[str, Any],
        data: tuple[Any, Any],
    ) -> None:
        train, judged = self._split(inputs, plan)
        rows = self._data(train, plan, net)
        bridge = self._open_bridge(net, attributes, (data[0].X, data[0].y))
        checkpoint = self._checkpoint(judged, attributes, net, plan)
        callbacks = make_callbacks(self, rows, None, bridge)
        net.callbacks = callbacks + ([] if checkpoint is None else [checkpoint])
        net.train_split = None
        net.initialize_callbacks()
        noisy = draws_random_numbers(net.module_)
        turn = borrowed_generator(plan.noise_seed, plan.device) if noisy else None
        net.borrows_generator_ = noisy
        with turn or nullcontext(), checkpointed(self, net, plan, inputs) as options:
            net.partial_fit(rows, **options)
        if bridge is not None:
            bridge.close()
        if net.interrupted_:
            message = _INTERRUPTED.format(type(self).__name__, net.steps_done_)
            warn_user(message, FitInterruptedWarning)
        self._warn_of_dead_players(net)
        attributes |= {"_seed": plan.noise_seed, "_calls": 0}
        done = net.steps_before + net.steps_done_
        attributes["best_iter_"] = done
        if checkpoint is not None and checkpoint.best_step_:
            attributes["best_iter_"] = net.steps_before + checkpoint.best_step_

    def _warn_of_dead_players(self, net: Any) -> None:
        warn_of_dead_players(type(self).__name__, net)

    def _split(self, inputs: GANInputs, plan: Plan) -> tuple[GANInputs, Any]:
        """Set rows aside to judge samples by, if training may end early."""
        if not self.early_stopping:
            return inputs, None
        strata = inputs.labels
        train, valid = split_rows(
            len(inputs), self.validation_fraction, plan.split_seed, strata, None
        )
        return inputs.take(train), inputs.take(valid)

    def _data(self, inputs: GANInputs, plan: Plan, net: Any) -> GANData:
        def tensor(values: Array | None) -> Any:
            if values is None:
                return None
            kind = None if values.dtype.kind == "i" else plan.dtype
            return as_tensor(values, kind).to(plan.device)

        rows = Conditioned(
            *map(tensor, (inputs.values, inputs.vector, inputs.maps, inputs.labels))
        )
        steps = _ROW if net.n_steps is not None else -(-len(inputs) // self.batch_size)
        strata = self._batch_strata(inputs)
        return GANData(rows, strata, steps, int(self.n_critic))

    def _batch_strata(self, inputs: GANInputs) -> Any:
        """Return groups to draw from alike; None to draw all rows alike."""
        if inputs.strata is None or self.balanced_batches is False:
            return None
        return as_tensor(inputs.strata)

    def _checkpoint_folder(self) -> Any:
        given = self.checkpoint
        return None if isinstance(given, str) and given in ("best", "last") else given

    def _checkpoint(
        self, judged: Any, attributes: dict[str, Any], net: Any, plan: Plan
    ) -> Any:
        if judged is None:
            return None
        scorer = self._synthetic_scorer(attributes)
        every = max(net.max_epochs // _EVALUATIONS, 1)

        def score(net: Any) -> float:
            net.prepare_average()
            X, y = judged.original[:2]
            return scorer(net.module_, judged, X, y, plan.split_seed)

        return MetricCheckpoint(
            score,
            every,
            self.n_iter_no_change,
            self.tol,
            restore=self.checkpoint != "last",
        )

    # -- results --------------------------------------------------------------------

    def _set_history(self, history: pd.DataFrame) -> None:
        super()._set_history(history)
        if "step" in history:
            self.n_iter_ = int(history["step"].iloc[-1]) if len(history) else 0

    @property
    def generator_(self) -> nn.Module:
        """The generator as training left it."""
        return self.net_.module_.sampler.generator

    @property
    def ema_generator_(self) -> nn.Module:
        """The running mean of the generator, which draws the samples."""
        return self.net_.module_.average.generator

    @property
    def discriminator_(self) -> nn.Module:
        """The discriminator."""
        return self.net_.module_.discriminator


def _generator(chosen: Any, shape: tuple[int, ...]) -> Any:
    """Decide what "auto" means for samples of one shape."""
    if chosen != "auto":
        return chosen
    return "mlp" if len(shape) == 1 else "conv"


def _discriminator(chosen: Any, shape: tuple[int, ...]) -> Any:
    given = chosen.get_params() if isinstance(chosen, AutoBackbone) else {}
    if chosen != "auto" and not isinstance(chosen, AutoBackbone):
        return chosen
    if len(shape) == 1:
        settings = {"hidden": _HIDDEN, "activation": "leaky-relu", **given}
        return make_spec("backbone", "mlp", **settings)
    return make_spec("backbone", "strided-conv", **given)

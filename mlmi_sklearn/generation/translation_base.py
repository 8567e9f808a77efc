"""The stages of a fit of an image translator."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Tags
from sklearn.utils.validation import validate_data
from torch import nn

from ..base import Recipe, build_backbone
from ..base.inputs import (
    as_host_array,
    as_tensor,
    plain_numbers,
    require_moderate,
    require_no_dates,
    require_shape,
)
from ..base.naming import naming
from ..base.parts import Part, resolve_part
from ..base.plan import Plan
from ..base.targets import Encoded
from ..nn.augmentations import as_augmentation
from ..nn.generation import ConditionalDiscriminator
from ..nn.generation.discriminator import discriminator_input_shape
from ..nn.generation.translation import Judge, TranslationModel, Translator
from ..nn.generators import PatchDiscriminator
from ..specs import AutoBackbone, make_spec
from ..training.net import LeanNet
from .base import GenerativeEstimator
from .translation_inputs import (
    PassedPairs,
    Side,
    TranslationInputs,
    read_target,
    side_of,
)
from .translation_net import TranslationData, TranslationNet, Weights
from .translation_quality import looks_of

__all__ = ["TranslationStages"]

Array = NDArray[Any]

# Steps in one row of the history.
_ROW = 100

_HIDDEN = (128, 128)
_JUDGE_HIDDEN = (64, 64)


class TranslationStages(GenerativeEstimator):
    """Base of :class:`~.translation.ImageTranslator`.

    Fitted: ``_source`` and ``_target``, shapes and scales of both kinds of images;
    ``_cyclic``, whether there is a way back; ``_looks``, how targets look.
    """

    _net_class: ClassVar[type[LeanNet]] = TranslationNet
    # What stops a sampler early are scores of its samples.
    early_stopping: ClassVar[bool] = False
    net_: Any
    _source: Side
    _target: Side
    _cyclic: bool
    _looks: Array

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = False
        if tags.transformer_tags is not None:
            tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _warn_of_dead_players(self, net: Any) -> None:
        """Say nothing: what is alike may come from inputs that are alike."""

    # -- data -------------------------------------------------------------------------

    def _read(
        self, X: Any, y: Any, sample_weight: Any, resume: bool
    ) -> tuple[Any, Any, None]:
        passed: PassedPairs = X
        paired, target = self._what_is_asked(passed)
        values = self._read_source(passed.X, reset=not resume)
        if target is None:
            target = values
        named = target if hasattr(target, "columns") else None
        target = read_target(target, "y" if paired else "X_target", values.ndim)
        if paired and len(values) != len(target):
            raise ValueError(
                f"X and y have inconsistent numbers of samples: X has {len(values)}, "
                f"but y has {len(target)}. Pass one target for each sample, or "
                "unpaired samples as X_target."
            )
        if resume:
            self._require_alike_pairs(paired, target)
            source, goal = self._source, self._target
        else:
            source = side_of(values, self.preprocess)
            goal = side_of(target, self.preprocess, getattr(named, "columns", None))
            if goal.names is None and passed.y is None and passed.X_target is None:
                goal.names = getattr(self, "feature_names_in_", None)
        # An axis for the one number of a sample.
        encoded = goal.codec.encode(target[:, None] if target.ndim == 1 else target)
        found = {
            "_source": source,
            "_target": goal,
            "_cyclic": not paired,
            "_looks": looks_of(encoded),
        }
        values = source.codec.encode(values)
        inputs = TranslationInputs(
            values.astype(np.float32), encoded.astype(np.float32), paired, found
        )
        return inputs, inputs, None

    def _what_is_asked(self, passed: PassedPairs) -> tuple[bool, Any]:
        """Return whether rows are paired, and what X becomes; None is X itself."""
        paired = self.paired
        if paired == "auto":
            paired = passed.X_target is None and passed.y is not None
        if paired and passed.X_target is not None:
            raise ValueError(
                "paired=True takes pairs (X, y), but X_target was passed. Pass the "
                "targets of X as y, or set paired=False."
            )
        if paired and passed.y is None:
            raise ValueError(
                "paired=True takes the target of each sample as y, got y=None. Pass "
                "y, or X_target with paired=False."
            )
        if self.paired is False and passed.X_target is None:
            raise ValueError(
                "paired=False needs X_target=, samples that show how X is to look. In "
                "a Pipeline: fit(X, y, imagetranslator__X_target=...)."
            )
        return bool(paired), passed.y if paired else passed.X_target

    def _read_source(self, X: Any, *, reset: bool) -> Array:
        """Validate X, in its own type."""
        with naming("X"):
            X = as_host_array(X)
        require_no_dates(X, "X")
        if not reset:
            require_shape(self, X, self._source.shape)
        with naming("X"):
            X = validate_data(self, X=X, reset=reset, dtype="numeric", allow_nd=True)
        X = plain_numbers(X, "X")
        require_moderate(X, "X")
        if not reset:
            require_shape(self, X, self._source.shape)
        return X

    def _require_alike_pairs(self, paired: bool, target: Array) -> None:
        """Raise unless training can go on with these targets."""
        name = type(self).__name__
        if paired == self._cyclic:
            had, has = ("unpaired", "paired") if paired else ("paired", "unpaired")
            raise ValueError(
                f"{name} was fitted on {had} samples, now they are {has}. Pass the "
                "same kind, or begin anew with warm_start=False."
            )
        shape = target.shape[1:] or (1,)
        if shape != self._target.shape:
            raise ValueError(
                f"Targets have shape {shape}, but {name} was fitted on targets of "
                f"shape {self._target.shape}. Pass targets of that shape."
            )

    def _data(self, inputs: Any, plan: Plan, net: Any) -> TranslationData:
        x, y = (
            as_tensor(a, plan.dtype).to(plan.device)
            for a in (inputs.values, inputs.target)
        )
        rows = len(x) if inputs.paired else max(len(x), len(y))
        steps = _ROW if net.n_steps is not None else -(-rows // self.batch_size)
        return TranslationData(x, y, inputs.paired, steps)

    # -- model ------------------------------------------------------------------------

    def _net_options(self) -> dict[str, Any]:
        return {
            "weights": Weights(
                l1=float(self.l1),
                cycle=float(self.cycle),
                identity=float(self.identity),
                pool_size=int(self.pool_size),
                augment=as_augmentation(self.augment),
            ),
            "discriminator_lr": self.lr_discriminator,
            "averaging": float(self.ema),
            "optimizer__betas": tuple(self.betas),
        }

    def _make_recipe(
        self, inputs: Any, encoded: Encoded, plan: Plan, fitted: Recipe | None
    ) -> Recipe:
        shape = inputs.values.shape[1:]
        judge, patches = _judge_part(self.discriminator, shape)
        parts = {
            "generator": resolve_part("generator", _generator(self.generator, shape)),
            "discriminator": judge,
            "loss": resolve_part("adversarial-loss", self.loss),
        }
        if getattr(parts["loss"].build(), "auxiliary", False):
            raise ValueError(
                f"loss={self.loss!r} teaches classes, and there are none here. Use "
                "'lsgan', 'nonsaturating', 'hinge' or 'wgan-gp'."
            )
        options = {
            "target_shape": inputs.target.shape[1:],
            "cyclic": not inputs.paired,
            "patches": patches,
        }
        return Recipe(parts, shape, 1, plan.dtype_name, options)

    def _assemble(self, recipe: Recipe) -> nn.Module:
        source, target = recipe.input_shape, recipe.options["target_shape"]
        ways = {"there": (source, target)}
        if recipe.options["cyclic"]:
            ways["back"] = (target, source)
        translators = {name: _translator(recipe, *way) for name, way in ways.items()}
        judges = {name: _judge(recipe, *way) for name, way in ways.items()}
        return TranslationModel(translators, judges)

    @property
    def generator_(self) -> nn.Module:
        """The net from X to its target, as training left it."""
        return self.net_.module_.sampler["there"].generator

    @property
    def ema_generator_(self) -> nn.Module:
        """The running mean of that net, which translates."""
        return self.net_.module_.average["there"].generator

    @property
    def discriminator_(self) -> nn.Module:
        """The discriminator of targets."""
        return self.net_.module_.discriminator["there"].net


def _generator(chosen: Any, shape: tuple[int, ...]) -> Any:
    """Decide what "auto" means for samples of one shape."""
    if not (isinstance(chosen, str) and chosen == "auto"):
        return chosen
    if len(shape) > 1:
        return "unet"
    # A normalisation by batches would let rows of one batch look at each other.
    return make_spec("generator", "mlp", hidden=_HIDDEN, norm="none")


def _judge_part(chosen: Any, shape: tuple[int, ...]) -> tuple[Part, bool]:
    """Decide what judges, and whether by patches."""
    grid = len(shape) > 1
    if isinstance(chosen, str) and chosen == "patch":
        if not grid:
            raise ValueError(
                "discriminator='patch' judges images, but X holds rows. Use 'auto' "
                "or 'mlp'."
            )
        return Part("backbone", PatchDiscriminator), True
    given = chosen.get_params() if isinstance(chosen, AutoBackbone) else {}
    if not isinstance(chosen, AutoBackbone) and chosen != "auto":
        return resolve_part("backbone", chosen), False
    if grid:
        return Part("backbone", PatchDiscriminator, given), True
    settings = {"hidden": _JUDGE_HIDDEN, "activation": "leaky-relu", **given}
    return resolve_part("backbone", make_spec("backbone", "mlp", **settings)), False


def _translator(
    recipe: Recipe, source: tuple[int, ...], target: tuple[int, ...]
) -> nn.Module:
    sizes = (source[0], 0) if len(source) == 1 else (0, source[0])
    return Translator(recipe.parts["generator"].build(0, target, *sizes), target)


def _judge(
    recipe: Recipe, source: tuple[int, ...], target: tuple[int, ...]
) -> nn.Module:
    """Build the discriminator of targets; of pairs it sees the input, too."""
    part, sees = recipe.parts["discriminator"], not recipe.options["cyclic"]
    width = source[0] if sees else 0
    if recipe.options["patches"]:
        return Judge(part.build(target, width), True, sees)
    sizes = (width, 0) if len(target) == 1 else (0, width)
    backbone = build_backbone(part, discriminator_input_shape(target, *sizes))
    return Judge(ConditionalDiscriminator(backbone, sizes[0]), False, sees)

"""From the parameters of an estimator for several domains to its model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from torch import nn

from ..base import Recipe, TorchEstimator, build_backbone
from ..base.plan import Plan
from ..base.targets import Encoded
from ..nn.adaptation import DomainPredictor
from ..specs import make_spec
from .constraints import DEEP, DISCRIMINATOR, SHALLOW, Pace
from .cutting import as_domain_rows, domain_names, require_known_domains
from .objective import DomainObjective
from .parts import build_divergence

__all__ = ["DomainModel"]


class DomainModel(TorchEstimator):
    """Which parts the model has, how they fit together, and at what pace it learns."""

    def _choice(self, component: str) -> Any:
        if component == "backbone" and self.hidden_layer_sizes is not None:
            sizes = np.atleast_1d(self.hidden_layer_sizes)
            hidden = tuple(int(units) for units in sizes)
            return make_spec("backbone", "mlp", hidden=hidden, activation="sigmoid")
        return super()._choice(component)

    @property
    def _pace(self) -> Pace:
        """What stands for ``"auto"``."""
        return DEEP if self.hidden_layer_sizes is None else SHALLOW

    def _learning_rate(self) -> float:
        return self._pace.lr if self.lr == "auto" else float(self.lr)

    def _epochs(self) -> int:
        wanted = self.max_epochs
        return self._pace.max_epochs if wanted == "auto" else int(wanted)

    def _rows_per_batch(self, inputs: Any) -> int:
        wanted = self.batch_size
        return self._pace.batch_size if wanted == "auto" else int(wanted)

    @staticmethod
    def _auto_defaults(shape: tuple[int, ...]) -> dict[str, dict[str, Any]]:
        return {"mlp": {"hidden": (128, 64), "norm": "batch"}}

    def _make_recipe(
        self, inputs: Any, encoded: Encoded, plan: Plan, fitted: Recipe | None
    ) -> Recipe:
        recipe = super()._make_recipe(inputs, encoded, plan, fitted)
        rows = as_domain_rows(inputs)
        names = domain_names(rows, None if fitted is None else self.domains_)
        n_domains = max(2, len(names))
        if fitted is not None:
            n_domains = fitted.options["n_domains"]
            require_known_domains(names, n_domains)
        encoded.attributes.update(
            domains_=names,
            n_source_=int((~rows.is_target).sum()),
            n_target_=int(rows.is_target.sum()),
        )
        sizes = {"n_domains": n_domains, "discriminator": self._discriminator_sizes()}
        return replace(recipe, options={**recipe.options, **sizes})

    def _discriminator_sizes(self) -> tuple[int, ...]:
        """Return hidden units of the critic; none in the shallow form of the paper."""
        sizes = tuple(int(units) for units in np.atleast_1d(self.discriminator))
        # Whoever asks for the shallow form and names no critic means the paper's.
        shallow = self.hidden_layer_sizes is not None and sizes == DISCRIMINATOR
        return () if shallow else sizes

    def _assemble(self, recipe: Recipe) -> nn.Module:
        backbone: Any = build_backbone(recipe.parts["backbone"], recipe.input_shape)
        width = int(backbone.out_features)
        head = self._make_head(width, recipe.n_outputs)
        return DomainPredictor(backbone, head, self._make_divergence(width, recipe))

    def _make_divergence(self, width: int, recipe: Recipe) -> nn.Module:
        """Build what compares features."""
        return build_divergence(
            recipe.parts["divergence"],
            width,
            hidden=recipe.options["discriminator"],
            n_classes=self._n_classes(recipe),
            n_domains=recipe.options["n_domains"],
        )

    def _make_head(self, width: int, n_outputs: int) -> nn.Module:
        """Build what scores features."""
        return nn.Linear(width, n_outputs)

    def _n_classes(self, recipe: Recipe) -> int | None:
        """Return the number of classes, None for a regressor."""
        return max(2, recipe.n_outputs)

    def _objective(self) -> DomainObjective:
        return DomainObjective(
            self.lambda_,
            self.lambda_schedule,
            self.gamma,
            self.discriminator_rate,
            self.entropy,
        )

    def _net_options(self) -> dict[str, Any]:
        return {
            "objective": self._objective(),
            "apart": self.domain_norm != "shared",
            "partial": getattr(self, "partial", False),
            "max_grad_norm": self.max_grad_norm,
        }

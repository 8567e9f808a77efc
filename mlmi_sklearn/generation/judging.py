"""How good the samples are: scores, metrics and the objective itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import logsumexp
from sklearn.utils.validation import check_is_fitted

from ..base.inputs import as_tensor, read_weight
from ..metrics import SYNTHETIC_SCORERS, evaluate_synthetic
from ..nn.adversarial import objective
from .drawing import draw_samples, filled, seeds_of
from .inputs import GANInputs
from .reading import joined_vector
from .sampling import Sampling, pick_rows

__all__ = ["Judging"]

Array = NDArray[Any]
Scorer = Callable[[Any, Any, Any, Any], float]

# Conditions over which a score without a condition is averaged.
_CONDITIONS = 16

# Rows judged at once.
_ROWS = 256


class Judging(Sampling):
    """Mixin: ``score``, ``score_samples``, ``evaluate`` and ``objective``."""

    def score(
        self,
        X: Any,
        y: Any = None,
        *,
        condition: Any = None,
        sample_weight: Any = None,
    ) -> float:
        """Return how good samples are for the conditions of real data.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, ...)
            Real samples that training has not seen.
        y : array-like of shape (n_samples,) or (n_samples, k), default=None
            Their conditions.
        condition : array-like, default=None
            As in ``fit``.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the real samples: as many rows as there are are drawn in
            proportion to them.

        Returns
        -------
        float
            By ``scoring``; by default the accuracy (or :math:`R^2`) on the real
            samples of a model trained on synthetic ones, "tstr"; where there is no
            ``y``, the coverage of the real samples. Higher is better. The same in
            every call.
        """
        check_is_fitted(self)
        inputs = self._read_judged(X, y, condition)
        weight = read_weight(sample_weight, len(inputs))
        if weight is not None:
            source = seeds_of([self._seed, 5], 1)[0]
            share = weight / weight.sum()
            inputs = inputs.take(source.choice(len(share), len(share), p=share))
        scorer = self._synthetic_scorer({"_encoder": self._encoder})
        return scorer(self.net_.module_, inputs, *inputs.original[:2], self._seed)

    def _synthetic_scorer(
        self, attributes: dict[str, Any]
    ) -> Callable[[Any, GANInputs, Any, Any, int], float]:
        """Return (module, inputs, X, y, seed) -> score."""
        metric = self._metric(attributes["_encoder"])

        def score(module: Any, inputs: GANInputs, X: Any, y: Any, seed: int) -> float:
            found = self._counterpart(module, inputs, seed)
            return float(metric(X, y, found, y))

        return score

    def _metric(self, encoder: Any) -> Scorer:
        if callable(self.scoring):
            return self.scoring
        name = self.scoring
        if name not in SYNTHETIC_SCORERS:
            raise ValueError(
                f"scoring={name!r} is not known. Known names are "
                f"{sorted(SYNTHETIC_SCORERS)}; a callable takes (X, y, X_synthetic, "
                "y_synthetic)."
            )
        one_column = encoder.classes is not None or encoder.is_continuous
        if name in ("tstr", "trts") and not one_column:
            return SYNTHETIC_SCORERS["coverage"]
        return SYNTHETIC_SCORERS[name]

    def _counterpart(self, module: Any, inputs: GANInputs, seed: int) -> Any:
        """Draw a synthetic sample for the conditions of each real one."""
        source = seeds_of([seed, 1], 1)[0]
        codec = inputs.attributes["_codec"]
        return self._decoded(
            module, codec, len(inputs), source, inputs.vector, inputs.maps
        )

    def score_samples(self, X: Any, y: Any = None, *, condition: Any = None) -> Array:
        """Return the logits of the discriminator: how real samples look to it.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, ...)
            Samples, real or synthetic.
        y : array-like of shape (n_samples,) or (n_samples, k), default=None
            Their conditions. Without, odds are averaged over conditions of training.
        condition : array-like, default=None
            As in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,)
            About log p(real) - log p(synthetic): above zero for what looks real. It
            is not a density, and says nothing far away from both.
        """
        check_is_fitted(self)
        if y is not None or self._encoder.ndim_ == 0:
            return self._logits(self._read_judged(X, y, condition))
        source = seeds_of([self._seed, 2], 1)[0]
        rows = source.integers(len(self._known_y), size=_CONDITIONS)
        X = self._read_X(X, reset=False)
        found = [
            self._logits(
                self._read_judged(
                    X, pick_rows(self._known_y, np.repeat(row, len(X))), condition
                )
            )
            for row in rows
        ]
        return logsumexp(np.stack(found), axis=0) - np.log(_CONDITIONS)

    def evaluate(
        self,
        X: Any,
        y: Any = None,
        metrics: Any = "all",
        *,
        condition: Any = None,
        X_train: Any = None,
        y_train: Any = None,
    ) -> dict[str, float]:
        """Compute metrics of the samples, and of real data for comparison.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, ...)
            Real samples that training has not seen.
        y : array-like of shape (n_samples,), default=None
            Their conditions.
        metrics : "all", str or list of str, default="all"
            Names, see :func:`~mlmi_sklearn.metrics.evaluate_synthetic`.
        condition : array-like, default=None
            As in ``fit``.
        X_train, y_train : array-like, default=None
            The training data: the reference for every metric, and what memorisation
            is judged by. Without them, halves of ``X`` serve as reference, and
            memorisation is left out.

        Returns
        -------
        dict of str to float
            For each metric ``name`` and ``name_real``: the same metric with real data
            in place of samples, the best that can be expected.
        """
        check_is_fitted(self)
        inputs = self._read_judged(X, y, condition)
        found = self._counterpart(self.net_.module_, inputs, self._seed)
        real, target = inputs.original[:2]
        train = (X_train, y_train)
        table = evaluate_synthetic(*train, real, target, found, target, metrics)
        columns = {"synthetic": "", "real": "_real"}
        return {
            f"{name}{ending}": float(table.loc[name, column])
            for name in table.index
            for column, ending in columns.items()
        }

    def objective(
        self, X: Any, y: Any = None, *, condition: Any = None
    ) -> tuple[float, float]:
        r"""Compute the objectives of both players on data.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, ...)
            Real samples.
        y : array-like, default=None
            Their conditions, for which as many samples are drawn.
        condition : array-like, default=None
            As in ``fit``.

        Returns
        -------
        J_D : float
            :math:`J_D = -\frac12 E \log D(x, y) - \frac12 E \log(1 - D(G(z, y), y))`,
            with the sigmoid of the logits as D, whatever ``loss`` is.
        J_G : float
            :math:`J_G = -\frac12 E \log D(G(z, y), y)`. Where the players are balanced,
            D is 1/2 and these are log 2 and (log 2) / 2.

        References
        ----------
        Goodfellow et al., *Generative adversarial nets*, NeurIPS 2014, equation 1 and
        section 3; Mirza and Osindero, *Conditional generative adversarial nets*, 2014,
        equation 2.
        """
        check_is_fitted(self)
        inputs = self._read_judged(X, y, condition)
        source = seeds_of([self._seed, 3], 1)[0]
        vector, maps = self._condition_tensors(inputs)
        fake = draw_samples(
            self.net_.module_, len(inputs), source, vector, maps, live=True
        )
        on_real, on_fake = (
            torch.from_numpy(self._logits(inputs, x)) for x in (inputs.values, fake)
        )
        judged, made = objective(on_real, on_fake)
        return float(judged), float(made)

    # -- shared -----------------------------------------------------------------------

    def _read_judged(self, X: Any, y: Any, condition: Any) -> GANInputs:
        """Read real data as it is judged, with what fit has learned."""
        X = self._read_X(X, reset=False)
        codec, encoder = self._codec, self._encoder
        values = np.asarray(codec.encode(X), dtype=np.float32)
        y = self._read_y(y, len(values)) if encoder.ndim_ else None
        self._require_alike(y, encoder)
        numbers, maps, _ = self._read_condition(
            condition, len(values), values.shape[2:], reset=False
        )
        vector = joined_vector(encoder, y, numbers)
        known = {"_codec": codec}
        return GANInputs(values, vector, maps, None, None, (X, y, condition), known)

    def _condition_tensors(self, inputs: GANInputs) -> list[Any]:
        return [
            None if a is None else as_tensor(a, torch.float32)
            for a in (inputs.vector, inputs.maps)
        ]

    def _logits(self, inputs: GANInputs, values: Array | None = None) -> Array:
        """Return the logits of samples in model space, those of the inputs if None."""
        x = as_tensor(inputs.values if values is None else values, torch.float32)
        critic = self.net_.module_.discriminator
        given = [x, *self._condition_tensors(inputs)]
        device = torch.device(self.device_)
        parts = []
        with torch.inference_mode():
            for i in range(0, len(x), _ROWS):
                real = min(_ROWS, len(x) - i)
                # Always as many rows: a product of another size may round differently.
                batch = [
                    None if t is None else filled(t[i : i + real], _ROWS).to(device)
                    for t in given
                ]
                parts.append(critic(*batch)[:real])
        return torch.cat(parts).double().cpu().numpy()

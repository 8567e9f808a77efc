"""A term for any loss: the outputs of a net shall look like samples of a reference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from numbers import Integral
from typing import Any

import torch
from sklearn.utils import check_random_state
from torch import Tensor, nn

from ..base.parts import build_backbone, resolve_part
from ..nn._checks import check_choice, check_interval, check_positive_int
from ..nn.adversarial import LeastSquares, NonSaturating, WassersteinGP
from ..nn.adversarial.opponent import Opponent, Standardization
from ..nn.divergences import MMDDivergence
from ..nn.divergences.critics import Critic
from ..specs import ComponentSpec
from ..training.seeding import borrowed_generator, draws_random_numbers

__all__ = ["AdversarialRegularizer", "RegularizedLoss"]

# The loss that a divergence is measured by, the usual weight of its penalty, and the
# usual number of steps of its critic.
_LOSSES: dict[str, tuple[Any, float, int]] = {
    "js": (NonSaturating, 0.1, 1),
    "ls": (LeastSquares, 0.1, 1),
    "wasserstein": (WassersteinGP, 5.0, 3),
}
_HIDDEN = (100, 100)
_CPU = torch.device("cpu")


class AdversarialRegularizer(nn.Module):
    r"""Distance between the outputs of a net and a reference set of samples.

    A critic learns to tell the outputs of a net from samples of a reference set, and
    the net learns to make outputs that the critic takes for samples. So everything that
    is typical of the reference set becomes a wish for the outputs, without a formula
    for it: that deformations be plausible, shapes be anatomical, predictions be spread
    as labels are.

    Add ``regularizer(output)`` to the loss, in a loop or in skorch. In training mode
    each call first trains the critic on the outputs, with an optimiser of its own;
    nothing else has to be done. After ``eval()``, and under ``torch.no_grad()``, the
    critic stays as it is.

    Parameters
    ----------
    reference : array-like or Tensor of shape (n, \*shape)
        The samples; `shape` is that of one output: a vector, an image or a field
        (C, H, W), a volume (C, D, H, W), or anything else.
    divergence : {"js", "ls", "wasserstein", "mmd"}, default="js"
        How distance is measured: "js" by a discriminator's log loss (Jensen-Shannon),
        "ls" by its squared loss (Pearson's :math:`\chi^2`), "wasserstein" by a critic
        with slopes of at most one, "mmd" by kernels (maximum mean discrepancy), without
        a critic.
    weight : float, default=1.0
        Factor of the value, not negative. With 0 nothing at all is done.
    critic : int, sequence of int, str, spec, callable or nn.Module, default="auto"
        Numbers are units of the hidden layers of the critic of
        :class:`~mlmi_sklearn.DANNClassifier`, which sees flattened outputs; anything
        else is a backbone as in all estimators, whose features a linear layer scores.
        "auto" takes ``"strided-conv"`` for images and volumes, hidden layers of
        (100, 100) otherwise.
    lr : float, default=1e-3
        Step size of the critic (Adam), greater than 0.
    n_critic : int or None, default=None
        Steps of the critic a call; None for 3 with "wasserstein" and 1 otherwise.
    penalty : float or None, default=None
        Weight of the penalty on slopes of the critic, not negative: on all slopes at
        samples of the reference (R1) for "js" and "ls", on those above one for
        "wasserstein". None for 0.1 and 5.
    random_state : int, RandomState instance or None, default=None
        Source of the critic's first weights and of the draws from the reference.

    Attributes
    ----------
    critic_loss_ : Tensor of shape () or None
        Last loss of the critic. For "js" it is log 2, for "ls" a quarter, where outputs
        cannot be told from the reference; for "wasserstein" minus the distance.

    Raises
    ------
    ValueError
        If the reference is empty or not finite, a parameter is out of its range, or
        outputs have another shape than the reference.

    Notes
    -----
    What the critic sees is centred and scaled by the reference: features one by one,
    images channel by channel. Distances are in that unit.

    The values are those of the losses of a generator: for "js"
    :math:`-\frac12 E \log D`, (log 2) / 2 at best; for "ls"
    :math:`\frac12 E (D - 1)^2`, an eighth at best; for "wasserstein" and "mmd" an
    estimate of the distance, which can fall below zero.

    Weights of the critic do not move with those of a net, even where one optimiser has
    been given both. The reference is not part of ``state_dict``.

    References
    ----------
    Hu et al., *Adversarial deformation regularization for training image registration
    neural networks*, MICCAI 2018, equations 2 to 4. Goodfellow et al., *Generative
    adversarial nets*, NeurIPS 2014. Petzka, Fischer and Lukovnikov, *On the
    regularization of Wasserstein GANs*, ICLR 2018. Ganin et al., *Domain-adversarial
    training of neural networks*, JMLR 17 (2016), where features take the place of
    outputs.

    Examples
    --------
    >>> import torch
    >>> from mlmi_sklearn import AdversarialRegularizer
    >>> reference = torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
    >>> regularizer = AdversarialRegularizer(reference, "mmd", random_state=0)
    >>> far, near = reference[:200] + 3, reference[:200]
    >>> bool(regularizer(far) > regularizer(near))
    True
    """

    reference: Tensor

    def __init__(
        self,
        reference: Any,
        divergence: str = "js",
        *,
        weight: float = 1.0,
        critic: Any = "auto",
        lr: float = 1e-3,
        n_critic: int | None = None,
        penalty: float | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__()
        self.divergence = check_choice(divergence, "divergence", [*_LOSSES, "mmd"])
        self.weight = check_interval(weight, "weight")
        *_, usual = _LOSSES.get(divergence, (None, 0, 1))
        self.n_critic = check_positive_int(
            usual if n_critic is None else n_critic, "n_critic"
        )
        self.register_buffer("reference", _read(reference), persistent=False)
        self._seed = int(check_random_state(random_state).randint(2**31 - 1))
        self._step = 0
        self.critic_loss_: Tensor | None = None
        self.scale = Standardization(self.reference)
        self.opponent: Opponent | None = None
        if divergence == "mmd":
            if critic != "auto":
                raise ValueError(
                    "divergence='mmd' has no critic, so critic must be 'auto'; choose "
                    "'js', 'ls' or 'wasserstein' to use one."
                )
            self.kernels = MMDDivergence(self.reference[0].numel(), unbiased=True)
        else:
            self.opponent = self._make_opponent(critic, lr, penalty)

    def extra_repr(self) -> str:
        """Return what printing shows beside the parts."""
        n, *shape = self.reference.shape
        return f"{self.divergence!r}, weight={self.weight:g}, {n} samples of {shape}"

    def forward(self, output: Tensor) -> Tensor:
        """Train the critic on outputs, and return how far they are from the reference.

        Parameters
        ----------
        output : Tensor of shape (B, *shape)
            A batch of outputs.

        Returns
        -------
        Tensor of shape ()
            The weighted value, to be added to a loss; in single precision at least.

        Raises
        ------
        ValueError
            If the shape is not that of the reference.
        """
        if self.weight == 0:
            return output.new_zeros(())
        self._check(output)
        with torch.autocast(output.device.type, enabled=False):
            x = output if output.dtype == torch.float64 else output.float()
            if (x.device, x.dtype) != (self.reference.device, self.reference.dtype):
                self.to(x.device, x.dtype)
            learns = self.training and torch.is_grad_enabled()
            # Validation draws the same samples each time, and leaves training alone.
            step = self._step if learns else -1
            self._step += learns
            generator = torch.Generator().manual_seed(self._seed * 2**31 + 1 + step)
            with self._own_numbers(generator):
                return self.weight * self._value(self.scale(x), generator, learns)

    def _value(self, x: Tensor, generator: torch.Generator, learns: bool) -> Tensor:
        real = self._draw(len(x), generator)
        if self.opponent is None:
            return self.kernels(real, x.reshape(len(x), -1))
        for turn in range(self.n_critic if learns else 0):
            if turn:
                real = self._draw(len(x), generator)
            self.critic_loss_ = self.opponent.teach(real, x, generator)
        value = self.opponent.score(x)
        if self.divergence == "wasserstein":
            # A constant for the net, which makes a distance of the value.
            with torch.no_grad():
                at_best = self.opponent.score(real)
            value = value - at_best
        return value

    def _draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Return scaled samples of the reference, drawn with replacement."""
        rows = torch.randint(len(self.reference), (n,), generator=generator)
        real = self.scale(self.reference[rows.to(self.reference.device)])
        return real.reshape(n, -1) if self.opponent is None else real

    def _own_numbers(self, generator: torch.Generator) -> AbstractContextManager[None]:
        """Lend a critic with dropout, say, a random stream that is not the user's."""
        if self.opponent is None or not draws_random_numbers(self.opponent.critic):
            return nullcontext()
        seed = torch.randint(2**31 - 1, (), generator=generator).item()
        return borrowed_generator(int(seed), self.reference.device)

    def _make_opponent(self, critic: Any, lr: float, penalty: float | None) -> Opponent:
        make_loss, usual, _ = _LOSSES[self.divergence]
        with borrowed_generator(self._seed, _CPU):
            net = _make_critic(critic, tuple(self.reference.shape[1:]))
        net.to(self.reference.dtype)
        return Opponent(net, make_loss(), lr, usual if penalty is None else penalty)

    def _check(self, output: Tensor) -> None:
        if output.shape[1:] != self.reference.shape[1:] or not len(output):
            raise ValueError(
                f"outputs have shape {tuple(output.shape)}, but the reference holds "
                f"samples of shape {tuple(self.reference.shape[1:])}; both must agree "
                "but for the number of samples, and there must be one at least."
            )

    def get_extra_state(self) -> dict[str, int]:
        """Return how many draws there have been, for ``state_dict``."""
        return {"seed": self._seed, "step": self._step}

    def set_extra_state(self, state: dict[str, int]) -> None:
        """Go on from there."""
        self._seed, self._step = state["seed"], state["step"]


class RegularizedLoss(nn.Module):
    """A loss with a term for the outputs as a whole.

    It can be the ``loss`` of an estimator, whose net then learns from labels and from
    the regulariser. It sees raw outputs: those of a regressor are in units of
    standardised targets, those of a classifier are logits.

    Parameters
    ----------
    loss : str, spec or callable
        A registered loss, or ``(raw, target) -> losses``.
    regularizer : callable
        ``(raw) -> scalar``, such as :class:`AdversarialRegularizer`.

    Attributes
    ----------
    link : str
        That of the loss.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn import NetRegressor
    >>> from mlmi_sklearn.generation.regularizer import (
    ...     AdversarialRegularizer, RegularizedLoss
    ... )
    >>> rng = np.random.default_rng(0)
    >>> regularizer = AdversarialRegularizer(rng.normal(size=(500, 1)), random_state=0)
    >>> loss = RegularizedLoss("mse", regularizer)
    >>> net = NetRegressor(loss=loss, max_epochs=2, random_state=0)
    >>> net.fit(rng.normal(size=(50, 3)), rng.normal(size=50)).n_iter_
    2
    """

    def __init__(self, loss: Any, regularizer: Any) -> None:
        super().__init__()
        named = isinstance(loss, str | ComponentSpec)
        self.loss = resolve_part("loss", loss).build() if named else loss
        self.regularizer = regularizer
        self.link = getattr(self.loss, "link", "identity")

    def forward(self, raw: Tensor, target: Tensor) -> Tensor:
        """Return the losses, each with the value of the regulariser added.

        Parameters
        ----------
        raw : Tensor of shape (B, K)
            Outputs.
        target : Tensor
            As the loss takes it.

        Returns
        -------
        Tensor of shape (B,), or () if the loss is reduced
            Their mean, weighted or not, is the mean loss plus the value.
        """
        return self.loss(raw, target) + self.regularizer(raw)


def _read(reference: Any) -> Tensor:
    """Return the reference as a tensor, of float64 if it has it, else of float32."""
    samples = torch.as_tensor(reference).detach().clone()
    if samples.ndim == 0 or not samples.numel():
        raise ValueError(
            f"reference must hold at least one sample, (n, ...), got shape "
            f"{tuple(samples.shape)}."
        )
    if samples.is_complex():
        raise ValueError(f"reference must hold real numbers, got {samples.dtype}.")
    samples = samples if samples.dtype == torch.float64 else samples.float()
    if not samples.isfinite().all():
        raise ValueError("reference must be finite, got NaN or infinity.")
    return samples


def _make_critic(critic: Any, shape: tuple[int, ...]) -> nn.Module:
    """Build the net that scores samples of a shape."""
    if isinstance(critic, str) and critic == "auto":
        critic = "strided-conv" if len(shape) in (3, 4) else _HIDDEN
    if isinstance(critic, Integral | Sequence) and not isinstance(critic, str):
        hidden = (int(critic),) if isinstance(critic, Integral) else tuple(critic)
        net = Critic(math.prod(shape), hidden, activation="leaky-relu")
        return net if len(shape) == 1 else nn.Sequential(_Rows(), net)
    backbone: Any = build_backbone(resolve_part("backbone", critic, shape), shape)
    return nn.Sequential(backbone, nn.Linear(backbone.out_features, 1))


class _Rows(nn.Module):
    """Make a vector of each sample, also of a single number."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, D)."""
        return x.reshape(len(x), -1)

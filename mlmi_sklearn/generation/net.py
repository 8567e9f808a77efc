"""Two nets with an optimiser each, trained against each other in one skorch net."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ..exceptions import TrainingDivergedError
from ..nn.generation import GANModel
from ..training.net import LeanNet
from ..training.optim import optimizer_options
from ..training.seeding import generator_on_cpu
from ..training.stepping import Stepper
from ..training.uncompiled import without_compiler
from .batches import Conditioned, GANBatches, GANData
from .mixed import Players, in_precision
from .objective import Objective, Settings

__all__ = ["GANNet"]

# Batches over which the statistics of the average generator are measured.
_NORM_BATCHES = 30

# Samples from which shares of categories are measured, at least.
_SHARE_ROWS = 4096


class GANNet(LeanNet):
    """A net whose epochs are runs of steps of a generator and its discriminator.

    Parameters
    ----------
    module : GANModel
        Both players and the average of the generator.
    criterion : object
        Component of the kind "adversarial-loss".
    *args, **kwargs
        As in :class:`~mlmi_sklearn.training.net.LeanNet`.
    settings : Settings
        What is added to the losses.
    discriminator_lr : float or None
        Rate of the discriminator; None for that of the generator.
    averaging : float
        Decay of the running mean of the generator; 0 keeps its last weights.
    noise_seed : int
        Seed of latent vectors and augmentations.
    n_steps : int or None
        Steps of the generator in all; None for whole epochs.
    steps_before : int
        Steps that this training continues.
    n_planned : int
        Steps of a series of short trainings, which the schedule of rates goes by.

    Attributes
    ----------
    optimizer_, optimizer_discriminator_ : Optimizer
        Of the generator and of the discriminator.
    """

    module_: GANModel
    changes = (*LeanNet.changes, "optimizer_discriminator_", "draws_")

    def __init__(
        self,
        *args: Any,
        settings: Settings | None = None,
        discriminator_lr: float | None = None,
        averaging: float = 0.0,
        noise_seed: int = 0,
        n_steps: int | None = None,
        steps_before: int = 0,
        n_planned: int = 0,
        **kwargs: Any,
    ) -> None:
        self.settings = settings
        self.discriminator_lr = discriminator_lr
        self.averaging = averaging
        self.noise_seed = noise_seed
        self.n_steps = n_steps
        self.steps_before = steps_before
        self.n_planned = n_planned
        super().__init__(*args, **kwargs)

    # -- construction ---------------------------------------------------------------

    def initialize_optimizer(self, triggered_directly: Any = None) -> GANNet:
        """Give each player an optimiser."""
        options = dict(self.get_params_for("optimizer"))
        players = (self.module_.sampler, self.module_.discriminator)
        rates = (self.lr, self.discriminator_lr or self.lr)
        self.optimizer_, self.optimizer_discriminator_ = (
            self._optimizer_of(player, {**options, "lr": rate})
            for player, rate in zip(players, rates, strict=True)
        )
        optimizers = (self.optimizer_, self.optimizer_discriminator_)
        self.base_rates_ = [
            [group["lr"] for group in optimizer.param_groups]
            for optimizer in optimizers
        ]
        return self

    def _optimizer_of(self, player: nn.Module, options: dict[str, Any]) -> Any:
        """Return an optimiser; a player without weights gets a dummy one."""
        dummy = nn.Parameter(torch.zeros(1))
        weights = list(player.parameters()) or [dummy]
        factory: Any = self.optimizer
        known = optimizer_options(factory, 0.0, weights)
        if "fused" not in known:
            options.pop("fused", None)
        if not _takes(factory, "betas"):  # momenta of Adam and its kin
            options.pop("betas", None)
        with without_compiler():
            return factory(weights, **options)

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Draw batches of rows with their conditions."""
        if not isinstance(dataset, GANData):
            return super().get_iterator(dataset, training)
        return GANBatches(
            dataset, self.batch_size, self.generator or generator_on_cpu(0)
        )

    # -- training -------------------------------------------------------------------

    def fit_loop(
        self, X: Any, y: Any = None, epochs: int | None = None, **kwargs: Any
    ) -> GANNet:
        """Train, and leave the average generator ready to draw samples."""
        device = torch.device(self.device)
        self.draws_ = torch.Generator(device).manual_seed(self.noise_seed)
        self.objective_ = Objective(
            self.criterion_, self.settings or Settings(), self.draws_
        )
        self.average_ = self.module_.averaging()
        both = self.module_.sampler, self.module_.discriminator
        self.players_ = Players(
            *(in_precision(player, device, self.amp_dtype) for player in both)
        )
        self.judge_stepper_ = Stepper(self.optimizer_discriminator_)
        self.own_weights_ = list(self.module_.sampler.parameters())
        self.judge_weights_ = list(self.module_.discriminator.parameters())
        self.data_ = X
        self.average_is_ready_ = False
        super().fit_loop(X, y, epochs, **kwargs)
        self.prepare_average()
        return self

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **kwargs: Any
    ) -> None:
        """Run some steps and record the losses of both players."""
        if iterator is None:
            return
        self._set_training(True)
        self.module_.average.eval()
        self.average_is_ready_ = False
        self.epoch_is_fresh_ = True
        if self.n_steps is not None:  # the last run may be a short one
            iterator.n_steps = min(iterator.n_steps, self.n_steps - self.steps_done_)
        self.steps_in_epoch_ = len(iterator)
        self._listened = self._has_batch_listeners()
        self.stepper_.begin()
        self.judge_stepper_.begin()
        try:
            found = [self._notified_step(batch) for batch in iterator]
        finally:
            self.stepper_.end()
            self.judge_stepper_.end()
        self._record_players(torch.stack(found).double().cpu())

    def _notified_step(self, batch: Conditioned) -> Tensor:
        """Take a step, and tell callbacks that listen to batches."""
        if not self._listened:
            return self._play(batch)
        self.notify("on_batch_begin", batch=(batch, None), training=True)
        losses = self._play(batch)
        self.history.record_batch("train_loss", float(losses[0]))
        self.history.record_batch("train_batch_size", len(batch.x))
        self.notify("on_batch_end", batch=(batch, None), training=True)
        return losses

    def on_batch_begin(self, net: Any, batch: Any = None, **kwargs: Any) -> None:
        """Open a row of the history for a batch."""
        self.history.new_batch()

    def _play(self, batch: Conditioned) -> Tensor:
        """Take one step of each player; return the losses and the mean logit gap."""
        if self.schedule is not None:
            self._follow_schedule()
        size = len(batch.x) // self.data_.n_critic
        for k in range(self.data_.n_critic - 1):
            extra = batch.narrow(k * size, (k + 1) * size)
            with torch.no_grad():
                fake = self.players_.maker(self._latent(size), *extra.conditions)
            self._judge_step(extra, fake)
        last = batch.narrow(len(batch.x) - size, len(batch.x))
        z = self._latent(size)
        fake = self.players_.maker(z, *last.conditions)
        judged = self._judge_step(last, fake.detach())
        made = self._generator_step(last, fake, z)
        return torch.stack([judged, made])

    def _judge_step(self, batch: Conditioned, fake: Tensor) -> Tensor:
        for weight in self.judge_weights_:
            weight.grad = None
        loss = self.objective_.discriminator(
            self.players_.judge, batch, fake, self.steps_done_
        )
        self._backward(loss)
        self._judge_moves()
        return loss.detach()

    def _generator_step(self, batch: Conditioned, fake: Tensor, z: Tensor) -> Tensor:
        """Reuse the samples that the discriminator has just seen: one pass less."""
        for weight in self.own_weights_:
            weight.grad = None
        for weight in self.judge_weights_:
            weight.requires_grad_(False)
        loss = self.objective_.generator_loss(self.players_.judge, batch, fake)
        total = loss
        if self.objective_.settings.diversity:
            again = self._latent(len(z))
            maker = self.players_.maker
            total = loss + self.objective_.diversity(maker, batch, fake, z, again)
        self._backward(total)
        for weight in self.judge_weights_:
            weight.requires_grad_(True)
        self._step(loss.detach())
        # Early on the mean must forget the first weights, which are random.
        ramp = (1 + self.steps_done_) / (10 + self.steps_done_)
        self.average_.update(min(self.averaging, ramp))
        return loss.detach()

    def _backward(self, loss: Tensor) -> None:
        """Compute gradients, scaled up where half precision would round them away."""
        (loss if self.scaler_ is None else self.scaler_.scale(loss)).backward()

    def _judge_moves(self) -> None:
        """Take the step of the discriminator."""
        if self.scaler_ is None:
            self.judge_stepper_.step()
            return
        self.scaler_.step(self.optimizer_discriminator_)
        self.scaler_.update()

    def _latent(self, n: int) -> Tensor:
        like = self.own_weights_[0] if self.own_weights_ else torch.zeros(1)
        return torch.randn(
            n,
            self.module_.sampler.noise_dim,
            generator=self.draws_,
            device=self.draws_.device,
            dtype=like.dtype,
        )

    def _follow_schedule(self) -> None:
        planned = self.n_steps or self.n_planned
        before = 0 if self.n_steps else self.steps_before
        share = (before + self.steps_done_) / max(planned, 1)
        assert self.schedule is not None
        factor = self.schedule(min(share, 1.0))
        optimizers = (self.optimizer_, self.optimizer_discriminator_)
        for optimizer, rates in zip(optimizers, self.base_rates_, strict=True):
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * factor

    def _record_players(self, losses: Tensor) -> None:
        bad = torch.nonzero(~torch.isfinite(losses).all(1))
        if len(bad):
            self._diverged(int(bad[0]) + 1)
        judged, made = losses.mean(0).tolist()
        self.history.record("train_loss", judged)
        self.history.record("discriminator_loss", judged)
        self.history.record("generator_loss", made)
        self.history.record("lr", self.optimizer_.param_groups[0]["lr"])
        self.history.record("step", self.steps_before + self.steps_done_)
        best = self.best_losses_.get("train_loss", math.inf)
        self.best_losses_["train_loss"] = min(best, judged)
        self.history.record("train_loss_best", judged < best)

    def _diverged(self, step: int) -> None:
        self.snapshot_.restore()
        epoch = len(self.history)
        at = step + (epoch - 1) * self.data_.steps_per_epoch
        raise TrainingDivergedError(_DIVERGED.format(step=at), epoch, step)

    # -- the average generator ----------------------------------------------------

    def prepare_average(self) -> None:
        """Give the average generator what is not learned."""
        if self.average_is_ready_:
            return
        self.average_.copy_buffers()
        kept = self.draws_
        self.draws_ = torch.Generator(kept.device).manual_seed(self.noise_seed)
        self.module_.renew_norms(self._conditions(self.data_, _NORM_BATCHES))
        rows = self.data_.all
        if rows.x.ndim == 2:
            # As many of each condition as there are, unlike in balanced batches.
            plain = GANData(rows, None, 1, 1)
            steps = -(
                -max(_SHARE_ROWS, min(len(rows.x), 4 * _SHARE_ROWS)) // self.batch_size
            )
            draws = self._conditions(plain, steps)
            self.module_.match_shares(draws, rows.x.mean(0))
        self.draws_ = kept
        self.average_is_ready_ = True
        self.module_.eval()

    def _conditions(self, data: GANData, n_batches: int) -> Iterator[tuple[Any, ...]]:
        """Yield latent vectors and conditions of batches of the data."""
        draws = generator_on_cpu(self.noise_seed)
        for batch in GANBatches(data, self.batch_size, draws, n_batches):
            yield self._latent(len(batch.x)), batch.vector, batch.maps


def _takes(factory: Any, name: str) -> bool:
    """Tell whether a callable has a keyword argument of that name."""
    parameters = inspect.signature(factory).parameters
    kinds = [p.kind for p in parameters.values()]
    return name in parameters or inspect.Parameter.VAR_KEYWORD in kinds


_DIVERGED = (
    "Training diverged: the loss of a player became NaN or infinite in step {step}. "
    "Try a smaller lr, a larger r1, or loss='nonsaturating'; check X for extreme "
    "values (preprocess='auto' scales them)."
)

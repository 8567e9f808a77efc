"""Training of translators against their judges."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ..nn.adversarial import gradient_penalty
from ..nn.generation.translation import FakePool
from ..training.seeding import generator_on_cpu
from .batches import Conditioned, GANBatches, GANData
from .net import GANNet

__all__ = ["TranslationData", "TranslationNet", "Weights"]

# What one translation is judged by: its direction, input, truth or example, and output.
_Case = tuple[str, Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Weights:
    """What is added to the adversarial losses.

    Parameters
    ----------
    l1 : float
        Weight of the distance to the truth.
    cycle : float
        Weight of the distance between an input and itself, there and back.
    identity : float
        Weight, relative to ``cycle``, of what a translator changes in samples that are
        already as its outputs are to be.
    pool_size : int
        Past outputs that each judge goes on seeing.
    augment : callable or None
        Random change, the same for both images of a pair.
    """

    l1: float = 100.0
    cycle: float = 10.0
    identity: float = 0.5
    pool_size: int = 50
    augment: Callable[[Tensor, torch.Generator], Tensor] | None = None


class TranslationData(GANData):
    """Rows of one fit.

    Parameters
    ----------
    source, target : Tensor of shape (n, ...)
        What is translated, and into what.
    paired : bool
        Whether rows belong together.
    steps_per_epoch : int
        Steps that make one row of the history.
    """

    def __init__(
        self, source: Tensor, target: Tensor, paired: bool, steps_per_epoch: int
    ) -> None:
        rows = Conditioned(source, maps=target if paired else None)
        super().__init__(rows, None, steps_per_epoch, 1)
        self.other: GANData | None = None
        if not paired:
            self.other = GANData(Conditioned(target), None, steps_per_epoch, 1)


class TranslationBatches:
    """Pairs of batches of one row of the history.

    Parameters
    ----------
    data : TranslationData
        The rows.
    batch_size : int
        Rows in a batch; a smaller set gives smaller batches.
    generator : torch.Generator
        Source of the draws, on the CPU.

    Attributes
    ----------
    n_steps : int
        Batches, those of the data unless fewer steps are left.
    """

    def __init__(
        self, data: TranslationData, batch_size: int, generator: torch.Generator
    ) -> None:
        self.data = data
        fewest = len(data) if data.other is None else min(len(data), len(data.other))
        self.size = min(batch_size, max(fewest, 2))
        self.generator = generator
        self.n_steps = data.steps_per_epoch

    def __len__(self) -> int:
        return self.n_steps

    def __iter__(self) -> Iterator[Conditioned]:
        options = self.size, self.generator, self.n_steps
        here = GANBatches(self.data, *options)
        if self.data.other is None:
            yield from here
            return
        for a, b in zip(here, GANBatches(self.data.other, *options), strict=True):
            yield Conditioned(a.x, maps=b.x)


class TranslationNet(GANNet):
    """A net whose steps train translators and their judges.

    Parameters
    ----------
    *args, **kwargs
        As in :class:`~.net.GANNet`; ``settings`` are not used.
    weights : Weights
        What is added to the adversarial losses.
    """

    # A TranslationModel: what a GANNet uses of its model has the same names there.
    module_: Any
    changes = (*GANNet.changes, "pools_")

    def __init__(
        self, *args: Any, weights: Weights | None = None, **kwargs: Any
    ) -> None:
        self.weights = weights
        super().__init__(*args, **kwargs)

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Draw batches of inputs and targets."""
        if not isinstance(dataset, TranslationData):
            return super().get_iterator(dataset, training)
        source = self.generator or generator_on_cpu(0)
        return TranslationBatches(dataset, self.batch_size, source)

    def fit_loop(
        self, X: Any, y: Any = None, epochs: int | None = None, **kwargs: Any
    ) -> TranslationNet:
        """Train, and leave the average translators ready."""
        self.weights_ = self.weights or Weights()
        size = self.weights_.pool_size
        self.pools_ = {name: FakePool(size) for name in self.module_.sampler}
        super().fit_loop(X, y, epochs, **kwargs)
        return self

    # -- one step -------------------------------------------------------------------

    def _play(self, batch: Conditioned) -> Tensor:
        """Take one step of all nets; return the losses."""
        if self.schedule is not None:
            self._follow_schedule()
        assert batch.maps is not None
        x, y = self._changed(batch.x, batch.maps)
        if self.data_.other is None:
            cases, added = self._with_truth(x, y)
        else:
            cases, added = self._there_and_back(x, y)
        judged = self._judges_step(cases)
        made = self._translators_step(cases, added)
        return torch.stack([judged, made, *(part.detach() for part, _ in added)])

    def _changed(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Augment: both images of a pair in the same way."""
        augment = self.weights_.augment
        if augment is None:
            return x, y
        if self.data_.other is not None:
            return augment(x, self.draws_), augment(y, self.draws_)
        both = augment(torch.cat([x, y], 1), self.draws_)
        return both[:, : x.shape[1]], both[:, x.shape[1] :]

    def _with_truth(
        self, x: Tensor, y: Tensor
    ) -> tuple[list[_Case], list[tuple[Tensor, float]]]:
        fake = self.players_.maker["there"](x)
        away = functional.l1_loss(fake, y)
        return [("there", x, y, fake)], [(away, self.weights_.l1)]

    def _there_and_back(
        self, x: Tensor, y: Tensor
    ) -> tuple[list[_Case], list[tuple[Tensor, float]]]:
        there, back = (self.players_.maker[name] for name in ("there", "back"))
        fake_y, fake_x = there(x), back(y)
        lost = functional.l1_loss(back(fake_y), x)
        lost = lost + functional.l1_loss(there(fake_x), y)
        added = [(lost, self.weights_.cycle)]
        weight = self.weights_.cycle * self.weights_.identity
        if weight and x.shape[1:] == y.shape[1:]:
            moved = functional.l1_loss(there(y), y) + functional.l1_loss(back(x), x)
            added.append((moved, weight))
        return [("there", x, y, fake_y), ("back", y, x, fake_x)], added

    def _judges_step(self, cases: list[_Case]) -> Tensor:
        for weight in self.judge_weights_:
            weight.grad = None
        loss = torch.stack([self._judged(*case) for case in cases]).sum()
        self._backward(loss)
        self._judge_moves()
        return loss.detach()

    def _judged(self, name: str, x: Tensor, real: Tensor, fake: Tensor) -> Tensor:
        """Return the loss of one judge."""
        judge, fake = self.players_.judge[name], fake.detach()
        if self.data_.other is not None:
            # A past output has no input beside it, but here none is looked at.
            fake = self.pools_[name].swap(fake, self.draws_)
        loss: Tensor = self.criterion_.discriminator(judge(real, x), judge(fake, x))
        slope = float(getattr(self.criterion_, "gradient_penalty", 0.0) or 0.0)
        if slope:
            rate = gradient_penalty(lambda y: judge(y, x), real, fake, self.draws_)
            loss = loss + slope * rate
        return loss

    def _translators_step(
        self, cases: list[_Case], added: list[tuple[Tensor, float]]
    ) -> Tensor:
        for weight in self.own_weights_:
            weight.grad = None
        for weight in self.judge_weights_:
            weight.requires_grad_(False)
        losses = [
            self.criterion_.generator(self.players_.judge[name](fake, x))
            for name, x, _, fake in cases
        ]
        made = torch.stack(losses).sum()
        total = made
        for part, factor in added:
            total = total + factor * part
        self._backward(total)
        for weight in self.judge_weights_:
            weight.requires_grad_(True)
        self._step(total.detach())
        # Early on the mean must forget the first weights, which are random.
        ramp = (1 + self.steps_done_) / (10 + self.steps_done_)
        self.average_.update(min(self.averaging, ramp))
        return made.detach()

    # -- bookkeeping ------------------------------------------------------------------

    def _record_players(self, losses: Tensor) -> None:
        bad = ~torch.isfinite(losses).all(1)
        players = losses[:, :2].clone()
        players[bad] = torch.nan
        super()._record_players(players)
        names = ("l1",) if self.data_.other is None else ("cycle", "identity")
        for name, value in zip(names, losses[:, 2:].mean(0).tolist(), strict=False):
            self.history.record(name, value)

    def prepare_average(self) -> None:
        """Give the average translators what is not learned."""
        self.average_.copy_buffers()
        self.module_.eval()

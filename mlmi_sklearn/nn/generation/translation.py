"""Nets that turn one image or row into another, and those that judge them."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .averaging import WeightAverage

__all__ = ["FakePool", "Judge", "TranslationModel", "Translator", "fitted_to"]

_MODES = {2: "bilinear", 3: "trilinear"}


def fitted_to(images: Tensor, spatial: Sequence[int]) -> Tensor:
    """Interpolate images or volumes to a size; rows and those that have it stay.

    Parameters
    ----------
    images : Tensor of shape (B, C, ...) or (B, n_features)
        What to resize.
    spatial : sequence of int
        Height and width, after a depth for volumes; nothing for rows.

    Returns
    -------
    Tensor of shape (B, C, *spatial)
        The resized images.
    """
    size = tuple(spatial)
    if tuple(images.shape[2:]) == size:
        return images
    return functional.interpolate(images, size, mode=_MODES[len(size)])


class Translator(nn.Module):
    """A generator without chance: an output for an input.

    Parameters
    ----------
    generator : nn.Module
        Component of the kind "generator", made with ``latent_dim=0``.
    output_shape : sequence of int
        Shape of one output, (n_features,) or (C, H, W) or (C, D, H, W).

    Examples
    --------
    >>> from mlmi_sklearn.nn.generators import MLPGenerator
    >>> net = Translator(MLPGenerator(0, (2,), 3, norm="none"), (2,))
    >>> net(torch.zeros(4, 3)).shape
    torch.Size([4, 2])
    """

    def __init__(self, generator: nn.Module, output_shape: Sequence[int]) -> None:
        super().__init__()
        self.generator = generator
        self.output_shape = tuple(output_shape)
        # Noise that a generator wants is left out: a translation is a function.
        self.noise_features = int(getattr(generator, "noise_features", 0))

    def forward(self, x: Tensor) -> Tensor:
        """Return one output for each input, (B, *output_shape)."""
        z = x.new_zeros(len(x), self.noise_features)
        if x.ndim == 2:
            raw: Tensor = self.generator(z, x)
        else:
            raw = self.generator(z, None, fitted_to(x, self.output_shape[1:]))
        return raw


class Judge(nn.Module):
    """Scores of outputs, with or without the inputs beside them.

    Parameters
    ----------
    net : nn.Module
        ``(y, maps)`` if it judges patches, otherwise ``(y, vector, maps)``.
    patches : bool
        Which of the two.
    sees_input : bool
        Whether it is told what an output was made of.
    """

    def __init__(self, net: nn.Module, patches: bool, sees_input: bool) -> None:
        super().__init__()
        self.net = net
        self.patches = patches
        self.sees_input = sees_input

    def forward(self, y: Tensor, x: Tensor) -> Tensor:
        """Return logits, above zero for what looks real, of any shape."""
        told = fitted_to(x, y.shape[2:]) if self.sees_input else None
        # Beside rows the input is a vector, beside images a map.
        second = self.patches or y.ndim == 2
        scores: Tensor = self.net(y, told) if second else self.net(y, None, told)
        return scores


class TranslationModel(nn.Module):
    """Translators "there" and, for unpaired data, "back", with a judge for each.

    Parameters
    ----------
    translators, judges : dict of str to nn.Module
        By direction.

    Attributes
    ----------
    sampler, discriminator : nn.ModuleDict
        What the two optimisers train.
    average : nn.ModuleDict
        Translators whose weights are a running mean; these translate.

    Examples
    --------
    >>> there, judge = nn.Linear(2, 2), nn.Linear(2, 1)
    >>> model = TranslationModel({"there": there}, {"there": judge})
    >>> torch.equal(model(torch.ones(1, 2)), there(torch.ones(1, 2)))
    True
    """

    def __init__(
        self, translators: dict[str, nn.Module], judges: dict[str, nn.Module]
    ) -> None:
        super().__init__()
        self.sampler = nn.ModuleDict(translators)
        self.discriminator = nn.ModuleDict(judges)
        self.average = copy.deepcopy(self.sampler).requires_grad_(False)

    def forward(self, x: Tensor, direction: str = "there") -> Tensor:
        """Translate with the average weights."""
        out: Tensor = self.average[direction](x)
        return out

    def averaging(self) -> WeightAverage:
        """Return what keeps the average."""
        return WeightAverage(self.average, self.sampler)


class FakePool:
    """Past outputs of a generator, so that its judge does not forget them.

    Parameters
    ----------
    size : int
        How many are kept; 0 keeps none.

    References
    ----------
    Shrivastava et al., *Learning from simulated and unsupervised images through
    adversarial training*, CVPR 2017, section 2.3.

    Examples
    --------
    >>> pool = FakePool(2)
    >>> draws = torch.Generator().manual_seed(0)
    >>> pool.swap(torch.zeros(2, 1), draws).tolist()  # filling up
    [[0.0], [0.0]]
    >>> seen = torch.cat([pool.swap(torch.ones(2, 1), draws) for _ in range(5)])
    >>> int((seen == 0).sum())  # each comes back once
    2
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._kept: Tensor | None = None

    def state_dict(self) -> dict[str, Tensor]:
        """Return the outputs that are kept."""
        return {} if self._kept is None else {"kept": self._kept}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Keep the outputs of another pool."""
        self._kept = state.get("kept")

    def swap(self, fakes: Tensor, generator: torch.Generator) -> Tensor:
        """Keep new outputs, and hand out as many: half of them older ones.

        Parameters
        ----------
        fakes : Tensor of shape (B, ...)
            New outputs, without gradients.
        generator : torch.Generator
            Source of the choice.

        Returns
        -------
        Tensor of shape (B, ...)
            What the judge is to see.
        """
        if not self.size:
            return fakes
        held = 0 if self._kept is None else len(self._kept)
        free = min(self.size - held, len(fakes))
        if free:
            new = fakes[:free].clone()
            self._kept = new if self._kept is None else torch.cat([self._kept, new])
        if free == len(fakes) or self._kept is None:
            return fakes
        return self._exchanged(self._kept, fakes, free, generator)

    def _exchanged(
        self, kept: Tensor, fakes: Tensor, start: int, generator: torch.Generator
    ) -> Tensor:
        """Let every second output from ``start`` on change places with a kept one."""
        device = generator.device
        coin = torch.rand(len(fakes), generator=generator, device=device) < 0.5
        coin[:start] = False
        rows = torch.nonzero(coin).squeeze(1)[: len(kept)]
        # Each place at most once, or a new output would be lost.
        order = torch.randperm(len(kept), generator=generator, device=device)
        places = order[: len(rows)]
        shown = fakes.clone()
        shown[rows] = kept[places]
        kept[places] = fakes[rows]
        return shown

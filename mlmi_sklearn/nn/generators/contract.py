"""What a generator is: a base class that checks what it is made and called with.

A generator of a plugin need not derive from :class:`Generator`; it has to be built and
called in the same way. A caller reads ``noise_features`` to know how wide ``z`` is.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .._checks import check_at_least, check_sizes

__all__ = ["Generator", "check_grid_shape"]


class Generator(nn.Module):
    """Base of the generators: it sorts out its inputs and calls ``generate``.

    Parameters
    ----------
    latent_dim : int
        Columns of `z` that stand for what a sample is like, 0 or more.
    output_shape : tuple of int
        Shape of one sample.
    vector_size : int, default=0
        Columns of the vector of conditions; 0 for none.
    map_channels : int, default=0
        Channels of the maps of conditions; 0 for none.

    Attributes
    ----------
    noise_features : int
        Further columns of `z`, used as noise without structure.

    Raises
    ------
    ValueError
        If a size is out of its range.

    Examples
    --------
    >>> class Shift(Generator):
    ...     def generate(self, code, noise, maps):
    ...         return code[:, :2] + code[:, 2:]
    >>> Shift(2, (2,), vector_size=2)(torch.zeros(1, 2), torch.ones(1, 2))
    tensor([[1., 1.]])
    """

    noise_features: int = 0

    def __init__(
        self,
        latent_dim: int,
        output_shape: Sequence[int],
        vector_size: int = 0,
        map_channels: int = 0,
    ) -> None:
        super().__init__()
        self.latent_dim = check_at_least(latent_dim, "latent_dim", 0)
        self.output_shape = check_sizes(output_shape, "output_shape")
        self.vector_size = check_at_least(vector_size, "vector_size", 0)
        self.map_channels = check_at_least(map_channels, "map_channels", 0)

    @property
    def code_size(self) -> int:
        """Width of what :meth:`Generator.generate` is given as `code`."""
        return self.latent_dim + self.vector_size

    def forward(
        self, z: Tensor, vector: Tensor | None = None, maps: Tensor | None = None
    ) -> Tensor:
        """Make samples.

        Parameters
        ----------
        z : Tensor of shape (B, latent_dim + noise_features)
            Standard normal numbers.
        vector : Tensor of shape (B, vector_size) or None, default=None
            Conditions, one row each; None only if `vector_size` is 0.
        maps : Tensor of shape (B, map_channels, *output_shape[1:]), default=None
            Conditions for every place; None only if `map_channels` is 0.

        Returns
        -------
        Tensor of shape (B, *output_shape)
            Samples, before any final activation.

        Raises
        ------
        ValueError
            If a tensor is missing or has another shape.
        """
        rows = z.shape[0] if z.ndim else 0
        self._require("z", z, rows, (self.latent_dim + self.noise_features,))
        self._require("vector", vector, rows, (self.vector_size,))
        self._require("maps", maps, rows, (self.map_channels, *self.output_shape[1:]))
        code, noise = z.split([self.latent_dim, self.noise_features], 1)
        if vector is not None:
            code = torch.cat([code, vector], 1)
        return self.generate(code, noise, maps)

    @abstractmethod
    def generate(self, code: Tensor, noise: Tensor, maps: Tensor | None) -> Tensor:
        """Make samples of checked inputs.

        Parameters
        ----------
        code : Tensor of shape (B, latent_dim + vector_size)
            Random numbers and, after them, conditions.
        noise : Tensor of shape (B, noise_features)
            Further random numbers.
        maps : Tensor of shape (B, map_channels, *output_shape[1:]) or None
            Conditions for every place.

        Returns
        -------
        Tensor of shape (B, *output_shape)
            Samples.
        """

    def _require(
        self, name: str, value: Tensor | None, rows: int, shape: tuple[int, ...]
    ) -> None:
        """Raise unless a tensor has the shape this generator was made for."""
        if value is None and shape[0] == 0:
            return
        if value is not None and value.shape == (rows, *shape):
            return
        found = "None" if value is None else f"shape {tuple(value.shape)}"
        wanted = ", ".join(map(str, ("B", *shape)))
        same = f"B = {rows} as for z, " if name != "z" else ""
        raise ValueError(
            f"{name} must have shape ({wanted}), got {found}; {same}made with "
            f"latent_dim={self.latent_dim}, noise_features={self.noise_features}, "
            f"vector_size={self.vector_size}, map_channels={self.map_channels} and "
            f"output_shape={self.output_shape}."
        )


def check_grid_shape(
    shape: Sequence[int], argument: str, who: str
) -> tuple[int, tuple[int, ...]]:
    """Return channels and sides of the images or volumes that a net is for.

    Parameters
    ----------
    shape : sequence of int
        ``(C, H, W)`` or ``(C, D, H, W)``.
    argument, who : str
        Name of the argument, and the beginning of a sentence about the net.

    Returns
    -------
    channels : int
        C.
    size : tuple of int
        The sides.

    Raises
    ------
    ValueError
        If the shape is another one.

    Examples
    --------
    >>> check_grid_shape((1, 24, 30), "output_shape", "generator 'conv' makes")
    (1, (24, 30))
    """
    sizes = check_sizes(shape, argument)
    if len(sizes) not in (3, 4):
        advice = (
            "'mlp' is for vectors" if len(sizes) == 1 else "add an axis of channels"
        )
        raise ValueError(
            f"{who} images (C, H, W) or volumes (C, D, H, W), got {argument}={sizes}; "
            f"{advice}."
        )
    return sizes[0], sizes[1:]

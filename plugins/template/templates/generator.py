"""The generator; it is imported when somebody uses it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from mlmi_sklearn.nn.generators import Generator


class {{ cookiecutter.class_name }}(Generator):
    """One hidden layer, for vectors.

    Parameters
    ----------
    latent_dim, output_shape, vector_size, map_channels
        Sizes, as every generator is given them; the base class checks its inputs.
    width : int, default=32
        Size of the hidden layer.
    """

    def __init__(
        self,
        latent_dim: int,
        output_shape: Sequence[int],
        vector_size: int = 0,
        map_channels: int = 0,
        width: int = 32,
    ) -> None:
        super().__init__(latent_dim, output_shape, vector_size, map_channels)
        (n_features,) = self.output_shape
        self.layers = nn.Sequential(
            nn.Linear(self.code_size, width), nn.SiLU(), nn.Linear(width, n_features)
        )

    def generate(self, code: Tensor, noise: Tensor, maps: Tensor | None) -> Tensor:
        """Make (B, n_features) of random numbers and conditions."""
        return self.layers(code)

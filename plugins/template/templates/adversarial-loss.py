"""The pair of losses; it is imported when somebody uses it."""

from __future__ import annotations

from torch import Tensor


class {{ cookiecutter.class_name }}:
    """Scores on the wrong side of a margin cost what they lack.

    Parameters
    ----------
    margin : float, default=1.0
        Score that is good enough.
    """

    def __init__(self, margin: float = 1.0) -> None:
        self.margin = margin

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return what the discriminator minimises."""
        return ((self.margin - real).relu() + (self.margin + fake).relu()).mean()

    def generator(self, fake: Tensor) -> Tensor:
        """Return what the generator minimises."""
        return -fake.mean()

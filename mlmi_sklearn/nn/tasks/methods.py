"""What tells the methods of gradient-based meta-learning apart."""

from __future__ import annotations

from dataclasses import dataclass

from .._checks import check_choice

__all__ = ["ANIL", "BOIL", "FOMAML", "MAML", "MetaMethod", "MetaSGD", "Reptile"]


@dataclass(frozen=True)
class MetaMethod:
    """A method: what the inner loop changes, and what the outer loop learns from it.

    Parameters
    ----------
    adapts : {"all", "head", "body"}, default="all"
        What changes within a task.
    second_order : bool, default=True
        Whether the gradient of the outer loop goes through that of the inner one.
    outer : {"query", "interpolate"}, default="query"
        Learn from the loss on the query, or move towards the adapted weights.
    rates : {"given", "elementwise"}, default="given"
        Step sizes: as ``inner_lr`` says, or one learned for every single weight.

    Raises
    ------
    ValueError
        If a value is none of those.
    """

    adapts: str = "all"
    second_order: bool = True
    outer: str = "query"
    rates: str = "given"

    def __post_init__(self) -> None:
        check_choice(self.adapts, "adapts", ("all", "head", "body"))
        check_choice(self.outer, "outer", ("query", "interpolate"))
        check_choice(self.rates, "rates", ("given", "elementwise"))

    def changes(self, name: str) -> bool:
        """Whether the inner loop changes a parameter, by its name in the model."""
        in_head = name.startswith("head.")
        return self.adapts == "all" or in_head == (self.adapts == "head")


def MAML() -> MetaMethod:
    """Second-order MAML: Finn, Abbeel and Levine, ICML 2017, algorithm 1."""
    return MetaMethod()


def FOMAML() -> MetaMethod:
    """First-order MAML, which leaves the second derivatives out (the same paper)."""
    return MetaMethod(second_order=False)


def ANIL() -> MetaMethod:
    """Almost no inner loop: only the head adapts (Raghu et al., ICLR 2020)."""
    return MetaMethod(adapts="head")


def BOIL() -> MetaMethod:
    """Body only in the inner loop (Oh et al., ICLR 2021)."""
    return MetaMethod(adapts="body")


def Reptile() -> MetaMethod:
    """Move towards adapted weights (Nichol, Achiam and Schulman, 2018)."""
    return MetaMethod(second_order=False, outer="interpolate")


def MetaSGD() -> MetaMethod:
    """Learned step sizes, one for every weight (Li, Zhou, Chen and Li, 2017)."""
    return MetaMethod(rates="elementwise")

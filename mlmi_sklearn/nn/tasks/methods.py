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

    Examples
    --------
    >>> from mlmi_sklearn.nn.tasks import MetaMethod
    >>> method = MetaMethod(adapts="head", second_order=False)
    >>> method.changes("head.weight"), method.changes("backbone.0.weight")
    (True, False)
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
        """Whether the inner loop changes a parameter, by its name in the model.

        Parameters
        ----------
        name : str
            Such as ``"head.weight"`` or ``"backbone.0.bias"``.

        Returns
        -------
        bool
            Whether it does.
        """
        in_head = name.startswith("head.")
        return self.adapts == "all" or in_head == (self.adapts == "head")


def MAML() -> MetaMethod:
    """Second-order MAML.

    Returns
    -------
    MetaMethod
        The method.

    References
    ----------
    Finn, Abbeel and Levine, *Model-agnostic meta-learning for fast adaptation of deep
    networks*, ICML 2017, algorithm 1.

    Examples
    --------
    >>> from mlmi_sklearn.nn.tasks.methods import MAML
    >>> MAML().second_order
    True
    """
    return MetaMethod()


def FOMAML() -> MetaMethod:
    """First-order MAML, which leaves the second derivatives out.

    Returns
    -------
    MetaMethod
        The method.

    References
    ----------
    Finn, Abbeel and Levine, *Model-agnostic meta-learning for fast adaptation of deep
    networks*, ICML 2017, section 5.2.

    Examples
    --------
    >>> from mlmi_sklearn.nn.tasks.methods import FOMAML
    >>> FOMAML().second_order
    False
    """
    return MetaMethod(second_order=False)


def ANIL() -> MetaMethod:
    """Almost no inner loop: only the head adapts.

    Returns
    -------
    MetaMethod
        The method.

    References
    ----------
    Raghu, Raghu, Bengio and Vinyals, *Rapid learning or feature reuse? Towards
    understanding the effectiveness of MAML*, ICLR 2020.

    Examples
    --------
    >>> from mlmi_sklearn.nn.tasks.methods import ANIL
    >>> ANIL().changes("backbone.0.weight")
    False
    """
    return MetaMethod(adapts="head")


def BOIL() -> MetaMethod:
    """Body only in the inner loop: the head stays.

    Returns
    -------
    MetaMethod
        The method.

    References
    ----------
    Oh, Yoo, Kim and Yun, *BOIL: towards representation change for few-shot learning*,
    ICLR 2021.

    Examples
    --------
    >>> from mlmi_sklearn.nn.tasks.methods import BOIL
    >>> BOIL().changes("head.weight")
    False
    """
    return MetaMethod(adapts="body")


def Reptile() -> MetaMethod:
    """Move towards adapted weights.

    Returns
    -------
    MetaMethod
        The method.

    References
    ----------
    Nichol, Achiam and Schulman, *On first-order meta-learning algorithms*, 2018.
    arXiv 1803.02999.

    Examples
    --------
    >>> from mlmi_sklearn.nn.tasks.methods import Reptile
    >>> Reptile().outer
    'interpolate'
    """
    return MetaMethod(second_order=False, outer="interpolate")


def MetaSGD() -> MetaMethod:
    """Learned step sizes, one for every weight.

    Returns
    -------
    MetaMethod
        The method.

    References
    ----------
    Li, Zhou, Chen and Li, *Meta-SGD: learning to learn quickly for few-shot learning*,
    2017. arXiv 1707.09835.

    Examples
    --------
    >>> from mlmi_sklearn.nn.tasks.methods import MetaSGD
    >>> MetaSGD().rates
    'elementwise'
    """
    return MetaMethod(rates="elementwise")

r"""Adversarial losses that are cross-entropies, on raw scores.

With :math:`D = \sigma(\text{score})` the probability of being real,
:math:`-\log D = \text{softplus}(-\text{score})` and
:math:`-\log (1 - D) = \text{softplus}(\text{score})`, which no score, however large,
makes infinite.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from .._checks import check_interval

__all__ = [
    "AuxiliaryClassifier",
    "Minimax",
    "NonSaturating",
    "check_smoothing",
    "objective",
]


def objective(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    r"""Return the objectives of both players.

    .. math::

        J_D = -\tfrac12 E \log D(x) - \tfrac12 E \log (1 - D(G(z))), \qquad
        J_G = -\tfrac12 E \log D(G(z)).

    Parameters
    ----------
    real, fake : Tensor of any shape
        Logits of real and of generated samples.

    Returns
    -------
    J_D : Tensor of shape ()
        Log 2 where real and generated samples cannot be told apart.
    J_G : Tensor of shape ()
        Half of log 2 there.

    References
    ----------
    Goodfellow et al., *Generative adversarial nets*, NeurIPS 2014, section 3.

    Examples
    --------
    >>> import torch
    >>> objective(torch.zeros(5), torch.zeros(3))
    (tensor(0.6931), tensor(0.3466))
    """
    loss = NonSaturating()
    return loss.discriminator(real, fake), loss.generator(fake)


class _LogLoss:
    """The discriminator of all losses that are cross-entropies.

    Parameters
    ----------
    smoothing : float, default=0.0
        In [0, 0.5): real samples count as real with a probability of one minus it.
    """

    def __init__(self, smoothing: float = 0.0) -> None:
        self.smoothing = check_smoothing(smoothing)

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return what the discriminator minimises.

        Parameters
        ----------
        real, fake : Tensor of any shape
            Logits of real and of generated samples.

        Returns
        -------
        Tensor of shape ()
            Half the sum of both mean log losses.
        """
        on_real = F.softplus(-real).mean()
        if self.smoothing:
            # softplus(r) = softplus(-r) + r, and the slopes of the two are exact.
            on_real = on_real + self.smoothing * real.mean()
        return 0.5 * on_real + 0.5 * F.softplus(fake).mean()


class NonSaturating(_LogLoss):
    r"""Log loss, with a generator that wants its samples called real.

    The discriminator minimises :math:`-\frac12 E \log D(x) - \frac12 E \log(1 - D(G))`,
    the generator :math:`-\frac12 E \log D(G)`. It learns also while the discriminator
    sees through all it makes.

    Parameters
    ----------
    smoothing : float, default=0.0
        In [0, 0.5): the target of real samples is one minus it (one-sided label
        smoothing).

    Raises
    ------
    ValueError
        If `smoothing` is out of its range.

    References
    ----------
    Goodfellow et al., *Generative adversarial nets*, NeurIPS 2014, section 3.
    Salimans et al., *Improved techniques for training GANs*, NeurIPS 2016, section 3.4
    (smoothing).

    Examples
    --------
    >>> import torch
    >>> loss = NonSaturating()
    >>> zero = torch.zeros(4)
    >>> loss.discriminator(zero, zero), loss.generator(zero)
    (tensor(0.6931), tensor(0.3466))
    """

    def generator(self, fake: Tensor) -> Tensor:
        """Return what the generator minimises.

        Parameters
        ----------
        fake : Tensor of any shape
            Logits of generated samples.

        Returns
        -------
        Tensor of shape ()
            Not negative.
        """
        return 0.5 * F.softplus(-fake).mean()


class Minimax(_LogLoss):
    r"""Log loss, with a generator that wants the discriminator to fail.

    As :class:`NonSaturating`, but the generator minimises
    :math:`\frac12 E \log (1 - D(G))`, the game of the theory. Its slope vanishes while
    the discriminator sees through all it makes.

    Parameters
    ----------
    smoothing : float, default=0.0
        As for :class:`NonSaturating`.

    Raises
    ------
    ValueError
        If `smoothing` is out of its range.

    References
    ----------
    Goodfellow et al., *Generative adversarial nets*, NeurIPS 2014, equation 1.

    Examples
    --------
    >>> import torch
    >>> Minimax().generator(torch.zeros(4))
    tensor(-0.3466)
    """

    def generator(self, fake: Tensor) -> Tensor:
        """Return what the generator minimises.

        Parameters
        ----------
        fake : Tensor of any shape
            Logits of generated samples.

        Returns
        -------
        Tensor of shape ()
            Not positive.
        """
        return -0.5 * F.softplus(fake).mean()


class AuxiliaryClassifier(NonSaturating):
    """Log loss, and a discriminator that also tells the classes.

    Both players want classes told rightly: the discriminator those of real samples, the
    generator those that were asked for.

    Parameters
    ----------
    auxiliary_weight : float, default=1.0
        Weight of the class loss beside the other, not negative.
    smoothing : float, default=0.0
        As for :class:`NonSaturating`.

    Attributes
    ----------
    auxiliary : bool
        True: the discriminator needs an output a class.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    References
    ----------
    Odena, Olah and Shlens, *Conditional image synthesis with auxiliary classifier
    GANs*, ICML 2017, equations 2 and 3.

    Examples
    --------
    >>> import torch
    >>> loss = AuxiliaryClassifier()
    >>> loss.auxiliary_loss(torch.zeros(2, 2), torch.tensor([0, 1]))
    tensor(0.6931)
    """

    auxiliary = True

    def __init__(self, auxiliary_weight: float = 1.0, smoothing: float = 0.0) -> None:
        super().__init__(smoothing)
        self.auxiliary_weight = check_interval(auxiliary_weight, "auxiliary_weight")

    def auxiliary_loss(self, logits: Tensor, y: Tensor) -> Tensor:
        """Return the mean log loss of the classes, not yet weighted.

        Parameters
        ----------
        logits : Tensor of shape (B, K)
            Scores of the classes; one column is the logit of the second of two.
        y : Tensor of shape (B,) or (B, K)
            Class codes, or probabilities of the classes, such as zeros and a one.

        Returns
        -------
        Tensor of shape ()
            Not negative.

        Raises
        ------
        ValueError
            If the shapes do not go together.
        """
        _check_classes(logits, y)
        if logits.shape[1] == 1:
            truth = y.reshape(-1).to(logits.dtype)
            return F.binary_cross_entropy_with_logits(logits.squeeze(1), truth)
        if y.ndim == 1:
            return F.cross_entropy(logits, y.long())
        return F.cross_entropy(logits, y.to(logits.dtype))


def check_smoothing(smoothing: float) -> float:
    """Return the smoothing as float if it is in [0, 0.5)."""
    # From one half on, real samples would be called generated ones.
    return check_interval(smoothing, "smoothing", 0, 0.5, closed="left")


def _check_classes(logits: Tensor, y: Tensor) -> None:
    """Raise unless there is a code, or a row of probabilities, for each sample."""
    if logits.ndim != 2 or y.shape not in (logits.shape, logits.shape[:1]):
        raise ValueError(
            f"auxiliary_loss takes logits (B, K) and class codes (B,) or probabilities "
            f"(B, K), got shapes {tuple(logits.shape)} and {tuple(y.shape)}."
        )

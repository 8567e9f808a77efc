"""Adversarial losses that take scores as they are: squares, margins, differences."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from .._checks import check_interval
from .likelihood import check_smoothing

__all__ = ["Hinge", "LeastSquares", "WassersteinGP"]


class LeastSquares:
    r"""Squared distances from 1 for real and 0 for generated samples.

    The discriminator minimises :math:`\frac12 E (D(x) - 1)^2 + \frac12 E D(G)^2`, the
    generator :math:`\frac12 E (D(G) - 1)^2`; :math:`D` is the raw score.

    Parameters
    ----------
    smoothing : float, default=0.0
        In [0, 0.5): real samples are drawn to one minus it.

    Raises
    ------
    ValueError
        If `smoothing` is out of its range.

    References
    ----------
    Mao et al., *Least squares generative adversarial networks*, ICCV 2017, equation 9.

    Examples
    --------
    >>> import torch
    >>> loss = LeastSquares()
    >>> real, fake = torch.ones(4), torch.zeros(4)
    >>> loss.discriminator(real, fake), loss.generator(fake)
    (tensor(0.), tensor(0.5000))
    """

    def __init__(self, smoothing: float = 0.0) -> None:
        self.smoothing = check_smoothing(smoothing)

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return what the discriminator minimises.

        Parameters
        ----------
        real, fake : Tensor of any shape
            Scores of real and of generated samples.

        Returns
        -------
        Tensor of shape ()
            Not negative.
        """
        off = (real - (1 - self.smoothing)).square().mean()
        return 0.5 * off + 0.5 * fake.square().mean()

    def generator(self, fake: Tensor) -> Tensor:
        """Return what the generator minimises.

        Parameters
        ----------
        fake : Tensor of any shape
            Scores of generated samples.

        Returns
        -------
        Tensor of shape ()
            Not negative.
        """
        return 0.5 * (fake - 1).square().mean()


class Hinge:
    r"""A margin of one on either side of zero.

    The discriminator minimises :math:`E \max(0, 1 - D(x)) + E \max(0, 1 + D(G))`, the
    generator :math:`-E D(G)`; :math:`D` is the raw score.

    References
    ----------
    Lim and Ye, *Geometric GAN*, 2017, equations 7 and 8. Miyato et al., *Spectral
    normalization for generative adversarial networks*, ICLR 2018, equations 16 and 17.

    Examples
    --------
    >>> import torch
    >>> Hinge().discriminator(torch.tensor([0.5, 2.0]), torch.tensor([-0.5, -2.0]))
    tensor(0.5000)
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return what the discriminator minimises.

        Parameters
        ----------
        real, fake : Tensor of any shape
            Scores of real and of generated samples.

        Returns
        -------
        Tensor of shape ()
            Not negative.
        """
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()

    def generator(self, fake: Tensor) -> Tensor:
        """Return what the generator minimises.

        Parameters
        ----------
        fake : Tensor of any shape
            Scores of generated samples.

        Returns
        -------
        Tensor of shape ()
            Minus the mean score.
        """
        return -fake.mean()


class WassersteinGP:
    r"""Difference of mean scores, with a penalty on slopes that are not one.

    The discriminator, a critic here, minimises :math:`E D(G) - E D(x)`, and the trainer
    adds `gradient_penalty` times
    :func:`~mlmi_sklearn.nn.adversarial.gradient_penalty`. The generator minimises
    :math:`-E D(G)`.

    Parameters
    ----------
    gradient_penalty : float, default=10.0
        Weight of the penalty, greater than 0: without it the critic has no bound.

    Attributes
    ----------
    gradient_penalty : float
        As above, for the trainer.

    Raises
    ------
    ValueError
        If `gradient_penalty` is out of its range.

    References
    ----------
    Arjovsky, Chintala and Bottou, *Wasserstein generative adversarial networks*, ICML
    2017. Gulrajani et al., *Improved training of Wasserstein GANs*, NeurIPS 2017,
    equation 3.

    Examples
    --------
    >>> import torch
    >>> loss = WassersteinGP()
    >>> loss.discriminator(torch.tensor([3.0, 1.0]), torch.tensor([0.5]))
    tensor(-1.5000)
    >>> loss.gradient_penalty
    10.0
    """

    def __init__(self, gradient_penalty: float = 10.0) -> None:
        self.gradient_penalty = check_interval(
            gradient_penalty, "gradient_penalty", closed="neither"
        )

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return what the critic minimises, apart from the penalty.

        Parameters
        ----------
        real, fake : Tensor of any shape
            Scores of real and of generated samples.

        Returns
        -------
        Tensor of shape ()
            Minus an estimate of the Wasserstein distance.
        """
        return fake.mean() - real.mean()

    def generator(self, fake: Tensor) -> Tensor:
        """Return what the generator minimises.

        Parameters
        ----------
        fake : Tensor of any shape
            Scores of generated samples.

        Returns
        -------
        Tensor of shape ()
            Minus the mean score.
        """
        return -fake.mean()

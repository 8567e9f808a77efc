"""What an adversarial loss is, and what it may ask of the trainer, for plugin authors.

Every loss follows :class:`AdversarialLoss`: two methods that return scalars. It may say
more in attributes, all of which are optional:

====================  ======================================  ==========================
Attribute             Meaning                                 Without it
====================  ======================================  ==========================
``gradient_penalty``  weight of a penalty on slopes of the    0: no penalty
                      discriminator that are not one, see
                      :func:`~.penalties.gradient_penalty`
``auxiliary``         True: the discriminator has one more    False
                      output a class, and the loss is an
                      :class:`AuxiliaryLoss`
====================  ======================================  ==========================
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

__all__ = ["AdversarialLoss", "AuxiliaryLoss"]


class AdversarialLoss(Protocol):
    """What the two players minimise.

    Made by ``factory(**params)``. Scores are raw (logits, not probabilities), above
    for what looks real. There may be one a row, or a map of them, and the numbers of
    real and of false ones may differ; each score counts alike.
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
            It falls as `real` grows and as `fake` falls.
        """

    def generator(self, fake: Tensor) -> Tensor:
        """Return what the generator minimises.

        Parameters
        ----------
        fake : Tensor of any shape
            Scores of generated samples.

        Returns
        -------
        Tensor of shape ()
            It falls as `fake` grows.
        """


class AuxiliaryLoss(AdversarialLoss, Protocol):
    """A loss whose discriminator also tells classes.

    Both players minimise ``auxiliary_weight * auxiliary_loss(logits, y)`` on top: the
    discriminator for real samples, the generator for its own, which so learn to look
    like what was asked for.

    Attributes
    ----------
    auxiliary : bool
        True.
    auxiliary_weight : float
        Not negative.
    """

    auxiliary: bool
    auxiliary_weight: float

    def auxiliary_loss(self, logits: Tensor, y: Tensor) -> Tensor:
        """Return how badly the classes are told.

        Parameters
        ----------
        logits : Tensor of shape (B, K)
            Scores of the classes.
        y : Tensor of shape (B,)
            Class codes, int64.

        Returns
        -------
        Tensor of shape ()
            Loss, not negative.
        """

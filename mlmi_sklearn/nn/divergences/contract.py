"""What a divergence is, and what it may offer beyond that, for authors of plugins.

Every divergence follows :class:`Divergence`: two samples in, one scalar out. It says in
``uses`` what else it can make use of; a caller passes such things by keyword, and only
if they are named there (:func:`accepted` sorts them out). All of them are optional, in
the call and in the factory: without them a divergence compares the samples as they are.

=================  ========================================  ==========================
Named in ``uses``  Keyword of the call                       Further keyword of the
                                                             factory
=================  ========================================  ==========================
"weights"          ``weights=(ws (n,), wt (m,))``, either
                   may be None; not negative, only
                   ratios within a sample count
"probabilities"    ``probabilities=(ps (n, C), pt (m, C))``  ``n_classes=C``
                   of classes, without gradient
"domains"          ``domains=(ds (n,), dt (m,))``, int64,    ``n_domains=k + t``
                   sources 0 to k - 1, then t targets
=================  ========================================  ==========================
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from torch import Tensor

__all__ = ["USES", "AdversarialDivergence", "Divergence", "Sides", "accepted"]

#: What can stand in ``uses``.
USES = frozenset({"weights", "probabilities", "domains"})

#: Something of the rows of both samples, source first; None where there is none.
Sides = tuple[Tensor | None, Tensor | None]


class Divergence(Protocol):
    """How far the features of two domains are apart.

    Made by ``factory(in_features, **params)``. It neither pairs rows nor sees their
    order, and the numbers of rows may differ.

    Attributes
    ----------
    adversarial : bool
        Whether it owns a critic, see :class:`AdversarialDivergence`. If not, it is
        about zero for equal samples, grows with their distance, and the features
        minimise it.
    uses : frozenset of str
        Optional: which keywords the call takes, out of :data:`USES`. Without the
        attribute none.
    """

    adversarial: bool

    def __call__(self, zs: Tensor, zt: Tensor, **keywords: Any) -> Tensor:
        """Compare two samples.

        Parameters
        ----------
        zs : Tensor of shape (n, D)
            Features of source rows, one at least.
        zt : Tensor of shape (m, D)
            Features of target rows, one at least.
        **keywords
            Those named in `uses`.

        Returns
        -------
        Tensor of shape ()
            The divergence, or the loss of the critic.
        """


class AdversarialDivergence(Divergence, Protocol):
    """A divergence whose critic learns to tell the domains apart.

    It returns the loss of the critic, which the critic minimises and the features
    maximise: the caller reverses the gradient that reaches the features.

    Where it makes sense it has ``domain_accuracy(zs, zt, **keywords)``, a scalar
    tensor: the balanced accuracy, 0 to 1, at which the critic tells source rows from
    target rows. One that gets it from the same pass has
    ``loss_and_accuracy(zs, zt, **keywords) -> (loss, accuracy)``, too.

    Attributes
    ----------
    adversarial : bool
        True.
    """


def accepted(divergence: Any, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Choose the keywords that a divergence can make use of.

    Parameters
    ----------
    divergence : Divergence
        Whose ``uses`` decides.
    keywords : mapping of str to object
        What there is, None where there is nothing.

    Returns
    -------
    dict of str to object
        What to call it with.

    Examples
    --------
    >>> from mlmi_sklearn.nn.divergences import DANNDivergence
    >>> accepted(DANNDivergence(2), {"weights": None, "probabilities": 1, "domains": 2})
    {'domains': 2}
    """
    uses: Collection[str] = getattr(divergence, "uses", ())
    return {k: v for k, v in keywords.items() if k in uses and v is not None}

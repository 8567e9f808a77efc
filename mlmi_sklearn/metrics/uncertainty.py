r"""How unsure a set of models is, and of which kind the doubt is.

Members :math:`m = 1..M`, of an ensemble or drawn by Monte-Carlo dropout, each give
probabilities :math:`p_m(c)` for a sample. What they say together is the mean
:math:`\bar p`, and its entropy has two parts (Depeweg et al. 2018, equation 2):

.. math:: H[\bar p] = \tfrac 1 M \sum_m H[p_m] + I,

the entropy the members have on average, which more data of the same kind would not
remove (*aleatoric*), and the mutual information :math:`I` between the class and the
choice of the member, which is doubt about the model (*epistemic*): it is zero if all
members agree, however unsure each is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import entr

__all__ = ["predictive_uncertainty"]


def predictive_uncertainty(probabilities: Any) -> pd.DataFrame:
    r"""Measure the doubt in the probabilities of several members.

    Parameters
    ----------
    probabilities : array-like of shape (n_members, n_samples, n_classes)
        Probabilities that sum to one over classes, such as those of
        ``DeepEnsembleClassifier.predict_members_proba`` or ``mc_dropout``. For
        independent labels pass one label at a time, as columns ``1 - p`` and ``p``.

    Returns
    -------
    DataFrame
        One row a sample. Entropies are in nats, between 0 and log(n_classes):

        - ``entropy``: of the mean probabilities, the total doubt;
        - ``expected_entropy``: the mean over members of their entropy, the aleatoric
          part;
        - ``mutual_information``: the difference, the epistemic part;
        - ``std``: standard deviation over members of the probability of the class
          with the largest mean, between 0 and 0.5;
        - ``variation_ratio``: share of members whose first choice is not the most
          frequent first choice, at least 0 and less than 1.

    Raises
    ------
    ValueError
        If the shape is wrong, or rows are no probabilities.

    References
    ----------
    Depeweg, Hernandez-Lobato, Doshi-Velez and Udluft, *Decomposition of uncertainty in
    Bayesian deep learning for efficient and risk-sensitive learning*, ICML 2018.

    Gal, *Uncertainty in deep learning*, thesis, Cambridge 2016, section 3.3.1
    (predictive entropy, mutual information, variation ratio).

    Lakshminarayanan, Pritzel and Blundell, *Simple and scalable predictive uncertainty
    estimation using deep ensembles*, NeurIPS 2017.

    Examples
    --------
    Two members that agree in their doubt, and two that contradict each other:

    >>> from mlmi_sklearn.metrics import predictive_uncertainty
    >>> members = [[[0.5, 0.5], [1.0, 0.0]], [[0.5, 0.5], [0.0, 1.0]]]
    >>> predictive_uncertainty(members).round(3)
       entropy  expected_entropy  mutual_information  std  variation_ratio
    0    0.693             0.693               0.000  0.0              0.0
    1    0.693             0.000               0.693  0.5              0.5
    """
    p = _checked(probabilities)
    mean = p.mean(axis=0)
    total = entr(mean).sum(axis=1)
    expected = entr(p).sum(axis=2).mean(axis=0)
    chosen = mean.argmax(axis=1)
    return pd.DataFrame(
        {
            "entropy": total,
            "expected_entropy": expected,
            # Concave entropy makes it non-negative; rounding may not.
            "mutual_information": np.maximum(total - expected, 0.0),
            "std": p.std(axis=0)[np.arange(len(mean)), chosen],
            "variation_ratio": _variation_ratio(p),
        }
    )


def _variation_ratio(p: np.ndarray) -> np.ndarray:
    """Return the share of members outside the most frequent first choice."""
    first = p.argmax(axis=2)
    votes = (first[:, :, np.newaxis] == np.arange(p.shape[2])).sum(axis=0)
    return 1.0 - votes.max(axis=1) / len(p)


def _checked(probabilities: Any) -> np.ndarray:
    """Return members, samples and classes as an array of float64."""
    p = np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 3 or not p.shape[0] or p.shape[2] < 2:
        raise ValueError(
            "probabilities must have shape (n_members, n_samples, n_classes) with at "
            f"least one member and two classes, got {p.shape}. For two classes stack "
            "the columns 1 - p and p."
        )
    if not np.isfinite(p).all() or (p < 0).any() or (p > 1 + 1e-6).any():
        raise ValueError("probabilities must be numbers between 0 and 1.")
    if not np.allclose(p.sum(axis=2), 1, atol=1e-4):
        raise ValueError(
            "probabilities must sum to 1 over the last axis. For independent labels "
            "pass one label at a time, as columns 1 - p and p."
        )
    return p

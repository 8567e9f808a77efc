"""Scorers by name, and one of each ready to use."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from mlmi_sklearn.metrics.domain_scorers._base import DomainScorer
from mlmi_sklearn.metrics.domain_scorers._confidence import (
    BNMScorer,
    EntropyScorer,
    IMScorer,
    SNDScorer,
)
from mlmi_sklearn.metrics.domain_scorers._labelled import (
    PADScorer,
    ReverseValidationScorer,
    SourceScorer,
)
from mlmi_sklearn.metrics.domain_scorers._mixing import MixValScorer
from mlmi_sklearn.metrics.domain_scorers._weighting import (
    DEVScorer,
    ImportanceWeightedScorer,
)

__all__ = ["SCORERS", "make_domain_scorer"]

SCORERS: dict[str, type[DomainScorer]] = {
    kind.name: kind
    for kind in (
        ImportanceWeightedScorer,
        DEVScorer,
        ReverseValidationScorer,
        EntropyScorer,
        SNDScorer,
        IMScorer,
        BNMScorer,
        MixValScorer,
        PADScorer,
        SourceScorer,
    )
}


def make_domain_scorer(
    name: str, *, target_domains: Any = None, **options: Any
) -> DomainScorer:
    r"""Make a score of domain adaptation that reads no label of the target.

    For ``scoring=`` of searches and cross-validation over rows of both domains.

    Parameters
    ----------
    name : str
        What to score; larger is better throughout. With class probabilities
        :math:`p_i` of m target rows, entropy H in nats and C classes:

        - ``"source"``: accuracy or R2 of source rows. Options: `scoring`.
        - ``"importance-weighted"``: the same, each row weighted by the ratio of target
          to source density of its features [1]_. Options: `scoring`,
          `domain_classifier`, `cv`, `random_state`.
        - ``"dev"``: minus the weighted loss of source rows, with the weights as a
          control variate [2]_. Options: `loss`, `domain_classifier`, `cv`,
          `random_state`.
        - ``"reverse"``: a clone learns from the target rows, as the estimator labels
          them, and is scored on the source [3]_ [4]_.
        - ``"entropy"``: :math:`-\frac{1}{m}\sum H(p_i)`, in [-log C, 0].
        - ``"im"``: :math:`H(\frac{1}{m}\sum p_i) - \frac{1}{m}\sum H(p_i)`, the mutual
          information of row and class, in [0, log C] [5]_.
        - ``"bnm"``: nuclear norm of the matrix of all :math:`p_i` divided by
          :math:`\sqrt{m \min(m, C)}`, in (0, 1] [6]_.
        - ``"snd"``: mean entropy of the softmax of a row's cosine similarities
          with all others, taken on :math:`p_i` and divided by a temperature, in
          [0, log(m - 1)] [7]_. Options: `temperature`.
        - ``"mixval"``: share of target rows that keep their predicted class when
          mixed with a smaller part of another row, averaged over partners of the same
          class (intra) and of another (inter; 0 if there is no other), in [0, 1] [8]_.
          Options: `mixing`, `kind`, `random_state`.
        - ``"pad"``: minus :func:`proxy_a_distance` of the features, in [-2, 0].
          Options: `random_state`.
    target_domains : list, default=None
        Ids of the target where `sample_domain` holds names; None asks the estimator
        for its ``target_domains``.
    **options : dict
        Options of that score:

        - `scoring` (None): name of a scorer that takes ``sample_weight``, in place of
          accuracy and R2.
        - `domain_classifier` (None): classifier with ``predict_proba`` that tells
          target rows, 1, from source rows, 0, by their features; None is a logistic
          regression on scaled features.
        - `cv` (5): folds in which it is fitted and asked, 2 at least.
        - `loss` ("zero-one"): or "log"; regressors have the squared error.
        - `temperature` (0.05): positive; small ones look at nearest neighbours only.
        - `mixing` (0.55): the larger part, in (0.5, 1).
        - `kind` ("both"): or "intra" or "inter".
        - `random_state` (0): int, RandomState instance or None.

    Returns
    -------
    DomainScorer
        Callable as ``scorer(estimator, X, y, sample_domain=None)``, picklable. It
        requests ``sample_domain`` by itself.

    Raises
    ------
    ValueError
        If there is no score of that name, or an option is out of range.
    TypeError
        If that score has no such option.

    Notes
    -----
    Ready-made are ``source_scorer``, ``importance_weighted_scorer``, ``dev_scorer``,
    ``reverse_validation_scorer``, ``entropy_scorer``, ``im_scorer``, ``bnm_scorer``,
    ``snd_scorer``, ``mixval_scorer`` and ``pad_scorer``.

    scikit-learn passes ``sample_domain`` to scorers only with metadata routing enabled.
    Without, mark the target rows in y: -1 among whole numbers, NaN among floats, None
    among objects.

    Features are what ``transform`` gives, else ``decision_function``, else
    ``predict_proba``, else what enters the last step of a pipeline. Regressors can be
    scored by source, importance-weighted, dev, reverse and pad.

    No score is safe by itself. Those of confidence alone, entropy and snd, also rise
    when a model gathers the whole target in few classes; source says nothing about the
    target. Compare several, with the source-only model among the candidates.

    References
    ----------
    .. [1] Sugiyama et al., "Covariate shift adaptation by importance weighted cross
       validation", JMLR 8, 2007.
    .. [2] You et al., "Towards accurate model selection in deep unsupervised domain
       adaptation", ICML 2019.
    .. [3] Zhong et al., "Cross validation framework to choose amongst models and
       datasets for transfer learning", ECML 2010.
    .. [4] Ganin et al., "Domain-adversarial training of neural networks", JMLR 17,
       2016, section 5.1.2.
    .. [5] Krause et al., "Discriminative clustering by regularized information
       maximization", NIPS 2010.
    .. [6] Cui et al., "Towards discriminability and diversity: batch nuclear-norm
       maximization under label insufficient situations", CVPR 2020.
    .. [7] Saito et al., "Tune it the right way: unsupervised validation of domain
       adaptation via soft neighborhood density", ICCV 2021.
    .. [8] Hu et al., "Mixed samples as probes for unsupervised model selection in
       domain adaptation", NeurIPS 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn import config_context
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import GridSearchCV
    >>> from mlmi_sklearn.metrics import make_domain_scorer
    >>> rng = np.random.RandomState(0)
    >>> y = rng.randint(2, size=80)
    >>> X = y[:, None] + rng.normal(scale=0.2, size=(80, 2))
    >>> domain = np.where(np.arange(80) % 2, -1, 0)
    >>> search = GridSearchCV(
    ...     LogisticRegression(), {"C": [0.01, 1.0]}, scoring=make_domain_scorer("bnm")
    ... )
    >>> with config_context(enable_metadata_routing=True):
    ...     search.fit(X, y, sample_domain=domain).best_params_
    {'C': 1.0}
    """
    key = str(name).lower().replace("_", "-").replace(" ", "-")
    if key not in SCORERS:
        raise ValueError(f"name must be one of {sorted(SCORERS)}, got {name!r}.")
    kind = SCORERS[key]
    allowed = {field.name for field in fields(kind)}
    if wrong := sorted(set(options) - allowed):
        raise TypeError(
            f"The {key} score has no option {wrong[0]!r}; it has "
            f"{sorted(allowed) or 'none'}."
        )
    if target_domains is not None:
        target_domains = tuple(target_domains)
    return kind(target_domains=target_domains, **options)


importance_weighted_scorer = make_domain_scorer("importance-weighted")
dev_scorer = make_domain_scorer("dev")
reverse_validation_scorer = make_domain_scorer("reverse")
entropy_scorer = make_domain_scorer("entropy")
snd_scorer = make_domain_scorer("snd")
im_scorer = make_domain_scorer("im")
bnm_scorer = make_domain_scorer("bnm")
mixval_scorer = make_domain_scorer("mixval")
pad_scorer = make_domain_scorer("pad")
source_scorer = make_domain_scorer("source")

"""A small adapter that helps or harms as its data have it, in milliseconds."""

from typing import ClassVar

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import check_is_fitted


class Projector(ClassifierMixin, BaseEstimator):
    """Take out of X what tells target from source, the more the larger lambda_."""

    __metadata_request__fit: ClassVar = {"sample_domain": True}

    def __init__(
        self, lambda_=1.0, entropy=0.0, C=1.0, target_domains=None, random_state=None
    ):
        self.lambda_ = lambda_
        self.entropy = entropy
        self.C = C
        self.target_domains = target_domains
        self.random_state = random_state

    def fit(self, X, y, sample_domain=None):
        if self.lambda_ == 13:
            raise RuntimeError("unlucky")
        X, y = np.asarray(X, dtype=float), np.asarray(y)
        ids = np.asarray(sample_domain)
        named = self.target_domains
        target = ids < 0 if named is None else np.isin(ids, list(named))
        assert target.any()
        direction = X[target].mean(axis=0) - X[~target].mean(axis=0)
        self.direction_ = direction / np.linalg.norm(direction)
        self.seen_ = np.asarray(y)[target]
        self.domains_ = np.unique(ids)
        labels = y[~target]
        labels = np.array(labels.tolist())
        self.model_ = LogisticRegression(C=self.C).fit(self._rest(X[~target]), labels)
        self.classes_ = self.model_.classes_
        return self

    def _rest(self, X):
        X = np.asarray(X, dtype=float)
        return X - self.lambda_ * np.outer(X @ self.direction_, self.direction_)

    def predict(self, X):
        check_is_fitted(self)
        return self.model_.predict(self._rest(X))

    def predict_proba(self, X):
        return self.model_.predict_proba(self._rest(X))


def two_domains(harmful, n=120, seed=0):
    """Classes lie apart along one axis; the domains along it, or along another.

    Where adaptation helps, the axis of the domains also tells classes apart in the
    source, and the other way round in the target.
    """
    rng = np.random.default_rng(seed)
    y = np.arange(2 * n) % 2
    domain = np.repeat([0, -1], n)
    X = rng.normal(size=(2 * n, 2)) * 0.5
    if harmful:
        X[:, 0] += 2.5 * y + 1.0 * (domain < 0)
    else:
        X[:, 0] += 1.2 * y
        X[:, 1] += np.where(domain < 0, 4.0, 3.0 * y)
    return X, y, domain


@pytest.fixture
def helpful():
    return two_domains(harmful=False)


@pytest.fixture
def harmful():
    return two_domains(harmful=True)


@pytest.fixture(scope="session")
def projector():
    return Projector

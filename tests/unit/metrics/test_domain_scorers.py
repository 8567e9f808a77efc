"""Scores without target labels, as scikit-learn's tools call them."""

import copy
import pickle
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.special import softmax
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    Perceptron,
    RidgeClassifier,
)
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC, LinearSVC

from mlmi_sklearn import metrics
from mlmi_sklearn.metrics import (
    make_domain_scorer,
    proxy_a_distance,
    reverse_validation_score,
    target_scorer,
)
from mlmi_sklearn.metrics.domain_scorers._make import SCORERS
from mlmi_sklearn.metrics.domain_scorers._mixing import mix_rows
from mlmi_sklearn.metrics.domain_scorers._weighting import density_ratio

READY = {
    "importance-weighted": metrics.importance_weighted_scorer,
    "dev": metrics.dev_scorer,
    "reverse": metrics.reverse_validation_scorer,
    "entropy": metrics.entropy_scorer,
    "snd": metrics.snd_scorer,
    "im": metrics.im_scorer,
    "bnm": metrics.bnm_scorer,
    "mixval": metrics.mixval_scorer,
    "pad": metrics.pad_scorer,
    "source": metrics.source_scorer,
}
REGRESSION = ["importance-weighted", "dev", "reverse", "pad", "source"]
CV = StratifiedKFold(3, shuffle=True, random_state=0)


class Centred(ClassifierMixin, BaseEstimator):
    """Moves the means of both domains to the origin, then classifies."""

    __metadata_request__fit: ClassVar = {"sample_domain": True}

    def __init__(self, strength=1.0, target_domains=None):
        self.strength = strength
        self.target_domains = target_domains

    def fit(self, X, y, sample_domain=None):
        X, y = np.asarray(X, dtype=float), np.asarray(y)
        if sample_domain is None:
            sample_domain = np.zeros(len(X), dtype=int)
        ids = np.asarray(sample_domain)
        if self.target_domains is not None:
            ids = np.where(np.isin(ids, self.target_domains), -1, 0)
        self.seen_ = ids, y
        source = ids >= 0
        self.mean_ = X[source].mean(axis=0)
        # Rows are judged as the target is; source rows are told apart in the fit only.
        target = X[~source].mean(axis=0) if not source.all() else self.mean_
        self.offset_ = self.strength * target + (1 - self.strength) * self.mean_
        labels = np.array(y[source].tolist())
        self.model_ = LogisticRegression().fit(X[source] - self.mean_, labels)
        self.classes_ = self.model_.classes_
        return self

    def transform(self, X):
        return np.asarray(X, dtype=float) - self.offset_

    def predict(self, X):
        return self.model_.predict(self.transform(X))

    def predict_proba(self, X):
        return self.model_.predict_proba(self.transform(X))


def table(n=90, shift=3.0, labels=("a", "b", "c"), seed=0):
    """Three classes on a line; the target is moved along it by more than a class."""
    rng = np.random.RandomState(seed)
    codes = np.arange(n) % 3
    domain = np.where(np.arange(n) % 2, -1, 0)
    X = 2.0 * codes[:, None] + rng.normal(scale=0.3, size=(n, 2))
    X[domain < 0] += shift
    return X, np.array(labels)[codes], domain


def fitted(labels=("a", "b", "c"), model=None):
    X, y, domain = table(labels=labels)
    model = clone(LogisticRegression() if model is None else model)
    return model.fit(X[domain >= 0], y[domain >= 0]), X, y, domain


def masked(y, domain):
    """Return labels with the marker at target rows."""
    if y.dtype.kind == "U":
        return np.where(domain < 0, None, y.astype(object))
    return np.where(domain < 0, np.nan if y.dtype.kind == "f" else -1, y)


def test_all_names_are_ready():
    assert list(SCORERS) == list(READY)
    for name, scorer in READY.items():
        assert make_domain_scorer(name) == scorer
        assert make_domain_scorer(name.upper().replace("-", "_")) == scorer


@pytest.mark.parametrize("scorer", READY.values(), ids=READY)
class TestEveryScorer:
    def test_labels_of_any_type(self, scorer):
        scores = []
        for labels in [("a", "b", "c"), (0, 1, 2), (-1, 0, 1), (0.5, 1.0, 1.5)]:
            labels = labels if labels != (0.5, 1.0, 1.5) else (0.0, 1.0, 2.0)
            scores.append(scorer(*fitted(labels)))
        assert np.isfinite(scores).all()
        assert len(set(scores)) == 1

    def test_domains_by_marker(self, scorer):
        for labels in [("a", "b", "c"), (0, 1, 2), (0.0, 1.0, 2.0)]:
            model, X, y, domain = fitted(labels)
            known = scorer(model, X, y, domain)
            assert scorer(model, X, masked(y, domain)) == known
            assert scorer(model, X, masked(y, domain), domain) == known
            assert scorer(model, X, pd.Series(masked(y, domain))) == known

    def test_kinds_of_rows(self, scorer):
        model, X, y, domain = fitted()
        expected = scorer(model, X, y, domain)
        assert scorer(model, X.tolist(), y.tolist(), domain.tolist()) == expected
        frame = pd.DataFrame(X, columns=["one", "two"], index=np.arange(90)[::-1])
        by_name = clone(model).fit(frame[domain >= 0], y[domain >= 0])
        assert scorer(by_name, frame, pd.Series(y), pd.Series(domain)) == expected
        rows = sparse.csr_array(X)
        sparsely = clone(model).fit(rows[domain >= 0], y[domain >= 0])
        assert scorer(sparsely, rows, y, domain) == pytest.approx(expected, abs=0.05)

    def test_any_classifier(self, scorer):
        for model in [
            make_pipeline(StandardScaler(), LogisticRegression()),
            RidgeClassifier(),
            LinearSVC(),
            SVC(),
            RandomForestClassifier(10, random_state=0),
            KNeighborsClassifier(),
            Perceptron(),
        ]:
            assert np.isfinite(scorer(*fitted(model=model)))
            assert np.isfinite(scorer(*fitted((0, 1, 1), model=model)))

    def test_a_search_counts_as_what_it_chose(self, scorer):
        model, X, y, domain = fitted()
        search = GridSearchCV(LogisticRegression(), {"C": [1.0]})
        search.fit(X[domain >= 0], y[domain >= 0])
        assert scorer(search, X, y, domain) == scorer(model, X, y, domain)

    def test_nothing_is_changed(self, scorer):
        model, X, y, domain = fitted()
        before = pickle.dumps((model, X, y, domain))
        scorer(model, X, y, domain)
        assert pickle.dumps((model, X, y, domain)) == before

    def test_names_of_domains(self, scorer):
        model, X, y, domain = fitted()
        names = np.where(domain < 0, "ward", "clinic")
        expected = scorer(model, X, y, domain)
        named = make_domain_scorer(scorer.name, target_domains=["ward"])
        assert named(model, X, y, names) == expected
        with pytest.raises(ValueError, match="Name the targets"):
            scorer(model, X, y, names)

    def test_what_is_missing_is_said(self, scorer):
        model, X, y, domain = fitted()
        with pytest.raises(ValueError, match=r"enable_metadata_routing=True.* or mark"):
            scorer(model, X, y)
        with (
            config_context(enable_metadata_routing=True),
            pytest.raises(ValueError, match="target: pass sample_domain, or mark"),
        ):
            scorer(model, X, y)
        with pytest.raises(TypeError, match="stack the rows of all domains"):
            scorer(model, (X, X), y, domain)
        with pytest.raises(ValueError, match="X has 90 rows and y has 89"):
            scorer(model, X, y[:-1], domain)
        with pytest.raises(ValueError, match="one id a row"):
            scorer(model, X, y, domain[:-1])

    def test_a_domain_that_is_needed_and_absent(self, scorer):
        model, X, y, domain = fitted()
        for side in (domain < 0, domain >= 0):
            name = "target" if side[0] else "source"
            needed = {"source": ("labelled", "source"), "target": ("target",)}[name]
            if set(needed) & set(scorer.needs):
                with pytest.raises(ValueError, match=f"needs .*{name} rows"):
                    scorer(model, X[side], y[side], domain[side])
            else:
                assert np.isfinite(scorer(model, X[side], y[side], domain[side]))

    def test_regressors(self, scorer):
        X, y, domain = table(labels=(0, 1, 2))
        y = y - 1  # -1 is a value here
        model = LinearRegression().fit(X[domain >= 0], y[domain >= 0])
        if scorer.name in REGRESSION:
            score = scorer(model, X, y, domain)
            assert np.isfinite(score)
            assert scorer(model, X, masked(y.astype(float), domain)) == score
            two = LinearRegression().fit(X[domain >= 0], np.c_[y, y][domain >= 0])
            both = scorer(two, X, np.c_[y, y], domain)
            assert both == pytest.approx(score, rel=1e-6)
        else:
            with pytest.raises(TypeError, match="is a regressor; use source"):
                scorer(model, X, y, domain)

    def test_object(self, scorer):
        for twin in (pickle.loads(pickle.dumps(scorer)), copy.deepcopy(scorer)):
            assert twin == scorer
            assert hash(twin) == hash(scorer)
        assert eval(repr(scorer)) == scorer
        assert make_domain_scorer(scorer.name, target_domains=["a"]) != scorer

    def test_in_cross_validation_with_routing(self, scorer):
        X, y, domain = table()
        params = {"sample_domain": domain}
        scoring = {"this": scorer, "oracle": target_scorer()}
        with config_context(enable_metadata_routing=True):
            one = cross_val_score(Centred(), X, y, cv=CV, scoring=scorer, params=params)
            many = cross_validate(
                Centred(), X, y, cv=CV, scoring=scoring, params=params
            )
        assert np.isfinite(one).all()
        np.testing.assert_array_equal(one, many["test_this"])
        np.testing.assert_array_equal(many["test_oracle"], 1)

    def test_in_cross_validation_without_routing(self, scorer):
        X, y, domain = table()
        model = make_pipeline(StandardScaler(), Centred())
        scores = cross_val_score(
            model,
            X,
            masked(y, domain),
            cv=CV_BY_MARKER,
            scoring=scorer,
            params={"centred__sample_domain": domain},
        )
        assert np.isfinite(scores).all()


# Of 90 rows, each fold with both domains and all classes.
CV_BY_MARKER = [
    (
        np.flatnonzero(np.arange(90) // 6 % 3 != k),
        np.flatnonzero(np.arange(90) // 6 % 3 == k),
    )
    for k in range(3)
]


@pytest.mark.parametrize(
    ("name", "n_jobs"),
    [("im", 1), ("bnm", 1), ("mixval", 1), ("pad", 1), ("reverse", 2)],
)
def test_in_a_grid_search(name, n_jobs):
    X, y, domain = table()
    pipeline = Pipeline([("scale", StandardScaler()), ("model", Centred())])
    search = GridSearchCV(
        pipeline,
        {"model__strength": [0.0, 1.0]},
        scoring={"score": READY[name], "oracle": target_scorer("accuracy")},
        refit="score",
        cv=CV,
        n_jobs=n_jobs,
    )
    with config_context(enable_metadata_routing=True):
        search.fit(X, y, sample_domain=domain)
        score = search.score(X, y, sample_domain=domain)
    assert np.isfinite(score)
    oracle = search.cv_results_["mean_test_oracle"]
    assert oracle[0] < 0.5 < oracle[1]
    if name == "reverse":
        scores = search.cv_results_["mean_test_score"]
        assert scores[0] < scores[1]
        assert search.best_params_ == {"model__strength": 1.0}


class TestDefinitions:
    P = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [1.0, 0, 0]])

    class Fixed(ClassifierMixin, BaseEstimator):
        """Predicts the probabilities it finds in X."""

        classes_ = np.arange(3)

        def predict_proba(self, X):
            return np.asarray(X)

        def predict(self, X):
            return np.argmax(X, axis=1)

    def score(self, name, P, **options):
        return make_domain_scorer(name, **options)(self.Fixed(), P, None, -1)

    def test_entropy_and_information(self):
        logs = np.log(np.where(self.P > 0, self.P, 1))
        rows = -np.sum(self.P * logs, axis=1)
        mean = self.P.mean(axis=0)
        assert self.score("entropy", self.P) == pytest.approx(-rows.mean())
        expected = -np.sum(mean * np.log(mean)) - rows.mean()
        assert self.score("im", self.P) == pytest.approx(expected)

    def test_best_and_worst(self):
        sure, flat = np.tile(np.eye(3), (4, 1)), np.full((12, 3), 1 / 3)
        lost = np.tile(np.eye(3)[0], (12, 1))
        assert self.score("im", sure) == pytest.approx(np.log(3))
        assert self.score("im", flat) == pytest.approx(0)
        assert self.score("im", lost) == pytest.approx(0)
        assert self.score("entropy", lost) == 0
        assert self.score("entropy", flat) == pytest.approx(-np.log(3))
        assert self.score("bnm", sure) == pytest.approx(1)
        assert self.score("bnm", lost) == pytest.approx(1 / np.sqrt(3))
        assert self.score("bnm", flat) == pytest.approx(1 / 3)
        assert self.score("snd", flat) == pytest.approx(np.log(11))
        assert self.score("snd", sure) == pytest.approx(np.log(3), abs=1e-6)
        assert self.score("mixval", lost) == 0.5
        assert self.score("mixval", sure) == 1

    def test_bnm(self):
        singular = np.sqrt(np.linalg.eigvalsh(self.P.T @ self.P))
        expected = singular.sum() / np.sqrt(4 * 3)
        assert self.score("bnm", self.P) == pytest.approx(expected)

    def test_snd(self, monkeypatch):
        F = self.P / np.linalg.norm(self.P, axis=1, keepdims=True)
        entropies = []
        for i in range(4):
            others = [F[i] @ F[j] for j in range(4) if j != i]
            p = softmax(np.array(others) / 0.2)
            entropies.append(-np.sum(p * np.log(p)))
        expected = pytest.approx(np.mean(entropies))
        assert self.score("snd", self.P, temperature=0.2) == expected
        monkeypatch.setattr(metrics.domain_scorers._confidence, "BLOCK", 8)
        assert self.score("snd", self.P, temperature=0.2) == expected

    def test_snd_needs_two(self):
        with pytest.raises(ValueError, match="needs two"):
            self.score("snd", self.P[:1])

    def test_one_target_row(self):
        for name in ("entropy", "im", "bnm", "mixval"):
            assert np.isfinite(self.score(name, self.P[:1]))

    def test_mixval_sees_borders_that_cut_through_a_class(self):
        """Labels of single rows inside a group of another class do not survive."""
        rng = np.random.RandomState(0)
        X = np.r_[rng.normal(0, 0.3, (60, 2)), rng.normal(4, 0.3, (60, 2))]
        clean = np.repeat([0, 1], 60)
        noisy = np.where(rng.uniform(size=120) < 0.2, 1 - clean, clean)
        for kind in ("both", "intra", "inter"):
            good, bad = (
                make_domain_scorer("mixval", kind=kind)(
                    KNeighborsClassifier(1).fit(X, y), X, None, -1
                )
                for y in (clean, noisy)
            )
            assert good > bad + 0.1
        assert good >= 0.9

    def test_pad(self):
        model, X, y, domain = fitted()
        values = model.decision_function(X)
        expected = -proxy_a_distance(values[domain >= 0], values[domain < 0])
        assert READY["pad"](model, X, y, domain) == expected
        lifted = make_pipeline(StandardScaler(), Centred()).fit(
            X, y, centred__sample_domain=domain
        )
        features = lifted.transform(X)
        expected = -proxy_a_distance(features[domain >= 0], features[domain < 0])
        assert READY["pad"](lifted, X, y, domain) == expected

    def test_pad_of_a_regressor_in_a_pipeline(self):
        """What enters the regressor, not what enters the pipeline."""
        X, y, domain = table(labels=(0.0, 1.0, 2.0))
        blind = FunctionTransformer(np.zeros_like)
        model = make_pipeline(blind, LinearRegression()).fit(X, y)
        assert READY["pad"](model, X, y, domain) == 0
        assert READY["pad"](LinearRegression().fit(X, y), X, y, domain) < -0.3

    def test_source(self):
        model, X, y, domain = fitted((0, 0, 1))
        assert READY["source"](model, X, y, domain) == model.score(
            X[domain >= 0], y[domain >= 0]
        )
        scorer = make_domain_scorer("source", scoring="roc_auc")
        values = model.decision_function(X[domain >= 0])
        expected = roc_auc_score(y[domain >= 0], values)
        assert scorer(model, X, y, domain) == expected

    def test_source_rows_without_a_label_do_not_count(self):
        model, X, y, domain = fitted((0, 1, 2))
        some = y.copy()
        some[domain >= 0] = np.where(np.arange(45) < 5, -1, y[domain >= 0])
        expected = READY["source"](model, X[10:], y[10:], domain[10:])
        assert READY["source"](model, X, some, domain) == expected


class TestWeighting:
    """A regression of x**2 by a line: good where the source is dense, bad elsewhere."""

    def data(self, seed=0, n=4000):
        rng = np.random.RandomState(seed)
        X = np.r_[rng.normal(0, 1, n), rng.normal(0.7, 1, n)][:, None]
        return X, np.repeat([0, -1], n)

    def test_density_ratio(self):
        """Of two normal densities of variance 1 it is exp(0.7 x - 0.7**2 / 2)."""
        X, domain = self.data()
        ratio = density_ratio(X[domain >= 0], X[domain < 0])
        expected = np.exp(0.7 * X[domain >= 0, 0] - 0.245)
        np.testing.assert_allclose(np.log(ratio), np.log(expected), atol=0.25)
        assert ratio.mean() == pytest.approx(1, abs=0.05)
        half = density_ratio(X[domain >= 0], X[domain < 0][::2])
        np.testing.assert_allclose(half, ratio, rtol=0.3)

    def test_both_estimate_the_target(self):
        X, domain = self.data()
        y = (X[:, 0] > 1).astype(int)
        model = LogisticRegression().fit([[-1.0], [1.0]], [0, 1])  # border at 0
        truth = np.mean(model.predict(X[domain < 0]) == y[domain < 0])
        source = READY["source"](model, X, y, domain)
        assert abs(source - truth) > 0.05
        features = make_pipeline(FunctionTransformer(), model)
        weighted = READY["importance-weighted"](features, X, y, domain)
        assert weighted == pytest.approx(truth, abs=0.03)
        assert 1 + READY["dev"](features, X, y, domain) == pytest.approx(
            truth, abs=0.03
        )

    def test_dev_by_hand(self):
        X, domain = self.data(n=50)
        y = (X[:, 0] > 1).astype(int)
        model = LogisticRegression().fit([[-1.0], [1.0]], [0, 1])
        f = model.decision_function(X)[:, None]
        w = density_ratio(f[domain >= 0], f[domain < 0])
        p = model.predict_proba(X[domain >= 0])[np.arange(50), y[domain >= 0]]
        losses = {"zero-one": (p < 0.5).astype(float), "log": -np.log(p)}
        for name, loss in losses.items():
            covariance = np.cov(loss * w, w)
            slope = -covariance[0, 1] / covariance[1, 1]
            risk = np.mean(loss * w) + slope * np.mean(w) - slope
            score = make_domain_scorer("dev", loss=name)(model, X, y, domain)
            assert score == pytest.approx(-risk)

    def test_log_loss_of_a_class_never_met(self):
        model, X, y, domain = fitted()
        other = np.where(np.arange(90) == 0, "new", y.astype("<U3"))
        scorer = make_domain_scorer("dev", loss="log")
        assert -np.inf < scorer(model, X, other, domain) < scorer(model, X, y, domain)

    def test_own_domain_classifier(self):
        model, X, y, domain = fitted()
        forest = RandomForestClassifier(5, random_state=0)
        scorer = make_domain_scorer("importance-weighted", domain_classifier=forest)
        assert 0 <= scorer(model, X, y, domain) <= 1
        assert not hasattr(forest, "estimators_")
        assert "RandomForestClassifier" in repr(scorer)

    def test_few_rows(self):
        model, X, y, domain = fitted()
        few = np.r_[np.flatnonzero(domain >= 0), np.flatnonzero(domain < 0)[:2]]
        for name in ("dev", "importance-weighted"):
            assert np.isfinite(READY[name](model, X[few], y[few], domain[few]))
            one = few[:-1]
            with pytest.raises(ValueError, match="two rows of either domain"):
                READY[name](model, X[one], y[one], domain[one])


class TestReverse:
    def test_both_ways_by_hand(self):
        X, y, domain = table()
        model = Centred().fit(X, y, domain)
        told = masked(model.predict(X), -1 - domain)
        back = Centred().fit(X, told, -1 - domain)
        expected = accuracy_score(y[domain >= 0], back.predict(X[domain >= 0]))
        assert READY["reverse"](model, X, y, domain) == expected == 1
        lost = Centred(strength=0.0).fit(X, y, domain)
        assert READY["reverse"](lost, X, y, domain) < 0.7

    def test_the_way_back_gets_no_source_label(self, monkeypatch):
        seen = []
        fit = Centred.fit

        def spy(self, X, y, sample_domain=None):
            seen.append((np.asarray(y), np.asarray(sample_domain)))
            return fit(self, X, y, sample_domain)

        for labels in [("a", "b", "c"), (0, 1, 2), (0.0, 1.0, 2.0), (-1, 1, 1)]:
            X, y, domain = table(labels=labels)
            model = Centred().fit(X, y, domain)
            with monkeypatch.context() as patch:
                patch.setattr(Centred, "fit", spy)
                READY["reverse"](model, X, y, domain)
            told, ids = seen.pop()
            assert not seen
            marks = told[ids < 0]
            assert len(marks) == 45
            assert all(m is None or m == -1 or m != m for m in marks.tolist())
            if -1 in labels:  # would be taken for a class
                assert set(marks.tolist()) == {None}

    def test_domains_change_sides_one_by_one(self):
        X, y, _ = table()
        domain = np.array([0, 4, -1, -3])[np.arange(90) % 4]
        ids = []

        class Spy(Centred):
            def fit(self, X, y, sample_domain=None):
                ids.append(sample_domain)
                return super().fit(X, y, sample_domain)

        READY["reverse"](Spy().fit(X, y, domain), X, y, domain)
        assert len(set(zip(ids[0].tolist(), ids[1].tolist(), strict=False))) >= 4
        assert sorted(np.unique(ids[1])) == [-2, -1, 0, 1]

    def test_one_predicted_class(self):
        X, y, domain = table()
        model = LogisticRegression().fit(X[domain >= 0], y[domain >= 0])
        far = X + 100.0 * (domain < 0)[:, None]
        assert set(model.predict(far[domain < 0])) == {"c"}
        assert READY["reverse"](model, far, y, domain) == pytest.approx(1 / 3)
        score = reverse_validation_score(model, far, y, domain, random_state=0)
        assert score == pytest.approx(1 / 3, abs=0.1)

    @pytest.mark.parametrize("routing", [False, True])
    def test_pipelines_hand_domains_on(self, routing):
        X, y, domain = table()
        inner = Pipeline([("scale", StandardScaler()), ("model", Centred())])
        outer = Pipeline([("first", StandardScaler()), ("inner", inner)])
        with config_context(enable_metadata_routing=routing):
            assert reverse_validation_score(outer, X, y, domain, random_state=0) == 1
            scoring = READY["im"] if routing else lambda e, X, y: 0.0
            search = GridSearchCV(
                Centred(), {"strength": [1.0]}, cv=CV, scoring=scoring
            )
            codes = np.unique(y, return_inverse=True)[1]  # folds cannot sort None
            assert (
                reverse_validation_score(search, X, codes, domain, random_state=0) == 1
            )
        blind = make_pipeline(StandardScaler(), LogisticRegression())
        assert reverse_validation_score(blind, X, y, domain, random_state=0) < 0.7

    def test_names_of_domains(self):
        X, y, domain = table()
        names = np.where(domain < 0, "ward", "clinic")
        model = Centred(target_domains=["ward"])
        expected = reverse_validation_score(Centred(), X, y, domain, random_state=0)
        assert reverse_validation_score(model, X, y, names, random_state=0) == expected
        assert READY["reverse"](model.fit(X, y, names), X, y, names) == 1
        assert model.target_domains == ["ward"]

    def test_regressor(self):
        X, _, domain = table()
        y = X[:, 0] ** 2
        model = LinearRegression()
        score = reverse_validation_score(model, X, y, domain, random_state=0)
        assert score < 1
        assert score == reverse_validation_score(
            model, X, masked(y, domain), random_state=0
        )
        line = reverse_validation_score(model, X, X[:, 0], domain, random_state=0)
        assert line == pytest.approx(1)

    def test_held_out_rows_are_not_fitted(self):
        """One neighbour would know random labels, had it seen the rows."""
        rng = np.random.RandomState(0)
        X = np.repeat(rng.normal(size=(300, 2)), 2, axis=0)
        y, domain = np.repeat(rng.randint(2, size=300), 2), np.tile([0, -1], 300)
        score = reverse_validation_score(
            KNeighborsClassifier(1), X, y, domain, random_state=0
        )
        assert score < 0.7

    def test_seed(self):
        X, y, domain = table()
        y = np.where(np.random.RandomState(0).uniform(size=90) < 0.3, "a", y)
        scores = [
            reverse_validation_score(
                LogisticRegression(), X, y, domain, random_state=seed
            )
            for seed in (0, 0, 1, 2, 3)
        ]
        assert scores[0] == scores[1]
        assert len(set(scores)) > 1

    def test_few_rows_and_rare_classes(self):
        X, y, domain = table(n=90)
        y = np.where(np.arange(90) == 0, "rare", y.astype("<U4"))
        score = reverse_validation_score(Centred(), X, y, domain, random_state=0)
        assert 0 <= score <= 1
        few = np.flatnonzero((np.arange(90) < 12) | (domain >= 0))
        for fraction in (0.01, 0.5, 0.99):
            score = reverse_validation_score(
                KNeighborsClassifier(1),
                X[few],
                y[few],
                domain[few],
                validation_fraction=fraction,
                random_state=0,
            )
            assert 0 <= score <= 1

    def test_mistakes(self):
        X, y, domain = table()
        model = Centred()
        for fraction in (0, 1, -0.5, 2):
            with pytest.raises(ValueError, match="validation_fraction"):
                reverse_validation_score(
                    model, X, y, domain, validation_fraction=fraction
                )
        one = np.r_[0:90:2, 1]
        with pytest.raises(ValueError, match="two target rows at least, got 1"):
            reverse_validation_score(model, X[one], y[one], domain[one])
        with pytest.raises(ValueError, match="y is None"):
            reverse_validation_score(model, X, None, domain)
        with pytest.raises(ValueError, match="which rows are the target"):
            reverse_validation_score(model, X, y)


class TestTargetScorer:
    def test_only_labelled_target_rows_count(self):
        model, X, y, domain = fitted((0, 1, 2))
        some = np.where((domain < 0) & (np.arange(90) < 30), -1, y)
        here = (domain < 0) & (np.arange(90) >= 30)
        expected = accuracy_score(y[here], model.predict(X[here]))
        assert target_scorer()(model, X, some, domain) == expected
        assert target_scorer("accuracy")(model, X, some, domain) == expected
        own = target_scorer(lambda e, X, y: float(len(y)))
        assert own(model, X, some, domain) == here.sum()

    def test_any_score(self):
        model, X, y, domain = fitted((0, 0, 1))
        expected = roc_auc_score(y[domain < 0], model.decision_function(X[domain < 0]))
        assert target_scorer("roc_auc")(model, X, y, domain) == expected

    def test_regressor(self):
        X, y, domain = table(labels=(-1, 0, 1))
        model = LinearRegression().fit(X, y)
        expected = r2_score(y[domain < 0], model.predict(X[domain < 0]))
        assert target_scorer()(model, X, y, domain) == expected

    def test_weights_are_passed_on(self):
        from sklearn.metrics import get_scorer

        X, y, domain = table()
        weight = np.where(np.arange(90) < 45, 1.0, 0.0)
        with config_context(enable_metadata_routing=True):
            inner = get_scorer("accuracy").set_score_request(sample_weight=True)
            model = Centred(0.0)
            model.fit(X, y, domain)
            (score,) = cross_val_score(
                model,
                X,
                y,
                cv=[(np.arange(90), np.arange(90))],
                scoring=target_scorer(inner),
                params={"sample_domain": domain, "sample_weight": weight},
            )
        here = (domain < 0) & (weight > 0)
        assert score == np.mean(model.predict(X[here]) == y[here])

    def test_mistakes(self):
        model, X, y, domain = fitted()
        with pytest.raises(ValueError, match="No target row has a label"):
            target_scorer()(model, X, masked(y, domain), domain)
        with pytest.raises(ValueError, match="No target row has a label"):
            target_scorer()(model, X, masked(y, domain))
        with pytest.raises(ValueError, match="y is None"):
            target_scorer()(model, X, None, domain)
        with pytest.raises(ValueError, match="enable_metadata_routing"):
            target_scorer()(model, X, y)
        with pytest.raises(ValueError, match="no_such_score"):
            target_scorer("no_such_score")

    def test_object(self):
        scorer = target_scorer("roc_auc", target_domains=["a"])
        assert eval(repr(scorer)) == scorer == pickle.loads(pickle.dumps(scorer))
        assert hash(scorer) == hash(target_scorer("roc_auc", target_domains=["a"]))
        assert scorer != target_scorer("roc_auc")
        assert repr(target_scorer()) == "target_scorer(None)"


class TestMistakes:
    def test_unknown_name(self):
        with pytest.raises(ValueError, match=r"one of \['bnm', 'dev'.* got 'nosuch'"):
            make_domain_scorer("nosuch")

    def test_unknown_option(self):
        with pytest.raises(TypeError, match="im score has no option 'temperature'"):
            make_domain_scorer("im", temperature=1.0)

    @pytest.mark.parametrize(
        ("name", "option"),
        [
            ("snd", {"temperature": 0}),
            ("mixval", {"mixing": 0.5}),
            ("mixval", {"mixing": 1}),
            ("mixval", {"kind": "all"}),
            ("dev", {"cv": 1}),
            ("dev", {"loss": "hinge"}),
            ("importance-weighted", {"cv": 2.5}),
        ],
    )
    def test_option_out_of_range(self, name, option):
        with pytest.raises(ValueError, match=next(iter(option))):
            make_domain_scorer(name, **option)

    def test_domain_classifier_without_probabilities(self):
        with pytest.raises(TypeError, match="domain_classifier"):
            make_domain_scorer("dev", domain_classifier=LinearSVC())

    def test_rows_that_cannot_be_mixed(self):
        X = pd.DataFrame({"word": ["u", "v"] * 5})
        model = make_pipeline(
            FunctionTransformer(lambda X: (np.asarray(X) == "u").astype(float)),
            LogisticRegression(),
        ).fit(X, [0, 1] * 5)
        with pytest.raises(TypeError, match="X must hold numbers only"):
            READY["mixval"](model, X, None, -1)
        assert READY["im"](model, X, None, -1) > 0

    def test_frames_are_mixed_as_frames(self):
        polars = pytest.importorskip("polars")
        names = ["one", "two"]
        for kind in (pd.DataFrame, lambda d: polars.DataFrame(d)):
            X = kind({"one": [0, 10], "two": [0.0, 4.0]})
            mixed = mix_rows(X, np.array([1, 0]), 0.75)
            assert type(mixed) is type(X)
            assert list(mixed.columns) == names
            np.testing.assert_allclose(np.asarray(mixed), [[2.5, 1], [7.5, 3]])

    def test_nothing_but_predict(self):
        class Bare(ClassifierMixin, BaseEstimator):
            def predict(self, X):
                return np.zeros(len(X))

        with pytest.raises(TypeError, match="predict_proba or decision_function"):
            READY["im"](Bare(), [[0.0]], None, -1)

    def test_several_labels_a_row(self):
        X = np.random.RandomState(0).normal(size=(20, 2))
        model = RandomForestClassifier(2).fit(X, (X > 0).astype(int))
        with pytest.raises((TypeError, ValueError)):
            READY["im"](model, X, None, -1)

    def test_a_regressor_inside_a_pipeline(self):
        class Own(RegressorMixin, BaseEstimator):
            def fit(self, X, y):
                return self

            def predict(self, X):
                return np.zeros(len(X))

        with pytest.raises(TypeError, match="is a regressor"):
            READY["bnm"](make_pipeline(Own()), [[0.0]], None, -1)


@pytest.mark.parametrize("routing", [False, True])
def test_with_the_real_estimator(routing):
    """Domains reach DANNClassifier without a request by hand, in both modes."""
    DANNClassifier = pytest.importorskip("mlmi_sklearn").DANNClassifier
    X, y, domain = table(n=120, shift=0.5)
    model = make_pipeline(
        StandardScaler(), DANNClassifier(max_epochs=5, batch_size=16, random_state=0)
    )
    told = y if routing else masked(y, domain)
    params = {"sample_domain" if routing else "dannclassifier__sample_domain": domain}
    with config_context(enable_metadata_routing=routing):
        scores = cross_validate(
            model,
            X,
            told,
            cv=[(np.arange(60), np.arange(60, 120))],
            scoring=READY,
            params=params,
            error_score="raise",
        )
        score = reverse_validation_score(model, X, told, domain, random_state=0)
    assert all(np.isfinite(scores[f"test_{name}"][0]) for name in READY)
    assert 1 / 3 < score <= 1

"""Estimators of scikit-learn around ours and ours around scikit-learn's."""

import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy import stats
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    BaggingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    StratifiedKFold,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.fixes import parse_version

from mlmi_sklearn import (
    MISVC,
    AttentionPooling,
    AugmentedClassifier,
    Bags,
    CGANSampler,
    DANNClassifier,
    InstanceWise,
    MILClassifier,
    NetClassifier,
    SingleInstanceClassifier,
    load,
    save,
)
from mlmi_sklearn.persistence import read_manifest


def net(**params):
    return NetClassifier(**{"max_epochs": 1, "random_state": 0, **params})


OURS = {
    "pipeline": make_pipeline(StandardScaler(), PCA(2), net()),
    "union": make_pipeline(
        FeatureUnion([("a", SelectKBest(f_classif, k=2)), ("b", PCA(1))]), net()
    ),
    "function": make_pipeline(FunctionTransformer(np.tanh), net()),
    "grid": GridSearchCV(
        make_pipeline(StandardScaler(), net()),
        {"netclassifier__backbone__hidden": [(3,), (5, 2)]},
        cv=StratifiedKFold(2),
        scoring=make_scorer(accuracy_score),
    ),
    "random": RandomizedSearchCV(
        net(), {"lr": stats.loguniform(1e-4, 1e-2)}, n_iter=2, cv=2, random_state=0
    ),
    "calibrated": CalibratedClassifierCV(net(), cv=2),
    "isotonic": CalibratedClassifierCV(GaussianNB(), method="isotonic", cv=2),
    "voting": VotingClassifier(
        [("net", net()), ("lr", LogisticRegression())], voting="soft"
    ),
    "stacking": StackingClassifier([("net", net()), ("nb", GaussianNB())], cv=2),
    "bagging": BaggingClassifier(net(), n_estimators=2, random_state=0),
    "threshold": TunedThresholdClassifierCV(net(), cv=2),
    "rest": OneVsRestClassifier(net()),
    "augmented": AugmentedClassifier(
        SVC(probability=False), CGANSampler(max_iter=3), random_state=0
    ),
    "forest": AugmentedClassifier(
        RandomForestClassifier(3, random_state=0), CGANSampler(max_iter=3), ratio=0
    ),
    "tree": make_pipeline(StandardScaler(), DecisionTreeClassifier(random_state=0)),
    "neighbours": KNeighborsClassifier(3),
    "boosting": HistGradientBoostingClassifier(max_iter=3),
    "sgd": SGDClassifier(loss="log_loss", random_state=0),
}


@pytest.mark.parametrize("name", OURS)
def test_tables(name, kit, tmp_path):
    if name in ("boosting", "sgd") and parse_version(
        sklearn.__version__
    ) < parse_version("1.9"):
        pytest.skip("scikit-learn 1.8 gives its losses a module that is not there")
    X, y = kit.table(n=30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = OURS[name].fit(X, y)
    save(model, tmp_path / "a")
    found = load(tmp_path / "a")
    if name != "random":  # whose distribution shows its address
        assert repr(found) == repr(model)
    method = "predict_proba" if hasattr(model, "predict_proba") else "predict"
    np.testing.assert_array_equal(getattr(found, method)(X), getattr(model, method)(X))
    if name == "grid":
        assert found.best_params_ == model.best_params_
        frames = [pd.DataFrame(m.cv_results_) for m in (found, model)]
        pd.testing.assert_frame_equal(*frames)
        assert found.score(X, y) == model.score(X, y)


BAGS = {
    "lifted": make_pipeline(
        InstanceWise(StandardScaler()),
        MILClassifier(pooling=AttentionPooling(heads=2), max_epochs=1, random_state=0),
    ),
    "single": SingleInstanceClassifier(LogisticRegression()),
    "forest": SingleInstanceClassifier(RandomForestClassifier(2, random_state=0)),
    "misvc": MISVC(mode="MI", estimator=SVC(kernel="linear"), cv=2),
}


@pytest.mark.parametrize("name", BAGS)
def test_bags(name, tmp_path):
    rng = np.random.default_rng(0)
    lengths = np.array([3, 1, 4, 2] * 5)
    y = np.arange(20) % 2
    X = Bags(
        rng.normal(size=(lengths.sum(), 3)) + np.repeat(y, lengths)[:, None], lengths
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = BAGS[name].fit(X, y)
    save(model, tmp_path / "a")
    found = load(tmp_path / "a")
    np.testing.assert_array_equal(
        found.decision_function(X), model.decision_function(X)
    )


def test_frames_with_categories(tmp_path):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "age": rng.integers(20, 90, 30),
            "sex": pd.Categorical(rng.choice(["f", "m"], 30)),
            "site": rng.choice(["Graz", "Łódź"], 30),
        }
    )
    y = rng.choice(["no", "yes"], 30)
    columns = ColumnTransformer(
        [("n", StandardScaler(), ["age"]), ("c", OneHotEncoder(), ["sex", "site"])]
    )
    model = make_pipeline(columns, net()).fit(X, y)
    save(model, tmp_path / "a")
    found = load(tmp_path / "a")
    np.testing.assert_array_equal(found.predict_proba(X), model.predict_proba(X))
    assert found.feature_names_in_.tolist() == list(X.columns)
    sampler = CGANSampler(max_iter=3, random_state=0).fit(X, y)
    save(sampler, tmp_path / "b")
    one, other = (m.sample(9, random_state=1) for m in (sampler, load(tmp_path / "b")))
    pd.testing.assert_frame_equal(one[0], other[0])
    assert one[1].tolist() == other[1].tolist()


def test_domains_and_what_is_recorded(kit, tmp_path):
    X, y = kit.table(n=40)
    domain = np.where(np.arange(40) < 20, 1, -1)
    model = DANNClassifier(backbone="mlp", max_epochs=1, random_state=0)
    model.fit(X, y, sample_domain=domain)
    pipe = make_pipeline(StandardScaler().fit(X), model)
    save(pipe, tmp_path / "a")
    found = load(tmp_path / "a")
    np.testing.assert_array_equal(found.predict_proba(X), pipe.predict_proba(X))
    manifest = read_manifest(tmp_path / "a")
    entries = {(e["kind"], e["name"], e["dist"]) for e in manifest["components"]}
    assert ("estimator", "mlmi-sklearn:DANNClassifier", "mlmi-sklearn") in entries
    assert ("estimator", "sklearn.pipeline:Pipeline", "scikit-learn") in entries
    assert ("backbone", "mlp", "mlmi-sklearn") in entries
    assert ("divergence", "mlmi-sklearn:dann", "mlmi-sklearn") in entries
    assert manifest["estimator"] == "Pipeline"
    assert {"torch", "numpy", "scikit-learn", "python"} <= set(manifest["versions"])


def test_what_is_shared_stays_shared(kit, tmp_path):
    X, y = kit.table()
    inner = net().fit(X, y)
    state = np.random.RandomState(0)
    both = make_pipeline(PCA(2, random_state=state), net(random_state=state))
    save(both, tmp_path / "a")
    found = load(tmp_path / "a")
    assert found[0].random_state is found[1].random_state
    voting = VotingClassifier([("a", LogisticRegression()), ("b", inner)]).fit(X, y)
    save(voting, tmp_path / "b")
    found = load(tmp_path / "b")
    assert found.named_estimators_["b"] is found.estimators_[1]

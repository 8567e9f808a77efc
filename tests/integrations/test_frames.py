"""pandas and polars, into estimators and out of transformers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlmi_sklearn import (
    Bags,
    BagStatistics,
    BagVLAD,
    CGANSampler,
    DANNClassifier,
    InstanceWise,
    MILClassifier,
    MSDATransformer,
    NetClassifier,
    NetRegressor,
    SelfTaughtTransformer,
    TileGrid,
)

pl = pytest.importorskip("polars")

FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame}


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3)).astype(np.float32)
    return X, (X[:, 0] > 0).astype(int)


def framed(X, library):
    data = {f"f{i}": X[:, i] for i in range(X.shape[1])}
    return FRAMES[library](data)


@pytest.mark.parametrize("library", FRAMES)
@pytest.mark.parametrize("Estimator", [NetClassifier, NetRegressor, MILClassifier])
def test_frames_go_in_as_arrays_do(table, library, Estimator):
    X, y = table
    model = Estimator(max_epochs=2, random_state=0)
    expected = model.fit(X, y).predict(X)
    frame = framed(X, library)
    column = frame["f0"].__class__(y)
    model.fit(frame, column)
    assert list(model.feature_names_in_) == ["f0", "f1", "f2"]
    assert np.array_equal(model.predict(frame), expected)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["f1", "f0", "f2"]])


@pytest.mark.parametrize("library", FRAMES)
def test_searches_and_pipelines_over_frames(table, library):
    X, y = table
    model = make_pipeline(StandardScaler(), NetClassifier(max_epochs=2, random_state=0))
    model.set_output(transform=library)
    found = cross_val_score(model, framed(X, library), y, cv=2)
    plain = make_pipeline(StandardScaler(), NetClassifier(max_epochs=2, random_state=0))
    assert np.allclose(found, cross_val_score(plain, X, y, cv=2))


@pytest.mark.parametrize("library", FRAMES)
def test_domains_in_columns_of_a_frame(table, library):
    X, y = table
    domain = np.where(np.arange(40) < 25, 1, -1)
    model = DANNClassifier(max_epochs=2, random_state=0)
    expected = model.fit(X, y, sample_domain=domain).predict(X)
    column = framed(X, library)["f0"].__class__(domain)
    model.fit(framed(X, library), y, sample_domain=column)
    assert np.array_equal(model.predict(framed(X, library)), expected)


BAGS = [BagStatistics(), BagVLAD(2, random_state=0)]
TABLES = [
    SelfTaughtTransformer(max_epochs=1, random_state=0),
    MSDATransformer(),
    MILClassifier(max_epochs=1, random_state=0),
    TileGrid(),
]


@pytest.mark.parametrize("library", FRAMES)
@pytest.mark.parametrize("transformer", TABLES, ids=lambda t: type(t).__name__)
def test_transformers_give_frames_if_asked(table, library, transformer):
    X, y = table
    plain = transformer.fit(X, y).transform(X)
    transformer.set_output(transform=library)
    frame = transformer.fit(framed(X, library), y).transform(framed(X, library))
    assert isinstance(frame, FRAMES[library])
    assert np.allclose(frame.to_numpy(), plain, atol=1e-5)
    assert list(frame.columns) == list(transformer.get_feature_names_out())


@pytest.mark.parametrize("library", FRAMES)
@pytest.mark.parametrize("transformer", BAGS, ids=lambda t: type(t).__name__)
def test_bags_become_frames_if_asked(table, library, transformer):
    X, _ = table
    bags = Bags(X, [10] * 4)
    plain = transformer.fit(bags).transform(bags)
    frame = transformer.set_output(transform=library).fit_transform(bags)
    assert isinstance(frame, FRAMES[library])
    assert np.allclose(frame.to_numpy(), plain, atol=1e-5)
    assert list(frame.columns) == list(transformer.get_feature_names_out())


def test_bags_stay_bags_on_their_way(table):
    X, _ = table
    scaled = InstanceWise(StandardScaler()).set_output(transform="polars")
    assert isinstance(scaled.fit_transform(Bags(X, [10] * 4)), Bags)


def test_a_polars_table_of_instances_becomes_bags(table):
    X, _ = table
    frame = framed(X, "polars").with_columns(
        pl.Series("slide", np.repeat(list("abcd"), 10)),
        pl.Series("label", np.repeat([0, 1, 0, 1], 10)),
    )
    bags, y = Bags.from_frame(frame, bag="slide", y="label")
    assert len(bags) == 4
    assert list(y) == [0, 1, 0, 1]
    assert np.allclose(bags.values, X)


@pytest.mark.parametrize("library", FRAMES)
def test_samplers_read_frames(table, library):
    X, y = table
    model = CGANSampler(max_iter=2, checkpoint="last", random_state=0)
    made, labels = model.fit(framed(X, library), y).sample(5, random_state=0)
    assert list(made.columns) == ["f0", "f1", "f2"]
    assert len(labels) == 5

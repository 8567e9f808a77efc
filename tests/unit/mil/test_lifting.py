"""InstanceWise: any transformer of instances, on bags."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    PolynomialFeatures,
    StandardScaler,
    TargetEncoder,
)
from sklearn.utils import get_tags

from mlmi_sklearn import Bags, InstanceWise
from mlmi_sklearn.exceptions import BagError

TRANSFORMERS = [
    StandardScaler(),
    PCA(2),
    SelectKBest(k=2),
    PolynomialFeatures(),
    KBinsDiscretizer(3, encode="ordinal", quantile_method="averaged_inverted_cdf"),
    FunctionTransformer(np.abs),
    make_pipeline(SimpleImputer(), StandardScaler()),
    ColumnTransformer([("a", StandardScaler(), [0, 1])], remainder="passthrough"),
]


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=lambda t: type(t).__name__)
def test_equals_the_transformer_on_all_instances(transformer, bags):
    X, y = bags
    lifted = InstanceWise(transformer)
    found = lifted.fit_transform(X, y)
    labels = np.repeat(y, X.lengths)
    expected = clone(transformer).fit(X.values, labels).transform(X.values)
    assert_array_equal(found.values, expected)
    assert_array_equal(found.lengths, X.lengths)
    assert_array_equal(lifted.transform(X[3:5]).values, lifted.transform(X)[3:5].values)
    assert lifted.n_features_in_ == 4
    assert lifted.transformer is transformer
    assert not hasattr(transformer, "n_features_in_")


def test_fields_are_kept(make_bags):
    X, _ = make_bags(groups=np.arange(30) // 2, bag_ids=np.arange(30))
    out = InstanceWise().fit_transform(X[::-1])
    assert_array_equal(out.groups, X.groups[::-1])
    assert_array_equal(out.bag_ids, X.bag_ids[::-1])


def test_lists_and_object_columns(bags):
    X = bags[0]
    lifted = InstanceWise().fit(X)
    for given in (X.to_list(), np.asarray(X), pd.Series(X.to_list())):
        assert_array_equal(lifted.transform(given).values, lifted.transform(X).values)


def test_a_table_passes_as_if_the_transformer_stood_alone(bags):
    rows = bags[0].values
    for given in (rows, pd.DataFrame(rows, columns=list("abcd"))):
        lifted, alone = InstanceWise().fit(given), StandardScaler().fit(given)
        assert_array_equal(lifted.transform(given), alone.transform(given))
    assert lifted.feature_names_in_.tolist() == list("abcd")
    assert InstanceWise().fit(bags[0]).transform(rows).shape == rows.shape


def test_training_instances_only(bags):
    X = bags[0]
    lifted = InstanceWise().fit(X[:10])
    assert_allclose(lifted.transformer_.mean_, X[:10].values.mean(axis=0))


def test_inverse(bags):
    X = bags[0]
    lifted = InstanceWise().fit(X)
    back = lifted.inverse_transform(lifted.transform(X))
    assert isinstance(back, Bags)
    assert_allclose(back.values, X.values)
    assert not hasattr(InstanceWise(SelectKBest), "inverse_transform")
    assert not hasattr(InstanceWise(KeepFew()), "inverse_transform")
    assert hasattr(InstanceWise(make_pipeline(StandardScaler())), "inverse_transform")


def test_imputes_bags(bags, quick):
    X, y = bags
    values = X.values.copy()
    values[5, 1] = np.nan
    holey = X.with_values(values)
    model = make_pipeline(InstanceWise(SimpleImputer()), quick())
    assert np.isfinite(model.fit(holey, y).decision_function(holey)).all()


def test_clone_pickle_and_nested_parameters(bags):
    lifted = InstanceWise(StandardScaler(with_std=False))
    assert clone(lifted).get_params()["transformer__with_std"] is False
    lifted.set_params(transformer__with_mean=False).fit(bags[0])
    again = pickle.loads(pickle.dumps(lifted))
    assert_array_equal(again.transform(bags[0]).values, bags[0].values)


# -- names and containers of the output ----------------------------------------


@pytest.mark.parametrize("output", ["pandas", "polars", "default"])
def test_set_output_concerns_tables_only(output, bags, quick):
    X, y = bags
    kinds = {"pandas": "DataFrame", "polars": "DataFrame", "default": "ndarray"}
    model = make_pipeline(InstanceWise(), quick()).set_output(transform=output)
    expected = make_pipeline(InstanceWise(), quick()).fit(X, y).decision_function(X)
    assert_array_equal(model.fit(X, y).decision_function(X), expected)
    lifted = clone(model)[0].fit(X)
    assert isinstance(lifted.transform(X), Bags)
    table = lifted.transform(X.values)
    assert type(table).__name__ == kinds[output]
    assert_array_equal(np.asarray(table), lifted.transform(X).values)
    assert InstanceWise().set_output(transform=None) is not None


def test_set_output_after_fit(bags):
    lifted = InstanceWise().fit(bags[0]).set_output(transform="pandas")
    assert isinstance(lifted.transform(bags[0].values), pd.DataFrame)
    assert isinstance(lifted.transform(bags[0]), Bags)


def test_the_global_switch_for_frames(bags, quick):
    X, y = bags
    model = make_pipeline(InstanceWise(StandardScaler()), quick())
    expected = clone(model).fit(X, y).decision_function(X)
    with config_context(transform_output="pandas"):
        assert_array_equal(model.fit(X, y).decision_function(X), expected)
        assert isinstance(InstanceWise().fit(X).transform(X.values), pd.DataFrame)


def test_names_of_features(bags, quick):
    X, y = bags
    X = X.with_values(X.values, feature_names=list("abcd"))
    lifted = InstanceWise(SelectKBest(k=2)).fit(X, y)
    assert lifted.feature_names_in_.tolist() == list("abcd")
    out = lifted.transform(X)
    assert list(out.feature_names) == lifted.get_feature_names_out().tolist()
    assert set(out.feature_names) < set("abcd")
    with pytest.raises(ValueError, match="feature names should match"):
        lifted.transform(X.with_values(X.values, feature_names=list("abdc")))
    model = make_pipeline(InstanceWise(), quick()).fit(X, y)
    assert model[-1].feature_names_in_.tolist() == list("abcd")
    unnamed = InstanceWise(FunctionTransformer(np.asarray)).fit_transform(X)
    assert unnamed.feature_names is None


# -- bad input -----------------------------------------------------------------


class KeepFew(TransformerMixin, BaseEstimator):
    """Drops rows, which a transformer of instances must not."""

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return X[:3]


def test_a_transformer_that_drops_rows(bags):
    with pytest.raises(BagError, match=r"KeepFew\(\) returned 3 rows for 112 "):
        InstanceWise(KeepFew()).fit_transform(bags[0])


def test_a_transformer_with_sparse_output(bags):
    lifted = InstanceWise(OneHotEncoder(handle_unknown="ignore")).fit(bags[0])
    assert lifted.transform(bags[0]).is_sparse
    dense = InstanceWise(OneHotEncoder(sparse_output=False)).fit_transform(bags[0])
    assert_array_equal(lifted.transform(bags[0]).values.toarray(), dense.values)


def test_wrong_number_of_labels(bags):
    X, y = bags
    for model in (InstanceWise(SelectKBest(k=2)), InstanceWise()):
        with pytest.raises(ValueError, match=r"X has 30 bags.*y has 29"):
            model.fit(X, y[:-1])


def test_labels_of_several_columns(bags):
    X, y = bags
    lifted = InstanceWise().fit(X, np.column_stack([y, 1 - y]))
    assert_array_equal(
        lifted.transform(X).values, InstanceWise().fit_transform(X).values
    )


def test_other_mistakes(bags):
    X, _ = bags
    with pytest.raises(ValueError, match="'transformer' parameter of InstanceWise"):
        InstanceWise("passthrough").fit(X)
    with pytest.raises(NotFittedError, match="InstanceWise instance is not fitted"):
        InstanceWise().transform(X)
    with pytest.raises(ValueError, match="X has 3 features, but StandardScaler"):
        InstanceWise().fit(X).transform(X.with_values(X.values[:, :3]))
    with pytest.raises(BagError, match=r"Bags\.from_frame"):
        InstanceWise().fit(X.to_frame())
    with pytest.raises(BagError, match="is an empty bag"):
        InstanceWise().fit([*X.to_list(), np.zeros((0, 4))])
    with pytest.raises(ValueError, match="No feature"):
        InstanceWise(VarianceThreshold(99.0)).fit(X)


def test_a_failed_fit_keeps_the_transformer(bags):
    lifted = InstanceWise().fit(bags[0])
    kept = lifted.transformer_
    with pytest.raises(ValueError, match="infinity"):
        lifted.fit(bags[0].with_values(np.full_like(bags[0].values, np.inf)))
    assert lifted.transformer_ is kept


@pytest.mark.parametrize("fitted_on", ["bags", "table"])
def test_a_long_frame_is_sent_to_from_frame(fitted_on, bags):
    X, _ = bags
    long = pd.DataFrame(X.values, columns=list("abcd"))
    model = InstanceWise().fit(X if fitted_on == "bags" else X.values)
    long.insert(0, "bag_id", np.repeat(np.arange(len(X)), X.lengths))
    for method in (model.fit, model.transform, model.inverse_transform):
        with pytest.raises(BagError, match=r"Bags\.from_frame"):
            method(long)
    assert model.transform(pd.DataFrame(X.values)).shape == X.values.shape


def test_what_the_transformer_says_of_itself_is_passed_on(bags):
    for inner in (StandardScaler(), SimpleImputer(), OneHotEncoder(), TargetEncoder()):
        own, lifted = get_tags(inner), get_tags(InstanceWise(inner))
        assert lifted.input_tags == own.input_tags
        assert lifted.target_tags.required == own.target_tags.required
        assert lifted.transformer_tags == own.transformer_tags
    assert get_tags(InstanceWise()).input_tags == get_tags(StandardScaler()).input_tags
    assert not get_tags(InstanceWise()).target_tags.required
    assert get_tags(InstanceWise(TargetEncoder())).target_tags.required


def test_labels_go_to_each_instance_of_their_bag(bags):
    class Noted(TransformerMixin, BaseEstimator):
        def fit(self, X, y=None):
            self.y_ = y
            return self

        def transform(self, X):
            return X

    X, y = bags
    assert InstanceWise(Noted()).fit(X).transformer_.y_ is None
    found = InstanceWise(Noted()).fit(X, y.tolist()).transformer_.y_
    assert_array_equal(found, np.repeat(y, X.lengths))
    columns = np.column_stack([y, 1 - y])
    found = InstanceWise(Noted()).fit(X, columns).transformer_.y_
    assert_array_equal(found, np.repeat(columns, X.lengths, axis=0))
    # Rows of a table are instances, and their labels are left alone.
    labels = np.arange(X.n_instances)
    assert InstanceWise(Noted()).fit(X.values, labels).transformer_.y_ is labels


def test_names_come_back_with_the_inverse(bags):
    X = bags[0].with_values(bags[0].values, feature_names=list("abcd"))
    lifted = InstanceWise(PCA(4)).fit(X)
    reduced = lifted.transform(X)
    assert list(reduced.feature_names) == ["pca0", "pca1", "pca2", "pca3"]
    back = lifted.inverse_transform(reduced)
    assert list(back.feature_names) == list("abcd")
    assert_allclose(back.values, X.values)
    plain = InstanceWise(PCA(4)).fit(bags[0])
    assert plain.transform(bags[0]).feature_names is None
    assert plain.inverse_transform(plain.transform(bags[0])).feature_names is None
    rows = plain.transform(bags[0].values)
    assert_allclose(plain.inverse_transform(rows), bags[0].values)


def test_frames_name_what_they_hold(bags):
    X = bags[0]
    lifted = InstanceWise(PCA(2)).set_output(transform="pandas").fit(X)
    assert list(lifted.transform(X).feature_names) == ["pca0", "pca1"]
    assert lifted.get_feature_names_out().tolist() == ["pca0", "pca1"]


def test_a_transformer_that_drops_rows_is_told_so_in_full(bags):
    message = (
        r"^KeepFew\(\) returned 3 rows for 112 instances\. InstanceWise needs a "
        r"transformer that keeps the number of rows\.$"
    )
    with pytest.raises(BagError, match=message):
        InstanceWise(KeepFew()).fit_transform(bags[0])


def test_the_output_asked_for_is_that_of_clones_made_in_fit(bags):
    lifted = InstanceWise().set_output(transform="pandas")
    assert lifted.set_output(transform=None) is lifted
    lifted.fit(bags[0])
    assert isinstance(lifted.transform(bags[0].values), pd.DataFrame)
    lifted.set_output(transform="default")
    assert isinstance(lifted.transform(bags[0].values), np.ndarray)
    assert isinstance(lifted.fit(bags[0]).transform(bags[0].values), np.ndarray)

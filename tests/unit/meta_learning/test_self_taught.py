"""Features of samples without labels."""

import pickle

import numpy as np
import pytest
import sklearn
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlmi_sklearn.meta_learning.fine_tuning import FineTuneClassifier
from mlmi_sklearn.meta_learning.self_taught import SelfTaughtTransformer
from mlmi_sklearn.meta_learning.self_taught_module import GridDecoder

RNG = np.random.default_rng(0)
HIDDEN = RNG.normal(size=(300, 2))
X = HIDDEN @ RNG.normal(size=(2, 12)) * 50 + 1000
SHAPES = [(6,), (1, 14, 14), (9, 11), (2, 8, 9, 10)]


def train(**params):
    """Return a transformer trained for a short while."""
    options = {"max_epochs": 3, "random_state": 0, **params}
    return SelfTaughtTransformer(**options)


@pytest.mark.parametrize("shape", SHAPES)
def test_codes_and_samples_have_their_shapes(shape):
    x = RNG.normal(size=(20, *shape)).astype(np.float32)
    model = train(code_size=5, max_epochs=1).fit(x)
    codes = model.transform(x)
    assert codes.shape == (20, 5)
    assert codes.dtype == np.float32
    assert model.inverse_transform(codes).shape == x.shape
    assert model.reconstruction_error(x).shape == (20,)
    names = model.get_feature_names_out()
    assert names[-1] == "selftaughttransformer4"


def test_a_code_as_wide_as_the_data_is_brings_it_back():
    model = train(code_size=2, max_epochs=300, lr=1e-2, denoising=0.0).fit(X[:200])
    assert model.score(X[200:]) > 0.95
    back = model.inverse_transform(model.transform(X[200:]))
    assert abs(back - X[200:]).mean() < 0.2 * X.std()


def test_errors_are_those_of_what_comes_back():
    model = train().fit(X)
    back = model.inverse_transform(model.transform(X))
    errors = (((back - X) / X.std(axis=0)) ** 2).mean(axis=1)
    assert_allclose(model.reconstruction_error(X), errors, rtol=1e-6)
    assert model.score(X) == pytest.approx(1 - errors.mean())


def test_units_do_not_matter():
    a = train().fit(X)
    b = train().fit(1e3 * X - 7)
    assert_allclose(a.transform(X), b.transform(1e3 * X - 7), atol=1e-6)


def test_images_are_standardised_by_channel():
    x = RNG.normal(size=(30, 2, 8, 8)) * np.array([1.0, 100.0])[:, None, None]
    model = train(max_epochs=1).fit(x)
    assert_allclose(model.deviation_, x.std(axis=(0, 2, 3)))
    assert_allclose(model.mean_, x.mean(axis=(0, 2, 3)))


def test_constant_features_stay_finite():
    x = X.copy()
    x[:, 3] = 1e9 / 3
    model = train().fit(x)
    assert np.isfinite(model.transform(x)).all()
    assert model.deviation_[3] == 1.0


def test_labels_are_not_read():
    y = np.arange(300) % 2
    plain, labelled = train().fit(X), train().fit(X, y)
    assert_array_equal(plain.transform(X), labelled.transform(X))


def test_masks_are_seeded_and_off_after_training():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = train(denoising=0.5).fit(X)
    assert_array_equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    second = train(denoising=0.5).fit(X)
    assert_array_equal(first.transform(X), second.transform(X))
    assert_array_equal(first.transform(X), first.transform(X))
    assert not np.array_equal(first.transform(X), train().fit(X).transform(X))
    halves = np.r_[first.transform(X[:150]), first.transform(X[150:])]
    assert_allclose(halves, first.transform(X), atol=1e-12)


def test_sparsity_makes_codes_smaller():
    loose = train(max_epochs=30).fit(X)
    tight = train(max_epochs=30, sparsity=5.0).fit(X)
    assert abs(tight.transform(X)).mean() < 0.5 * abs(loose.transform(X)).mean()


def test_pickle_warm_start_partial_fit_and_early_stopping():
    model = train(warm_start=True).fit(X)
    again = pickle.loads(pickle.dumps(model))
    assert_allclose(again.transform(X), model.transform(X), atol=1e-12)
    model.fit(X)
    assert model.n_iter_ == 6
    mean = model.mean_
    model.partial_fit(X[:20])
    assert model.n_iter_ == 7
    assert_array_equal(model.mean_, mean)
    stopped = train(early_stopping=True).fit(X)
    assert np.isfinite(stopped.history_[["valid_loss", "valid_score"]].to_numpy()).all()


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"code_size": 0}, "code_size"),
        ({"denoising": 1.0}, "denoising"),
        ({"sparsity": -1.0}, "sparsity"),
        ({"loss": "cross-entropy"}, "not a regression loss"),
        ({"loss": "quantile"}, "not for an autoencoder"),
    ],
)
def test_bad_parameters_are_named(params, words):
    with pytest.raises(ValueError, match=words):
        train(**params).fit(X)


def test_codes_of_the_wrong_width_are_named():
    model = train(code_size=3).fit(X)
    with pytest.raises(ValueError, match="4 features, but the codes"):
        model.inverse_transform(np.zeros((2, 4)))


def test_serves_a_task_in_a_pipeline_without_being_trained_again():
    model = train().fit(X)
    codes = model.transform(X)
    pipe = make_pipeline(FrozenEstimator(model), LogisticRegression())
    clone(pipe).fit(X[:20], HIDDEN[:20, 0] > 0)
    assert_array_equal(model.transform(X), codes)


def test_its_backbone_can_be_fine_tuned_with_its_scale():
    model = train(max_epochs=20).fit(X)
    y = (HIDDEN[:, 0] > 0).astype(int)
    tuned = FineTuneClassifier(pretrained=model, freeze="backbone.*", random_state=0)
    assert tuned.fit(X[:150], y[:150]).score(X[150:], y[150:]) > 0.85
    module, source = tuned.net_.module_, model.net_.module_
    rows = torch.from_numpy(X)
    with torch.no_grad():
        same = source.backbone(source.scale(rows))
        assert torch.equal(module.features(rows), same)
    again = pickle.loads(pickle.dumps(tuned))
    assert_allclose(again.predict_proba(X), tuned.predict_proba(X), atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 7, 30), (1, 1, 9), (2, 3, 4, 5)])
def test_decoder_of_any_grid(shape):
    assert GridDecoder(4, shape)(torch.zeros(2, 4)).shape == (2, *shape)


def test_a_pipeline_can_score_with_weights():
    X = np.random.default_rng(0).normal(size=(30, 4))
    model = SelfTaughtTransformer(code_size=2, max_epochs=2, random_state=0).fit(X)
    assert model.score(X, sample_weight=np.ones(30)) == pytest.approx(model.score(X))
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(StandardScaler(), clone(model)).fit(X)
        assert np.isfinite(pipeline.score(X))


def test_rows_far_from_those_of_fit_have_no_codes_of_nan():
    rows = np.arange(24, dtype=np.float32).reshape(12, 2)
    rows *= np.finfo(np.float32).smallest_subnormal
    model = SelfTaughtTransformer(max_epochs=1, random_state=0).fit(rows)
    assert np.isfinite(model.transform(rows)).all()
    with pytest.raises(ValueError, match="X holds rows on which the outputs"):
        model.transform(np.ones((3, 2), dtype=np.float32))

"""Half precision and compiled modules, for every estimator that offers them."""

import numpy as np
import pytest
import torch

from mlmi_sklearn import ImageTranslator, all_estimators
from mlmi_sklearn.base import TorchEstimator

DEEP = {name: cls for name, cls in all_estimators() if issubclass(cls, TorchEstimator)}
COMPILED = [name for name, cls in DEEP.items() if "compile" in cls().get_params()]

rng = np.random.default_rng(0)
X = rng.normal(size=(48, 6)).astype(np.float32)
Y = {"classes": np.arange(48) % 2, "numbers": X[:, 0] + X[:, 1]}


def fitted(name, **params):
    """Train briefly, on what the plainest case of the estimator is."""
    model = DEEP[name](random_state=0, device="cpu", **params)
    known = model.get_params(deep=False)
    short = {"max_epochs": 2, "max_iter": 8, "episodes_per_epoch": 4, "batch_size": 16}
    model.set_params(**{k: v for k, v in short.items() if k in known})
    if "diagnostics" in known:
        model.set_params(diagnostics=False)
    regresses = model.__sklearn_tags__().estimator_type == "regressor"
    y = Y["numbers" if regresses else "classes"]
    return model.fit(X, X[:, ::-1] if name == "ImageTranslator" else y)


def outputs(model):
    for method in ("decision_function", "predict", "transform"):
        if hasattr(model, method):
            return np.asarray(getattr(model, method)(X), dtype=float)
    return np.asarray(model.sample(20, random_state=0)[0], dtype=float)


def test_every_deep_estimator_has_a_precision():
    assert len(DEEP) >= 15
    assert [n for n, c in DEEP.items() if "precision" not in c().get_params()] == []


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", DEEP)
def test_bfloat16_trains(name):
    half, full = (outputs(fitted(name, precision=p)) for p in ("bf16", "full"))
    assert np.isfinite(half).all()
    assert not np.array_equal(half, full), "precision has no effect"
    # Eight bits of each product, a few steps long.
    assert np.abs(half - full).max() <= 0.3 * np.abs(full).max() + 0.3


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", ["NetClassifier", "CGANSampler", "ImageTranslator"])
def test_gradients_of_float16_are_scaled(name):
    model = fitted(name, precision="fp16")
    assert np.isfinite(outputs(model)).all()
    assert model.net_.scaler_.get_scale() > 1


def test_players_in_half_precision_hand_back_full(monkeypatch):
    seen = []
    plain = torch.nn.functional.l1_loss

    def watched(a, b, *args, **kwargs):
        seen.append((a.dtype, b.dtype))
        return plain(a, b, *args, **kwargs)

    monkeypatch.setattr(torch.nn.functional, "l1_loss", watched)
    images = rng.normal(size=(8, 1, 8, 8)).astype(np.float32)
    ImageTranslator(precision="bf16", max_iter=2, batch_size=4).fit(images, -images)
    assert set(seen) == {(torch.float32, torch.float32)}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", COMPILED)
def test_compiled_modules_train_alike(name):
    torch._dynamo.reset()
    compiled, plain = (outputs(fitted(name, compile=c)) for c in (True, False))
    np.testing.assert_allclose(compiled, plain, rtol=1e-3, atol=1e-3)

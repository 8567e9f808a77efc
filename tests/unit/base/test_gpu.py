"""The engine on an accelerator; skipped where there is none."""

import pickle
import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV

from mlmi_sklearn import (
    Bags,
    CGANSampler,
    DANNClassifier,
    ImageTranslator,
    MAMLClassifier,
    MILClassifier,
    NetClassifier,
    ProtoNetClassifier,
    VectorizedSearchCV,
    all_estimators,
    load,
    save,
)
from mlmi_sklearn.base import TorchEstimator
from mlmi_sklearn.training.net import LeanNet

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

X, y = make_classification(n_samples=300, n_features=8, random_state=0)
X = X.astype(np.float32)

DEVICE = "cuda"
DEEP = {name: cls for name, cls in all_estimators() if issubclass(cls, TorchEstimator)}
POOLINGS = ["max", "mean", "noisy-or", "top-k", "attention", "transformer", "clam"]


def ragged(n=60):
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 9, n)
    bags = Bags(rng.normal(size=(lengths.sum(), 5)).astype(np.float32), lengths)
    return bags, rng.integers(0, 2, n)


def fitted(name, **params):
    """Train briefly on a table, from which every estimator can learn something."""
    model = DEEP[name](**{"random_state": 0, "device": DEVICE, **params})
    known = model.get_params(deep=False)
    short = {"max_epochs": 3, "max_iter": 20, "episodes_per_epoch": 6, "batch_size": 32}
    model.set_params(**{k: v for k, v in short.items() if k in known})
    regresses = model.__sklearn_tags__().estimator_type == "regressor"
    target = X[:, 0] if regresses else y
    return model.fit(X, X[:, ::-1] if name == "ImageTranslator" else target)


def outputs(model):
    for method in ("decision_function", "predict", "transform"):
        if hasattr(model, method):
            return np.asarray(getattr(model, method)(X), dtype=float)
    return np.asarray(model.sample(20, random_state=0)[0], dtype=float)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("precision", ["full", "auto"])
@pytest.mark.parametrize("name", DEEP)
def test_every_estimator_trains_and_repeats_bit_for_bit(name, precision):
    models = [fitted(name, precision=precision) for _ in range(2)]
    assert models[0].device_.startswith(DEVICE)
    assert np.isfinite(outputs(models[0])).all()
    np.testing.assert_array_equal(*map(outputs, models))
    weights = [m.net_.module_.state_dict() for m in models]
    for key, value in weights[0].items():
        assert torch.equal(value, weights[1][key]), key


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", DEEP)
def test_every_estimator_saved_here_predicts_on_the_cpu(name, tmp_path):
    model = fitted(name, precision="full")
    save(model, tmp_path / "model")
    on_cpu = load(tmp_path / "model", device="cpu")
    assert on_cpu.device_ == "cpu"
    found, expected = outputs(on_cpu), outputs(model)
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-2)


def test_auto_precision_is_bfloat16_where_it_is_fast():
    model = fitted("NetClassifier")
    fast = torch.cuda.get_device_capability()[0] >= 8
    assert model.net_.amp_dtype == (torch.bfloat16 if fast else None)


def test_small_data_stays_on_the_device(monkeypatch):
    where = []
    plain = LeanNet._train_epoch

    def watched(self, iterator):
        where.append((iterator.data.device.type, iterator.device))
        return plain(self, iterator)

    monkeypatch.setattr(LeanNet, "_train_epoch", watched)
    fitted("NetClassifier")
    assert where == [(DEVICE, None)] * 3


LOOPS = {
    "net": lambda n: NetClassifier(**options()).fit(X[:n], y[:n]),
    "dann": lambda n: DANNClassifier(**options(), diagnostics=False).fit(
        X[:n], y[:n], sample_domain=np.where(np.arange(n) % 4 < 2, 1, -1)
    ),
    "maml": lambda n: MAMLClassifier(**options("meta"), episodes="groups").fit(
        X[:n], y[:n], groups=np.arange(n) // 16
    ),
    "prototypes": lambda n: ProtoNetClassifier(
        **options("meta"), episodes="groups"
    ).fit(X[:n], y[:n], groups=np.arange(n) // 16),
    "sampler": lambda n: CGANSampler(
        max_iter=n // 8, batch_size=16, device=DEVICE, random_state=0
    ).fit(X, y),
    "translator": lambda n: ImageTranslator(
        max_iter=n // 8, batch_size=16, device=DEVICE, random_state=0
    ).fit(X, X[:, ::-1]),
    **{
        pooling: lambda n, pooling=pooling: MILClassifier(
            pooling=pooling, level="embedding", **options()
        ).fit(*ragged(n))
        for pooling in ("mean", "gated-attention", "top-k", "transformer")
    },
}


def options(kind="rows"):
    size = {"rows": {"batch_size": 16}, "meta": {"meta_batch_size": 2}}[kind]
    return {"max_epochs": 1, "device": DEVICE, "random_state": 0, **size}


def waits_of_an_epoch(fit, n, monkeypatch):
    """Fit; return how often the processor waited in the worst epoch."""
    found = []
    for kind in (LeanNet, type(fitted("CGANSampler").net_)):
        plain = kind.run_single_epoch

        def run(*args, plain=plain, **kwargs):
            with warnings.catch_warnings(record=True) as seen:
                warnings.simplefilter("always")
                torch.cuda.set_sync_debug_mode("warn")
                try:
                    plain(*args, **kwargs)
                finally:
                    torch.cuda.set_sync_debug_mode("default")
            found.append(sum("synchroniz" in str(w.message) for w in seen))

        monkeypatch.setattr(kind, "run_single_epoch", run)
    fit(n)
    return max(found)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", LOOPS)
def test_more_batches_do_not_wait_more_often(name):
    counts = []
    for n in (64, 256):
        with pytest.MonkeyPatch.context() as patch:
            counts.append(waits_of_an_epoch(LOOPS[name], n, patch))
    assert counts[1] <= counts[0]


def test_a_search_in_one_training_scores_as_one_by_one():
    grid = {"lr": [1e-3, 1e-2], "random_state": [0, 1]}
    model = NetClassifier(max_epochs=5, device=DEVICE, precision="full")
    together, alone = (
        kind(model, grid, cv=3, refit=False).fit(X, y).cv_results_["mean_test_score"]
        for kind in (VectorizedSearchCV, GridSearchCV)
    )
    np.testing.assert_allclose(together, alone, atol=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["NetClassifier", "NetRegressor", "DANNClassifier"])
def test_compiled_modules_train_alike(name):
    torch._dynamo.reset()
    both = [fitted(name, precision="full", compile=c) for c in (True, False)]
    np.testing.assert_allclose(*map(outputs, both), rtol=1e-2, atol=1e-2)


def test_auto_device_is_the_gpu_and_results_repeat():
    models = [NetClassifier(max_epochs=5, random_state=0).fit(X, y) for _ in range(2)]
    assert models[0].device_.startswith("cuda")
    scores = [m.decision_function(X) for m in models]
    np.testing.assert_array_equal(*scores)


def test_full_precision_agrees_with_the_cpu():
    scores = [
        NetClassifier(max_epochs=3, random_state=0, device=device, precision="full")
        .fit(X, y)
        .decision_function(X)
        for device in ("cpu", "cuda")
    ]
    np.testing.assert_allclose(*scores, atol=1e-3)


@pytest.mark.parametrize("precision", ["auto", "full", "bf16", "fp16"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_every_precision_learns(precision, early_stopping):
    model = NetClassifier(
        max_epochs=30, precision=precision, early_stopping=early_stopping, lr=1e-2
    )
    assert model.fit(X, y).score(X, y) > 0.85


@pytest.mark.parametrize(
    ("pooling", "level"),
    [(pooling, "embedding") for pooling in POOLINGS]
    + [(p, "instance") for p in POOLINGS if p not in ("transformer", "clam")],
)
def test_bags_train_and_repeat(pooling, level):
    bags, labels = ragged()
    scores = [
        MILClassifier(
            pooling=pooling, level=level, max_epochs=5, random_state=0, device=DEVICE
        )
        .fit(bags, labels)
        .decision_function(bags)
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*scores)


def test_pickles_are_independent_of_the_device():
    model = NetClassifier(max_epochs=5, random_state=0, precision="full").fit(X, y)
    state = model.__getstate__() | {"device_": "cpu"}
    on_cpu = NetClassifier.__new__(NetClassifier)
    on_cpu.__setstate__(state)
    np.testing.assert_allclose(
        on_cpu.decision_function(X), model.decision_function(X), atol=1e-4
    )
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))

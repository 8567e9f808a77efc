"""MILClassifier: levels, poolings, parts, outputs and training on bags."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import skorch.callbacks as sc
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import accuracy_score, roc_auc_score
from torch import nn

from mlmi_sklearn import Bags, MaxPooling, MILClassifier, MLPBackbone, list_components
from mlmi_sklearn.datasets import make_digit_bags, make_raff_holt_bags
from mlmi_sklearn.nn.poolings import AttentionPooling, MeanPooling

POOLINGS = [part.name for part in list_components("pooling", builtin=True)]
WEIGHTED = ["mean", "attention", "gated-attention"]
LEVELS = ["instance", "embedding"]


# -- learning ------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits():
    X, y = make_digit_bags(n_bags=160, random_state=0)
    return X[:100], y[:100], X[100:], y[100:]


@pytest.mark.parametrize(
    ("pooling", "level"), [(p, "instance") for p in POOLINGS] + [("max", "embedding")]
)
def test_finds_the_digit_that_makes_a_bag_positive(pooling, level, digits):
    X, y, X_test, y_test = digits
    model = MILClassifier(
        MLPBackbone(hidden=(128, 64), dropout=0.3), pooling=pooling, level=level,
        max_epochs=30, batch_size=8, random_state=0,
    ).fit(X, y)  # fmt: skip
    # A needle in a haystack is not what these look for.
    wanted = 0.65 if pooling in ("mean", "quantile", "threshold", "top-k") else 0.85
    assert roc_auc_score(y_test, model.decision_function(X_test)) > wanted
    instances = model.instance_scores(X_test, flat=True)
    assert roc_auc_score(X_test.y_instances == 1, instances) > wanted


def test_images_need_no_flattening():
    X, y = make_digit_bags(n_bags=40, random_state=0)
    images = X.with_values(X.values.reshape(-1, 8, 8).astype(np.float32))
    model = MILClassifier(max_epochs=15, lr=3e-3, random_state=0).fit(images, y)
    assert type(model.net_.module_.backbone).__name__ == "ConvNet"
    assert roc_auc_score(y, model.decision_function(images)) > 0.8
    with pytest.raises(ValueError, match=r"samples of shape \(8, 7\).*fitted on"):
        model.predict(images.with_values(images.values[..., :7]))


def test_multi_class_and_string_labels(make_bags):
    X, y = make_bags(60, n_classes=3)
    names = np.array(["benign", "malignant", "normal"])[y]
    model = MILClassifier(level="embedding", lr=1e-2, random_state=0, max_epochs=30)
    model.set_params(pooling="mean").fit(X, names)
    assert model.classes_.tolist() == ["benign", "malignant", "normal"]
    assert model.score(X, names) > 0.8
    assert model.decision_function(X).shape == (60, 3)
    assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    assert_array_equal(
        model.predict(X), model.classes_[model.predict_proba(X).argmax(axis=1)]
    )


def test_multi_label(make_bags):
    X, y = make_bags(60, n_classes=4)
    Y = np.column_stack([y % 2, y // 2])
    model = MILClassifier(lr=1e-2, random_state=0, pooling="mean", max_epochs=40)
    model.fit(X, Y)
    assert model.predict(X).shape == Y.shape
    assert accuracy_score(Y.ravel(), model.predict(X).ravel()) > 0.8
    assert model.score(X, Y) == accuracy_score(Y, model.predict(X))
    assert_array_equal(model.predict(X), model.predict_proba(X) > 0.5)
    assert [s.shape[1] for s in model.instance_scores(X)] == [2] * 60
    assert model.predict_instances(X, flat=True).shape == (X.n_instances, 2)


@pytest.mark.parametrize("labels", [[0, 1], [-1, 1], [False, True], ["b", "a"], [5, 3]])
def test_two_classes_of_any_kind(labels, make_bags, quick):
    X, y = make_bags()
    given = np.array(labels)[y]
    model = quick(max_epochs=30, lr=1e-2).fit(X, given)
    assert_array_equal(model.classes_, np.unique(given))
    assert model.score(X, given) > 0.8
    positive = model.decision_function(X) > 0
    assert_array_equal(model.predict(X), model.classes_[positive.astype(int)])
    assert model.predict_instances(X, flat=True).dtype == model.classes_.dtype


@pytest.mark.parametrize(
    "container",
    [
        list,
        tuple,
        np.array,
        torch.tensor,
        lambda y: pd.Series(y, index=range(7, 37)),
        lambda y: np.array(y, dtype=np.uint8),
        lambda y: torch.tensor(y).float(),
    ],
)
def test_containers_of_labels(container, bags, quick):
    X, y = bags
    expected = quick().fit(X, y).decision_function(X)
    model = quick().fit(X, container(y.tolist()))
    assert_array_equal(model.decision_function(X), expected)
    assert model.score(X, y) == quick().fit(X, y).score(X, y)


@pytest.mark.parametrize("dtype", ["category", "string", object, "str"])
def test_labels_of_pandas(dtype, bags, quick):
    X, y = bags
    given = pd.Series(np.array(["well", "ill"])[y]).astype(dtype)
    model = quick().fit(X, given)
    assert model.classes_.tolist() == ["ill", "well"]
    assert set(model.predict(X)) <= {"ill", "well"}


def test_the_default_learns_the_standard_assumption():
    X, y = make_raff_holt_bags("false-frequency", random_state=0)
    X_test, y_test = make_raff_holt_bags(
        "false-frequency", split="test", random_state=0
    )
    model = MILClassifier(random_state=0, max_epochs=20).fit(X, y)
    assert roc_auc_score(y_test, model.decision_function(X_test)) > 0.8


# -- structure -----------------------------------------------------------------


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("level", LEVELS)
def test_one_logit_for_two_classes_and_one_a_class_beyond(
    pooling, level, make_bags, quick
):
    for n_classes, n_outputs in [(2, 1), (3, 3)]:
        model = quick(pooling=pooling, level=level)
        X, y = make_bags(n_classes=n_classes)
        assert model.fit(X, y)._raw(X).shape == (len(X), n_outputs)


@pytest.mark.parametrize("pooling", WEIGHTED)
def test_levels_agree_for_weighted_means(pooling, bags, quick):
    by_level = [
        quick(pooling=pooling, level=level).fit(*bags).decision_function(bags[0])
        for level in LEVELS
    ]
    assert_array_equal(*by_level)


@pytest.mark.parametrize("pooling", WEIGHTED)
def test_the_score_is_the_weighted_mean_of_instance_scores(pooling, bags, quick):
    X, y = bags
    model = quick(pooling=pooling).fit(X, y)
    scores, weights = model.instance_scores(X), model.attention(X)
    expected = [s @ w for s, w in zip(scores, weights, strict=True)]
    assert_allclose(model.decision_function(X), expected, atol=1e-10)


@pytest.mark.parametrize("pooling", ["max", *WEIGHTED, "top-k", "quantile"])
@pytest.mark.parametrize("level", LEVELS)
def test_embeddings(pooling, level, bags, quick):
    X, y = bags
    model = quick(pooling=pooling, level=level, backbone=MLPBackbone(hidden=(7,)))
    embedding = model.fit(X, y).transform(X)
    assert embedding.shape == (30, 7)
    names = model.get_feature_names_out()
    assert names.tolist() == [f"milclassifier{i}" for i in range(7)]
    head = model.net_.module_.head
    found = embedding @ head.weight.detach().numpy()[0] + head.bias.item()
    # With ties of pooled scores the embedding is that of a mean; there are none here.
    assert_allclose(found, model.decision_function(X), atol=1e-10)
    assert_array_equal(clone(model).fit_transform(X, y), embedding)


def test_embedding_of_a_bag_is_that_of_its_highest_instance(bags, quick):
    X, y = bags
    model = quick().fit(X, y)
    singles = model.transform(X.values)
    for bag, weights in enumerate(model.attention(X)):
        assert sorted(weights)[-1] == 1
        row = X.offsets[bag] + weights.argmax()
        assert_allclose(model.transform(X)[bag], singles[row], atol=1e-10)


# -- parts that the user brings ------------------------------------------------


class LogSumExp(nn.Module):
    """A pooling that is neither a maximum nor a mean."""

    weighted_mean = False

    def __init__(self, in_features, sharpness=1.0):
        super().__init__()
        self.out_features = in_features
        self.sharpness = nn.Parameter(torch.tensor(sharpness))

    def forward(self, values, segments):
        pooled = segments.logsumexp(self.sharpness * values) / self.sharpness
        return pooled, segments.broadcast(1 / segments.lengths.to(values.dtype))


@pytest.mark.parametrize(
    "pooling", [LogSumExp, AttentionPooling, MaxPooling(), lambda w: MeanPooling(w)]
)
@pytest.mark.parametrize("level", LEVELS)
def test_poolings_of_the_user(pooling, level, bags, quick):
    X, y = bags
    model = quick(pooling=pooling, level=level).fit(X, y)
    assert np.isfinite(model.decision_function(X)).all()
    if pooling is LogSumExp:
        shape = model.net_.module_.pooling.sharpness.shape
        assert shape == ()
        expected = model.decision_function(X)
        again = pickle.loads(pickle.dumps(model))
        assert_array_equal(again.decision_function(X), expected)


class NoShapes(LogSumExp):
    def forward(self, values, segments):
        return values, values


class OneTensor(LogSumExp):
    def forward(self, values, segments):
        return segments.max(values)


class Breaks(LogSumExp):
    def forward(self, values, segments):
        return values @ values, None


@pytest.mark.parametrize(
    ("pooling", "error", "words"),
    [
        (lambda w: nn.Linear(w, 3), TypeError, "pooling=Linear has no attribute"),
        (nn.Linear(4, 3), TypeError, "weighted_mean"),
        (lambda w: "max", TypeError, "pooling built a str"),
        (NoShapes, ValueError, r"pooling=NoShapes must return .*\(2, 4\)"),
        (OneTensor, ValueError, "pooling=OneTensor must return"),
        (Breaks, ValueError, "pooling=Breaks cannot pool values of shape"),
        (AttentionPooling(9), ValueError, "pooling=AttentionPooling cannot pool"),
        (MLPBackbone(), ValueError, "is a backbone; pass a pooling"),
        ("mlp", ValueError, "no pooling is called 'mlp'"),
        ("maxx", ValueError, "Did you mean 'max'"),
        (3, ValueError, "'pooling' parameter of MILClassifier"),
    ],
)
def test_what_is_no_pooling(pooling, error, words, bags, quick):
    with pytest.raises(error, match=words):
        quick(pooling=pooling, backbone=MLPBackbone(hidden=(4,))).fit(*bags)


# -- batches, weights, early stopping ------------------------------------------


class Spy(sc.Callback):
    """Note the data that a net is trained and validated on."""

    seen: dict = {}  # noqa: RUF012 - callbacks are copied before use

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        Spy.seen = {"train": X, "batch_size": net.batch_size}
        if net.train_split is not None:
            Spy.seen["valid"] = net.train_split(X)[1]


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [([1] * 300, 128), ([10] * 30, 13), ([200] * 20, 8), ([127] * 19 + [3000], 8)],
)
def test_automatic_batches_hold_about_128_instances(lengths, expected, quick):
    X = Bags(np.random.default_rng(0).normal(size=(sum(lengths), 2)), lengths)
    y = np.arange(len(lengths)) % 2
    quick(callbacks=[Spy()], max_epochs=1).fit(X, y)
    assert Spy.seen["batch_size"] == expected
    quick(callbacks=[Spy()], max_epochs=1, batch_size=5).fit(X, y)
    assert Spy.seen["batch_size"] == 5


def test_early_stopping_keeps_groups_together(make_bags, quick):
    X, y = make_bags(60, groups=np.arange(60) // 6)
    # The first feature tells the group, so that it can be read off the tensors.
    values = X.values.copy()
    values[:, 0] = np.repeat(X.groups, X.lengths)
    X = X.with_values(values)
    model = quick(early_stopping=True, validation_fraction=0.3, callbacks=[Spy()])
    model.fit(X, y)
    train, valid = (
        set(Spy.seen[part].rows.values[:, 0].tolist()) for part in ("train", "valid")
    )
    assert not train & valid
    assert (len(train), len(valid)) == (7, 3)
    assert model.history_["valid_score"].between(0, 1).all()


def test_early_stopping_without_groups_is_stratified(make_bags, quick):
    X, y = make_bags(60)
    quick(early_stopping=True, validation_fraction=0.3, callbacks=[Spy()]).fit(X, y)
    assert Spy.seen["valid"].targets.y.sum() == 9


def test_partial_fit_on_bags(make_bags, quick):
    X, y = make_bags(40)
    model = quick(lr=1e-2)
    for start in range(0, 40, 10):
        model.partial_fit(X[start : start + 10], y[start : start + 10], classes=[0, 1])
    assert model.n_iter_ == 4
    assert model.score(X, y) > 0.5


def test_sample_weight_turns_the_decision(quick):
    X = [np.zeros((2, 3))] * 20
    y = np.arange(20) % 2
    for heavy in (0, 1):
        weight = np.where(y == heavy, 10.0, 1.0)
        model = quick(max_epochs=60, lr=1e-2).fit(X, y, sample_weight=weight)
        assert (model.predict(X) == heavy).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_types_are_kept(dtype, make_bags, quick):
    X, y = make_bags(dtype=dtype)
    model = quick().fit(X, y)
    for output in (
        model.decision_function(X),
        model.instance_scores(X, flat=True),
        model.attention(X, flat=True),
        model.transform(X),
    ):
        assert output.dtype == dtype
    assert model.predict_proba(X).dtype == np.float64


@pytest.mark.parametrize("precision", ["full", "bf16"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision_is_the_same_for_bags_and_instances(
    precision, dtype, make_bags, quick
):
    X, y = make_bags(dtype=dtype)
    model = quick(precision=precision, max_epochs=10).fit(X, y)
    scores = model.decision_function(X)
    highest = [s.max() for s in model.instance_scores(X)]
    assert_array_equal(scores, highest)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.decision_function(X), scores)


def test_no_warnings_in_normal_use(bags, quick):
    X, y = bags
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = quick(early_stopping=True).fit(X, y, sample_weight=np.ones(30))
        model.predict(X)
        model.predict_instances_proba(X)
        model.partial_fit(X, y)

"""What people try first, and the mistakes they make: each has an answer that helps."""

import warnings

import numpy as np
import pytest
import skorch.callbacks as sc
from sklearn.preprocessing import StandardScaler

from mlmi_sklearn import (
    Bags,
    InstanceWise,
    MILClassifier,
    NetClassifier,
    NetRegressor,
)
from mlmi_sklearn.exceptions import BagError

RNG = np.random.default_rng(0)
X, y = RNG.normal(size=(40, 6)), np.arange(40) % 2
IMAGES = RNG.normal(size=(40, 16, 16)).astype(np.float32)
LENGTHS = [3, 5, 2, 6]
BAGS, LABELS = Bags(RNG.normal(size=(16, 6)), LENGTHS), np.array([0, 1, 0, 1])


def net(**params):
    return NetClassifier(**{"max_epochs": 3, "random_state": 0, **params})


@pytest.mark.parametrize("early_stopping", [False, True])
def test_skorch_checkpoints_write_their_files(tmp_path, early_stopping):
    callbacks = [
        sc.TrainEndCheckpoint(dirname=str(tmp_path / "end")),
        sc.Checkpoint(dirname=str(tmp_path / "last"), monitor=None),
        sc.Checkpoint(dirname=str(tmp_path / "best"), monitor="train_loss_best"),
    ]
    if early_stopping:
        callbacks.append(sc.Checkpoint(dirname=str(tmp_path / "valid")))
    net(callbacks=callbacks, early_stopping=early_stopping).fit(X, y)
    names = {path.parent.name for path in tmp_path.glob("*/*params.pt")}
    assert names == {"end", "last", "best"} | ({"valid"} if early_stopping else set())


def test_checkpoints_do_not_show_in_the_history():
    columns = set(net(early_stopping=True).fit(X, y).history_.columns)
    assert not any(c.endswith(("_best", "batches")) for c in columns)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"loss__q": 0.9}, "Invalid parameter 'q' for loss 'mse'"),
        ({"max_epoch": 3}, "Did you mean 'max_epochs'"),
        ({"lossy__q": 3}, "Did you mean 'loss'"),
        ({"backbone__depth": 3}, "Name the backbone"),
    ],
)
def test_misspelt_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        NetRegressor().set_params(**params)


def test_names_of_optimizers_may_have_capitals():
    assert net(optimizer="AdamW").fit(X, y).n_iter_ == 3


@pytest.mark.parametrize("backbone", ["conv", "conv4", "resnet", "unet"])
def test_channels_last_is_noticed(backbone):
    last = RNG.normal(size=(8, 16, 20, 3))
    with pytest.raises(ValueError, match=r"X\.transpose\(0, 3, 1, 2\)"):
        net(backbone=backbone).fit(last, np.arange(8) % 2)
    net(backbone=backbone).fit(last.transpose(0, 3, 1, 2), np.arange(8) % 2)


@pytest.mark.parametrize("shape", [(5, 12, 12), (5, 1, 16, 16), (5, 256), (5, 16)])
def test_images_of_another_shape(shape):
    model = net().fit(IMAGES, y)
    with pytest.raises(ValueError, match=r"samples of shape .* fitted on samples of"):
        model.predict(np.zeros(shape))


def test_one_label_an_instance_instead_of_a_bag():
    with pytest.raises(ValueError, match="one entry for each instance; pass one for e"):
        MILClassifier().fit(BAGS, np.arange(16) % 2)


def test_rows_without_their_bags():
    with pytest.raises(ValueError, match="bags of one instance; to group rows, pass"):
        MILClassifier().fit(BAGS.values, LABELS)


def test_a_single_bag_is_not_a_table_of_bags():
    model = MILClassifier(max_epochs=2).fit(BAGS, LABELS)
    with pytest.warns(UserWarning, match=r"For a single bag pass \[X\]"):
        model.predict(BAGS[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.predict([BAGS[0]]).shape == (1,)
        MILClassifier(max_epochs=2).fit(X, y).predict(X)


@pytest.mark.parametrize("given", [list(BAGS), BAGS.values])
def test_bags_without_lengths(given):
    with pytest.raises(BagError, match=r"Bags\.from_list"):
        Bags(given)


def test_a_list_with_lengths():
    with pytest.raises(BagError, match=r"Bags\.from_list"):
        Bags(list(BAGS), LENGTHS)


def test_masks_as_targets():
    with pytest.raises(ValueError, match=r"y has shape \(40, 16, 16\).*Masks"):
        net().fit(IMAGES, IMAGES > 0)


def test_nested_targets():
    with pytest.raises(ValueError, match="y is a nested list of unequal lengths"):
        MILClassifier().fit(BAGS, [[0] * n for n in LENGTHS])


@pytest.mark.parametrize(
    "change",
    [{"backbone__hidden": (8,)}, {"backbone": "linear"}, {"loss": "focal"}],
)
def test_a_changed_model_cannot_go_on(change):
    model = net(warm_start=True).fit(X, y)
    before = model.decision_function(X)
    model.set_params(**change)
    for go_on in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match="changed since NetClassifier was fitted"):
            go_on(X, y)
    np.testing.assert_array_equal(model.decision_function(X), before)


def test_a_changed_level_cannot_go_on():
    model = MILClassifier(max_epochs=2, warm_start=True).fit(BAGS, LABELS)
    with pytest.raises(ValueError, match="level changed"):
        model.set_params(level="embedding").fit(BAGS, LABELS)


def test_naming_what_it_was_anyway_is_no_change():
    model = net(warm_start=True).fit(X, y)
    model.set_params(backbone="mlp", lr=1e-4).fit(X, y)
    assert model.n_iter_ == 6


def test_an_index_that_names_bags():
    import pandas as pd

    frame = pd.DataFrame(X, columns=list("abcdef"), index=pd.Index(y, name="slide_id"))
    for fit in (MILClassifier().fit, InstanceWise(StandardScaler()).fit):
        with pytest.raises(BagError, match=r"Bags\.from_frame"):
            fit(frame, y)

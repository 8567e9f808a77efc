"""The net for bags: what its loss is made of, and which batches it sees."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from mlmi_sklearn import MILClassifier, MILRegressor
from mlmi_sklearn.mil.base import BagEstimator
from mlmi_sklearn.mil.net import BagNet
from mlmi_sklearn.mil.objective import Y_INSTANCES, BagObjective
from mlmi_sklearn.nn.losses import MSE, CrossEntropy
from mlmi_sklearn.training.data import Targets, TrainingData
from mlmi_sklearn.training.ragged import RaggedTensor

LENGTHS = [3, 1, 2]
VALUES = torch.tensor([[1.0], [3.0], [-2.0], [0.5], [4.0], [2.0]])


class Largest(nn.Module):
    """Scores a bag by its largest number, and has a loss of its own."""

    auxiliary: tuple | None = (10.0, 20.0, 30.0)

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(1))
        self.asked = []

    def forward(self, bags):
        return self.factor * bags.segments.max(bags.values)

    def training_pass(self, bags, target, criterion, *, instances):
        self.asked.append((target.tolist(), instances))
        own = None if self.auxiliary is None else torch.tensor(self.auxiliary)
        return self(bags), (self.factor * bags.values if instances else None), own


def net(**params):
    made = BagNet(
        Largest(),
        params.pop("criterion", CrossEntropy()),
        optimizer=torch.optim.SGD,
        lr=0.1,
        max_epochs=params.pop("max_epochs", 4),
        batch_size=3,
        train_split=None,
        verbose=0,
        **params,
    ).initialize()
    made.weighted_norms_ = []
    return made


def batch(y, weight=None, **fields):
    rows = RaggedTensor(VALUES, torch.tensor(LENGTHS), fields=fields)
    return rows, Targets(torch.as_tensor(y), weight)


def of_one(score):
    return np.log1p(np.exp(-np.asarray(score)))


def of_zero(score):
    return np.log1p(np.exp(np.asarray(score)))


# -- the loss of a batch ---


def test_labelled_bags_have_the_plain_loss():
    made = net()
    losses, raw = made.batch_loss(batch([1, 0, 1]))
    assert raw[:, 0].tolist() == [3.0, 0.5, 4.0]
    assert_allclose(losses.detach(), [of_one(3), of_zero(0.5), of_one(4)], 1e-6)
    assert made.module_.asked == []


@pytest.mark.parametrize("precise", [True, False])
@pytest.mark.parametrize("auxiliary", [True, False])
def test_a_pooling_adds_its_own_loss(auxiliary, precise):
    made = net(amp_dtype=None if precise else torch.bfloat16)
    made.has_auxiliary_loss_ = True
    if not auxiliary:
        made.module_.auxiliary = None
    losses, raw = made.batch_loss(batch([1, 0, 1]))
    own = np.array([10.0, 20, 30]) * auxiliary
    assert losses.dtype == raw.dtype == torch.float32
    plain = np.array([of_one(3), of_zero(0.5), of_one(4)])
    assert_allclose(losses.detach(), own + plain, 1e-5)
    assert made.module_.asked == [([1, 0, 1], False)]


@pytest.mark.parametrize("precise", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_all_terms_of_weak_labels_add_up(training, precise):
    made = net(
        objective=BagObjective(instance_weight=2.0, unlabelled_weight=0.5),
        amp_dtype=None if precise else torch.bfloat16,
    )
    made.has_weak_labels_ = True
    made.steps_in_epoch_, made.steps_done_, made.total_epochs_ = 10, 10, 4
    made.module_.train(training)
    labels = torch.tensor([1, -1, 0, -1, -1, 1])
    losses, _ = made.batch_loss(batch([1, -1, 0], **{Y_INSTANCES: labels}))
    of_instances = [(of_one(1) + of_zero(-2)) / 2, 0, of_one(2)]
    p = 1 / (1 + np.exp(-0.5))
    # A quarter of training is done, so the entropy has half of its weight.
    entropy = -(p * np.log(p) + (1 - p) * np.log(1 - p)) * 0.5 * 0.5 * training
    expected = np.array([of_one(3) + 10, entropy, of_zero(4) + 30])
    assert_allclose(losses.detach(), expected + 2 * np.array(of_instances), 1e-5)
    # A placeholder stands for the missing label.
    assert made.module_.asked == [([1, 0, 0], True)]


def test_weak_labels_without_an_objective_or_a_pooling_with_a_loss():
    made = net(criterion=MSE())
    made.has_weak_labels_ = True
    made.module_.auxiliary = None
    made.module_.eval()
    losses, _ = made.batch_loss(batch([[1.0], [torch.nan], [2.0]]))
    assert losses.tolist() == [4.0, 0.0, 4.0]
    assert made.module_.asked == [([[1.0], [0.0], [2.0]], False)]


@pytest.mark.parametrize("weight", [None, [1.0, 5.0, 3.0]])
def test_the_loss_of_outputs_is_the_mean_over_labelled_bags(weight):
    made = net(criterion=MSE())
    y = torch.tensor([[1.0], [torch.nan], [2.0]])
    outputs = torch.tensor([[2.0], [9.0], [4.0]])
    given = None if weight is None else torch.tensor(weight)
    found = made.get_loss(outputs, Targets(y, given))
    assert_allclose(found, (1 + 4) / 2 if weight is None else (1 + 3 * 4) / 4, 1e-6)
    nothing = Targets(torch.full((3, 1), torch.nan), given)
    assert made.get_loss(outputs, nothing) == 0


@pytest.mark.parametrize(
    ("before", "done", "in_epoch", "share"),
    [
        (0, 0, 10, 0),
        (0, 5, 10, 0.125),
        (2, 5, 10, 0.625),
        (4, 1, 10, 1),
        (1, 2, 0, 0.75),
    ],
)
def test_progress_counts_epochs_and_their_steps(before, done, in_epoch, share):
    made = net(epochs_before=before)
    made.steps_done_, made.steps_in_epoch_, made.total_epochs_ = done, in_epoch, 4
    assert made._progress() == share


def test_norms_are_told_the_weight_of_the_bag_of_each_instance(monkeypatch):
    told = []
    monkeypatch.setattr(
        "mlmi_sklearn.mil.net.row_weights",
        lambda norms, weight: told.append((norms, weight.tolist())) or _Nothing(),
    )
    made = net()
    made.has_auxiliary_loss_ = True
    made.batch_loss(batch([1, 0, 1], torch.tensor([1.0, 2.0, 3.0])))
    assert told == []
    made.weighted_norms_ = ["a norm"]
    made.batch_loss(batch([1, 0, 1]))
    assert told == []
    made.batch_loss(batch([1, 0, 1], torch.tensor([1.0, 2.0, 3.0])))
    assert told == [(["a norm"], [1, 1, 1, 2, 3, 3])]


class _Nothing:
    def __enter__(self):
        return self

    def __exit__(self, *args):
        return None


# -- batches ---


def many(n=40):
    lengths = torch.arange(n) % 4 + 1
    values = torch.arange(float(lengths.sum()))[:, None]
    y = (torch.arange(n) % 5 == 0).long()
    return TrainingData(RaggedTensor(values, lengths), Targets(y))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_predictions_see_all_of_all_bags_in_order():
    made = net(max_instances=1, balanced=True, generator=generator())
    seen = [x.values for x, _ in made.get_iterator(many())]
    assert torch.equal(torch.cat(seen), many().rows.values)


def test_training_sees_parts_that_the_generator_draws():
    def drawn(seed):
        made = net(max_instances=2, generator=generator(seed))
        return [
            (x.lengths.tolist(), x.values) for x, _ in made.get_iterator(many(), True)
        ]

    for lengths, values in drawn(0):
        assert max(lengths) <= 2
        assert len(values) == sum(lengths)
    same = [torch.equal(a[1], b[1]) for a, b in zip(drawn(0), drawn(0), strict=True)]
    assert all(same)
    assert not all(a[0] == b[0] for a, b in zip(drawn(0), drawn(1), strict=True))


def test_ranks_draw_apart_but_share_their_order():
    drawn = []
    for rank in (0, 1):
        made = net(max_instances=2, generator=generator(7))
        made.ranks_ = SimpleNamespace(rank=rank, size=2)
        sample = made.get_iterator(many(), True).data.rows.sample
        drawn.append([sample(100).tolist() for _ in range(3)])
        # The generator of the common order is left alone.
        assert torch.equal(made.generator.get_state(), generator(7).get_state())
        own = generator(7 + 1 + rank)
        expected = [torch.randperm(100, generator=own)[:2].sort().values for _ in "abc"]
        assert drawn[-1] == [rows.tolist() for rows in expected]
    assert drawn[0] != drawn[1]


def test_balanced_training_draws_each_class_alike():
    made = net(balanced=True, generator=generator())
    y = torch.cat([targets.y for _, targets in made.get_iterator(many(), True)])
    assert y.sum() == 20
    plain = net(generator=generator())
    y = torch.cat([targets.y for _, targets in plain.get_iterator(many(), True)])
    assert y.sum() == 8


def test_targets_in_columns_are_not_balanced():
    data = many()
    columns = TrainingData(data.rows, Targets(data.targets.y[:, None].float()))
    made = net(balanced=True, generator=generator())
    y = torch.cat([targets.y for _, targets in made.get_iterator(columns, True)])
    assert y.sum() == 8


# -- what the estimators hand on ---


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, (1.0, 0.0, 0.0, 0.1)),
        (
            {"instance_weight": 2.0, "smoothness": 3.0, "noise_rate": 0.4},
            (2.0, 3.0, 0.4, 0.1),
        ),
        ({"unlabelled_weight": 0.7}, (1.0, 0.0, 0.0, 0.7)),
    ],
)
def test_the_objective_of_a_classifier_has_all_weights(params, expected):
    assert MILClassifier(**params)._objective() == BagObjective(*expected)


def test_the_objective_of_a_regressor_has_no_terms_of_classes():
    model = MILRegressor(instance_weight=2.0, smoothness=3.0)
    assert model._objective() == BagObjective(2.0, 3.0, 0.0, 0.0)


@pytest.mark.parametrize("kind", [MILClassifier, MILRegressor])
def test_options_reach_the_net(kind):
    options = kind(max_instances=7)._net_options()
    assert options == {
        "max_instances": 7,
        "balanced": False,
        "objective": kind()._objective(),
    }
    if kind is MILClassifier:
        assert kind(balanced_batches=True)._net_options()["balanced"]


@pytest.mark.parametrize(
    ("weak", "params"),
    [
        (False, {}),
        (False, {"pooling": "clam"}),
        (True, {"noise_rate": 0.1}),
        (True, {"smoothness": 0.1}),
        (True, {"unknown": True}),
        (True, {"told": True}),
    ],
)
def test_the_net_knows_what_its_loss_needs(weak, params, make_bags, quick):
    bags, y = make_bags()
    coords = np.random.default_rng(0).normal(size=(bags.n_instances, 2))
    bags = bags.with_fields(coords=coords)
    params = dict(params)
    if params.pop("unknown", False):
        y = np.where(np.arange(30) % 3, y, -1)
    told = np.repeat(y, bags.lengths) if params.pop("told", False) else None
    model = quick(**params, max_epochs=1).fit(bags, y, y_instances=told)
    assert model.net_.has_weak_labels_ is weak
    assert model.net_.has_auxiliary_loss_ is (params.get("pooling") == "clam")


def test_a_target_that_is_unknown_is_a_weak_label(make_bags):
    bags, y = make_bags()
    for unknown in (False, True):
        y = np.where((np.arange(30) == 3) & unknown, np.nan, y)
        model = MILRegressor(max_epochs=1).fit(bags, y)
        assert model.net_.has_weak_labels_ is unknown


@pytest.mark.parametrize(
    ("shape", "rate"), [((31,), 0.0), ((32,), 0.4), ((2, 4, 4), 0.4), ((3, 10), 0.0)]
)
def test_few_features_are_all_kept(shape, rate):
    found = BagEstimator._auto_defaults(shape)
    assert found == {"mlp": {"hidden": (128, 64), "input_dropout": rate}}

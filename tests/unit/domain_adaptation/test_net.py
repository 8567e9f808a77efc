"""The net of two sides: what goes through together, and what is noted of it."""

from typing import ClassVar

import numpy as np
import pytest
import torch

from mlmi_sklearn import DANNClassifier, DANNRegressor, MMEClassifier
from mlmi_sklearn.base import TorchEstimator
from mlmi_sklearn.domain_adaptation.net import _joined
from mlmi_sklearn.nn.divergences import DANNDivergence


def rows(*values):
    return torch.tensor(values, dtype=torch.float64)[:, None]


@pytest.mark.parametrize(
    ("parts", "expected", "weights"),
    [
        ([(rows(1, 2), None)], [1, 2], None),
        ([(rows(1, 2), None), (None, None), (rows(3), None)], [1, 2, 3], None),
        ([(rows(1, 2), None), (rows(3), rows(5)[:, 0])], [1, 2, 3], [1, 1, 5]),
        ([(rows(1), rows(4)[:, 0]), (rows(2, 3), None)], [1, 2, 3], [4, 1, 1]),
        ([(None, None), (rows(7), rows(2)[:, 0])], [7], [2]),
    ],
)
def test_sides_are_joined_with_their_weights(parts, expected, weights):
    joined, weight = _joined(parts)
    assert joined.ravel().tolist() == expected
    if weights is None:
        assert weight is None
    else:
        assert weight.tolist() == weights
        assert weight.dtype == torch.float64


class Listening(DANNDivergence):
    """Notes what it is asked to compare."""

    seen: ClassVar[list] = []

    def forward(self, zs, zt, **keywords):
        if torch.is_grad_enabled():
            self.seen.append((len(zs), len(zt), sorted(keywords)))
        return super().forward(zs, zt, **keywords)


@pytest.fixture
def seen():
    Listening.seen.clear()
    return Listening.seen


@pytest.mark.parametrize("norm", ["separate", "shared"])
@pytest.mark.parametrize(
    ("n", "sizes"), [(40, [16, 16, 8]), (39, [16, 23]), (50, [16, 16, 18])]
)
def test_every_batch_of_the_source_meets_as_many_of_the_target(
    domains, dann, seen, norm, n, sizes
):
    """A last batch of less than half the size joins the one before."""
    X, y, ids = domains(n=n, m=30)
    dann(divergence=Listening, domain_norm=norm, max_epochs=1).fit(X, y, ids)
    assert [n_source for n_source, _, _ in seen] == sizes
    assert [n_target for _, n_target, _ in seen] == [16] * len(sizes)
    assert {tuple(names) for _, _, names in seen} == {()}


def test_weights_and_codes_are_passed_where_there_are_any(toy, dann, seen):
    X, y, ids = toy
    settings = {"divergence": Listening, "max_epochs": 1, "batch_size": 100}
    dann(**settings).fit(X, y, ids, np.linspace(1, 2, 70))
    three = np.where(ids > 0, np.arange(70) % 2, ids)
    dann(**settings).fit(X, y, three)
    dann(**settings).fit(X, y, three, np.linspace(1, 2, 70))
    expected = [["weights"], ["domains"], ["domains", "weights"]]
    assert [names for _, _, names in seen] == expected
    assert {(n, m) for n, m, _ in seen} == {(40, 30)}


def test_labelled_rows_of_the_target_take_no_part_in_the_comparison_as_a_side(
    toy, dann, seen
):
    X, y, ids = toy
    dann(divergence=Listening, target_labels="use", max_epochs=1).fit(X, y, ids)
    assert [n for n, _, _ in seen] == [16, 16, 8]  # the source alone
    assert [m for _, m, _ in seen] == [16] * 3


def test_progress_is_the_share_of_training_done(domains, dann):
    shares = []

    def schedule(progress):
        shares.append(progress)
        return 1.0

    X, y, ids = domains(n=48, m=30)
    dann(lambda_schedule=schedule, max_epochs=2, lambda_=0.5).fit(X, y, ids)
    # Three batches in each of two epochs, and once at the end of either.
    expected = [0, 1 / 6, 2 / 6, 3 / 6, 3 / 6, 4 / 6, 5 / 6, 1]
    np.testing.assert_allclose(shares, expected)


def test_the_history_has_means_over_the_batches_of_an_epoch(domains, dann):
    X, y, ids = domains(n=48, m=30)
    values = []

    class Noting(DANNDivergence):
        def forward(self, zs, zt, **keywords):
            value = super().forward(zs, zt, **keywords)
            if torch.is_grad_enabled():
                values.append(float(value.detach()))
            return value

    model = dann(divergence=Noting, max_epochs=2).fit(X, y, ids)
    expected = np.reshape(values, (2, 3)).mean(axis=1)
    np.testing.assert_allclose(model.history_["domain_loss"], expected, rtol=1e-5)
    path = model.history_["discriminator_accuracy"]
    assert path.between(0, 1).all()
    assert model.discriminator_accuracy_ == pytest.approx(path.iloc[-1])


def test_the_critic_is_judged_by_the_last_eight_batches(domains, dann):
    X, y, ids = domains(n=160, m=30)
    calls = []

    class Judged(DANNDivergence):
        def domain_accuracy(self, zs, zt, **keywords):
            calls.append((len(zs), zs.requires_grad))
            return torch.tensor(len(calls) / 100)

    model = dann(divergence=Judged, max_epochs=1, batch_size=16).fit(X, y, ids)
    assert calls == [(16, False)] * 8
    assert model.discriminator_accuracy_ == pytest.approx(np.mean(range(1, 9)) / 100)
    calls.clear()
    alone = dann(divergence=Judged, lambda_=0, entropy=0.1, max_epochs=1)
    assert "discriminator_accuracy" not in alone.fit(X, y, ids).history_
    assert calls == []


def test_factors_of_classes_are_shares_of_the_largest(domains, dann):
    X, y, ids = domains(n=60, m=60)
    model = dann(partial=True, max_epochs=1, batch_size=100, domain_norm="shared")
    model.set_params(dtype="float64", lr=1e-12).fit(X, y, ids)
    factors = model.net_.class_factors_.numpy()
    assert factors.max() == 1
    # The net has hardly moved, so it still says what the factors were made of.
    net = model.net_.module_.train()
    both = np.vstack([X[ids > 0], X[ids < 0]])
    with torch.no_grad():
        p = torch.softmax(net(torch.tensor(both)), 1)[60:].sum(0).numpy()
    np.testing.assert_allclose(factors, np.maximum(p / p.max(), 1e-3), atol=1e-6)


def test_gradients_are_shortened_to_one_norm(toy, dann):
    """A step of plain gradient descent is at most rate times norm long."""
    X, y, ids = toy
    settings = {"max_epochs": 1, "batch_size": 100, "momentum": 0.0, "lr": 0.1,
                "weight_decay": 0.0, "lr_schedule": "constant",
                "dtype": "float64"}  # fmt: skip

    def weights(model):
        return torch.cat([p.detach().ravel() for p in model.net_.module_.parameters()])

    start = weights(dann(**{**settings, "lr": 1e-30}).fit(X, y, ids))
    steps = {
        norm: float((weights(dann(max_grad_norm=norm, **settings).fit(X, y, ids))
                     - start).norm())
        for norm in (None, 1e9, 0.05, 0.2)
    }  # fmt: skip
    assert steps[0.05] == pytest.approx(0.1 * 0.05, rel=1e-3)
    assert steps[0.2] == pytest.approx(0.1 * 0.2, rel=1e-3)
    assert steps[None] == pytest.approx(steps[1e9])
    assert steps[None] > 0.1 * 0.2


@pytest.mark.parametrize("labels", ["ignore", "use"])
def test_callbacks_see_the_rows_whose_targets_may_be_read(
    toy, dann, labels, monkeypatch
):
    X, y, ids = toy
    seen = []
    plain = TorchEstimator._open_bridge

    def note(self, net, attributes, data):
        seen.append(data)
        return plain(self, net, attributes, data)

    monkeypatch.setattr(TorchEstimator, "_open_bridge", note)
    masked = np.where((ids < 0) & (np.arange(70) % 3 > 0), -1, y)
    dann(target_labels=labels).fit(X, masked, ids)
    rows = (ids > 0) if labels == "ignore" else (masked >= 0)
    ((found_X, found_y),) = seen
    np.testing.assert_array_equal(found_X, X[rows])
    np.testing.assert_array_equal(found_y, y[rows])


@pytest.mark.parametrize(
    ("cls", "marker", "labels"),
    [
        (DANNClassifier, "-1, or NaN or None", "ignore"),
        (DANNRegressor, "NaN", "ignore"),
        (MMEClassifier, "-1, or NaN or None", "use"),
    ],
)
def test_shared_texts_are_filled_in(cls, marker, labels):
    texts = [cls.__doc__, cls.fit.__doc__]
    assert not any(name in text for text in texts for name in ("{domain", "{fitted}",
                   "{passing}", "{training"))  # fmt: skip
    assert f'{{"ignore", "use"}}, default="{labels}"' in cls.__doc__
    lines = [line.strip() for line in cls.fit.__doc__.splitlines()]
    text = " ".join(lines)
    assert f"a missing one is {marker}. Without" in text
    assert "sample_domain : array-like" in cls.fit.__doc__
    assert "pad_ : dict" in cls.__doc__

"""Gradient steps from any module."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from mlmi_sklearn.meta_learning.fine_tuning_steps import finetune
from mlmi_sklearn.nn.backbones import MLP
from mlmi_sklearn.nn.models import Predictor

X = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
Y = np.arange(12) % 3


def module(n_outputs):
    torch.manual_seed(0)
    return Predictor(MLP((3,), hidden=4), n_outputs)


@pytest.mark.parametrize("steps", [0, 1, 5])
def test_steps_are_plain_gradient_descent(steps):
    net, rows = module(3), torch.from_numpy(X)
    model = finetune(
        "classification",
        net,
        X,
        Y,
        steps=steps,
        lr=0.3,
        random_state=0,
        optimizer="sgd",
        weight_decay=0,
    )
    for _ in range(steps):
        loss = nn.functional.cross_entropy(net(rows), torch.from_numpy(Y))
        grads = torch.autograd.grad(loss, list(net.parameters()))
        with torch.no_grad():
            for p, g in zip(net.parameters(), grads, strict=True):
                p -= 0.3 * g
    expected = net(rows).detach().numpy()
    assert_allclose(model.decision_function(X), expected, atol=1e-5)


def test_two_outputs_become_one():
    net = module(2)
    model = finetune("classification", net, X, Y % 2, steps=0, lr=0.1)
    p = net(torch.from_numpy(X)).softmax(1).detach().numpy()
    assert_allclose(model.predict_proba(X), p, atol=1e-6)


def test_unit_of_numbers():
    net = module(1)
    model = finetune("regression", net, X, Y, steps=0, lr=0.1, unit=(5.0, 2.0))
    expected = 5 + 2 * net(torch.from_numpy(X))[:, 0].detach().numpy()
    assert_allclose(model.predict(X), expected, rtol=1e-5)


def test_module_is_left_alone_and_kind_is_checked():
    net = module(3)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    finetune("classification", net, X, Y, steps=3, lr=0.1)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    with pytest.raises(ValueError, match="kind must be one of"):
        finetune("ranking", net, X, Y, steps=3, lr=0.1)

"""Scores with targets and weights that lie on an accelerator."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import is_classifier, is_regressor

from mlmi_sklearn import CGANSampler, NetClassifier, all_estimators


class Elsewhere(torch.Tensor):
    """Stands for a tensor on an accelerator, which numpy cannot read."""

    def __array__(self, *args, **kwargs):
        raise TypeError("can't convert cuda:0 device type tensor to numpy")


QUICK = {
    "max_epochs": 1,
    "max_iter": 2,
    "n_estimators": 2,
    "episodes_per_epoch": 2,
    "finetune_steps": 1,
    "random_state": 0,
}
MEMBERS = {
    "sampler": CGANSampler(max_iter=2),
    "estimator": NetClassifier(max_epochs=1, random_state=0),
}


def quick(name, cls):
    made = cls()
    known = made.get_params(deep=False)
    if name == "DeepEnsembleClassifier" or "sampler" in known:
        made.set_params(**{k: v for k, v in MEMBERS.items() if k in known})
    return made.set_params(**{k: v for k, v in QUICK.items() if k in known})


PREDICTORS = [
    (name, cls)
    for name, cls in all_estimators()
    if is_classifier(cls()) or is_regressor(cls())
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "cls"), PREDICTORS, ids=[n for n, _ in PREDICTORS])
def test_scores_with_tensors_of_an_accelerator(name, cls):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(24, 3)), np.arange(24) % 2
    X[:, 0] += 2 * y
    weight = np.linspace(0.5, 2, 24)
    model = quick(name, cls).fit(X, y)
    options = {} if name.startswith("Augmented") else {"sample_weight": weight}
    want = model.score(X, y, **options)

    def away(values):
        return torch.as_tensor(values).as_subclass(Elsewhere)

    options = {key: away(value) for key, value in options.items()}
    assert model.score(X, away(y), **options) == want

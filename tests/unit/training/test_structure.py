"""Which nets may be trained together: those that differ in nothing that matters."""

from dataclasses import replace

import pytest
import torch
from skorch.callbacks import Callback
from torch import nn
from torch.optim import SGD, Adafactor, Adam, AdamW

from mlmi_sklearn.nn.backbones import MLP
from mlmi_sklearn.nn.losses import CrossEntropy
from mlmi_sklearn.nn.models import Predictor
from mlmi_sklearn.training.data import Targets, TensorRows, TrainingData
from mlmi_sklearn.training.lockstep.structure import ELEMENTWISE, structure_of
from mlmi_sklearn.training.net import LeanNet
from mlmi_sklearn.training.ragged import RaggedTensor


def backbone(*layers, out_features=3):
    made = nn.Sequential(*layers)
    made.out_features = out_features
    return made


def net(module=None, *, kind=LeanNet, optimizer=AdamW, **options):
    module = Predictor(MLP((4,), hidden=(3,)), 2) if module is None else module
    options = {"max_epochs": 5, "batch_size": 8, "callbacks": [], **options}
    return kind(
        module,
        CrossEntropy(),
        optimizer=optimizer,
        lr=0.1,
        **{"train_split": None, "verbose": 0, **options},
    ).initialize()


def rows(n=20, d=(4,), dtype=torch.float32, y=torch.int64, outputs=(), weighted=False):
    weight = torch.ones(n, dtype=dtype) if weighted else None
    x = torch.zeros(n, *d, dtype=dtype)
    return TrainingData(TensorRows(x), Targets(torch.zeros(n, *outputs).to(y), weight))


def test_the_structure_of_a_net():
    found = structure_of(net(), rows())
    names = ["head.weight", "head.bias"]
    assert {name for name, _ in found.weights} > set(names)
    assert dict(found.weights)["head.weight"] == (2, 3)
    assert found.inputs == ((4,), torch.float32, (), torch.int64, True)
    assert found.steps == (5, 3, 8)
    assert found.optimizer is AdamW
    assert found.device == "cpu"
    n_weights = (4 + 1) * 3 + (3 + 1) * 2
    assert found.work == 8 * n_weights
    assert found.numbers == max(8 * 3, n_weights)
    assert "Linear(in_features=4, out_features=3" in found.layers


SAME = {
    "other numbers": {"data": rows(19)},
    "rate": {"lr": 0.3},
    "labels": {"data": rows(20)},
}
DIFFERENT = {
    "width": {"module": Predictor(MLP((4,), hidden=(5,)), 2)},
    "outputs": {"module": Predictor(MLP((4,), hidden=(3,)), 3)},
    "layers": {"module": Predictor(MLP((4,), hidden=(3,), activation="gelu"), 2)},
    "optimizer": {"optimizer": SGD},
    "its kin": {"optimizer": Adam},
    "epochs": {"max_epochs": 6},
    "batch size": {"batch_size": 7},
    "number of batches": {"data": rows(30)},
    "type of inputs": {"data": rows(dtype=torch.float64)},
    "type of targets": {"data": rows(y=torch.float32)},
    "shape of targets": {"data": rows(outputs=(2,))},
    "weights of rows": {"data": rows(weighted=True)},
    "shape of inputs": {"data": rows(d=(4, 2))},
    "its last axis": {"data": rows(d=(4, 3))},
}


def structure(data=None, lr=0.1, **options):
    made = net(**options)
    for group in made.optimizer_.param_groups:
        group["lr"] = lr
    return structure_of(made, rows() if data is None else data)


@pytest.mark.parametrize("name", SAME)
def test_nets_that_may_be_trained_together(name):
    assert structure(**SAME[name]) == structure()


@pytest.mark.parametrize("name", DIFFERENT)
def test_nets_that_may_not(name):
    found = structure(**DIFFERENT[name])
    assert found is not None
    others = [structure()]
    others += [structure(**o) for other, o in DIFFERENT.items() if other != name]
    assert found not in others


class Told(nn.Module):
    """Of a class from elsewhere."""

    out_features = 4

    def forward(self, x):
        return x


class Own(LeanNet):
    pass


def frozen():
    module = Predictor(MLP((4,), hidden=(3,)), 2)
    module.head.bias.requires_grad_(False)
    return module


def compiled():
    module = Predictor(MLP((4,), hidden=(3,)), 2)
    module._compiled_call_impl = object()
    return module


ALONE = {
    "buffers": {"module": Predictor(MLP((4,), hidden=(3,), norm="batch"), 2)},
    "noise": {"module": Predictor(MLP((4,), hidden=(3,), dropout=0.5), 2)},
    "a module from elsewhere": {
        "module": Predictor(backbone(Told(), nn.Linear(4, 3)), 2)
    },
    "no predictor": {"module": nn.Linear(4, 2)},
    "frozen weights": {"module": frozen()},
    "a compiled module": {"module": compiled()},
    "half precision": {"amp_dtype": torch.bfloat16},
    "validation": {"train_split": lambda data, y: (data, data)},
    "callbacks": {"callbacks": [("c", Callback())]},
    "a training that goes on": {"epochs_before": 2},
    "a net of its own": {"kind": Own},
    "a whole-tensor optimiser": {"optimizer": Adafactor},
    "groups": {"optimizer__param_groups": [("head.*", {"lr": 1})]},
}


@pytest.mark.parametrize("name", ALONE)
def test_nets_that_must_be_trained_alone(name):
    made = net(**ALONE[name])
    if name == "a compiled module":
        assert structure_of(made, rows()) is None
        made.module_._compiled_call_impl = None
        assert structure_of(made, rows()) is not None
        return
    assert structure_of(made, rows()) is None


def test_an_optimizer_that_has_begun_goes_on_alone():
    made = net()
    for p in made.module_.parameters():
        p.grad = torch.ones_like(p)
    made.optimizer_.step()
    assert structure_of(made, rows()) is None


def test_data_that_are_no_tensors_or_have_no_targets():
    bags = RaggedTensor(torch.zeros(20, 4), torch.ones(20, dtype=torch.int64))
    y = torch.zeros(20, dtype=torch.int64)
    assert structure_of(net(), TrainingData(bags, Targets(y))) is None
    assert (
        structure_of(net(), TrainingData(TensorRows(bags.values), Targets(None)))
        is None
    )
    assert structure_of(net(), TrainingData(TensorRows(bags.values), Targets(y)))


@pytest.mark.parametrize("kind", ELEMENTWISE, ids=lambda kind: kind.__name__)
def test_stacked_weights_change_as_single_ones_do(kind):
    """What makes an optimiser one of those that treat every number by itself."""
    torch.manual_seed(0)
    single = [torch.randn(3, 2, dtype=torch.float64) for _ in range(2)]
    stack = torch.stack(single).requires_grad_()
    together = kind([stack], lr=0.05)
    alone = [(w.requires_grad_(), kind([w], lr=0.05)) for w in single]
    for _ in range(3):
        gradient = torch.randn(2, 3, 2, dtype=torch.float64)
        stack.grad = gradient.clone()
        together.step()
        for g, (w, optimizer) in zip(gradient, alone, strict=True):
            w.grad = g.clone()
            optimizer.step()
    for part, (w, _) in zip(stack.detach(), alone, strict=True):
        torch.testing.assert_close(part, w.detach(), rtol=1e-12, atol=0)


def test_a_small_batch_is_less_work():
    found = structure_of(net(), rows(5))
    assert found.work == 5 * 23
    assert found.numbers == 23
    assert found.steps == (5, 1, 8)


def test_a_weight_of_a_convolution_meets_every_pixel():
    layers = nn.Conv2d(1, 3, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    module = Predictor(backbone(*layers), 2)
    found = structure_of(net(module), rows(d=(1, 5, 6)))
    n_weights = 3 * 9 + 3 + 3 * 2 + 2
    assert found.work == 8 * 30 * n_weights
    assert found.numbers == 8 * 30 * 3
    flat = Predictor(backbone(nn.Flatten(), nn.Linear(30, 3)), 2)
    found = structure_of(net(flat), rows(d=(1, 5, 6)))
    assert found.work == 8 * (31 * 3 + 8)


@pytest.mark.parametrize(
    ("work", "numbers", "pays", "at_once"),
    [
        (4_000_000, 2**20 // 7, True, 7),
        (4_000_001, 1, False, 256),
        (1, 0, True, 256),
        (1, 2**12, True, 256),
        (1, 2**12 + 20, True, 254),
        (1, 2**18, True, 4),
        (1, 2**25, True, 4),
    ],
)
def test_as_many_as_stay_in_the_cache(work, numbers, pays, at_once):
    found = replace(structure(), work=work, numbers=numbers)
    assert found.pays is pays
    assert found.at_once == at_once
    elsewhere = replace(found, device="cuda:0")
    assert elsewhere.pays
    assert elsewhere.at_once == 256

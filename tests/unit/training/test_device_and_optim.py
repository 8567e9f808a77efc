import math
from functools import partial

import pytest
import torch
from torch import nn

from mlmi_sklearn.training.device import (
    resolve_device,
    resolve_dtype,
    resolve_precision,
)
from mlmi_sklearn.training.optim import (
    OPTIMIZERS,
    SCHEDULES,
    optimizer_options,
    resolve_optimizer,
    resolve_schedule,
)

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", ["cuda:99", "quantum", "xpu", "meta"])
def test_a_device_that_is_not_there_names_those_that_are(name):
    with pytest.raises(ValueError, match=r"device='.*' is not available.*'cpu'"):
        resolve_device(name)


def test_auto_device_exists():
    torch.empty(1, device=resolve_device("auto"))


@pytest.mark.parametrize(
    ("dtype", "given", "expected"),
    [
        ("auto", torch.float64, torch.float64),
        ("auto", torch.float32, torch.float32),
        ("auto", torch.int64, torch.float32),
        ("float64", torch.float32, torch.float64),
        ("float32", torch.float64, torch.float32),
    ],
)
def test_dtype(dtype, given, expected):
    assert resolve_dtype(dtype, given, CPU) == expected


def test_auto_dtype_is_single_precision_on_accelerators():
    mps = torch.device("mps")
    assert resolve_dtype("auto", torch.float64, mps) == torch.float32


def test_precision():
    assert resolve_precision("auto", torch.float32, CPU) is None
    assert resolve_precision("full", torch.float32, CPU) is None
    assert resolve_precision("bf16", torch.float32, CPU) == torch.bfloat16
    assert resolve_precision("fp16", torch.float32, CPU) == torch.float16


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_every_named_optimizer_takes_a_step(name):
    weight = nn.Parameter(torch.ones(3))
    factory = resolve_optimizer(name)
    options = optimizer_options(factory, 0.01, [weight])
    optimizer = factory([weight], lr=0.1, **options)
    for _ in range(2):
        optimizer.zero_grad()
        (weight**2).sum().backward()
        optimizer.step()
    assert not torch.equal(weight.detach(), torch.ones(3))
    assert torch.isfinite(weight).all()


def test_unknown_names_come_with_close_matches():
    with pytest.raises(ValueError, match=r"optimizer='adamv' .*'adamw'"):
        resolve_optimizer("adamv")
    with pytest.raises(ValueError, match=r"lr_schedule='cosin' .*'cosine'"):
        resolve_schedule("cosin")
    told = r"^lr_schedule must be a name or a callable, got int\.$"
    with pytest.raises(TypeError, match=told):
        resolve_schedule(3)
    with pytest.raises(
        TypeError, match=r"^optimizer must be a name or a callable, got"
    ):
        resolve_optimizer(3)


def test_what_can_be_called_is_taken_as_it_is():
    def schedule(share):
        return 1 - share

    def factory(params, lr):
        return torch.optim.SGD(params, lr)

    assert resolve_schedule(schedule) is schedule
    assert resolve_optimizer(factory) is factory
    assert resolve_optimizer("AdamW") is resolve_optimizer("adamw") is torch.optim.AdamW


def test_a_partial_keeps_what_it_fixed():
    weight = nn.Parameter(torch.ones(3))
    factory = partial(torch.optim.SGD, momentum=0.9, weight_decay=0.5, fused=False)
    options = optimizer_options(factory, 0.01, [weight])
    optimizer = factory([weight], lr=0.1, **options)
    assert optimizer.defaults["weight_decay"] == 0.5
    assert optimizer.defaults["fused"] is False


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_schedules_stay_between_zero_and_one(name):
    factors = [SCHEDULES[name](p / 100) for p in range(100)]
    assert all(0 < f <= 1 for f in factors)
    assert name == "constant" or factors[-1] < 0.2


def test_schedules_follow_their_formulas():
    assert resolve_schedule("constant") is None
    assert SCHEDULES["ganin"](0.3) == pytest.approx((1 + 10 * 0.3) ** -0.75)
    assert SCHEDULES["cosine"](0.25) == pytest.approx((1 + math.cos(math.pi / 4)) / 2)
    assert SCHEDULES["warmup-cosine"](0.0) < SCHEDULES["warmup-cosine"](0.05)

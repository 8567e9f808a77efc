"""PyTorch's compiler takes a second to import, and no fit needs it."""

import subprocess
import sys
import textwrap

import pytest
import torch
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.optimizer import register_optimizer_step_pre_hook

from mlmi_sklearn.training import uncompiled
from mlmi_sklearn.training.uncompiled import step_uncompiled, without_compiler


def in_a_fresh_process(code):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_fits_of_all_families_leave_it_out():
    found = in_a_fresh_process("""
        import sys, warnings
        import numpy as np
        import mlmi_sklearn as m

        warnings.simplefilter("ignore")
        X = np.random.default_rng(0).standard_normal((24, 3), dtype=np.float32)
        y = np.arange(24) % 2
        m.NetClassifier(max_epochs=2, early_stopping=True).fit(X, y).predict(X)
        m.MILClassifier(max_epochs=2).fit(X[:, None], y).predict(X[:, None])
        domain = np.where(np.arange(24) < 12, 1, -1)
        m.DANNClassifier(max_epochs=2).fit(X, y, sample_domain=domain).predict(X)
        m.MAMLClassifier(max_epochs=2).fit(X, y).predict(X)
        m.FineTuneClassifier(max_epochs=2).fit(X, y).predict(X)
        m.CGANSampler(max_iter=2).fit(X, y).sample(3)
        print([name for name in sys.modules if name.startswith("torch._dynamo")])
    """)
    assert found == ["[]"]


def test_who_loads_it_later_gets_all_of_it():
    found = in_a_fresh_process("""
        import torch
        from mlmi_sklearn.training.uncompiled import without_compiler

        with without_compiler():
            optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(2))])
        add = torch.optim.Optimizer.add_param_group
        print(hasattr(add.__wrapped__, "__dynamo_disable"))
        torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))])
        print(add.__wrapped__.__dynamo_disable is not add.__wrapped__)
    """)
    assert found == ["False", "True"]


@pytest.fixture
def unloaded(monkeypatch):
    """The rest of the suite may have loaded the compiler long ago."""
    monkeypatch.setattr(uncompiled, "_is_loaded", lambda: False)


def made(factory, **options):
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(5))
    weight.grad = torch.randn(5)
    return weight, factory([weight], lr=0.1, **options)


@pytest.mark.parametrize(
    ("factory", "options"),
    [
        (AdamW, {"fused": True}),
        (AdamW, {"foreach": True, "amsgrad": True}),
        (Adam, {"weight_decay": 0.1}),
        (SGD, {"momentum": 0.9, "fused": True}),
        (SGD, {}),
        (torch.optim.RMSprop, {}),
    ],
)
def test_steps_are_those_of_the_optimizer(factory, options, unloaded):
    (ours, stepped), (theirs, usual) = (
        made(factory, **options),
        made(factory, **options),
    )
    for _ in range(3):
        step_uncompiled(stepped)
        usual.step()
    assert torch.equal(ours, theirs)
    assert ours.requires_grad
    for key, value in usual.state[theirs].items():
        assert torch.equal(
            torch.as_tensor(stepped.state[ours][key]), torch.as_tensor(value)
        )


def watch_before(optimizer, seen):
    return optimizer.register_step_pre_hook(lambda *_: seen.append(1))


def watch_after(optimizer, seen):
    return optimizer.register_step_post_hook(lambda *_: seen.append(1))


def watch_all(optimizer, seen):
    return register_optimizer_step_pre_hook(lambda *_: seen.append(1))


@pytest.mark.parametrize("watch", [watch_before, watch_after, watch_all])
def test_who_watches_steps_sees_each(watch, unloaded):
    seen = []
    _, optimizer = made(SGD)
    handle = watch(optimizer, seen)
    step_uncompiled(optimizer)
    handle.remove()
    step_uncompiled(optimizer)
    assert seen == [1]


def test_schedulers_of_pytorch_find_that_steps_were_taken(unloaded, recwarn):
    _, optimizer = made(SGD)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    step_uncompiled(optimizer)
    scheduler.step()
    assert not [w for w in recwarn if "lr_scheduler" in str(w.message)]
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.01)


def test_a_differentiable_step_stays_one(unloaded):
    weight = torch.ones(2, requires_grad=True)
    copy = weight.clone()
    copy.grad = torch.ones(2)
    optimizer = SGD([copy], lr=0.1, differentiable=True)
    step_uncompiled(optimizer)
    assert copy.grad_fn is not None


def test_a_subclass_takes_its_own_step(unloaded):
    class Counted(SGD):
        calls = 0

        def step(self, closure=None):
            self.calls += 1
            return super().step(closure)

    _, optimizer = made(Counted)
    step_uncompiled(optimizer)
    assert optimizer.calls == 1


def test_nothing_stays_behind_after_an_error(unloaded):
    methods = [Optimizer.add_param_group.__wrapped__, Optimizer.state_dict.__wrapped__]
    before = [getattr(m, "__dynamo_disable", None) for m in methods]
    with pytest.raises(ValueError, match="empty parameter list"), without_compiler():
        AdamW([])
    assert [getattr(m, "__dynamo_disable", None) for m in methods] == before

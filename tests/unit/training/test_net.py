import numpy as np
import pytest
import skorch.callbacks as sc
import torch
from torch import nn

from mlmi_sklearn.exceptions import TrainingDivergedError
from mlmi_sklearn.nn.losses import CrossEntropy
from mlmi_sklearn.training.data import Targets, TensorRows, TrainingData
from mlmi_sklearn.training.losslog import weighted_mean
from mlmi_sklearn.training.net import LeanNet, StopTraining

N, D, K = 65, 4, 3


def data(weighted=False, dtype=torch.float64):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(N, D, generator=g, dtype=dtype)
    y = torch.randint(0, K, (N,), generator=g)
    w = torch.rand(N, generator=g, dtype=dtype) if weighted else None
    return TrainingData(TensorRows(x), Targets(y, w))


def net(*, callbacks=(), epochs=3, batch_size=16, criterion=None, **kwargs):
    torch.manual_seed(1)
    module = nn.Linear(D, K).double()
    options = {"optimizer": torch.optim.SGD, "lr": 0.1, **kwargs}
    return LeanNet(
        module,
        criterion or CrossEntropy(),
        max_epochs=epochs,
        batch_size=batch_size,
        generator=torch.Generator().manual_seed(2),
        train_split=None,
        callbacks=list(callbacks),
        verbose=0,
        **options,
    ).initialize()


class Listener(sc.Callback):
    """Listening to batches switches the net to skorch's own loop."""

    def __init__(self):
        self.batches = 0
        self.gradients = 0

    def on_batch_end(self, net, **kwargs):
        self.batches += 1

    def on_grad_computed(self, net, named_parameters, **kwargs):
        assert all(p.grad is not None for _, p in named_parameters)
        self.gradients += 1


def textbook_weights(training, epochs=3, batch_size=16, lr=0.1):
    """The same training by the book: mean of weighted losses, plain SGD."""
    torch.manual_seed(1)
    module = nn.Linear(D, K).double()
    optimizer = torch.optim.SGD(module.parameters(), lr=lr)
    generator = torch.Generator().manual_seed(2)
    x, (y, w) = training.rows.values, training.targets
    w = torch.ones(N, dtype=x.dtype) if w is None else w
    for _ in range(epochs):
        order = torch.randperm(N, generator=generator)
        for i in [0, 16, 32, 48]:
            part = order[i : i + (17 if i == 48 else 16)]
            losses = nn.functional.cross_entropy(
                module(x[part]), y[part], reduction="none"
            )
            loss = (w[part] * losses).sum() / w[part].sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return module.weight.detach()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("listen", [False, True], ids=["lean", "notifying"])
def test_both_loops_do_the_textbook_steps(weighted, listen):
    training = data(weighted)
    listener = Listener()
    trained = net(callbacks=[listener] if listen else []).partial_fit(training)
    expected = textbook_weights(training)
    assert torch.allclose(trained.module_.weight, expected, rtol=0, atol=1e-14)
    assert listener.batches == listener.gradients == (12 if listen else 0)


@pytest.mark.parametrize("weighted", [False, True])
def test_recorded_loss_is_the_weighted_mean_over_the_epoch(weighted):
    training = data(weighted)
    trained = net(epochs=1, lr=1e-300).partial_fit(training)
    with torch.no_grad():
        raw = trained.module_(training.rows.values)
        losses = nn.functional.cross_entropy(raw, training.targets.y, reduction="none")
    w = training.targets.weight
    expected = np.average(losses.numpy(), weights=None if w is None else w.numpy())
    assert trained.history[-1]["train_loss"] == pytest.approx(expected, rel=1e-12)


def test_validation_loss_is_recorded_and_does_not_train():
    from skorch.helper import predefined_split

    quiet = net(epochs=2).partial_fit(data())
    watched = net(epochs=2)
    watched.set_params(train_split=predefined_split(data()))
    watched.partial_fit(data())
    assert torch.equal(quiet.module_.weight, watched.module_.weight)
    assert all(row["valid_loss"] > 0 for row in watched.history)


@pytest.mark.parametrize("listen", [False, True])
def test_schedule_reaches_every_step(listen):
    rates = []

    def schedule(share):
        rates.append(share)
        return 1 - share

    callbacks = [Listener()] if listen else []
    trained = net(schedule=schedule, epochs=2, callbacks=callbacks).partial_fit(data())
    assert rates == pytest.approx([i / 8 for i in range(8)])
    assert trained.history[-1]["lr"] == pytest.approx(0.1 / 8)


class Informed(nn.Linear):
    """A module that wants to know how far training is."""

    def __init__(self):
        super().__init__(D, K)
        self.told = []

    def set_progress(self, share):
        self.told.append(share)


@pytest.mark.parametrize("listen", [False, True])
def test_a_module_that_asks_is_told_the_progress(listen):
    def train(epochs, before=0, planned=None):
        torch.manual_seed(1)
        module = Informed().double()
        LeanNet(
            module, CrossEntropy(), max_epochs=epochs, batch_size=16, verbose=0,
            train_split=None, callbacks=[Listener()] if listen else [],
            epochs_before=before, epochs_planned=planned,
        ).initialize().partial_fit(data())  # fmt: skip
        return module.told

    assert train(2) == pytest.approx([i / 8 for i in range(8)])
    assert train(1, before=1, planned=4) == pytest.approx([i / 16 for i in range(4, 8)])
    assert train(1, before=9, planned=4) == [1.0] * 4


class BlowUp(nn.Module):
    link = "softmax"

    def __init__(self, at):
        super().__init__()
        self.calls, self.at = 0, at

    def forward(self, raw, y):
        self.calls += 1
        losses = nn.functional.cross_entropy(raw, y, reduction="none")
        return losses * torch.nan if self.calls == self.at else losses


def test_divergence_names_epoch_and_step_and_restores_finite_weights():
    broken = net(criterion=BlowUp(at=7))
    with pytest.raises(TrainingDivergedError, match="epoch 2, step 3") as caught:
        broken.partial_fit(data())
    assert (caught.value.epoch, caught.value.step) == (2, 3)
    assert "smaller lr" in str(caught.value)
    expected = textbook_weights(data(), epochs=1)
    assert torch.allclose(broken.module_.weight, expected, rtol=0, atol=1e-14)


def test_a_last_step_that_destroys_the_weights_is_noticed():
    class Destroy(sc.Callback):
        def on_epoch_end(self, net, **kwargs):
            with torch.no_grad():
                net.module_.weight.fill_(torch.inf)

    broken = net(epochs=1, callbacks=[Destroy()])
    before = broken.module_.weight.detach().clone()
    with pytest.raises(TrainingDivergedError):
        broken.partial_fit(data())
    assert torch.equal(broken.module_.weight, before)


def test_skorch_early_stopping_is_not_taken_for_ctrl_c():
    stop = sc.EarlyStopping(monitor="train_loss", patience=1, threshold=1e9)
    trained = net(callbacks=[stop], epochs=50).partial_fit(data())
    assert len(trained.history) < 50
    assert not trained.interrupted_


def test_ctrl_c_ends_training_and_is_remembered():
    class CtrlC(sc.Callback):
        def on_batch_end(self, net, **kwargs):
            raise KeyboardInterrupt

    trained = net(callbacks=[CtrlC()]).partial_fit(data())
    assert trained.interrupted_


def test_stop_training_ends_after_the_epoch():
    class Stop(sc.Callback):
        def on_epoch_end(self, net, **kwargs):
            raise StopTraining

    assert len(net(callbacks=[Stop()], epochs=9).partial_fit(data()).history) == 1


@pytest.mark.parametrize("amp", [torch.bfloat16, torch.float16])
def test_mixed_precision_trains_on_a_cpu(amp):
    torch.manual_seed(1)
    trained = LeanNet(
        nn.Linear(D, K), CrossEntropy(), amp_dtype=amp, train_split=None, lr=0.1,
        callbacks=[], verbose=0, max_epochs=5, batch_size=16,
    ).initialize().partial_fit(data(dtype=torch.float32))  # fmt: skip
    losses = [row["train_loss"] for row in trained.history]
    assert losses[-1] < losses[0]
    assert trained.raw_outputs(data(dtype=torch.float32), 16).dtype == torch.float32


def test_weighted_mean_of_a_scalar_is_itself():
    assert weighted_mean(torch.tensor(2.5), torch.ones(3)).item() == 2.5

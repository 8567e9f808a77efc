"""No training loop waits for an accelerator within an epoch.

The device is a pretended one, so that this holds where there is none; tests/unit/base/
test_gpu.py asks a real one.
"""

from unittest import mock

import numpy as np
import pytest
import torch

from mlmi_sklearn import (
    Bags,
    CGANSampler,
    DANNClassifier,
    FineTuneClassifier,
    ImageTranslator,
    MAMLClassifier,
    MILClassifier,
    MMEClassifier,
    MultiTaskEstimator,
    NetClassifier,
    ProtoNetClassifier,
    SelfTaughtTransformer,
)
from mlmi_sklearn.base.many import fit_together
from mlmi_sklearn.generation.net import GANNet
from mlmi_sklearn.training.lockstep import Lockstep
from mlmi_sklearn.training.net import LeanNet
from mlmi_sklearn.training.snapshot import Snapshot

COMMON = {"device": "cuda:0", "random_state": 0, "precision": "full"}
SHORT = {**COMMON, "max_epochs": 1, "batch_size": 16}
TASKS = {**COMMON, "max_epochs": 1, "meta_batch_size": 2, "episodes": "groups"}
# Once at the end for the mean loss, or twice where there is more to record.
MOST = 3


def table(n):
    X = np.random.default_rng(0).normal(size=(n, 4)).astype(np.float32)
    return X, np.arange(n) % 2


def net(n, **options):
    NetClassifier(**SHORT, **options).fit(*table(n))


def bags(n, pooling, level):
    lengths = np.arange(n) % 5 + 1
    X = Bags(table(lengths.sum())[0], lengths)
    MILClassifier(pooling=pooling, level=level, **SHORT).fit(X, np.arange(n) % 2)


def domains(n, kind=DANNClassifier, **options):
    sides = np.where(np.arange(n) % 4 < 2, 1, -1)
    kind(**SHORT, **options).fit(*table(n), sample_domain=sides)


def tasks(n, kind=MAMLClassifier, **options):
    kind(**TASKS, **options).fit(*table(4 * n), groups=np.arange(4 * n) // 16)


def images(n):
    X, Y = np.random.default_rng(0).normal(size=(2, 16, 1, 8, 8)).astype(np.float32)
    options = {"device": "cuda:0", "random_state": 0}
    ImageTranslator(max_iter=n // 8, batch_size=16, **options).fit(X, Y)


def sampler(n, **options):
    options |= {"device": "cuda:0", "random_state": 0, "max_iter": n // 8}
    CGANSampler(batch_size=16, **options).fit(*table(64))


CASES = {
    "net": net,
    "net with a schedule": lambda n: net(n, lr_schedule="cosine"),
    "net with another optimiser": lambda n: net(n, optimizer="rmsprop"),
    "fine-tuned": lambda n: FineTuneClassifier(**SHORT).fit(*table(n)),
    "multi-task": lambda n: MultiTaskEstimator(**SHORT).fit(
        *table(n), groups=np.arange(n) % 2
    ),
    "self-taught": lambda n: SelfTaughtTransformer(**SHORT).fit(table(n)[0]),
    "dann": domains,
    "mmd": lambda n: domains(n, divergence="mmd"),
    "wasserstein": lambda n: domains(n, divergence="wasserstein"),
    "mme": lambda n: domains(n, kind=MMEClassifier),
    "maml": tasks,
    "reptile": lambda n: tasks(n, method="reptile"),
    "prototypes": lambda n: tasks(n, kind=ProtoNetClassifier),
    "sampler": sampler,
    "sampler with all terms": lambda n: sampler(
        n, diversity=0.1, gradient_penalty=1.0, n_critic=2, augment="noise"
    ),
    "translator": images,
    **{
        f"bags, {pooling}": lambda n, pooling=pooling: bags(n, pooling, "instance")
        for pooling in ("max", "mean", "noisy-or", "top-k")
    },
    **{
        f"embeddings, {pooling}": lambda n, pooling=pooling: bags(
            n, pooling, "embedding"
        )
        for pooling in ("gated-attention", "transformer", "clam", "dsmil")
    },
}


def waits_of_epochs(fit, n, waits):
    """Fit on n rows; return what waited, epoch by epoch."""
    found = []

    def listening(kind):
        plain = kind.run_single_epoch

        def run(*args, **kwargs):
            start = len(waits)
            plain(*args, **kwargs)
            found.append(waits[start:])

        return mock.patch.object(kind, "run_single_epoch", run)

    with listening(LeanNet), listening(GANNet):
        fit(n)
    return found


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", CASES)
def test_more_batches_do_not_wait_more_often(name, cuda_waits):
    few, many = (waits_of_epochs(CASES[name], n, cuda_waits) for n in (64, 128))
    assert few
    assert max(map(len, many)) <= min(MOST, max(map(len, few))), max(many, key=len)


def test_nets_trained_together_wait_once(cuda_waits):
    def waits(n):
        plain, found = Lockstep._run_epoch, []

        def run(self, epoch):
            start = len(cuda_waits)
            plain(self, epoch)
            found.append(cuda_waits[start:])

        models = [NetClassifier(**SHORT, lr=lr) for lr in (1e-3, 1e-2)]
        with mock.patch.object(Lockstep, "_run_epoch", run):
            done = fit_together(models, [table(n)] * 2)
        assert done == models
        return max(found, key=len)

    found = waits(64)
    assert len(waits(128)) <= len(found) <= MOST, found


def test_the_pretended_device_notes_what_waits(cuda_waits):
    made = torch.arange(4.0, device="cuda:0")
    (made * 2 + torch.ones(4).to("cuda:0", non_blocking=True)).sum()
    assert made.is_cuda
    assert not cuda_waits
    for ask in (
        lambda: made.sum().item(),
        lambda: bool(made.max() > 2),
        made.tolist,
        made.cpu,
        lambda: made[made > 1],
        lambda: made.nonzero(),
        lambda: torch.ones(4).to("cuda:0"),
        lambda: made.copy_(torch.ones(4)),
        lambda: made[torch.tensor([1])],
    ):
        before = len(cuda_waits)
        ask()
        assert len(cuda_waits) == before + 1


@pytest.mark.parametrize("usable", [True, False])
def test_weights_are_kept_without_asking_the_device(usable, cuda_waits):
    module = torch.nn.Linear(2, 1).to("cuda:0")
    kept = Snapshot(module)
    before = module.weight.inner.clone()
    module.weight.data.fill_(7.0)
    del cuda_waits[:]  # moving weights there was worth waiting for
    kept.take_if(torch.full((), usable, device="cuda:0"))
    assert not cuda_waits
    module.weight.data.fill_(torch.nan)
    kept.restore()
    expected = torch.full_like(before, 7.0) if usable else before
    assert torch.equal(module.weight.inner, expected)

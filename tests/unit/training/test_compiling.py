"""What is compiled how, and where data lives."""

from unittest import mock

import numpy as np
import pytest
import torch
from torch import nn

from mlmi_sklearn import DANNClassifier, NetClassifier
from mlmi_sklearn.base import netbuild
from mlmi_sklearn.training.compiling import compile_options
from mlmi_sklearn.training.device import fits_on
from mlmi_sklearn.training.net import LeanNet

CUDA, CPU = torch.device("cuda:0"), torch.device("cpu")
X, y = np.eye(40, 4, dtype=np.float32), np.arange(40) % 2


def test_graphs_are_for_small_nets_on_cuda_whose_outputs_nobody_keeps():
    small, large = nn.Linear(8, 8), nn.Linear(2**12, 2**11)
    graphs = {"mode": "reduce-overhead"}
    assert compile_options(small, CUDA, False) == graphs
    for module, device, keeps in (
        (small, CPU, False),
        (small, CUDA, True),
        (large, CUDA, False),
    ):
        assert compile_options(module, device, keeps) == {}


@pytest.mark.parametrize(
    ("kind", "keeps"), [(NetClassifier, False), (DANNClassifier, True)]
)
def test_nets_that_use_outputs_later_say_so(kind, keeps, monkeypatch):
    asked = []

    def watched(module, device, keeps_outputs):
        asked.append(keeps_outputs)
        return {"backend": "eager"}

    monkeypatch.setattr(netbuild, "compile_options", watched)
    kind(max_epochs=1, compile=True, device="cpu", random_state=0).fit(X, y)
    assert set(asked) == {keeps}


@pytest.mark.slow
def test_a_short_last_batch_is_compiled_once():
    seen = []

    def counting(graph, inputs):
        seen.append(len(inputs))
        return graph.forward

    torch._dynamo.reset()
    options = {"backend": counting}
    with mock.patch.object(netbuild, "compile_options", return_value=options):
        model = NetClassifier(max_epochs=3, batch_size=16, compile=True, device="cpu")
        model.fit(X, y)
        trained = len(seen)
        for n in (3, 5, 7, 11, 13, 17):
            model.predict(X[:n])
    assert trained <= 2
    assert len(seen) <= trained + 2


@pytest.mark.parametrize(("free", "fits"), [(2**34, True), (1000, False)])
def test_small_data_lives_on_the_device(free, fits, cuda_waits, monkeypatch):
    where = []

    def watched(self, iterator, *args, **kwargs):
        if iterator is not None:  # nothing is validated
            where.append(iterator.data.device.type)
        return plain(self, iterator, *args, **kwargs)

    plain = LeanNet.run_single_epoch
    monkeypatch.setattr(LeanNet, "run_single_epoch", watched)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=None: (free, free))
    options = {"device": "cuda:0", "precision": "full", "random_state": 0}
    NetClassifier(max_epochs=2, batch_size=16, **options).fit(X, y)
    assert where == ["cuda" if fits else "cpu"] * 2
    assert fits_on(CUDA, X.nbytes) is fits
    assert fits_on(CPU, 2**60)

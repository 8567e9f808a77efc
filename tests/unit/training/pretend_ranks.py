"""Ranks that are threads of one process, with collectives that wait at a barrier.

What several processes say to each other goes through a handful of functions of
``torch.distributed``. :class:`PretendRanks` offers these between threads, so that a
test of what they exchange needs no processes, no ports, and a few milliseconds.
"""

import threading
from contextlib import ExitStack
from types import SimpleNamespace
from unittest import mock

import torch

from mlmi_sklearn.training import distributed, shared_fit
from mlmi_sklearn.training.distributed import Ranks

SECONDS = 20


class PretendRanks:
    """A number of ranks, and what they say to each other."""

    def __init__(self, size):
        self.size = size
        self.own = threading.local()

    def run(self, function):
        """Call a function on every rank; return what came of it, or the errors."""
        self.barrier = threading.Barrier(self.size, timeout=SECONDS)
        self.slots = [None] * self.size
        outcomes = [None] * self.size

        def call(rank):
            self.own.ranks = Ranks(rank, self.size)
            try:
                outcomes[rank] = function(self.own.ranks)
            except Exception as error:  # as another rank would see that one is gone
                outcomes[rank] = error
                self.barrier.abort()

        threads = [threading.Thread(target=call, args=(r,)) for r in range(self.size)]
        with self._in_place():
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        return outcomes

    def results(self, function):
        """Return what came of a function that no rank may fail at."""
        outcomes = self.run(function)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
        return outcomes

    def _in_place(self):
        group = SimpleNamespace(_get_backend=self._backend)
        stands_in = SimpleNamespace(
            all_reduce=self.all_reduce,
            broadcast=self.broadcast,
            broadcast_object_list=self.broadcast_object_list,
            all_gather_object=self.all_gather_object,
            get_backend=lambda: "threads",
            group=SimpleNamespace(WORLD=group),
            is_available=lambda: True,
            is_initialized=lambda: False,
        )
        stack = ExitStack()
        for module in (distributed, shared_fit):
            stack.enter_context(mock.patch.object(module, "dist", stands_in))
        stack.enter_context(mock.patch.object(distributed._Group, "lost", None))
        stack.enter_context(
            mock.patch.object(shared_fit, "current_ranks", self.current_ranks)
        )
        return stack

    def current_ranks(self):
        """Return those of this thread."""
        return getattr(self.own, "ranks", None)

    @staticmethod
    def _backend(device):
        if device.type != "cpu":
            raise RuntimeError("no back end for that device")

    def _exchange(self, value):
        self.slots[self.own.ranks.rank] = value
        self.barrier.wait()
        found = list(self.slots)
        self.barrier.wait()
        return found

    def all_reduce(self, tensor):
        parts = self._exchange(tensor.clone())
        tensor.copy_(torch.stack(parts).sum(0))

    def broadcast(self, tensor, src):
        tensor.copy_(self._exchange(tensor.clone())[src])

    def broadcast_object_list(self, box, src):
        box[:] = self._exchange(list(box))[src]

    def all_gather_object(self, found, value):
        found[:] = self._exchange(value)

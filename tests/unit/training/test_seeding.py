from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from mlmi_sklearn.training.seeding import borrowed_generator, draws_random_numbers

CPU = torch.device("cpu")


def test_the_global_generator_is_put_back_even_after_an_error():
    before = torch.get_rng_state()
    with pytest.raises(KeyError), borrowed_generator(1, CPU):
        torch.rand(5)
        raise KeyError
    assert torch.equal(before, torch.get_rng_state())


def test_threads_do_not_share_their_numbers():
    def draw(seed):
        with borrowed_generator(seed, CPU):
            return [torch.rand(1).item() for _ in range(200)]

    alone = [draw(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(draw, range(4)))
    assert together == alone


class Functional(nn.Module):
    def forward(self, x):
        return nn.functional.dropout(x, 0.5, self.training)


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (nn.Linear(2, 2), False),
        (nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.0)), False),
        (nn.Sequential(nn.Linear(2, 2), nn.Dropout2d(0.1)), True),
        (nn.RReLU(), True),
        (nn.MultiheadAttention(4, 2, dropout=0.1), True),
        (nn.MultiheadAttention(4, 2), False),
        (Functional(), True),
    ],
)
def test_draws_random_numbers(module, expected):
    assert draws_random_numbers(module) is expected

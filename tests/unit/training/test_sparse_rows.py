"""Rows of a sparse matrix, made dense batch by batch."""

import numpy as np
import pytest
import torch
from scipy import sparse

from mlmi_sklearn.training.batches import TensorBatches
from mlmi_sklearn.training.data import Targets, TensorRows, TrainingData
from mlmi_sklearn.training.sparse import SparseRows


@pytest.fixture
def dense():
    rng = np.random.default_rng(0)
    return np.where(rng.random((23, 6)) < 0.3, rng.normal(size=(23, 6)), 0.0)


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csr_array])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_batches_are_those_of_dense_rows(dense, kind, dtype):
    ours = SparseRows(kind(dense), dtype)
    theirs = TensorRows(torch.tensor(dense, dtype=dtype))
    assert len(ours) == 23
    index = torch.tensor([5, 5, 0, 22])
    assert torch.equal(ours.take(index).narrow(1, 4), theirs.take(index).narrow(1, 4))
    assert ours.narrow(0, 3).dtype == dtype
    for shuffle in (False, True):
        batches = [
            list(
                TensorBatches(
                    TrainingData(rows, Targets(torch.arange(23))), 5, shuffle,
                    torch.Generator().manual_seed(0),
                )
            )
            for rows in (ours, theirs)
        ]  # fmt: skip
        for (x, t), (x2, t2) in zip(*batches, strict=True):
            assert torch.equal(x, x2)
            assert torch.equal(t.y, t2.y)


def test_a_batch_may_be_written_to(dense):
    matrix = sparse.csr_matrix(dense)
    before = matrix.toarray()
    SparseRows(matrix, torch.float64).narrow(0, 23).zero_()
    np.testing.assert_array_equal(matrix.toarray(), before)


def test_size_and_device(dense):
    rows = SparseRows(sparse.csr_matrix(dense), torch.float64)
    assert 0 < rows.nbytes < dense.nbytes
    moved = rows.to(torch.device("cpu"))
    assert torch.equal(moved.narrow(0, 23), rows.narrow(0, 23))
    empty = SparseRows(sparse.csr_matrix((4, 3)), torch.float32)
    assert empty.narrow(0, 4).abs().sum() == 0


def test_numbers_too_large_are_refused(dense):
    dense[0, 0] = 1e39
    matrix = sparse.csr_matrix(dense)
    with pytest.raises(ValueError, match="too large for float32"):
        SparseRows(matrix, torch.float32)
    assert SparseRows(matrix, torch.float64).narrow(0, 1)[0, 0] == 1e39

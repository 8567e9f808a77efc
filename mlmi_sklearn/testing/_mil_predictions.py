"""Checks of what multiple-instance estimators say about bags."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from ..containers import Bags
from ._core import fail, require
from ._estimator_subject import EstimatorSubject, quiet, require_same

__all__ = ["MIL_PREDICTION_CHECKS", "object_array"]

_BATCH = (
    "Reduce over one bag at a time; mask padding, and take no statistics of the batch."
)


def check_bag_containers(subject: EstimatorSubject) -> None:
    """Bags, list, tuple, object array, Series and 3-D array give the same results."""
    for bags, y in (subject.bags(), _even(subject)):
        model = subject.fit(bags, y)
        expected = subject.outputs(model, bags)
        for name, data in _containers(bags):
            remedy = "Read X through check_bags, everywhere."
            what = f"predictions for bags as {name} differ from those for Bags"
            require_same(subject.outputs(model, data), expected, what, remedy, 1e-6)
            if name not in ("a list", "an object column", "a 3-D array"):
                continue  # one fit for each way of reading is enough
            again = subject.outputs(subject.fit(data, y), bags)
            what = f"a fit on bags as {name} differs from one on Bags"
            require_same(again, expected, what, remedy, 1e-6)


def check_companions_do_not_matter(subject: EstimatorSubject) -> None:
    """A bag is predicted alone as it is among others, to 1e-5."""
    bags, y = subject.bags()
    model = subject.fit(bags, y)
    together = subject.outputs(model, bags)
    alone = [subject.outputs(model, bags[[i]]) for i in range(len(bags))]
    found = {name: [part[name][0] for part in alone] for name in together}
    what = "a bag alone is predicted otherwise than among others"
    require_same(found, together, what, _BATCH, 1e-5)
    loud = Bags(np.vstack([np.full((80, 4), 9.0), bags.values]), [80, *bags.lengths])
    more = {name: rows[1:] for name, rows in subject.outputs(model, loud).items()}
    what = "predictions change when a large bag is added"
    require_same(more, together, what, _BATCH, 1e-5)


def check_order_of_instances(subject: EstimatorSubject) -> None:
    """The order of the instances in a bag does not matter."""
    bags, y = subject.bags()
    model = subject.fit(bags, y)
    expected = subject.outputs(model, bags)
    orders = [np.random.default_rng(1).permutation(n) for n in bags.lengths]
    shuffled = [bag[order] for bag, order in zip(bags, orders, strict=True)]
    found = subject.outputs(model, shuffled)
    if _gives_bags(model, bags):
        expected["transform"] = [
            part[order]
            for part, order in zip(expected["transform"], orders, strict=True)
        ]
    what = "predictions depend on the order of the instances in a bag"
    require_same(found, expected, what, "Treat a bag as a set.", 1e-5)


def check_order_of_bags(subject: EstimatorSubject) -> None:
    """Bags in another order give their predictions in that order."""
    bags, y = subject.bags()
    model = subject.fit(bags, y)
    order = np.random.default_rng(2).permutation(len(bags))
    whole = subject.outputs(model, bags)
    expected = {name: [rows[i] for i in order] for name, rows in whole.items()}
    for kind, data in (("Bags", bags[order]), ("a list", [bags[i] for i in order])):
        what = f"predictions do not follow the order of bags ({kind})"
        remedy = "Read bags.values after bags.lengths of the same view."
        require_same(subject.outputs(model, data), expected, what, remedy, 1e-5)


def check_views(subject: EstimatorSubject) -> None:
    """A view over permuted or repeated bags trains like a copy of these bags."""
    bags, y = subject.bags()
    order = np.random.default_rng(3).permutation(len(bags))
    order = np.concatenate([order, order[:4]])
    view, target = bags[order], y[order]
    expected = subject.outputs(subject.fit(view.compact(), target), bags)
    found = subject.outputs(subject.fit(view, target), bags)
    what = "a fit on a view of Bags differs from one on its compact copy"
    require_same(found, expected, what, "Use bags.values, not the store.", 1e-6)


def check_bag_of_one(subject: EstimatorSubject) -> None:
    """A plain 2-D array means bags of one instance, for fit and predict."""
    X, y = subject.table()
    singles = [row[None] for row in X]
    model = subject.fit(X, y)
    expected = subject.outputs(model, X)
    remedy = "Read a 2-D array as bags of one instance."
    what = "bags of one are predicted otherwise than rows of a table"
    rows = {name: [_row(b) for b in v] for name, v in expected.items()}
    found = subject.outputs(model, singles)
    found = {name: [_row(b) for b in v] for name, v in found.items()}
    require_same(found, rows, what, remedy, 1e-6)
    again = subject.outputs(subject.fit(singles, y), X)
    again = {name: [_row(b) for b in v] for name, v in again.items()}
    what = "a fit on bags of one differs from one on a table"
    require_same(again, rows, what, remedy, 1e-6)


def check_extra_fields_do_not_matter(subject: EstimatorSubject) -> None:
    """Ids, groups, coordinates and instance labels do not change predictions."""
    bags, y = subject.bags()
    model = subject.fit(bags, y)
    n = bags.n_instances
    rich = Bags(
        bags.values,
        bags.lengths,
        bag_ids=[f"b{i}" for i in range(len(bags))],
        groups=np.arange(len(bags)) // 2,
        coords=np.arange(2 * n).reshape(n, 2),
        y_instances=np.arange(n) % 2,
    )
    what = "predictions change with fields that describe bags"
    expected = subject.outputs(model, bags)
    require_same(subject.outputs(model, rich), expected, what, "", 1e-9)


def check_sparse_instances(subject: EstimatorSubject) -> None:
    """Sparse instances give the results of dense ones, or a clear error."""
    bags, y = subject.bags()
    thin = bags.with_values(np.where(np.abs(bags.values) > 0.7, bags.values, 0.0))
    sparse_bags = thin.with_values(sparse.csr_array(thin.values))
    try:
        model = subject.fit(sparse_bags, y)
    except (TypeError, ValueError) as error:
        remedy = "Say that instances are sparse, and what to do."
        require("sparse" in str(error).lower(), f"it raised {error!r}.", remedy)
        return
    dense = subject.outputs(subject.fit(thin, y), thin)
    found = subject.outputs(model, sparse_bags)
    what = "results for sparse instances differ from those for dense ones"
    require_same(found, dense, what, "", 1e-5)


def check_bags_are_left_alone(subject: EstimatorSubject) -> None:
    """Instances of bags are not written to, in Bags or in a list."""
    bags, y = subject.bags()
    store = np.array(bags.values)
    parts = [np.array(bag) for bag in bags]
    for name, data in (("Bags", Bags(store, bags.lengths)), ("a list", parts)):
        subject.outputs(subject.fit(data, y), data)
        same = np.array_equal(store, bags.values)
        same &= np.array_equal(np.concatenate(parts), bags.values)
        require(same, f"it changed instances given as {name}.", "Work on a copy.")


def check_one_result_a_bag(subject: EstimatorSubject) -> None:
    """Every method gives one row for each bag, for one bag too."""
    bags, y = subject.bags()
    model = subject.fit(bags, y)
    for part in (bags, bags[:1], bags[2:3]):
        for name, rows in subject.outputs(model, part).items():
            require(
                len(rows) == len(part),
                f"{name} gave {len(rows)} rows for {len(part)} bags.",
                "Give one row for each bag.",
            )


def check_maximum(subject: EstimatorSubject) -> None:
    """With pooling="max" on instances, a bag scores exactly as its best instance."""
    bags, y = subject.bags()
    if not _claims_maximum(subject):
        return
    model = subject.fit(bags, y)
    scores, instances = model.decision_function(bags), model.instance_scores(bags)
    if np.ndim(scores) != 1:
        return
    best = np.array([np.max(part) for part in instances])
    worst = float(np.abs(scores - best).max())
    remedy = "Take the maximum itself in predictions, of the same scores."
    require(
        np.array_equal(scores, best),
        f"the score of a bag differs from its highest instance score by {worst:.3g}.",
        remedy,
    )
    twice = model.decision_function([np.vstack([bag, bag[:1]]) for bag in bags])
    what = "a repeated instance changes the score of its bag"
    require_same({"scores": list(twice)}, {"scores": list(scores)}, what, remedy, 1e-6)


def _claims_maximum(subject: EstimatorSubject) -> bool:
    params = subject.estimator.get_params(deep=False)
    pooling = params.get("pooling")
    named = pooling if isinstance(pooling, str) else getattr(pooling, "name", None)
    methods = ("instance_scores", "decision_function")
    return (
        named == "max"
        and params.get("level") == "instance"
        and all(hasattr(subject.estimator, method) for method in methods)
    )


def _containers(bags: Bags) -> Iterator[tuple[str, Any]]:
    """Yield the same bags in everything that holds bags."""
    items = [np.array(bag) for bag in bags]
    yield "a list", items
    yield "a tuple", tuple(items)
    yield "an object array", object_array(items)
    yield "an object column", object_array(items)[:, None]
    yield "a Series", pd.Series(items, index=range(3, 3 + len(items)))
    yield "a one-column frame", pd.DataFrame({"bag": items})
    yield "a reversed view", bags[::-1].compact()[::-1]
    if len(set(bags.lengths.tolist())) == 1:
        yield "a 3-D array", np.stack(items)


def object_array(items: list[Any]) -> Any:
    """Return a 1-D array of objects, even if all of one shape."""
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def _even(subject: EstimatorSubject) -> tuple[Bags, Any]:
    """Return bags of three instances each."""
    bags, y = subject.bags()
    n = min(len(bags), bags.n_instances // 3)
    return Bags(bags.values[: 3 * n], [3] * n), y[:n]


def _gives_bags(model: Any, bags: Bags) -> bool:
    if not hasattr(model, "transform"):
        return False
    with quiet():
        return isinstance(model.transform(bags), Bags)


def _row(block: Any) -> Any:
    """Return the row of a bag of one, or the row that it is already."""
    block = np.asarray(block)
    if block.ndim == 2:
        if len(block) != 1:
            fail(f"a bag of one became {len(block)} rows.")
        return block[0]
    return block


MIL_PREDICTION_CHECKS = [
    check_one_result_a_bag,
    check_bag_containers,
    check_companions_do_not_matter,
    check_order_of_instances,
    check_order_of_bags,
    check_views,
    check_bag_of_one,
    check_extra_fields_do_not_matter,
    check_sparse_instances,
    check_bags_are_left_alone,
    check_maximum,
]

"""Checks of poolings."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..nn.segments import Segments
from ._core import require
from ._modules import MODULE_CHECKS, require_width
from ._subjects import PoolingSubject
from ._tensors import TOLERANCE, require_close, require_finite

__all__ = ["POOLING_CHECKS"]

_LEAK = (
    "Reduce with the methods of segments. Where padding cannot be avoided, mask it: "
    "-inf before a softmax or a maximum, 0 before a sum; and normalise over one bag, "
    "never over the batch."
)


def check_attributes(subject: PoolingSubject) -> None:
    """It says out_features, and whether it is a weighted mean of the values."""
    module = subject.module()
    require_width(module)
    found = getattr(module, "weighted_mean", None)
    require(
        isinstance(found, bool),
        f"its attribute weighted_mean is {found!r}.",
        "Set the class attribute weighted_mean = True if pooled is the sum of weights "
        "times values, else False.",
    )


def check_shapes(subject: PoolingSubject) -> None:
    """(N, D) values become (B, out_features) and N weights, whatever the bags."""
    for width in dict.fromkeys((subject.width, 1)):
        module = subject.build(width).eval()
        columns = require_width(module)
        for lengths in (
            [1],
            [4],
            [1, 1, 1],
            [3, 3],
            [1, 5, 2],
            [40, 1],
            list(range(1, 9)),
        ):
            n = sum(lengths)
            outputs = subject.pool(module, subject.values(n, width), lengths)
            found = [tuple(tensor.shape) for tensor in outputs.values()]
            expected = [(len(lengths), columns), (n,)]
            require(
                found == expected,
                f"bags of {lengths} instances with {width} columns gave shapes {found} "
                f"for (pooled, weights), not {expected}.",
                "A single column is legal too: binary scores have one.",
            )


def check_order_of_instances(subject: PoolingSubject) -> None:
    """The order of the instances in a bag does not matter; weights follow it."""
    for dtype, tolerance in TOLERANCE.items():
        module, values = subject.module(dtype=dtype), subject.inputs(dtype)
        order = _shuffled(subject.lengths)
        first, second = subject.run(module, values), subject.run(module, values[order])
        remedy = (
            "Use no positions, no recurrence, no 'first' instance; break ties so that "
            "equal instances are treated alike."
        )
        what = "{} depends on the order of the instances"
        require_close(
            second["pooled"], first["pooled"], what.format("pooled"), remedy, tolerance
        )
        expected = first["weights"][order]
        require_close(
            second["weights"], expected, what.format("weights"), remedy, tolerance
        )


def check_ties(subject: PoolingSubject) -> None:
    """Bags with equal instances are pooled alike in any order."""
    module = subject.module()
    values = subject.values(3)[[0, 1, 0, 2, 1, 1, 1]]
    order = torch.tensor([3, 2, 1, 0, 6, 5, 4])
    require_close(
        subject.pool(module, values[order], [4, 3])["pooled"],
        subject.pool(module, values, [4, 3])["pooled"],
        "pooled depends on the order of instances that tie",
        "Treat equal instances alike.",
    )


def check_companions_do_not_matter(subject: PoolingSubject) -> None:
    """A bag alone gives the same as among other bags, large or loud ones too."""
    for dtype, tolerance in TOLERANCE.items():
        module, values = subject.module(dtype=dtype), subject.inputs(dtype)
        together = subject.run(module, values)
        weights = together["weights"].split(subject.lengths)
        what = "{} of a bag of {} depends on the other bags of the batch"
        for row, bag in enumerate(values.split(subject.lengths)):
            n = len(bag)
            loud = torch.cat([bag, 1e3 * values])
            for companions, batch, lengths in (
                ("alone", bag, [n]),
                ("beside loud bags", loud, [n, *subject.lengths]),
            ):
                found = subject.pool(module, batch, lengths)
                pair = ("pooled", found["pooled"][0], together["pooled"][row])
                other = ("weights", found["weights"][:n], weights[row])
                for name, got, expected in (pair, other):
                    text = f"{what.format(name, n)} (found {companions})"
                    require_close(got, expected, text, _LEAK, tolerance)


def check_order_of_bags(subject: PoolingSubject) -> None:
    """Bags in another order give their results in that order."""
    module, values = subject.module(), subject.inputs()
    order = torch.arange(len(subject.lengths)).flip(0)
    bags = values.split(subject.lengths)
    turned = torch.cat([bags[i] for i in order.tolist()])
    lengths = [subject.lengths[i] for i in order.tolist()]
    require_close(
        subject.pool(module, turned, lengths)["pooled"],
        subject.run(module, values)["pooled"][order],
        "pooled does not follow the order of the bags",
        _LEAK,
    )


def check_weights(subject: PoolingSubject) -> None:
    """Weights are finite, not negative, and sum to one over each bag."""
    for dtype in TOLERANCE:
        bags = Segments(list(subject.lengths))
        values = subject.inputs(dtype)
        for training in (False, True):
            module = subject.module(dtype=dtype).train(training)
            weights = subject.run(module, values)["weights"].detach()
            require_finite(weights, "weights", "Look for a softmax over nothing.")
            lowest = float(weights.min())
            require(lowest >= 0, f"a weight is {lowest:.3g}.", "Make them shares.")
            if training:  # Dropout may thin weights out.
                continue
            require_close(
                bags.sum(weights),
                torch.ones(len(bags), dtype=dtype),
                "weights of a bag do not sum to one",
                "Divide them by segments.broadcast(segments.sum(weights)).",
            )


def check_weighted_mean(subject: PoolingSubject) -> None:
    """If weighted_mean is True, pooled is the weighted sum of the values."""
    module, values = subject.module(), subject.inputs()
    if not getattr(module, "weighted_mean", False):
        return
    outputs = subject.run(module, values)
    bags = Segments(list(subject.lengths))
    require_close(
        outputs["pooled"],
        bags.sum(outputs["weights"].unsqueeze(1) * values),
        "weighted_mean is True, but pooled is not the sum of weights times values",
        "Set weighted_mean = False, or return the weights that were used.",
    )


def check_bag_of_one(subject: PoolingSubject) -> None:
    """The one instance of a bag of one has weight one."""
    module, values = subject.module(), subject.values(4)
    for lengths in ([1], [1, 1, 1, 1], [1, 3]):
        outputs = subject.pool(module, values[: sum(lengths)], lengths)
        remedy = "Clip k, quantiles and numbers of neighbours to the size of the bag."
        require_finite(outputs["pooled"], "pooled of a bag of one", remedy)
        require_close(
            outputs["weights"][:1],
            torch.ones(1),
            "the weight in a bag of one is not 1",
            "Divide weights by their sum over the bag.",
        )


def check_extreme_values(subject: PoolingSubject) -> None:
    """Values of a thousand, or all equal, give finite results and gradients."""
    base = subject.inputs()
    for what, values in (("large", 500 * base), ("equal", torch.zeros_like(base))):
        values = values.clone().requires_grad_()
        outputs = subject.run(subject.module().train(), values)
        remedy = "Subtract the maximum of the bag before exp; keep roots off zero."
        for name, tensor in outputs.items():
            require_finite(tensor, f"{name} for {what} values", remedy)
        if outputs["pooled"].requires_grad:
            outputs["pooled"].sum().backward()
        if values.grad is not None:
            require_finite(values.grad, f"the gradient for {what} values", remedy)


def _shuffled(lengths: Sequence[int]) -> Tensor:
    """Return an order that permutes instances within their bags."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.arange(sum(lengths)).split(list(lengths))
    return torch.cat([r[torch.randperm(len(r), generator=generator)] for r in rows])


POOLING_CHECKS = [
    check_attributes,
    check_shapes,
    *MODULE_CHECKS,
    check_order_of_instances,
    check_ties,
    check_companions_do_not_matter,
    check_order_of_bags,
    check_weights,
    check_weighted_mean,
    check_bag_of_one,
    check_extreme_values,
]

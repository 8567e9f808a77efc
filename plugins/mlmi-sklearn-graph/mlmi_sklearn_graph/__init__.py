"""Graph poolings for mlmi_sklearn: instances that see their neighbours in space.

Importing this module imports neither PyTorch nor PyTorch Geometric; both come with the
first pooling that is built.
"""

from __future__ import annotations

from typing import Any

from mlmi_sklearn import hookimpl

__all__ = ["GraphAttentionPooling", "GraphMeanPooling", "mlmi_register_poolings"]

_POOLINGS = {
    "graph-attention": (
        "GraphAttentionPooling",
        "Attention over the nearest tiles, then over the bag.",
    ),
    "graph-mean": (
        "GraphMeanPooling",
        "Mean over the nearest tiles, then attention over the bag.",
    ),
}


@hookimpl
def mlmi_register_poolings(register: Any) -> None:
    """Register the poolings by name."""
    for name, (attribute, summary) in _POOLINGS.items():
        register(
            name,
            f"mlmi_sklearn_graph.poolings:{attribute}",
            summary=summary,
            tags={"standard_assumption": False, "monotone": False, "learnable": True},
            example={"in_features": 8, "width": 16, "heads": 2}
            if name == "graph-attention"
            else {"in_features": 8, "width": 16},
        )


def __getattr__(name: str) -> Any:
    if name not in {attribute for attribute, _ in _POOLINGS.values()}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import poolings

    return getattr(poolings, name)

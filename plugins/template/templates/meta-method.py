"""The method; it is imported when somebody uses it."""

from __future__ import annotations

from dataclasses import dataclass

from mlmi_sklearn.nn.tasks import MetaMethod


@dataclass(frozen=True)
class {{ cookiecutter.class_name }}(MetaMethod):
    """Only biases change within a task."""

    def changes(self, name: str) -> bool:
        """Say whether the inner loop changes a parameter."""
        return name.endswith("bias")

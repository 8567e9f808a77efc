"""{{ cookiecutter.summary }}

Only this module is imported when parts are listed, so it imports nothing heavy.
"""
{%- set plural = {"loss": "losses", "adversarial-loss": "adversarial_losses"} %}
{%- set hook = plural.get(cookiecutter.kind, cookiecutter.kind | replace("-", "_") ~ "s") %}
{%- set tags = {
    "backbone": '{"input": "vector"}',
    "loss": '{"task": "regression"}',
    "divergence": '{"adversarial": False}',
    "augmentation": '{"input": ("image", "volume")}',
    "generator": '{"output": "vector"}',
    "slide-reader": '{"suffixes": (".npy",)}',
    "estimator": '{"type": "classifier"}',
} %}

from __future__ import annotations

{% if cookiecutter.kind == "slide-reader" -%}
from pathlib import Path
from typing import Any

{% endif -%}
from mlmi_sklearn import hookimpl
from mlmi_sklearn.components import Register

__version__ = "0.1.0"


@hookimpl
def mlmi_register_{{ hook }}(register: Register) -> None:
    """Say what this distribution brings."""
    register(
        "{{ cookiecutter.part }}",
        "{{ cookiecutter.module }}.part:{{ cookiecutter.class_name }}",
        summary="{{ cookiecutter.summary }}",
        {%- if cookiecutter.kind in tags %}
        tags={{ tags[cookiecutter.kind] }},
        {%- endif %}
        {%- if cookiecutter.kind == "slide-reader" %}
        example={"write": _write},
        {%- endif %}
    )
{%- if cookiecutter.kind == "slide-reader" %}


def _write(folder: Path, pixels: Any) -> Path:
    """Write a file for the checks."""
    import numpy as np

    path = Path(folder) / "slide.npy"
    np.save(path, pixels)
    return path
{%- endif %}

"""Refuse names that could not be registered or installed."""

import re
import sys

RULES = {
    "name": ("{{ cookiecutter.name }}", r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"),
    "module": ("{{ cookiecutter.module }}", r"[a-z_][a-z0-9_]*"),
    "class_name": ("{{ cookiecutter.class_name }}", r"[A-Z][A-Za-z0-9]*"),
    "part": ("{{ cookiecutter.part }}", r"[A-Z]\w*|[a-z0-9]([a-z0-9._-]*[a-z0-9])?"),
}
TAKEN = {"mlmi-sklearn", "mlmi_sklearn", "auto", "user"}

for what, (value, pattern) in RULES.items():
    if value in TAKEN or not re.fullmatch(pattern, value):
        print(f"{what}={value!r} will not do: it must match {pattern}.", file=sys.stderr)
        sys.exit(1)

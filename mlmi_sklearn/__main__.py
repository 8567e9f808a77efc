"""Run the command line: ``python -m mlmi_sklearn``."""

from __future__ import annotations

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())

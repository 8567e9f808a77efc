"""The far end of ``Remote``: runs under the Python of a peer, so needs nothing of ours.

Called with a JSON object that names module, function and arguments. It answers with a
line of JSON when it is ready, and after each run that a line of its input asks for.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, TextIO


def answers() -> TextIO:
    """Take standard output for the answers; what the peer prints goes to errors."""
    pipe = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return pipe


def plain(value: Any) -> Any:
    """Return the value if JSON can say it."""
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError):
        return None


def timed(run: Any) -> dict[str, Any]:
    """Run once."""
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    value = run()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {"cpu": cpu, "wall": wall, "value": plain(value)}


def main() -> None:
    """Answer until the input ends."""
    pipe = answers()

    def say(answer: dict[str, Any]) -> None:
        pipe.write(json.dumps(answer) + "\n")
        pipe.flush()

    try:
        task = json.loads(sys.argv[1])
        sys.path.insert(0, str(Path(__file__).parents[1] / "peers"))
        module = importlib.import_module(task["module"])
        run = getattr(module, task["function"])(**task["arguments"])
        say({"ready": True})
        for _ in sys.stdin:
            say(timed(run))
    except Exception as error:
        say({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main()

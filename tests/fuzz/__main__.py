"""python -m fuzz TARGET FOLDER -runs=N …: search for bytes that a target raises for; the options are libFuzzer's.

The seeds are in FOLDER. Exit status 0: none were found; else they are in the file that the last lines name.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from random import Random
from typing import Any

# What a field may be and what it may not: of every type, at the limits, and what drives a terminal.
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.0, 1.5, 1e308, 2**53, 2**53 + 1, "", "\n", "\0", "\x1b[2J", "\ud800", "\u202e", "dev",
    "ops\n", "../../x", "/", "~", "~root", "**", "[", "a" * 63, "a" * 64, "é", "2.0", "2.0\n",
    "msg-20260520T091812Z-x7q3abcd", "msg-20260520T091812Z-x7q3abcd\n", "thread-20260520-abc123",
    "2026-05-20T09:18:12Z", "cc-notify", [], [[]], {}, {"a": {"a": 1}}, ["dev", "dev"],
)  # fmt: skip
_atheris: Any = None


def mutate(data: bytes, most: int, seed: int) -> bytes:
    """Another input like this one: of JSON, mostly, with another value somewhere; else with other bytes."""
    random = Random(seed)
    try:
        document = json.loads(data) if random.random() < 0.8 else None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, (dict, list)) or not document:
        changed: bytes = _atheris.Mutate(data, most)
        return changed
    inside: Any = document
    while True:
        place = random.choice(sorted(inside) if isinstance(inside, dict) else range(len(inside)))
        if not isinstance(inside[place], (dict, list)) or not inside[place] or random.random() < 0.3:
            break
        inside = inside[place]
    what = random.randrange(4)
    if what == 0:
        del inside[place]
    elif what == 1 and isinstance(inside, dict):
        inside[random.choice([value for value in VALUES if isinstance(value, str)])] = inside[place]
    elif what == 1:
        inside.append(inside[place])
    else:
        inside[place] = random.choice(VALUES)
    return json.dumps(document, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")[:most]


def main() -> None:
    """Fuzz the target that the command line names."""
    global _atheris
    _atheris = import_module("atheris")
    with _atheris.instrument_imports(include=["agent_team_os"]):
        target = import_module(f"fuzz.{sys.argv[1]}")
    _atheris.Setup([sys.argv[0], *sys.argv[2:]], target.check, custom_mutator=mutate)
    _atheris.Fuzz()


if __name__ == "__main__":
    main()

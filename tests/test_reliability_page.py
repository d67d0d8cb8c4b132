"""docs/reliability.md names tests that are there, and no promise without one."""

from __future__ import annotations

import ast
import re

from support.cli import ROOT

PAGE = (ROOT / "docs/reliability.md").read_text()


def rows() -> list[list[str]]:
    """The cells of each promise of the page."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if row[0] != "promise"]


def test_every_promise_has_a_proof() -> None:
    """Each row has a promise, its conditions and at least one test."""
    assert len(rows()) > 25
    for promise, _, proof in rows():
        assert promise.endswith("."), promise
        assert re.search(r"`tests/test_\w+\.py", proof), promise


def test_every_proof_is_there() -> None:
    """Each test the page names is a test of that file."""
    named = re.findall(r"`(tests/\w+\.py)(?:::(\w+))?`", PAGE)
    assert len(named) > 40
    for path, name in named:
        functions = [node for node in ast.parse((ROOT / path).read_text()).body if isinstance(node, ast.FunctionDef)]
        tests = {function.name for function in functions if function.name.startswith("test_")}
        assert tests, path
        assert not name or name in tests, f"{path} has no {name}"


def test_long_runs_are_called_long() -> None:
    """Where a named test only runs with --full, the page says so in its row."""
    for row in rows():
        for path, name in re.findall(r"`(tests/\w+\.py)::(\w+)`", row[2]):
            (function,) = (
                node
                for node in ast.parse((ROOT / path).read_text()).body
                if isinstance(node, ast.FunctionDef) and node.name == name
            )
            if any("full" in ast.unparse(decorator) for decorator in function.decorator_list):
                assert "*long*" in row[1], f"{name} is long, and its row does not say so"

"""Whoever decides on a plan or sends it out waits for whoever is just at it."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, Callable, NoReturn

import pytest

from agent_team_os.bus import Bus
from agent_team_os.orchestration import dispatch
from agent_team_os.orchestration import plans as planning
from agent_team_os.storage import lock
from conftest import Team, tree
from support import plans


def confirm(bus: Bus, plan_id: str) -> Any:
    """A person says yes."""
    return planning.confirm(bus.home, bus.map, plan_id, "ops/ops")


def begin(bus: Bus, plan_id: str) -> Any:
    """A dispatch begins."""
    return planning.begin(bus.home, plan_id)


def finish(bus: Bus, plan_id: str) -> Any:
    """A dispatch ends."""
    return planning.finish(bus.home, planning.load(bus.home, plan_id))


@pytest.mark.parametrize(
    ("guard", "user"),
    [
        *(("@plans", user) for user in (confirm, begin, finish)),
        ("@dispatch-" + lock.bucket("ops"), dispatch.dispatch),
    ],
)
def test_whoever_changes_it_waits(
    guard: str, user: Callable[[Bus, str], Any], team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While somebody else is at it a plan does not change, and nothing goes out."""

    class Waits(BaseException):
        pass

    def sleep(_: float) -> NoReturn:
        raise Waits

    plans.gods(team)
    plan_id = plans.propose(team) if user is confirm else plans.confirmed(team)
    bus = plans.bus(team, "ops")
    monkeypatch.setattr(lock, "time", SimpleNamespace(sleep=sleep, monotonic=time.monotonic))
    before = tree(team.home)
    with lock.guard(str(team.home), guard), pytest.raises(Waits):
        user(bus, plan_id)
    assert tree(team.home) == before
    user(bus, plan_id)
    assert tree(team.home) != before

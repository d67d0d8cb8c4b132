"""Which task manager an agent has, and what takes it two steps: a look, and a change that rests on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..protocol import agentmap
from ..protocol.errors import InvalidMap
from ..protocol.home import NO_DOMAIN
from ..storage import lock
from .provider import NewTask, Open, Place, Task, TaskProvider, TaskProviderFailed, UseTool

GROUP = "agent_team_os.task_providers"
BUILT_IN = ("file", "taskwarrior", "github", "mcp")  # kinds, and modules of this package
_PATIENCE = 60.0  # seconds that one process waits for another's manager, which may be far away


def provider_of(home: str, agent_map: Mapping[str, Any], agent: str) -> TaskProvider:
    """The provider of an agent: its own, else that of its domain, else the file of its domain.

    InvalidMap for a kind nobody offers or settings the kind cannot use; no manager is asked yet.
    """
    domain = agent_map.get("agents", {}).get(agent, {}).get("domain")
    return opened(agentmap.task_provider(agent_map, agent), Place(home, domain or NO_DOMAIN))


def opened(settings: Mapping[str, Any], place: Place) -> TaskProvider:
    """The provider for these settings, `task_provider` of the agent map.

    InvalidMap as `provider_of`; TaskProviderFailed for a package that cannot be loaded, or breaks when it is opened.
    """
    kind = settings["kind"]
    if kind not in BUILT_IN:
        from .foreign import Foreign

        return Foreign(kind, _installed(kind), settings, place)
    from importlib import import_module

    built_in: Open = import_module(f"{__package__}.{kind}").open
    return built_in(settings, place)


def _installed(kind: str) -> Open:
    """What a package that is installed beside this one offers under a name."""
    from importlib import metadata

    offered = metadata.entry_points(group=GROUP)
    found = {point.value: point for point in offered if point.name == kind}
    if len(found) != 1:
        kinds = ", ".join(sorted({*BUILT_IN, *offered.names}))
        what = f"more than one package offers the task provider {kind}" if found else f'no task provider "{kind[:80]}"'
        raise InvalidMap(f"{what} (there are: {kinds})", "Set task_provider in AGENT_MAP.json to one of them.")
    ((value, point),) = found.items()
    try:
        entry: Open = point.load()
    except Exception as error:  # whatever goes wrong in it is not ours
        what = f"the task provider {kind} ({value}) cannot be loaded: {error}"
        raise TaskProviderFailed(what, "Install its package anew, beside agent-team-os.") from None
    return entry


def ensure(provider: TaskProvider, task: NewTask, ref: str, home: str) -> Task:
    """The task that has `ref` among its refs; made from `task` if there is none. So a second call makes no second one.

    The guard of a reference holds others of this bus off from the look to the making.
    """
    with lock.guard(home, "@task-" + lock.bucket(ref), _PATIENCE):
        try:
            there = provider.list({"ref": ref})
        except UseTool:  # only the model can look whether it is there; it is told to make it
            there = []
        return there[0] if there else provider.create({**task, "refs": [*task.get("refs", ()), ref]})


def depend(provider: TaskProvider, task_id: str, on: Sequence[str], home: str) -> Task:
    """Let a task wait for others beside those it waits for already."""
    with lock.guard(home, "@task-" + lock.bucket("depend"), _PATIENCE):
        try:
            task = provider.get(task_id)
        except UseTool:
            return provider.update(task_id, {"depends_on": on})  # which says what else belongs into the list
        return provider.update(task["id"], {"depends_on": [*task["depends_on"], *on]})

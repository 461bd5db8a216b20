"""What a Compose project left in the engine. What carries its label is its own; the rest is weighed and said."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from devctl.clean.policy import (
    ContainerFacts,
    Item,
    Kind,
    Running,
    container_refusal,
    network_refusal,
)
from devctl.core.model import ComposeStack
from devctl.errors import DevctlError
from devctl.runtimes.containers import PROJECT, SERVICE, VOLUME, name_of
from devctl.runtimes.engine import Engine, EngineRefused, told

FILES = "com.docker.compose.project.config_files"
UNNAMED = re.compile(r"[0-9a-f]{64}")
KINDS = {
    "containers": Kind.CONTAINER,
    "images": Kind.IMAGE,
    "networks": Kind.NETWORK,
    "build-cache": Kind.BUILD_CACHE,
    "volumes": Kind.VOLUME,
}
"""The manifest's words → what they mean, in the order in which things can go."""


class Leftovers:
    """What the engine holds of a stack. Every call blocks; raises DevctlError when the engine doesn't answer."""

    def __init__(self, engine: Engine, stack: ComposeStack) -> None:
        self._engine, self._stack = engine, stack
        self._label = f"{PROJECT}={stack.project}"
        self._own = frozenset(os.path.realpath(file) for file in stack.files)

    def find(self, kinds: Sequence[str], now: Running, volumes: Sequence[str] = ()) -> list[Item]:
        """Everything of these kinds; of volumes those may go that are named."""
        with told(self._engine.endpoint):
            looks: dict[str, Callable[[], list[Item]]] = {
                "containers": lambda: self._containers(now),
                "images": self._images,
                "networks": lambda: self._networks("containers" in kinds, now),
                "build-cache": self._build_cache,
                "volumes": lambda: self._volumes(volumes),
            }
            return [item for kind in KINDS if kind in kinds for item in looks[kind]()]

    def remove(self, item: Item, now: Running) -> int:
        """Remove one; bytes given back. A container is judged once more, by what runs ``now``; of the rest the engine
        itself refuses what is in use. Raises DevctlError."""
        try:
            if item.kind is Kind.CONTAINER and not self._still_may_go(item, now):
                raise DevctlError("it is wanted again")
            self._remove(item)
        except EngineRefused as error:
            if error.status != 404:
                raise
            return 0
        return item.size or 0

    def _still_may_go(self, item: Item, now: Running) -> bool:
        """Also when it is gone already."""
        with told(self._engine.endpoint):
            listed = self._engine.client().containers(all=True, filters={"id": item.key})
        return all(container_refusal(_container(entry), self._own, now) == ("", "") for entry in listed)

    def _remove(self, item: Item) -> None:
        client = self._engine.client()
        with told(self._engine.endpoint):
            match item.kind:
                case Kind.CONTAINER:
                    client.remove_container(item.key)
                case Kind.IMAGE:
                    client.remove_image(item.key)
                case Kind.NETWORK:
                    client.remove_network(item.key)
                case Kind.VOLUME:
                    client.remove_volume(item.key)
                case _:
                    raise DevctlError(f"{item.name} is not devctl's to remove")

    def _containers(self, now: Running) -> list[Item]:
        found = []
        for facts, status in self._facts():
            judged = container_refusal(facts, self._own, now)
            if judged is not None:
                item = Item(kind=Kind.CONTAINER, key=facts.id, name=facts.name, size=facts.size, detail=status.lower())
                found.append(replace(item, refusal=judged[0], hint=judged[1]))
        return found

    def _facts(self) -> list[tuple[ContainerFacts, str]]:
        listed = self._engine.client().containers(all=True, size=True, filters={"label": self._label})
        return [(_container(entry), str(entry.get("Status", ""))) for entry in listed]

    def _images(self) -> list[Item]:
        listed = self._engine.client().images(filters={"label": self._label, "dangling": True})
        shared = {each["Id"]: int(each.get("SharedSize") or 0) for each in self._usage("image").get("Images") or []}
        return [
            Item(
                kind=Kind.IMAGE, key=each["Id"], name=each["Id"].removeprefix("sha256:")[:12],
                size=max(0, int(each["Size"]) - max(0, shared.get(each["Id"], 0))),
                detail=(each.get("Labels") or {}).get(SERVICE, ""),
            )
            for each in listed
        ]  # fmt: skip

    def _networks(self, containers_go: bool, now: Running) -> list[Item]:
        client = self._engine.client()
        everything = [_container(each) for each in client.containers(all=True)]
        own = [facts for facts, _ in self._facts()] if containers_go else []
        going = frozenset(each.name for each in own if container_refusal(each, self._own, now) == ("", ""))
        found = []
        for network in client.networks(filters={"label": self._label}):
            attached = [each.name for each in everything if each.networks & {network["Id"], network["Name"]}]
            refusal, hint = network_refusal(attached, going)
            found.append(Item(kind=Kind.NETWORK, key=network["Id"], name=network["Name"], refusal=refusal, hint=hint))
        return found

    def _build_cache(self) -> list[Item]:
        entries = self._usage("build-cache").get("BuildCache") or []
        size = sum(int(each.get("Size") or 0) for each in entries if not each.get("InUse") and not each.get("Shared"))
        if not size:
            return []
        refusal = "the engine does not say whose it is: it is every project's"
        return [
            Item(
                kind=Kind.BUILD_CACHE, key="", name="of this engine", size=size, refusal=refusal,
                hint="docker builder prune",
            )
        ]  # fmt: skip

    def _volumes(self, named: Iterable[str]) -> list[Item]:
        listed = self._engine.client().volumes(filters={"label": self._label})["Volumes"] or []
        used = {each["Name"]: each.get("UsageData") or {} for each in self._usage("volume").get("Volumes") or []}
        found = []
        for volume in listed:
            name = (volume.get("Labels") or {}).get(VOLUME, "") or volume["Name"]
            size = int(used.get(volume["Name"], {}).get("Size", -1))
            item = Item(kind=Kind.VOLUME, key=volume["Name"], name=name, size=size if size >= 0 else None)
            refusal = "volumes go only by their names"
            hint = f"devctl clean --volumes {name}"
            found.append(item if name in named else replace(item, refusal=refusal, hint=hint))
        return found

    def _usage(self, kind: str) -> dict[str, Any]:
        """What takes room; an engine that can't be asked for one kind answers with all."""
        client = self._engine.client()
        answer = client.get(f"{client.base_url}/v{client.api_version}/system/df", params={"type": kind})
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found


def mounts(engine: Engine, roots: Sequence[Path]) -> dict[str, tuple[str, ...]]:
    """Container → what of the workspace is mounted in it, of every running one, whosever it is. () for none.

    The mount of a whole root, or of what holds it, says nothing of a single folder there.
    """
    with told(engine.endpoint):
        listed = engine.client().containers()
    found: dict[str, tuple[str, ...]] = {}
    for entry in listed:
        sources = [os.path.realpath(each["Source"]) for each in entry.get("Mounts") or [] if each.get("Type") == "bind"]
        inside = [
            each for each in sources if any(Path(each) != root and Path(each).is_relative_to(root) for root in roots)
        ]
        found |= {name_of(entry): tuple(inside)} if inside else {}
    return found


def _container(entry: dict[str, Any]) -> ContainerFacts:
    labels = entry.get("Labels") or {}
    mounts = entry.get("Mounts") or []
    attached = (entry.get("NetworkSettings") or {}).get("Networks") or {}
    return ContainerFacts(
        id=entry["Id"],
        name=name_of(entry),
        service=labels.get(SERVICE, ""),
        state=entry.get("State", ""),
        files=tuple(os.path.realpath(each) for each in labels.get(FILES, "").split(",") if each),
        unnamed_volumes=sum(
            each.get("Type") == "volume" and bool(UNNAMED.fullmatch(each.get("Name") or "")) for each in mounts
        ),
        networks=frozenset(attached) | {each["NetworkID"] for each in attached.values() if each.get("NetworkID")},
        size=int(entry.get("SizeRw") or 0),
    )

"""What exists in the stand-in's cloud: one file a provider, which a test reads, and changes as somebody outside would.

cloud/gcp.json        {"TYPE ID": {"type": ..., "id": ..., "name": ..., "inputs": {...}, "properties": {...}}}
cloud/calls.jsonl     [action, type, name] of every change that was made, one a line
cloud/faults.json     [{"action": "create", "type": "*Topic", "name": "*", "do": "fail"}]: what goes wrong
"""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any


@dataclass
class Resource:
    """One that exists: `name` is its name in the program; `inputs` what was asked for, `properties` what there is."""

    type: str
    id: str
    name: str
    inputs: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Fault:
    """What goes wrong: the action on resources whose type and name match the patterns fails or hangs."""

    action: str
    type: str = "*"
    name: str = "*"
    do: str = "fail"


class Cloud:
    """The files of one folder; `package` chooses the provider's own, e.g. `gcp`."""

    def __init__(self, folder: Path, package: str) -> None:
        self._folder = folder
        self._file = folder / f"{package}.json"

    def resources(self) -> list[Resource]:
        """All that exist."""
        return list(self._read().values())

    def find(self, kind: str, identity: str) -> Resource | None:
        """The resource of a type and id, if it exists."""
        return self._read().get(f"{kind} {identity}")

    @contextmanager
    def changing(self) -> Iterator[dict[str, Resource]]:
        """All that exist, by `TYPE ID`, to be changed while nobody else does."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._file.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            found = self._read()
            yield found
            new = self._file.with_suffix(".new")
            new.write_text(json.dumps({key: asdict(one) for key, one in found.items()}, indent=1))
            new.replace(self._file)

    def note(self, action: str, kind: str, name: str) -> None:
        """Keep that a change was made."""
        with (self._folder / "calls.jsonl").open("a") as file:
            file.write(json.dumps([action, kind, name]) + "\n")

    def calls(self) -> list[tuple[str, str, str]]:
        """The changes that were made, in their order: action, type, name."""
        file = self._folder / "calls.jsonl"
        return [tuple(json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []

    def break_on(self, *faults: Fault) -> None:
        """Let these faults happen from now on, in place of those before."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "faults.json").write_text(json.dumps([asdict(fault) for fault in faults]))

    def fault(self, action: str, kind: str, name: str) -> str | None:
        """`fail` or `hang` if that is to happen to this action."""
        file = self._folder / "faults.json"
        for entry in json.loads(file.read_text()) if file.exists() else ():
            fault = Fault(**entry)
            if fault.action == action and fnmatchcase(kind, fault.type) and fnmatchcase(name, fault.name):
                return fault.do
        return None

    def _read(self) -> dict[str, Resource]:
        if not self._file.exists():
            return {}
        return {key: Resource(**one) for key, one in json.loads(self._file.read_text()).items()}

"""Where the state is kept, and under which passphrase; for the stack of one computer both are made where nobody chose.

Whoever has logged in, set `PULUMI_BACKEND_URL` or a passphrase, or made the stack with one, has chosen.
"""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

LOCAL: Final = "local"
"""The stack of one computer, which has nothing in the cloud."""
URL: Final = "PULUMI_BACKEND_URL"
PASSPHRASES: Final = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")


class NotChosen(RuntimeError):  # noqa: N818 - what is missing, not what went wrong
    """Where the state of a stack is kept, or under which passphrase, is the user's to say; the message says how."""


def backend_of(project: Path, environment: Mapping[str, str]) -> str | None:
    """The address of the backend that is chosen; None where nobody has logged in."""
    if environment.get(URL):
        return environment[URL]
    described = _read_yaml(project / "Pulumi.yaml").get("backend") or {}
    if described.get("url"):
        return str(described["url"])
    try:
        current = json.loads((_credentials(environment) / "credentials.json").read_text()).get("current")
    except (OSError, ValueError):
        current = None
    if current:
        return str(current)
    return "https://api.pulumi.com" if environment.get("PULUMI_ACCESS_TOKEN") else None


def folder_of(backend: str | None) -> Path | None:
    """The folder of the state where it is in files of this computer."""
    if not backend or not backend.startswith("file://"):
        return None
    path = backend.removeprefix("file://").partition("?")[0]
    return Path(os.path.expanduser(path or "/")) / ".pulumi"  # noqa: PTH111 - a user may have no home


def choose(stack: str | None, project: Path, environment: Mapping[str, str], *, asks: bool) -> dict[str, str]:
    """The variables that are still missing for a stack; `asks` where Pulumi can ask a person for a passphrase.

    Raises:
        NotChosen: nobody has logged in, or given the passphrase of a stack of the cloud.
    """
    chosen: dict[str, str] = {}
    backend = backend_of(project, environment)
    if backend is None:
        if stack != LOCAL:
            raise NotChosen(
                "Where is Pulumi to keep its state? Nobody is logged in. Run one of\n"
                "    scripts/pulumi login --local          # in files of this computer\n"
                "    scripts/pulumi login gs://BUCKET      # for a team\n"
                f"and then the same command again{f', for the stack {stack}' if stack else ''}."
            )
        # Of each file of the state a second one would hold what nobody reads, and be in the way when it is cut short.
        backend = chosen[URL] = f"file://{Path.home()}?metadata=skip"
    own_secrets = "secretsprovider" in (settings := _read_yaml(project / f"Pulumi.{stack}.yaml"))
    if urlsplit(backend).scheme.startswith("http") or own_secrets or any(name in environment for name in PASSPHRASES):
        return chosen
    file = passphrase_file(environment)
    if stack == LOCAL and (file.exists() or "encryptionsalt" not in settings):
        _write_passphrase(file)
        chosen[PASSPHRASES[1]] = str(file)
    elif stack and not asks:
        raise NotChosen(
            f"The secrets of the stack {stack} are kept under a passphrase. Set {PASSPHRASES[0]}, or {PASSPHRASES[1]} "
            "to a file that holds it, and run the same command again."
        )
    return chosen


def passphrase_file(environment: Mapping[str, str]) -> Path:
    """Where the passphrase of the stack of one computer is kept, if it was made here."""
    named = environment.get("PULUMI_HOME")
    return (Path(named) if named else Path.home() / ".pulumi") / "shop-analytics-local-passphrase"


def _write_passphrase(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as new:
            new.write(secrets.token_urlsafe(32))
    except FileExistsError:
        return


def _credentials(environment: Mapping[str, str]) -> Path:
    named = environment.get("PULUMI_CREDENTIALS_PATH") or environment.get("PULUMI_HOME")
    return Path(named) if named else Path.home() / ".pulumi"


def _read_yaml(file: Path) -> dict[str, Any]:
    return (yaml.safe_load(file.read_text()) or {}) if file.exists() else {}

"""The real engine over stand-ins: a copy of the project in a folder, stacks of it, and the cloud that they make.

The copy is what a test changes, as somebody who edits the code would. The state is kept in files, its secrets under a
passphrase.
"""

import os
import runpy
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pulumi import automation

from app.local.pulumi_cli import Pulumi
from tests.infra.engine.stand_in.cloud import Cloud
from tests.infra.engine.stand_in.plugins import PACKAGES, install

ROOT = Path(__file__).resolve().parents[3]
PROJECT = "shop-analytics"
GOOGLE_PROJECT = "shop-of-a-test"
PLACE = {"gcp:project": GOOGLE_PROJECT, "gcp:region": "europe-west1"}
"""All that an environment must be given."""
POLICIES = [str(ROOT / "infra" / "policy")]
SCHEMAS = ROOT / ".cache" / "stand-in"
"""Keeps what the SDKs say of their resources, since it takes long to ask."""
_COPIED = ("Pulumi.yaml", "pyproject.toml", "requirements.lock", ".dockerignore", "app", "infra")
_OF_HOOKS = ("PATH", "STAND_IN_CLOUD")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc")


@dataclass(frozen=True)
class Workbench:
    """A folder with the project's copy, the state, and the plugins; `pulumi` is the CLI."""

    folder: Path
    pulumi: Pulumi

    @property
    def project(self) -> Path:
        """The copy of the project."""
        return self.folder / "project"

    def environment(self, stack: str) -> dict[str, str]:
        """The variables that the CLI needs for a stack; each stack has a cloud of its own."""
        state = self.folder / "state"
        state.mkdir(parents=True, exist_ok=True)
        base = self.pulumi.environment()
        plugins = self.folder / "plugins"
        return {
            **{name: value for name, value in base.items() if not name.startswith("PULUMI_")},
            "PATH": os.pathsep.join([str(plugins), base["PATH"]]),
            # The copy's own modules are to be used, and no others.
            "PYTHONPATH": "",
            "PULUMI_BACKEND_URL": state.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "a passphrase of the tests",
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "STAND_IN_CLOUD": str(self.folder / "clouds" / stack),
            "STAND_IN_SCHEMAS": str(SCHEMAS),
        }

    def cloud(self, stack: str, package: str = "gcp") -> Cloud:
        """What a stack has made with a provider."""
        return Cloud(self.folder / "clouds" / stack, package)

    def stack(
        self, name: str, settings: Mapping[str, str], program: Callable[[], None] | None = None
    ) -> automation.Stack:
        """Make a stack of the program; `settings` are given by their full keys, on top of the environment's own.

        The program runs in this process, which imports the SDKs once; the images are built from the copy. `program` is
        another one in its place.
        """
        workspace = automation.LocalWorkspaceOptions(
            work_dir=str(self.project), env_vars=self.environment(name), pulumi_command=self.command()
        )
        stack = automation.create_or_select_stack(name, PROJECT, program or _run_program, opts=workspace)
        for key, value in settings.items():
            stack.set_config(key, automation.ConfigValue(value))
        run_up, variables = stack.up, self.environment(name)

        def up(*args: Any, **options: Any) -> automation.UpResult:
            # The program's hooks run in this process, and are to find the stand-ins too.
            with patch.dict(os.environ, {key: variables[key] for key in _OF_HOOKS}):
                return run_up(*args, **options)

        stack.up = up  # type: ignore[method-assign]
        return stack

    def command(self) -> automation.PulumiCommand:
        """The CLI as the Automation API wants it."""
        # It asks for a folder with `bin/pulumi`, which a link to the CLI may not be in.
        folder = self.pulumi.program.resolve().parents[1]
        return automation.PulumiCommand(root=str(folder), skip_version_check=True)


def set_up(folder: Path, pulumi: Pulumi) -> Workbench:
    """Copy the project into a folder and put the stand-ins beside it."""
    project = folder / "project"
    project.mkdir(parents=True)
    for name in (*_COPIED, *(path.name for path in ROOT.glob("Pulumi.*.yaml"))):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, project / name, ignore=_LEFT_OUT)
        elif source.exists():
            shutil.copyfile(source, project / name)
    install(folder / "plugins", PACKAGES)
    return Workbench(folder, pulumi)


def changes(result: automation.UpResult | automation.RefreshResult | automation.DestroyResult) -> dict[str, int]:
    """How many resources an operation changed, by what it did to them."""
    counts = result.summary.resource_changes or {}
    return {str(done): count for done, count in counts.items() if done != "same"}


def expect_no_change(result: automation.UpResult) -> None:
    """Fail with what the CLI said if an operation changed anything."""
    assert changes(result) == {}, result.stdout


def stored_secrets(cloud: Cloud) -> list[str]:
    """The values that Secret Manager keeps."""
    return [one.properties["secretData"] for one in cloud.resources() if "secretData" in one.properties]


def left_over(workbench: Workbench, stack: str) -> list[str]:
    """The names of what a stack has left in the cloud; containers go with the machine that they are on."""
    return [one.name for package in ("gcp", "docker-build") for one in workbench.cloud(stack, package).resources()]


def _run_program() -> None:
    before = list(sys.path)
    try:
        runpy.run_path(str(ROOT / "infra" / "__main__.py"), run_name="__main__")
    finally:
        sys.path[:] = before

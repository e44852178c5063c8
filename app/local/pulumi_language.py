"""Pulumi's language host for Python: runs programs and policy packs for the CLI, in the Python that runs this.

The official installer brings a host of its own. Where the CLI had to be built there is none, since the module of the
official one cannot be built alone; then the CLI finds this one, as `pulumi-language-python` beside itself. It speaks
the same protocol (`pulumirpc.LanguageRuntime`) and keeps the same rules, except that it always uses its own Python and
installs nothing.

    python -P pulumi_language.py --executor .../pulumi-language-python-exec ENGINE_ADDRESS
"""

import argparse
import json
import os
import platform
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

import grpc
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

# The executor ends with this code after it told the user what is wrong, so that nothing need be added.
_TOLD_THE_USER = 32
_MOST_BYTES = 400 * 1024 * 1024
_LOOPBACK = "127.0.0.1"


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Runs what the engine asks for as child processes; `executor` is Pulumi's own script that runs a program."""

    def __init__(self, engine: str, executor: str) -> None:
        self._engine = engine
        self._executor = executor

    def GetPluginInfo(self, _request: Any, _context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:  # noqa: N802
        """The version of the SDK that this host comes with."""
        return plugin_pb2.PluginInfo(version=version("pulumi"))

    def GetRequiredPackages(  # noqa: N802
        self, _request: language_pb2.GetRequiredPackagesRequest, _context: grpc.ServicerContext
    ) -> language_pb2.GetRequiredPackagesResponse:
        """The provider plugins of all SDKs that are installed, in the SDKs' versions."""
        return language_pb2.GetRequiredPackagesResponse(packages=list(required_packages()))

    def Run(self, request: language_pb2.RunRequest, context: grpc.ServicerContext) -> language_pb2.RunResponse:  # noqa: N802
        """Run a program to its end; what it prints goes to the engine through this process's own streams."""
        child = subprocess.Popen(  # noqa: S603
            [sys.executable, "-u", self._executor, *self._arguments(request)],
            env={
                **os.environ,
                "PULUMI_CONFIG": json.dumps(dict(request.config)),
                "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
            },
        )
        _end_with(context, child)
        code = child.wait()
        if code == _TOLD_THE_USER:
            return language_pb2.RunResponse(bail=True)
        return language_pb2.RunResponse(error=f"Program exited with non-zero exit code: {code}" if code else "")

    def RunPlugin(  # noqa: N802
        self, request: language_pb2.RunPluginRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.RunPluginResponse]:
        """Run a policy pack or another plugin that is written in Python; its streams and exit code are the answer."""
        program = str(Path(request.info.program_directory, request.info.entry_point))
        target = ["-m", "pulumi.policy", *request.args, program]
        if request.kind != "analyzer":
            target = [program, *request.args]
        child = subprocess.Popen(  # noqa: S603
            [sys.executable, "-u", *target],
            cwd=request.pwd,
            env=dict(entry.split("=", 1) for entry in request.env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        _end_with(context, child)
        yield from _streams(child)
        yield language_pb2.RunPluginResponse(exitcode=child.wait())

    def About(self, _request: Any, _context: grpc.ServicerContext) -> language_pb2.AboutResponse:  # noqa: N802
        """The Python that runs programs."""
        return language_pb2.AboutResponse(executable=sys.executable, version=platform.python_version())

    def GetProgramDependencies(  # noqa: N802
        self, _request: Any, _context: grpc.ServicerContext
    ) -> language_pb2.GetProgramDependenciesResponse:
        """All packages that are installed."""
        found = {one.metadata["Name"]: one.version for one in distributions()}
        listed = [language_pb2.DependencyInfo(name=name, version=found[name]) for name in sorted(found)]
        return language_pb2.GetProgramDependenciesResponse(dependencies=listed)

    def _arguments(self, request: language_pb2.RunRequest) -> list[str]:
        info = request.info
        settings = {
            "--monitor": request.monitor_address,
            "--engine": self._engine,
            "--project": request.project,
            "--root_directory": info.root_directory,
            "--stack": request.stack,
            "--parallel": str(request.parallel),
            "--dry_run": "true" if request.dryRun else "false",
            "--pwd": request.pwd,
            "--organization": request.organization,
        }
        given = [word for name, value in settings.items() if value for word in (name, value)]
        return [*given, str(Path(info.program_directory, info.entry_point)), *request.args]


def required_packages() -> Iterator[plugin_pb2.PackageDependency]:
    """One entry for each installed SDK of a provider, read from the file that the SDK carries for this."""
    for distribution in distributions():
        for file in distribution.files or ():
            if file.name == "pulumi-plugin.json" and len(file.parts) == 2:
                about = json.loads(file.read_text())
                if about.get("resource"):
                    yield plugin_pb2.PackageDependency(
                        name=about.get("name") or file.parts[0].removeprefix("pulumi_").replace("_", "-"),
                        version=f"v{about.get('version') or distribution.version}",
                        kind="resource",
                        server=about.get("server", ""),
                    )


def _streams(child: subprocess.Popen[bytes]) -> Iterator[language_pb2.RunPluginResponse]:
    """Both streams of a process, piece by piece as they come, until both end."""
    pieces: queue.Queue[language_pb2.RunPluginResponse | None] = queue.Queue()

    def read(name: str) -> None:
        stream = getattr(child, name)
        while piece := stream.read1():
            pieces.put(language_pb2.RunPluginResponse(**{name: piece}))
        pieces.put(None)

    names = ("stdout", "stderr")
    for name in names:
        threading.Thread(target=read, args=(name,), daemon=True).start()
    for _ in names:
        yield from iter(pieces.get, None)


def _end_with(context: grpc.ServicerContext, child: subprocess.Popen[bytes]) -> None:
    """End a child when its call ends, which is how the engine ends a plugin."""

    def end() -> None:
        if child.poll() is None:
            child.terminate()

    if not context.add_callback(end):
        end()


def _end_with_the_engine() -> None:
    # The engine may be killed; nobody else would end this process then.
    engine = os.getppid()
    while os.getppid() == engine:
        time.sleep(1)
    os._exit(1)


def main() -> None:
    """Serve until the engine ends this process or itself; the first line of output is the port."""
    parser = argparse.ArgumentParser(description="Pulumi's language host for Python, started by the CLI.")
    parser.add_argument("--executor", required=True, help="the script pulumi-language-python-exec")
    parser.add_argument("engine", help="the address of the engine")
    # The CLI adds options of its own, e.g. for tracing, which are not needed here.
    given, _ = parser.parse_known_args()
    options = [("grpc.max_receive_message_length", _MOST_BYTES), ("grpc.max_send_message_length", _MOST_BYTES)]
    server = grpc.server(ThreadPoolExecutor(), options=options)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(given.engine, given.executor), server)
    port = server.add_insecure_port(f"{_LOOPBACK}:0")
    server.start()
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    threading.Thread(target=_end_with_the_engine, daemon=True).start()
    print(port, flush=True)  # noqa: T201 - the protocol
    server.wait_for_termination()


if __name__ == "__main__":
    main()

"""What holds for all tests: no deadline for an example on a busy machine, and in CI no test passed over for a part that
can be had there."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# Spark runs its tasks by the Python that is named when its first session of a process begins, whoever begins it.
os.environ.setdefault("PYSPARK_PYTHON", sys.executable)

settings.register_profile("project", deadline=None)
settings.load_profile("project")

_LONGEST_FIRST = ("docker", "infra", "batch", "stream", "local", "analytics")
"""Folders in the order in which they run: two at a time end together only if what takes long begins early, and those
that share servers have to stand together."""

UNAVOIDABLE = "unavoidable: "
"""Begins the reason of a skip that even a complete machine cannot avoid."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the folders in order; within one, all stays as it was."""
    ranks = {name: rank for rank, name in enumerate(_LONGEST_FIRST)}
    items.sort(key=lambda item: ranks.get(item.path.relative_to(Path(__file__).parent).parts[0], len(ranks)))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in CI that passed over a test without need."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("CI") or reporter is None:
        return
    skipped = [report for report in reporter.stats.get("skipped", []) if UNAVOIDABLE not in str(report.longrepr)]
    if skipped:
        reporter.section("passed over, which CI does not allow", sep="=", red=True)
        for report in skipped:
            reporter.line(f"{report.nodeid}: {report.longrepr[2]}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED

"""Spark on one machine keeps to loopback, so that a run outlives the machine's other addresses, and nobody sees it."""

import ipaddress
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.batch.job_process import job_environment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

# Asked while a task's results, too large to travel with its status, are held by the executor.
_SESSION = """
import json, sys
from pathlib import Path
import psutil
from app.batch.settings import Settings
from app.batch.spark_session import spark_session

settings = Settings(events=("events.csv",), out="out", master=sys.argv[1], memory="1g")
with spark_session(settings, Path("spark")) as spark:
    context = spark.sparkContext
    length = len(context.parallelize(range(2), 2).map(lambda number: bytes(3 << 20)).collect())
    processes = psutil.Process(context._gateway.proc.pid)
    sockets = {
        end.ip
        for process in [processes, *processes.children(recursive=True)]
        for connection in process.net_connections("inet")
        for end in (connection.laddr, connection.raddr)
        if end
    }
    executors = list(context._jsc.sc().statusTracker().getExecutorInfos())
    found = {
        "length": length,
        "block_managers": str(context._jsc.sc().getExecutorMemoryStatus().keySet().mkString(" ")).split(),
        "executors": [executor.host() for executor in executors],
        "local_host": context._jvm.org.apache.spark.util.Utils.localHostName(),
        "sockets": sorted(sockets),
    }
print(json.dumps(found))
"""


@pytest.fixture(scope="module", params=["local[2]", "local-cluster[1,1,1024]"])
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a session on such a master says of its addresses."""
    folder: Path = tmp_path_factory.mktemp("session")
    done = subprocess.run(
        [sys.executable, "-c", _SESSION, request.param],
        cwd=folder,
        env=job_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert found["length"] == 2
    return found


def test_every_socket_of_a_session_on_one_machine_is_on_loopback(session: dict[str, Any]) -> None:
    addresses = [ipaddress.ip_address(text.removeprefix("::ffff:")) for text in session["sockets"]]
    assert addresses
    assert [str(address) for address in addresses if not address.is_loopback] == []


def test_its_executors_give_their_results_away_on_loopback(session: dict[str, Any]) -> None:
    managers = {manager.rpartition(":")[0] for manager in session["block_managers"]}
    hosts = {session["local_host"], *managers, *session["executors"]}
    assert hosts == {"127.0.0.1"}

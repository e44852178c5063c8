"""Run in a container: the server of a store, open to the container's network, until it is stopped.

    python store_server.py redis

Once it answers, the variables by which the batch job finds it are printed as a line of JSON.
"""

import json
import signal
import socket
import sys
import tempfile
from pathlib import Path

from app.local.cassandra import CassandraOptions, start_cassandra
from app.local.mysql import start_mysql
from app.local.process import LOOPBACK
from app.local.redis import RedisOptions, start_redis
from app.local.store_servers import StoreServer

ANYWHERE = "0.0.0.0"


def main(store: str) -> None:
    """Start the server, and say where it is."""
    server = _start(store, Path(tempfile.mkdtemp()))
    server.wait()
    name = socket.gethostname()
    print(json.dumps({key: value.replace(LOOPBACK, name) for key, value in server.environment.items()}), flush=True)
    signal.sigwait([signal.SIGTERM, signal.SIGINT])
    server.server.stop()


def _start(store: str, folder: Path) -> StoreServer:
    match store:
        case "mysql":
            return start_mysql(folder, options=[f"--bind-address={ANYWHERE}"])
        case "redis":
            return start_redis(folder, RedisOptions(more=(f"bind {ANYWHERE}",)))
        case "cassandra":
            address = socket.gethostbyname(socket.gethostname())
            more = {"rpc_address": ANYWHERE, "broadcast_rpc_address": address}
            return start_cassandra(folder, CassandraOptions(more=more))
    raise SystemExit(f"no such store: {store}")


main(sys.argv[1])

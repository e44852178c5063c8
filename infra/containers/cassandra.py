"""Cassandra: the events of a user and of a session by time."""

from typing import Final

import pulumi

from infra.containers import SHOP_FOLDER, text_of
from infra.containers.images import CASSANDRA
from infra.containers.spec import File, HealthCheck, Spec
from infra.passwords import Passwords

PORT: Final = 9042
KEYSPACE: Final = "shop"
LOADER, READER = "loader", "grafana"
BATCH_KIB: Final = 64
"""What the job may send at once."""

_USER: Final = "999:999"
_DATA: Final = "/var/lib/cassandra"
_SETTINGS: Final = (
    # The job's batches; the server takes about twice their bytes in memory, which is what it looks at.
    f"batch_size_warn_threshold: {2 * BATCH_KIB}KiB",
    "batch_size_fail_threshold: 1MiB",
    "unlogged_batch_across_partitions_warn_threshold: 10000",
    # A load begins by emptying tables that nobody reads, of which no snapshot is of use.
    "auto_snapshot: false",
    # Under a load an answer may take its time; the job waits longer than this.
    "write_request_timeout: 20s",
    "read_request_timeout: 20s",
)
"""What differs from the image's own cassandra.yaml."""


def cassandra(passwords: Passwords, memory_mb: int) -> Spec:
    """A server of one node that asks for passwords. The loader may change the keyspace, Grafana may read it."""
    admin, loader, reader = (passwords[f"cassandra-{role}"] for role in ("admin", LOADER, READER))
    return Spec(
        role="cassandra",
        image=CASSANDRA,
        user=_USER,
        memory_mb=memory_mb,
        port=PORT,
        data_path=_DATA,
        command=["bash", f"{SHOP_FOLDER}/start.sh"],
        environment={
            "CASSANDRA_CLUSTER_NAME": "shop",
            "CASSANDRA_DC": "datacenter1",
            "CASSANDRA_ENDPOINT_SNITCH": "GossipingPropertyFileSnitch",
            # Half for the heap; the rest is for what Cassandra keeps outside of it, and for cqlsh.
            "MAX_HEAP_SIZE": f"{memory_mb // 2}M",
            "HEAP_NEWSIZE": f"{memory_mb // 8}M",
        },
        files=[
            File(f"{SHOP_FOLDER}/start.sh", text_of("cassandra.sh")),
            File(f"{SHOP_FOLDER}/settings", "".join(f"{line}\n" for line in _SETTINGS)),
            File(f"{SHOP_FOLDER}/built-in", _credentials("cassandra", "cassandra"), is_secret=True),
            File(f"{SHOP_FOLDER}/admin", _credentials("administrator", admin), is_secret=True),
            File(f"{SHOP_FOLDER}/loader", _credentials(LOADER, loader), is_secret=True),
            File(f"{SHOP_FOLDER}/administrator.cql", admin.apply(_administrator), is_secret=True),
            File(
                f"{SHOP_FOLDER}/users.cql",
                pulumi.Output.all(loader, reader).apply(lambda given: _users(*given)),
                is_secret=True,
            ),
        ],
        # The loader comes in only once all rights are given, and others than this container only after the first start.
        health=HealthCheck(
            (
                "CMD-SHELL",
                f"test -e {_DATA}/built-in-user-is-closed && "
                f"cqlsh --credentials {SHOP_FOLDER}/loader -k {KEYSPACE} -e 'DESCRIBE TABLES'",
            ),
            start_seconds=300,
            interval_seconds=30,
            timeout_seconds=20,
            wait_seconds=600,
        ),
        stop_seconds=60,
    )


def _credentials(user: str, password: pulumi.Input[str]) -> pulumi.Output[str]:
    return pulumi.Output.concat(f"[plain_text_auth]\nusername = {user}\npassword = ", password, "\n")


def _administrator(password: str) -> str:
    return (
        f"CREATE ROLE IF NOT EXISTS administrator WITH PASSWORD = '{password}' AND LOGIN = true AND SUPERUSER = true;\n"
    )


def _users(loader: str, reader: str) -> str:
    lines = [
        "ALTER ROLE cassandra WITH SUPERUSER = false AND LOGIN = false;",
        f"CREATE KEYSPACE IF NOT EXISTS {KEYSPACE}",
        "  WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 1};",
    ]
    for role, password, rights in (
        (LOADER, loader, ("CREATE", "ALTER", "DROP", "SELECT", "MODIFY")),
        (READER, reader, ("SELECT",)),
    ):
        lines.append(f"CREATE ROLE IF NOT EXISTS {role};")
        lines.append(f"ALTER ROLE {role} WITH PASSWORD = '{password}' AND LOGIN = true AND SUPERUSER = false;")
        lines += [f"GRANT {right} ON KEYSPACE {KEYSPACE} TO {role};" for right in rights]
    return "\n".join(lines) + "\n"

"""A Cassandra for one machine: one node on the loopback address that asks for passwords, and is gone afterwards."""

import json
import logging
import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from app.batch.stores.cassandra.settings import CassandraSettings
from app.batch.stores.cassandra.wire import BAD_CREDENTIALS, Connection, CqlError
from app.local.cassandra_program import get_cassandra
from app.local.java import JavaMissing, find_java
from app.local.process import LOOPBACK, Command, Server, ServerError, accepts_connections, free_port, start
from app.local.workspace import workspace

KEYSPACE: Final = "shop"
LOADER: Final = "loader"

_log = logging.getLogger(__name__)
_FIRST_USER: Final = ("cassandra", "cassandra")  # which every new server has
_EXPORTS: Final = """
    java.base/jdk.internal.misc java.base/jdk.internal.ref java.base/sun.nio.ch jdk.attach/sun.tools.attach
    java.management.rmi/com.sun.jmx.remote.internal.rmi java.rmi/sun.rmi.registry java.rmi/sun.rmi.server
    java.rmi/sun.rmi.transport.tcp java.sql/java.sql jdk.compiler/com.sun.tools.javac.file
"""
_OPENS: Final = """
    java.base/java.io java.base/java.lang java.base/java.lang.module java.base/java.lang.reflect java.base/java.math
    java.base/java.net java.base/java.nio java.base/java.util java.base/java.util.concurrent
    java.base/java.util.concurrent.atomic java.base/jdk.internal.loader java.base/jdk.internal.math
    java.base/jdk.internal.module java.base/jdk.internal.ref java.base/jdk.internal.reflect java.base/jdk.internal.util
    java.base/jdk.internal.util.jar java.base/jdk.internal.vm java.base/sun.nio.ch
    jdk.compiler/com.sun.tools.javac.tree jdk.management/com.sun.management.internal
"""
_LOGGING: Final = """<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%date{HH:mm:ss} %-5level %logger{20} %msg%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="out"/></root>
  <logger name="org.apache.cassandra.service.StartupChecks" level="ERROR"/>
</configuration>
"""


@dataclass(frozen=True)
class CassandraOptions:
    """How a server is set up. Without a port or passwords it gets free and random ones."""

    port: int | None = None
    password: str | None = field(default=None, repr=False)
    """Of the user `loader`, who has rights on the keyspace `shop` alone."""
    admin_password: str | None = field(default=None, repr=False)
    heap_mb: int = 1024
    more: Mapping[str, Any] = field(default_factory=dict)
    """Further settings of cassandra.yaml."""


@dataclass(frozen=True)
class CassandraServer:
    """A started Cassandra: its process, port, passwords, and the folder of its data."""

    server: Server
    port: int
    password: str = field(repr=False)
    admin_password: str = field(repr=False)
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make the batch job use it."""
        return {
            "CASSANDRA_HOSTS": LOOPBACK,
            "CASSANDRA_PORT": str(self.port),
            "CASSANDRA_USER": LOADER,
            "CASSANDRA_PASSWORD": self.password,
            "CASSANDRA_BATCH_KIB": "64",
        }

    def wait(self) -> None:
        """Wait until it answers the loader, who gets the keyspace and the rights first. Raises ServerError."""
        self.server.wait_until(lambda: accepts_connections(self.port) and self._has_users())

    def _has_users(self) -> bool:
        for user, password in ((LOADER, self.password), (_FIRST_USER[0], self.admin_password), _FIRST_USER):
            try:
                connection = Connection(self._settings(user, password), LOOPBACK)
            except CqlError as error:
                if error.code == BAD_CREDENTIALS:
                    continue
                return False
            except OSError:
                return False
            try:
                if user == LOADER:
                    return True
                for statement in self._users():
                    connection.query(statement)
            except (CqlError, OSError) as error:
                _log.debug("the users are not made yet: %s", error)
            finally:
                connection.close()
            return False
        return False

    def _users(self) -> list[str]:
        rights = ("CREATE", "ALTER", "DROP", "SELECT", "MODIFY")
        return [
            f"ALTER ROLE {_FIRST_USER[0]} WITH PASSWORD = '{self.admin_password}'",
            f"CREATE KEYSPACE IF NOT EXISTS {KEYSPACE} "
            "WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 1}",
            f"CREATE ROLE IF NOT EXISTS {LOADER} WITH LOGIN = true",
            *(f"GRANT {right} ON KEYSPACE {KEYSPACE} TO {LOADER}" for right in rights),
            f"ALTER ROLE {LOADER} WITH PASSWORD = '{self.password}'",
        ]

    def _settings(self, user: str, password: str) -> CassandraSettings:
        return CassandraSettings((LOOPBACK,), self.port, user, password)


@contextmanager
def cassandra_server(
    options: CassandraOptions | None = None, *, folder: Path | None = None
) -> Iterator[CassandraServer]:
    """Run a Cassandra that works in a new temporary folder, or in `folder`, where it finds what it had before.

    Its jars are fetched first where they are missing (62 MB, once). Raises ServerError with the end of its log if it
    does not start, or where no server can be had.
    """
    with ExitStack() as stack:
        place = folder or stack.enter_context(workspace())
        started = start_cassandra(place, options)
        stack.callback(started.server.stop)
        started.wait()
        yield started


def start_cassandra(folder: Path, options: CassandraOptions | None = None) -> CassandraServer:
    """Start a Cassandra in `folder` without waiting for it; the caller stops its server. Raises ServerError."""
    options = options or CassandraOptions()
    port = options.port or free_port()
    jars = get_cassandra()
    try:
        java = find_java(modules=())
    except JavaMissing as error:
        raise ServerError(f"Cassandra needs Java 17. {error}") from error
    data = folder / "cassandra"
    data.mkdir(exist_ok=True)
    (data / "cassandra.yaml").write_text(json.dumps(_settings(data, port) | dict(options.more), indent=1))
    (data / "logback.xml").write_text(_LOGGING)
    command = Command(
        "Cassandra", [str(java.program), *_java_options(data, jars, options)], {}, seconds=240,
        advice="It needs Java 17 and about 1.5 GiB of memory.",
    )  # fmt: skip
    return CassandraServer(
        start(command, folder),
        port,
        options.password or secrets.token_urlsafe(24),
        options.admin_password or secrets.token_urlsafe(24),
        data,
    )


def _settings(data: Path, port: int) -> dict[str, Any]:
    """cassandra.yaml, of which JSON is a kind."""
    storage_port = free_port()
    return {
        "cluster_name": "shop",
        "num_tokens": 1,
        "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
        "endpoint_snitch": "SimpleSnitch",
        "listen_address": LOOPBACK,
        "rpc_address": LOOPBACK,
        "storage_port": storage_port,
        "native_transport_port": port,
        "seed_provider": [
            {
                "class_name": "org.apache.cassandra.locator.SimpleSeedProvider",
                "parameters": [{"seeds": f"{LOOPBACK}:{storage_port}"}],
            }
        ],
        "data_file_directories": [str(data / "data")],
        "commitlog_directory": str(data / "commitlog"),
        "hints_directory": str(data / "hints"),
        "saved_caches_directory": str(data / "saved_caches"),
        # Mapped into memory, so that what a killed server has taken is there when it is back.
        "commitlog_disk_access_mode": "mmap",
        "commitlog_sync": "periodic",
        "commitlog_sync_period": "1s",
        "authenticator": "PasswordAuthenticator",
        "authorizer": "CassandraAuthorizer",
        "role_manager": "CassandraRoleManager",
        # Otherwise a password that was changed is taken for two seconds more.
        "credentials_validity": "0ms",
        "auto_snapshot": False,
        # The newest forms of tables in memory and on disk, which take less time and memory.
        "storage_compatibility_mode": "NONE",
        "sstable": {"selected_format": "bti"},
        "memtable": {"configurations": {"trie": {"class_name": "TrieMemtable"}, "default": {"inherits": "trie"}}},
        "memtable_allocation_type": "offheap_objects",
        "memtable_heap_space": "192MiB",
        "memtable_offheap_space": "256MiB",
        "file_cache_size": "64MiB",
        "networking_cache_size": "32MiB",
        "concurrent_reads": 8,
        "concurrent_writes": 8,
        "concurrent_compactors": 1,
        "compaction_throughput": "0MiB/s",
        # A busy machine is slow, and not broken.
        "write_request_timeout": "20s",
        "read_request_timeout": "20s",
        "range_request_timeout": "60s",
        "truncate_request_timeout": "60s",
        "request_timeout": "60s",
        "batch_size_warn_threshold": "128KiB",
        "batch_size_fail_threshold": "1MiB",
        "unlogged_batch_across_partitions_warn_threshold": 10_000,
    }


def _java_options(data: Path, jars: list[Path], options: CassandraOptions) -> list[str]:
    agent = next(jar for jar in jars if jar.name.startswith("jamm-"))
    return [
        f"-Xms{options.heap_mb}m",
        f"-Xmx{options.heap_mb}m",
        "-Xss256k",
        "-XX:+UseParallelGC",
        # A server that lives for minutes gets no time back that it takes to optimize its code: the first million events
        # take two thirds of the time.
        "-XX:TieredStopAtLevel=1",
        "-XX:ReservedCodeCacheSize=240m",  # as with both compilers
        "-XX:-UsePerfData",
        "-XX:MaxDirectMemorySize=512m",
        "-XX:+ExitOnOutOfMemoryError",
        *(f"--add-exports={name}=ALL-UNNAMED" for name in _EXPORTS.split()),
        *(f"--add-opens={name}=ALL-UNNAMED" for name in _OPENS.split()),
        f"-javaagent:{agent}",
        "-Djdk.attach.allowAttachSelf=true",
        "-Djava.net.preferIPv4Stack=true",
        "-Djna.nosys=true",
        f"-Djava.io.tmpdir={data}",
        "-Dio.netty.tryReflectionSetAccessible=true",
        f"-Dlogback.configurationFile={data / 'logback.xml'}",
        f"-Dcassandra.config={(data / 'cassandra.yaml').as_uri()}",
        f"-Dcassandra.storagedir={data}",
        f"-Dcassandra.logdir={data}",
        "-Dcassandra-foreground=yes",
        # There is nobody else in the ring to wait for.
        "-Dcassandra.ring_delay_ms=0",
        "-Dcassandra.skip_wait_for_gossip_to_settle=0",
        "-Dcassandra.superuser_setup_delay_ms=0",
        "-Dcassandra.auth_bcrypt_gensalt_log2_rounds=4",
        f"-Dcassandra.jmx.local.port={free_port()}",
        "-cp",
        ":".join([str(data), *map(str, jars)]),
        "org.apache.cassandra.service.CassandraDaemon",
    ]

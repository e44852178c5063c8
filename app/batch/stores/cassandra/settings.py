"""Where Cassandra is and who asks, read once from the environment and validated whole."""

import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from app.batch.errors import SettingsError
from app.batch.stores.variables import Bounds, in_bounds, password, whole_numbers

PORT: Final = 9042

CONSISTENCIES: Final[Mapping[str, int]] = {
    "ONE": 1,
    "TWO": 2,
    "QUORUM": 4,
    "ALL": 5,
    "LOCAL_QUORUM": 6,
    "LOCAL_ONE": 10,
}
"""How many replicas have to have taken a write, by Cassandra's names and numbers."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,47}")
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:]+\]?")
_NUMBERS: Final[dict[str, Bounds]] = {
    "port": (1, 65_535, PORT),
    "replication": (1, 100, 1),
    "ttl_days": (0, 7_300, 0),
    "batch_kib": (1, 512, 5),
    "timeout_seconds": (1, 3_600, 30),
    "retry_seconds": (0, 86_400, 120),
    "lock_seconds": (2, 3_600, 30),
}


@dataclass(frozen=True)
class CassandraSettings:
    """Addresses and secrets of a Cassandra cluster, and how to write to it.

    Raises:
        SettingsError: a value is not allowed; all faults are in one message.
    """

    hosts: tuple[str, ...]
    """Nodes to connect to first; the others are found through them by who reads, and written to through them."""
    port: int = PORT
    user: str = ""
    password: str = field(default="", repr=False)
    keyspace: str = "shop"
    replication: int = 1
    """Copies of each row, where the keyspace is made by the job."""
    consistency: str = "LOCAL_QUORUM"
    ttl_days: int = 0
    """How long after a load its rows are kept, unless another load replaces them; 0 is for ever."""
    batch_kib: int = 5
    """Size of a batch of rows [KiB]: at most the nodes' batch_size_warn_threshold, lest each one is told of in their
    logs, and what is larger than batch_size_fail_threshold is refused."""
    tls: bool = False
    tls_ca: str = ""
    """File of the certificates that sign the nodes'; empty for those that the system trusts."""
    timeout_seconds: int = 30
    """How long one answer may take."""
    retry_seconds: int = 120
    """For how long a step is tried again where no node answers: longer than a restart takes."""
    lock_seconds: int = 30
    """How long after the death of a job another one may load."""

    def __post_init__(self) -> None:
        """Check every value."""
        faults = [fault for ok, fault in self._rules() if not ok]
        if faults:
            raise SettingsError("; ".join(faults))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read CASSANDRA_HOSTS, _PORT, _USER, _PASSWORD or _PASSWORD_FILE, _KEYSPACE, _REPLICATION, _CONSISTENCY,
        _TTL_DAYS, _BATCH_KIB, _TLS, _TLS_CA, _TIMEOUT_SECONDS, _RETRY_SECONDS and _LOCK_SECONDS. All but the hosts
        have defaults.

        Raises:
            SettingsError: one is missing or not allowed.
        """
        hosts = tuple(filter(None, (host.strip() for host in environment.get("CASSANDRA_HOSTS", "").split(","))))
        if not hosts:
            raise SettingsError(
                "CASSANDRA_HOSTS: set it to the addresses of nodes, for example cassandra-1,cassandra-2"
            )
        tls = (environment.get("CASSANDRA_TLS") or "false").lower()
        if tls not in ("true", "false"):
            raise SettingsError(f"CASSANDRA_TLS: {tls!r} is neither true nor false")
        return cls(
            hosts=hosts,
            user=environment.get("CASSANDRA_USER", ""),
            password=password(environment, "CASSANDRA") or "",  # a server may have none
            keyspace=environment.get("CASSANDRA_KEYSPACE") or "shop",
            consistency=environment.get("CASSANDRA_CONSISTENCY") or "LOCAL_QUORUM",
            tls=tls == "true",
            tls_ca=environment.get("CASSANDRA_TLS_CA", ""),
            **whole_numbers(environment, "CASSANDRA", _NUMBERS),
        )

    @property
    def address(self) -> str:
        """Where the cluster is, for messages."""
        return f"{','.join(self.hosts)}:{self.port}, keyspace {self.keyspace}"

    def tls_context(self) -> ssl.SSLContext | None:
        """What a client needs for TLS; None without it."""
        return ssl.create_default_context(cafile=self.tls_ca or None) if self.tls else None

    def _rules(self) -> list[tuple[bool, str]]:
        return [
            (
                bool(self.hosts) and all(_HOST.fullmatch(host) for host in self.hosts),
                f"CASSANDRA_HOSTS: {','.join(self.hosts)!r} are no host names; for example cassandra-1,cassandra-2, "
                "and the port in CASSANDRA_PORT",
            ),
            (
                bool(self.user) or not self.password,
                "CASSANDRA_USER: a password is set but no user; for example loader",
            ),
            (
                bool(_NAME.fullmatch(self.keyspace)),
                f"CASSANDRA_KEYSPACE: {self.keyspace!r} must be a letter and up to 47 letters, digits or '_', all "
                "small; for example shop",
            ),
            (
                self.consistency in CONSISTENCIES,
                f"CASSANDRA_CONSISTENCY: {self.consistency!r} is none of {', '.join(CONSISTENCIES)}",
            ),
            (
                not self.tls_ca or Path(self.tls_ca).is_file(),
                f"CASSANDRA_TLS_CA: there is no file {self.tls_ca}; name the file of the nodes' certificate authority",
            ),
            (self.tls or not self.tls_ca, "CASSANDRA_TLS_CA: it is of use with CASSANDRA_TLS=true"),
            *in_bounds(self, "CASSANDRA", _NUMBERS),
        ]

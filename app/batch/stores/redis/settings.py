"""Where the Redis server is and who asks, read once from the environment and validated whole."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self
from urllib.parse import unquote, urlsplit

from app.batch.errors import SettingsError
from app.batch.stores.variables import Bounds, in_bounds, password, whole_numbers

BOARD_SIZE: Final = 10_000

_PREFIX: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_EXAMPLE: Final = "redis://redis:6379/0, or rediss://loader@redis.example:6380/0 for TLS and a user"
_NUMBERS: Final[dict[str, Bounds]] = {
    "board_size": (10, 1_000_000, BOARD_SIZE),
    "timeout_seconds": (1, 3_600, 30),
    "retry_seconds": (0, 86_400, 60),
    "lock_seconds": (1, 3_600, 30),
}


@dataclass(frozen=True)
class RedisSettings:
    """Address and secrets of a Redis server, and how much goes into it.

    Raises:
        SettingsError: a value is not allowed; all faults are in one message.
    """

    host: str
    port: int = 6379
    database: int = 0
    user: str = ""
    """The user of the server's access list; empty for its default user."""
    password: str = field(default="", repr=False)
    tls: bool = False
    tls_ca: str = ""
    """File of the certificates that sign the server's; empty for those that the system trusts."""
    prefix: str = "shop"
    """Begins the name of every key, in braces, so that a cluster keeps all keys in one place."""
    board_size: int = BOARD_SIZE
    """How many products, brands or sub-categories a leaderboard keeps at most."""
    timeout_seconds: int = 30
    """How long one answer of the server may take."""
    retry_seconds: int = 60
    """For how long a step is tried again where the server does not answer."""
    lock_seconds: int = 30
    """How long after the death of a job another one may load."""

    def __post_init__(self) -> None:
        """Check every value."""
        faults = [fault for ok, fault in self._rules() if not ok]
        if faults:
            raise SettingsError("; ".join(faults))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read REDIS_URL, REDIS_PASSWORD or _PASSWORD_FILE, _TLS_CA, _PREFIX, _BOARD_SIZE, _TIMEOUT_SECONDS,
        _RETRY_SECONDS and _LOCK_SECONDS. All but the URL have defaults.

        Raises:
            SettingsError: one is missing or not allowed.
        """
        url = environment.get("REDIS_URL", "")
        try:
            parts = urlsplit(url)
            port = parts.port or 6379
        except ValueError:
            parts, port = urlsplit(""), 0
        path = parts.path.strip("/") or "0"
        if parts.scheme not in ("redis", "rediss") or not parts.hostname or not path.isdecimal():
            # The URL is not repeated: somebody may have put a password into it.
            raise SettingsError(f"REDIS_URL: set it to the server's address, for example {_EXAMPLE}")
        if parts.password is not None:
            raise SettingsError(
                "REDIS_URL: leave the password out of it, and set REDIS_PASSWORD, or REDIS_PASSWORD_FILE to the name "
                "of a file with the password"
            )
        return cls(
            host=parts.hostname,
            port=port,
            database=int(path),
            user=unquote(parts.username or ""),
            password=password(environment, "REDIS") or "",  # a server may have none
            tls=parts.scheme == "rediss",
            tls_ca=environment.get("REDIS_TLS_CA", ""),
            prefix=environment.get("REDIS_PREFIX") or "shop",
            **whole_numbers(environment, "REDIS", _NUMBERS),
        )

    @property
    def address(self) -> str:
        """Where the server is, for messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'rediss' if self.tls else 'redis'}://{host}:{self.port}/{self.database}"

    def _rules(self) -> list[tuple[bool, str]]:
        return [
            (bool(self.host), f"REDIS_URL: it names no host; for example {_EXAMPLE}"),
            (0 < self.port < 1 << 16, f"REDIS_URL: {self.port} is no port; for example {_EXAMPLE}"),
            (
                bool(_PREFIX.fullmatch(self.prefix)),
                f"REDIS_PREFIX: {self.prefix!r} must be 1 to 64 letters, digits, '_', '.' or '-'; for example shop",
            ),
            (
                not self.tls_ca or Path(self.tls_ca).is_file(),
                f"REDIS_TLS_CA: there is no file {self.tls_ca}; name the file of the server's certificate authority",
            ),
            (self.tls or not self.tls_ca, "REDIS_TLS_CA: it is of use with a REDIS_URL that begins with rediss://"),
            *in_bounds(self, "REDIS", _NUMBERS),
        ]

"""Where the MySQL server is and who asks, read once from the environment and validated whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from app.batch.errors import SettingsError
from app.batch.stores.mysql.grants import DATABASE, LOADER, STAGING_SUFFIX
from app.batch.stores.variables import Bounds, in_bounds, password, whole_numbers

_LONGEST_NAME: Final = 64
_NUMBERS: Final[dict[str, Bounds]] = {
    "port": (1, 65_535, 3306),
    "timeout_seconds": (1, 86_400, 300),
    "retry_seconds": (0, 86_400, 60),
}
_TEXTS: Final = ("host", "user", "database", "tls_ca")


@dataclass(frozen=True)
class MysqlSettings:
    """Address and secrets of a MySQL server.

    Raises:
        SettingsError: a value is not allowed; all faults are in one message.
    """

    host: str
    port: int = 3306
    user: str = LOADER
    password: str = field(default="", repr=False)
    database: str = DATABASE
    """What readers see; a run prepares its tables in the database of this name with `_staging` at its end."""
    tls_ca: str = ""
    """File of the authority that signs the server's certificate. Given, the connection is encrypted and checked."""
    timeout_seconds: int = 300
    """How long one answer of the server may take."""
    retry_seconds: int = 60
    """For how long a step is tried again where the server does not answer."""

    def __post_init__(self) -> None:
        """Check every value."""
        faults = [fault for ok, fault in self._rules() if not ok]
        if faults:
            raise SettingsError("; ".join(faults))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read MYSQL_HOST, _PORT, _USER, _PASSWORD or _PASSWORD_FILE, _DATABASE, _TLS_CA, _TIMEOUT_SECONDS and
        _RETRY_SECONDS. All but the host and the password have defaults.

        Raises:
            SettingsError: one is missing or not allowed.
        """
        given: dict[str, Any] = {
            name: environment[variable] for name in _TEXTS if environment.get(variable := f"MYSQL_{name.upper()}")
        }
        if "host" not in given:
            raise SettingsError("MYSQL_HOST: set it to the server's name or address, for example mysql or 127.0.0.1")
        given |= whole_numbers(environment, "MYSQL", _NUMBERS)
        secret = password(environment, "MYSQL")
        if secret is None:
            raise SettingsError(
                "MYSQL_PASSWORD: set it, or MYSQL_PASSWORD_FILE to the name of a file with the password"
            )
        return cls(**given, password=secret)

    @property
    def address(self) -> str:
        """Where the server is, for messages."""
        return f"{self.host}:{self.port}"

    @property
    def staging(self) -> str:
        """The database in which a run prepares its tables."""
        return self.database + STAGING_SUFFIX

    def _rules(self) -> list[tuple[bool, str]]:
        return [
            (bool(self.host), "MYSQL_HOST: it is empty; for example mysql or 127.0.0.1"),
            (bool(self.user), f"MYSQL_USER: it is empty; for example {LOADER}"),
            (
                bool(self.database) and len(self.staging) <= _LONGEST_NAME,
                f"MYSQL_DATABASE: {self.database!r} must have 1 to {_LONGEST_NAME - len(STAGING_SUFFIX)} characters; "
                f"for example {DATABASE}",
            ),
            (
                not self.tls_ca or Path(self.tls_ca).is_file(),
                f"MYSQL_TLS_CA: there is no file {self.tls_ca}; name the file of the server's certificate authority",
            ),
            *in_bounds(self, "MYSQL", _NUMBERS),
        ]

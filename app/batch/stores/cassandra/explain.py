"""What went wrong with Cassandra, in words that say what to do."""

from ssl import SSLCertVerificationError
from typing import Final

from app.batch.errors import StoreError
from app.batch.stores.cassandra.settings import CassandraSettings
from app.batch.stores.cassandra.wire import BAD_CREDENTIALS, CqlError

_UNAUTHORIZED: Final = 0x2100
_TOO_FEW: Final = 0x1000
_OVERLOADED: Final = 0x1001
_WRITE_TIMEOUT: Final = 0x1100
_WRITE_FAILURE: Final = 0x1500
_MESSAGE: Final = 300


def may_pass(error: Exception) -> bool:
    """Whether the same request may be taken later."""
    if isinstance(error, CqlError):
        return error.may_pass
    return isinstance(error, OSError) and not isinstance(error, SSLCertVerificationError)


def explained(error: Exception, settings: CassandraSettings) -> StoreError:
    """The error of a request that is not tried any more."""
    code = error.code if isinstance(error, CqlError) else None
    tried = f"tried for {settings.retry_seconds} s"
    if code == BAD_CREDENTIALS:
        advice = "refuses the password; set CASSANDRA_USER, and CASSANDRA_PASSWORD or CASSANDRA_PASSWORD_FILE"
    elif code == _UNAUTHORIZED:
        advice = (
            "does not allow it; give the user the rights: GRANT CREATE, ALTER, DROP, SELECT and MODIFY ON KEYSPACE "
            f"{settings.keyspace}"
        )
    elif code == _TOO_FEW:
        advice = f"has too few nodes up, {tried}; start them, or ask for fewer copies with CASSANDRA_CONSISTENCY"
    elif code in (_OVERLOADED, _WRITE_TIMEOUT):
        advice = f"is too slow, {tried}; look at its load and its disk, or load with fewer tasks at once"
    elif code == _WRITE_FAILURE:
        advice = f"fails to write, {tried}; its disk may be full: free some space and look at its log"
    elif isinstance(error, SSLCertVerificationError):
        advice = (
            "has a certificate that is not to be trusted; set CASSANDRA_TLS_CA to the file of the authority that "
            "signed it, and CASSANDRA_HOSTS to names that are in it"
        )
    elif isinstance(error, TimeoutError):
        advice = (
            f"did not answer within {settings.timeout_seconds} s, {tried}; look at its load, or raise "
            "CASSANDRA_TIMEOUT_SECONDS"
        )
    elif isinstance(error, OSError):
        advice = f"cannot be reached, {tried}; start it, or set CASSANDRA_HOSTS and CASSANDRA_PORT to where it is"
    else:
        advice = "failed; its log may say more"
    said = str(error)[:_MESSAGE] or type(error).__name__
    return StoreError(f"Cassandra at {settings.address} {advice} ({said}). What it showed before is still there")

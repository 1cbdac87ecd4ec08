"""Explains errors of PostgreSQL to an operator (https://www.postgresql.org/docs/current/errcodes-appendix.html)."""

import psycopg
from psycopg import errors

from digest.config.database_url import DatabaseUrl
from digest.errors import StateError
from digest.model.paper import one_line

_CORRECT_IT = "correct state in digest.toml"
_REMEDIES = {
    "password authentication failed": "correct the user in state, or the password in state_password_file",
    "no password supplied": "set state_password_file in digest.toml",
    "no pg_hba.conf entry": f"{_CORRECT_IT}, or allow it in pg_hba.conf of the server",
    "SASL authentication failed": "correct the user in state, or the password in state_password_file",
    "root certificate file": "put the certificate of the server's authority there, or name it in sslrootcert",
    "certificate verify failed": "check the certificate of the server, and sslrootcert in state",
    "does not match host name": "name the server in state as its certificate does",
    "does not exist": f"{_CORRECT_IT}, or create it with createuser and createdb",
    "no such database": f"{_CORRECT_IT}, or name the database in the pooler's settings",
    "no such user": f"{_CORRECT_IT}, or name the user in the pooler's settings",
    "is not permitted to log in": _CORRECT_IT,
}
"""What a person has to do, by the text of a connection that was refused: libpq gives no code for it.

The first text that is found counts. PgBouncer has some texts of its own.
"""

_NOT_UNDERSTOOD = ("invalid ", "definition of service ", "service file ")
"""How libpq begins what it says of an address itself: it has not asked the server."""

_MORE_CONNECTIONS = "raise max_connections of the server, or put a pooler before it"
_NO_SLOT = {
    "too many clients": _MORE_CONNECTIONS,
    "remaining connection slots are reserved": _MORE_CONNECTIONS,
    "too many connections for role": "raise the limit of the role: ALTER ROLE … CONNECTION LIMIT",
    "too many connections for database": "raise its limit: ALTER DATABASE … CONNECTION LIMIT",
    "too many connections": _MORE_CONNECTIONS,
}

_PASSING: tuple[tuple[tuple[type[psycopg.Error], ...], str, str], ...] = (
    (
        (errors.ReadOnlySqlTransaction,),
        "is read-only now",
        (
            "if it is a standby server, name the primary one in state, or add"
            " ?target_session_attrs=read-write; if not, see"
            " default_transaction_read_only, which some providers set when the disk is full"
        ),
    ),
    ((errors.DiskFull,), "the disk of the database server is full", "free some space there"),
    (
        (errors.InsufficientPrivilege,),
        "the role has no right to do this",
        "make the role the owner of the database (digest docs postgresql)",
    ),
    ((errors.TooManyConnections,), "the database server has no free connection", _MORE_CONNECTIONS),
    ((errors.OutOfMemory,), "the database server has no memory left", "see what else runs there"),
    (
        (errors.AdminShutdown, errors.CrashShutdown, errors.CannotConnectNow),
        "the database server stops or starts, or somebody ended the session",
        "run again when it runs",
    ),
    (
        (errors.LockNotAvailable,),
        "another session locks what is needed",
        "if this continues, find it with pg_blocking_pids, and end it or wait for its end",
    ),
    (
        (errors.QueryCanceled,),
        "the database server ended a statement",
        "run again; if this continues, raise statement_timeout of the role",
    ),
    (
        (errors.SerializationFailure, errors.DeadlockDetected, errors.IdleInTransactionSessionTimeout),
        "the database is busy",
        "run again",
    ),
)
"""What passes by itself or may be mended by somebody else, and what a person can do."""


_RESTORE_IT = "if it was changed by hand or restored in part, restore a whole backup (digest docs postgresql)"


def state_error(url: DatabaseUrl, error: psycopg.Error) -> StateError:
    """Explains what happened, and what an operator can do."""
    reason, is_passing = _explained(error)
    return StateError(str(url), reason, is_passing=is_passing)


def _explained(error: psycopg.Error) -> tuple[str, bool]:
    said = one_line(error.diag.message_primary or _of_connection(error) or type(error).__name__)
    for kinds, reason, remedy in _PASSING:
        if isinstance(error, kinds):
            return f"{reason} ({said}); {remedy}", True
    match error:
        case errors.UndefinedTable() | errors.UndefinedColumn() | errors.UndefinedFunction():
            return f"does not have the format of this version: {said}; {_RESTORE_IT}", False
        case psycopg.OperationalError() | psycopg.InterfaceError() if error.sqlstate is None:
            return _no_connection(said)
    # Classes 08 (connection) and 53 (resources) end by themselves.
    return f"{said}; the state was not changed", (error.sqlstate or "")[:2] in {"08", "53", "57"}


def _of_connection(error: psycopg.Error) -> str:
    """What libpq says, without the words that psycopg adds. A hint stands in a line of its own there."""
    return str(error).removeprefix("connection failed: ").replace("\n\t", ". ")


def _no_connection(said: str) -> tuple[str, bool]:
    """Explains a connection that was refused or lost."""
    for text, remedy in _REMEDIES.items():
        if text in said:
            return f"{said}; {remedy} (digest docs postgresql)", False
    for text, remedy in _NO_SLOT.items():
        if text in said:
            return f"{said}; {remedy}", True
    cause = said.removeprefix("connection failed: ").removeprefix("connection is bad: ")
    if cause.startswith(_NOT_UNDERSTOOD):
        return f"{cause}; {_CORRECT_IT} (digest docs postgresql)", False
    return f"no connection to the database: {cause}", True

"""What an error of the database means: try again, tell the caller, or the connection is gone."""

import psycopg
from psycopg import errors

from chathooks.kernel.errors import ChathooksError, StoreUnavailable

_AGAIN = (errors.SerializationFailure, errors.DeadlockDetected)
_REASONS: tuple[tuple[type[psycopg.Error], str], ...] = (
    (errors.DiskFull, "the database's disk is full"),
    (errors.OutOfMemory, "the database is out of memory"),
    (errors.TooManyConnections, "the database accepts no more connections"),
    (errors.LockNotAvailable, "a row is locked by another program"),
    (errors.QueryCanceled, "a statement took longer than CHATHOOKS_DATABASE_STATEMENT_TIMEOUT"),
    (errors.ReadOnlySqlTransaction, "the database is read-only"),
    (errors.DataCorrupted, "the database is damaged"),
    (errors.IndexCorrupted, "the database is damaged"),
    (errors.CannotConnectNow, "the database is starting or stopping"),
    (errors.AdminShutdown, "the database is stopping"),
    (errors.UndefinedTable, "its schema is not what this program knows"),
    (errors.UndefinedColumn, "its schema is not what this program knows"),
)


class OutcomeUnknown(StoreUnavailable):
    """The connection was lost while a commit was under way, and the database cannot be asked yet."""

    def __init__(self) -> None:
        ChathooksError.__init__(
            self,
            "ERR_STORE_UNAVAILABLE",
            "The connection to the database was lost during the commit: whether the change was made is not known "
            "yet. Look before you repeat it.",
        )


def asks_again(error: BaseException) -> bool:
    """Whether the database undid the transaction only because of others, and wants it to be run again."""
    return isinstance(error, _AGAIN)


def ends_session(error: BaseException) -> bool:
    """Whether the session is over, though libpq may not have noticed: what was under way may have been done.

    A server that is stopped sends FATAL behind the answer to a commit that it made.
    """
    if not isinstance(error, psycopg.Error):
        return False
    severity = error.diag.severity_nonlocalized
    return severity in ("FATAL", "PANIC") or (severity is None and error.sqlstate is None)


def reason(error: BaseException) -> str:
    """Completes 'The store is not available: …'; never a text of the database's, which may hold data."""
    for kind, text in _REASONS:
        if isinstance(error, kind):
            return text
    if isinstance(error, psycopg.OperationalError):
        return "the database cannot be reached"
    return "the database reports an error"


def unavailable(error: BaseException) -> StoreUnavailable:
    """What callers are told of an error; nothing was changed."""
    refusal = StoreUnavailable(reason(error))
    refusal.__cause__ = error
    return refusal

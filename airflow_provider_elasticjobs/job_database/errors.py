"""What an error of the job database means for the statement that met it, by the engine's number."""

from __future__ import annotations

import re
from enum import Enum

import pyodbc

from airflow_provider_elasticjobs.exceptions import (
    ElasticJobsError,
    JobDatabaseAwayError,
    JobDatabaseError,
    ServerUnreachableError,
)

__all__ = ["Remedy", "describe", "error_numbers", "remedy"]

#: ``... (1205) (SQLExecDirectW)``: the engine's number, as the driver appends it to each message.
_NUMBER = re.compile(r"\((-?\d+)\)(?= \(SQL\w+\)|; \[|\s*$)")
_TEXT = re.compile(r"\[(?:SQL Server|Microsoft|ODBC[^\]]*)\]")

#: Another transaction was in the way: the statement was rolled back, and the same statement may succeed now.
#: 2601 and 2627: the same row was inserted at the same moment; the repeated statement finds it.
#: 3960: an update conflict under snapshot isolation. 1222: a lock was not granted in time.
_CONFLICTS = frozenset({1205, 1222, 2601, 2627, 3960})

#: The server or the way to it is not there at the moment (Azure SQL's documented transient numbers, and sockets').
_UNAVAILABLE = frozenset(
    {-2, 64, 121, 233, 596, 4221, 6005, 10053, 10054, 10060, 10928, 10929, 10936, 11001, 17830, 40143, 40197}
    | {40501, 40540, 40613, 42108, 42109, 49918, 49919, 49920}
)
_LOST_STATES = ("08", "HYT")

#: What to grant when the engine refuses for want of a right.
_RIGHTS = {
    229: "SELECT, INSERT, UPDATE, DELETE and EXECUTE on schema jobs_internal, SELECT on jobs and jobs_ext"
    " ('airflow elasticjobs db check' says which)",
    262: "CREATE TABLE, CREATE VIEW, CREATE SCHEMA and CREATE ROLE in the job database (db_owner has them)",
    2760: "to create objects in the schemas jobs and jobs_internal (db_owner may)",
    15151: "to change a role or schema of the job database (db_owner may)",
    15247: "db_owner in the job database, to create schemas and roles",
    916: "to open the job database (CREATE USER for this login there)",
}


class Remedy(Enum):
    """What can be done about an error."""

    REPEAT = "repeat"
    """Send the same batch again soon: it lost against another transaction, and left nothing behind."""
    RECONNECT = "reconnect"
    """Connect anew and send it again: whether it was done is unknown, which a repeatable batch does not mind."""
    NONE = "none"
    """Say it."""


def error_numbers(error: BaseException) -> tuple[int, ...]:
    """Return the engine's numbers in a driver error, in order; empty where only the driver spoke."""
    if isinstance(error, ElasticJobsError):
        return () if error.number is None else (error.number,)
    return tuple(int(number) for number in _NUMBER.findall(str(error.args[-1] if error.args else "")))


def remedy(error: BaseException) -> Remedy:
    """Return what to do about an error that the driver or the connecting function raised."""
    if isinstance(error, ServerUnreachableError):
        return Remedy.RECONNECT
    numbers = set(error_numbers(error))
    if numbers & _CONFLICTS:
        return Remedy.REPEAT
    if isinstance(error, ElasticJobsError):
        return Remedy.RECONNECT if numbers & _UNAVAILABLE else Remedy.NONE
    state = str(error.args[0]) if error.args else ""
    if numbers & _UNAVAILABLE or state.startswith(_LOST_STATES):
        return Remedy.RECONNECT
    return Remedy.NONE


def describe(error: pyodbc.Error | ElasticJobsError, server: str, database: str) -> JobDatabaseError:
    """Return the error to raise for one that has no remedy, or whose remedy did not help.

    :param error: what the driver or the connecting function raised.
    :param server: the job database's server, for the message.
    :param database: the job database's name, for the message.
    """
    numbers = error_numbers(error)
    number = numbers[0] if numbers else None
    text = _TEXT.sub("", str(error.args[-1] if error.args else error)).strip()
    where = f"job database {server}/{database}"
    missing = next((_RIGHTS[each] for each in numbers if each in _RIGHTS), None)
    if missing is not None:
        message = f"{where}: the login lacks a right: {missing}. The server said: {text}"
    elif set(numbers) & {208, 207}:
        message = f"{where} is not installed, or older than this package: run 'airflow elasticjobs db upgrade'. {text}"
    else:
        message = f"{where}: {text}"
    kind = JobDatabaseAwayError if remedy(error) is Remedy.RECONNECT else JobDatabaseError
    return kind(message, server=server, database=database, number=number)

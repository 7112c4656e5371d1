"""The errors of this package, one tree.

```
ElasticJobsError
├── DefinitionError            an author wrote something that cannot work (job, step, group, argument)
├── TargetGroupError           a target group could not be resolved into databases
├── DriverNotFoundError        no ODBC driver for SQL Server on this machine
├── ConnectionSettingsError    a connection's fields do not make a usable identity
├── TargetConnectionError      a database could not be connected to
│   ├── LoginFailedError       the server refused the identity
│   ├── DatabaseNotFoundError  the server does not know the database, or the identity may not open it
│   │   └── DatabaseDroppedError  asked in master, the server says that the database is gone
│   ├── FirewallError          the server's firewall refused this address
│   └── ServerUnreachableError no answer from the host
├── ScriptError                the server refused a statement of the script
├── ScriptCancelledError       the script was stopped by this side, and the server confirmed it
├── OutputError                a script's result could not be written where its step's output says
├── OutcomeUnknownError        the script was sent, and no answer came: it may have committed
├── JobDatabaseError           the job database is not installed, too old, or refuses what is needed
│   └── JobDatabaseAwayError   it did not answer for longer than the writer's patience
├── ClaimLostError             another process has taken over the row that this one was working on
└── ExecutionReleasedError     this process gave its work up unfinished, for another one to take over
```
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "ClaimLostError",
    "ConnectionSettingsError",
    "DatabaseDroppedError",
    "DatabaseNotFoundError",
    "DefinitionError",
    "DriverNotFoundError",
    "ElasticJobsError",
    "ExecutionReleasedError",
    "FirewallError",
    "JobDatabaseAwayError",
    "JobDatabaseError",
    "LoginFailedError",
    "OutcomeUnknownError",
    "OutputError",
    "ScriptCancelledError",
    "ScriptError",
    "ServerUnreachableError",
    "TargetConnectionError",
    "TargetGroupError",
]


class ElasticJobsError(Exception):
    """Base of every error that this package raises on purpose.

    :param message: what happened, where, and what to do about it; never holds a secret.
    :param server: logical server name, if one is concerned.
    :param database: database name, if one is concerned.
    :param step_name: job step, if one is concerned.
    :param attempt: attempt of the step on this target, from 1.
    :param number: SQL Server error number, if the engine gave one.
    """

    def __init__(
        self,
        message: str,
        *,
        server: str | None = None,
        database: str | None = None,
        step_name: str | None = None,
        attempt: int | None = None,
        number: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.server = server
        self.database = database
        self.step_name = step_name
        self.attempt = attempt
        self.number = number

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own pickling calls the class with args only and would lose the keyword attributes.
        return type(self), (self.message,), dict(self.__dict__)


class DefinitionError(ElasticJobsError, ValueError):
    """A job, step, target group or argument is wrong as written."""


class TargetGroupError(ElasticJobsError):
    """A target group could not be resolved; the message names each server that failed, and why."""


class DriverNotFoundError(ElasticJobsError):
    """No usable ODBC driver for SQL Server was found; the message says what to install."""


class ConnectionSettingsError(ElasticJobsError, ValueError):
    """The fields of a connection do not make a usable identity or address."""


class TargetConnectionError(ElasticJobsError):
    """A database could not be connected to."""


class LoginFailedError(TargetConnectionError):
    """The server refused the login or the token (18456 and its relatives)."""


class DatabaseNotFoundError(TargetConnectionError):
    """The server cannot open the database for this login (4060, 911)."""


class DatabaseDroppedError(DatabaseNotFoundError):
    """The database is not on its server any more, as the server's ``master`` says."""


class FirewallError(TargetConnectionError):
    """The server's firewall does not admit this client's address (40615)."""


class ServerUnreachableError(TargetConnectionError):
    """The host did not answer, or broke the connection while logging in."""


class ScriptError(ElasticJobsError):
    """The server refused a statement of the script; :attr:`number` is the engine's error number."""


class ScriptCancelledError(ElasticJobsError):
    """The script was stopped by this side (cancel or time-out), and the server confirmed it."""


class OutputError(ElasticJobsError):
    """A script's result could not be written where its step's output says; nothing of this attempt's rows is there.

    :attr:`server` and :attr:`database` are the output's. Its cause, if it has one, says whether it may pass by itself.
    :attr:`script_was_sent` tells whether the script had begun on its target, and perhaps ended.
    """

    script_was_sent = False


class OutcomeUnknownError(ElasticJobsError):
    """The script was sent and the connection broke before the answer: it may or may not have run."""


class JobDatabaseError(ElasticJobsError):
    """The job database is not installed, of another version, or refuses what is needed."""


class JobDatabaseAwayError(JobDatabaseError):
    """The job database could not be reached for longer than anybody was willing to wait."""


class ClaimLostError(ElasticJobsError):
    """Another process has taken over the row; whatever this one still does must not be written."""


class ExecutionReleasedError(ElasticJobsError):
    """This process stops without an outcome: the row stays active, for the next process to take over."""

"""Waiting for a database that its server says will be there again, without spending attempts on it.

A serverless database that was paused, one that moves and one that fails over refuse a login with an error that passes
by itself: those of class ``UNAVAILABLE`` (40613 above all), for a while 4060, and sometimes a false 18456. Nothing has
been sent by then, so it is tried again within a budget of its own (``RetryPolicy.availability_timeout``). When that is
used up, the error ends the attempt like any other.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_elasticjobs.exceptions import (
    DatabaseDroppedError,
    ElasticJobsError,
    ServerUnreachableError,
    TargetConnectionError,
)
from airflow_provider_elasticjobs.execution.stopping import StopSignal
from airflow_provider_elasticjobs.execution.waiting_room import pauses
from airflow_provider_elasticjobs.model.messages import target_gone, waiting_for_database
from airflow_provider_elasticjobs.model.retry import DEFAULT_AVAILABILITY_TIMEOUT
from airflow_provider_elasticjobs.model.targets import Target
from airflow_provider_elasticjobs.targets.existence import database_is_gone
from airflow_provider_elasticjobs.tsql.error_numbers import (
    DEFAULT_ERRORS,
    FALSE_LOGIN_FAILURE,
    ErrorClass,
    ErrorTable,
)

if TYPE_CHECKING:
    import pyodbc

__all__ = ["LOGIN_GRACE_SECONDS", "Availability"]

#: Seconds for which a failed login may be a database that resumes (peers.md, section 6: up to about 45). With the
#: pauses below that is half a dozen logins, fewer than usual policies allow before they lock a login out.
LOGIN_GRACE_SECONDS = 45.0

#: Seconds between two logins: the first, and the longest.
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 15.0


@dataclass
class Availability:
    """Opens the sessions of one target, and waits for it where that may help; all its sessions share the budget.

    :param step_id: the step, for messages.
    :param target: the database.
    :param connect: opens a session of the script's identity on it.
    :param open_master: opens ``master`` of its server, to ask whether it is gone; by the refresh identity if there is
        one.
    :param on_waiting: receives what is waited for, and None when that is over.
    :param stop: the target's signal to stop.
    :param log: receives a logging level and a text.
    :param seconds: the budget.
    :param errors: the connection's table of error numbers.
    """

    step_id: int
    target: Target
    connect: Callable[[], pyodbc.Connection]
    open_master: Callable[[], pyodbc.Connection]
    on_waiting: Callable[[str | None], None]
    stop: StopSignal
    log: Callable[[int, str], None]
    seconds: float = DEFAULT_AVAILABILITY_TIMEOUT
    errors: ErrorTable = DEFAULT_ERRORS
    _spent: float = field(default=0.0, init=False)

    def open(self, *, whatever: bool = False) -> pyodbc.Connection:
        """Open a session; blocks while the database is waited for, or until the work has to stop.

        :param whatever: wait for a server that does not answer at all, too.
        :raises DatabaseDroppedError: if the server says that the database is gone.
        :raises TargetConnectionError: if there is no waiting for it, or no longer; or the other errors of connecting.
        """
        try:
            return self.connect()
        except TargetConnectionError as error:
            self._refuse_dropped(error)
            if not self._may_wait(error, whatever):
                raise
            first = error
        try:
            return self._wait(first, whatever)
        finally:
            self.on_waiting(None)

    def _wait(self, error: TargetConnectionError, whatever: bool) -> pyodbc.Connection:
        began, spent_before = time.monotonic(), self._spent
        pause = pauses(_FIRST_PAUSE, _LONGEST_PAUSE)
        said = None
        while self._may_wait(error, whatever):
            cause = waiting_for_database(self.target.server_name, self.target.database_name, error.number)
            if cause != said:
                said = cause
                self.log(logging.WARNING, f"{cause} {error.message}")
                self.on_waiting(cause)
            self.stop.pause(min(next(pause), self._budget(error, whatever) - self._spent))
            try:
                return self.connect()
            except TargetConnectionError as again:
                error = again
                self._refuse_dropped(error)
            finally:
                self._spent = spent_before + time.monotonic() - began
        self.log(logging.WARNING, f"Not waited for any longer, after {self._spent:.0f} s in all: {error.message}")
        raise error

    def _may_wait(self, error: TargetConnectionError, whatever: bool) -> bool:
        return self.stop.reason is None and self._spent < self._budget(error, whatever)

    def _budget(self, error: TargetConnectionError, whatever: bool) -> float:
        if error.number is None:
            return self.seconds if whatever and isinstance(error, ServerUnreachableError) else 0.0
        found = self.errors.classify(error.number, connecting=True)
        if found in (ErrorClass.UNAVAILABLE, ErrorClass.DATABASE_MISSING):
            return self.seconds
        if error.number == FALSE_LOGIN_FAILURE and found is ErrorClass.ACCESS:
            return min(self.seconds, LOGIN_GRACE_SECONDS)
        return 0.0

    def _refuse_dropped(self, error: TargetConnectionError) -> None:
        if error.number is None or self.errors.classify(error.number) is not ErrorClass.DATABASE_MISSING:
            return
        target = self.target
        if self._is_gone():
            raise DatabaseDroppedError(
                target_gone(self.step_id, target.server_name, target.database_name),
                server=target.server_name,
                database=target.database_name,
                number=error.number,
            ) from error

    def _is_gone(self) -> bool:
        try:
            with closing(self.open_master()) as master:
                return database_is_gone(master, self.target.database_name)
        except ElasticJobsError as error:
            self.log(logging.INFO, f"Whether the database is gone could not be asked: {error.message}")
            return False

"""Asking the work on one target to stop, from whatever thread, and waiting in a way that hears it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from airflow_provider_elasticjobs.exceptions import ExecutionReleasedError
from airflow_provider_elasticjobs.execution.ending import StopReason
from airflow_provider_elasticjobs.tsql.attention import Cancellable

__all__ = ["StopSignal"]

#: Seconds that a stop keeps asking the server to let go of the script.
_STOP_PATIENCE_SECONDS = 60.0


class StopSignal:
    """One target's signal to stop; the first reason stays.

    :param label: the target, for errors.
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self._changed = threading.Condition()
        self._reason: StopReason | None = None
        self._woken = False
        self._scripts: list[Cancellable] = []

    @property
    def reason(self) -> StopReason | None:
        """Why the work has to stop; None as long as it may go on."""
        return self._reason

    def halt(self, reason: StopReason) -> None:
        """Stop the script on the server, or whatever is waited for; from any thread, more than once.

        :param reason: why.
        """
        with self._changed:
            if self._reason is None:
                self._reason = reason
            scripts = list(self._scripts)
            self._changed.notify_all()
        for script in scripts:
            _stop_script(script)

    def raise_if_released(self) -> None:
        """Raise if the work is to be left for another process.

        :raises ExecutionReleasedError: then.
        """
        if self._reason is StopReason.RELEASED:
            raise ExecutionReleasedError(f"{self._label} is left for another process to take over")

    def wake(self) -> None:
        """End a pause that waits to be woken, or the next one."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def pause(self, seconds: float, *, until_woken: bool = False) -> None:
        """Wait, until it is time or the work has to stop.

        :param seconds: how long at most.
        :param until_woken: whether :meth:`wake` ends it too.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._reason is not None or (until_woken and self._woken), timeout=seconds)
            self._woken = False

    @contextlib.contextmanager
    def stops(self, script: Cancellable) -> Iterator[None]:
        """Make a script one that :meth:`halt` stops, while the block runs; one for an output may run within another's.

        :param script: the script, about to run.
        """
        with self._changed:
            self._scripts.append(script)
            stopped = self._reason is not None
        if stopped:
            _stop_script(script)
        try:
            yield
        finally:
            with self._changed:
                self._scripts.remove(script)


def _stop_script(script: Cancellable) -> None:
    """Send attentions until the server lets go, from a thread of its own: who asked must not wait for that."""
    threading.Thread(
        target=script.cancel,
        kwargs={"patience": _STOP_PATIENCE_SECONDS},
        name="elasticjobs-stop",
        daemon=True,
    ).start()

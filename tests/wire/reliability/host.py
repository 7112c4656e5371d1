"""A process that hosts scripts as an Airflow worker or triggerer does, without the rest of an Airflow.

``python -m tests.wire.reliability.host worker|deferrable`` reads an order a line from its standard input, runs the
package's own operator or trigger for it, and writes a line when it begins and one when it ends. A worker runs each
order in a forked process, as Airflow's does; a triggerer runs all in one event loop.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from typing import Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred
from airflow.sdk.module_loading import import_string

from airflow_provider_elasticjobs import ElasticJobOperator
from tests.unit.operators.contexts import context

_EVENTS = {"TaskSuccessEvent": "success", "TaskSkippedEvent": "skipped", "TaskFailedEvent": "failed"}


def _say(order: dict[str, Any], state: str) -> None:
    line = json.dumps({"id": order["id"], "state": state, "pid": os.getpid()}) + "\n"
    os.write(1, line.encode())


def _operator(order: dict[str, Any], *, deferrable: bool) -> ElasticJobOperator:
    return ElasticJobOperator(task_id="run", deferrable=deferrable, **order["arguments"])


def _execute(order: dict[str, Any], *, deferrable: bool) -> None:
    _operator(order, deferrable=deferrable).execute(context(map_index=0, try_number=order["try_number"]))


def _work(order: dict[str, Any]) -> None:
    _say(order, "begun")
    try:
        _execute(order, deferrable=False)
        _say(order, "success")
    except AirflowSkipException:
        _say(order, "skipped")
    except AirflowFailException:
        _say(order, "failed")
    except BaseException as error:  # noqa: BLE001 what a worker would show as a crash
        _say(order, f"error: {error}")
    os._exit(0)


def as_worker() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        if os.fork() == 0:
            _work(order)


async def _defer(order: dict[str, Any]) -> None:
    _say(order, "begun")
    try:
        _execute(order, deferrable=True)
    except TaskDeferred as deferred:
        path, arguments = deferred.trigger.serialize()
    trigger = import_string(path)(**json.loads(json.dumps(arguments)))
    async for event in trigger.run():
        _say(order, _EVENTS[type(event).__name__])


async def as_triggerer() -> None:
    loop, orders = asyncio.get_running_loop(), asyncio.Queue[dict[str, Any]]()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(orders.put_nowait, json.loads(line))

    threading.Thread(target=read, daemon=True).start()
    tasks = set()
    while True:
        tasks.add(asyncio.create_task(_defer(await orders.get())))


if __name__ == "__main__":
    if sys.argv[1] == "worker":
        as_worker()
    else:
        asyncio.run(as_triggerer())

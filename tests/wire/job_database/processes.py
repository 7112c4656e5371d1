"""The same work in several processes at once: what threads of one process cannot show."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from typing import Any

from airflow_provider_elasticjobs.job_database.database import JobDatabase
from tests.wire.conftest import LiveServer

__all__ = ["in_processes"]

_SECONDS = 600


def in_processes(
    server: LiveServer, database: str, work: Callable[[JobDatabase, Any, Any], Any], parts: Sequence[Any]
) -> list[Any]:
    """Run ``work(db, part, barrier)`` in a process of its own for each part, and return what each returned.

    :param server: the server of the job database.
    :param database: the job database, which each process connects to by itself.
    :param work: a function of a module; the barrier lets all processes go on together, as often as it is waited for.
    :param parts: what each process is given.
    :raises AssertionError: with the error of a process that failed.
    """
    spawn = multiprocessing.get_context("spawn")
    answers, barrier = spawn.Queue(), spawn.Barrier(len(parts))
    processes = [
        spawn.Process(target=_run, args=((server, database), (work, number, part), barrier, answers), daemon=True)
        for number, part in enumerate(parts)
    ]
    for process in processes:
        process.start()
    found = dict(answers.get(timeout=_SECONDS) for _ in parts)
    for process in processes:
        process.join(timeout=30)
    failures = [answer for answer in found.values() if isinstance(answer, BaseException)]
    assert failures == []
    return [found[number] for number in range(len(parts))]


def _run(where: tuple[LiveServer, str], work: tuple[Callable[..., Any], int, Any], barrier: Any, answers: Any) -> None:
    (server, database), (function, number, part) = where, work
    db = server.job_database(database, pool_size=8)
    try:
        answers.put((number, function(db, part, barrier)))
    except BaseException as error:  # noqa: BLE001 handed to the test
        barrier.abort()
        answers.put((number, error))
    finally:
        db.close()

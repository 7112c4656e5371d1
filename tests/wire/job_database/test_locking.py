"""The lock that lets one at a time: whoever gets it sees what its last holder wrote."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import Session
from airflow_provider_elasticjobs.job_database.locking import take_lock
from tests.wire.conftest import LIVE_SERVER, LiveServer

THREADS, ROUNDS = 4, 5 if LIVE_SERVER else 40

_READ = Batch("SELECT number FROM counter;")
_WRITE = Batch("UPDATE counter SET number = @number;", number="int")


def test_nothing_that_was_read_under_the_lock_is_old(server: LiveServer, new_database: Callable[[], str]) -> None:
    """A lock that is free before its transaction has been committed loses an update now and then."""
    name = new_database()
    server.execute("CREATE TABLE counter (number int); INSERT INTO counter VALUES (0);", name)
    db = server.job_database(name, pool_size=THREADS)

    def count(session: Session) -> None:
        take_lock(session, "counting")
        session.run(_WRITE, number=session.run(_READ)[0].number + 1)

    def rounds(_: int) -> None:
        for _ in range(ROUNDS):
            db.transact(count)

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(rounds, range(THREADS)))
    assert db.run(_READ)[0].number == THREADS * ROUNDS
    db.close()

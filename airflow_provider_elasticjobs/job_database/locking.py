"""One at a time: an application lock in the job database, held to the end of a transaction."""

from __future__ import annotations

from airflow_provider_elasticjobs.exceptions import JobDatabaseError
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import Session

__all__ = ["take_lock"]

_MEANINGS = {-1: "another process held it for two minutes", -2: "the request was cancelled", -3: "it was in a deadlock"}

_LOCK = Batch(
    """
DECLARE @result int;
EXEC @result = sp_getapplock @Resource = @name, @LockMode = 'Exclusive', @LockOwner = 'Transaction',
    @LockTimeout = 120000;
SELECT @result AS result;
""",
    name="nvarchar(255)",
)


def take_lock(session: Session, name: str) -> None:
    """Wait for the lock of this name; it is held until the session's transaction ends.

    :param session: a session in a transaction.
    :param name: the lock's name, one per kind of work.
    :raises JobDatabaseError: if it was not granted.
    """
    result = session.run(_LOCK, name=f"elasticjobs.{name}")[0].result
    if result < 0:
        raise JobDatabaseError(f"no lock {name!r} in the job database: {_MEANINGS.get(result, result)}")

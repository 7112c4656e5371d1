"""What a DBA types: scripts in the manner of the public tutorials, run from top to bottom on an empty job database."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from airflow_provider_elasticjobs.job_database.install import upgrade
from tests.job_database_invariants import broken_invariants
from tests.wire.conftest import LiveServer
from tests.wire.job_database.procedures import Procedures

SCRIPTS = Path(__file__).parent / "scripts"
ORDER = ("create_and_run", "schedule_and_update", "monitor_and_stop", "delete_and_purge")


def test_the_scripts_run_from_top_to_bottom(server: LiveServer, new_database: Callable[[], str]) -> None:
    job_database = server.job_database(new_database())
    upgrade(job_database)
    connection = server.connect(job_database.database)
    client = Procedures(connection)
    for name in ORDER:
        script = (SCRIPTS / f"{name}.sql").read_text(encoding="utf-8")
        for batch in re.split(r"(?m)^GO\s*$", script):
            client.script(batch)
        assert broken_invariants(job_database) == []
    connection.close()
    job_database.close()


def test_every_script_is_in_the_order() -> None:
    assert sorted(path.stem for path in SCRIPTS.iterdir()) == sorted(ORDER)

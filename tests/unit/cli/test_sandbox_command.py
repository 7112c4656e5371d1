"""The command in a process of its own: it answers signals, so it cannot run in a thread of the tests."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_elasticjobs.connections.connect import connect
from airflow_provider_elasticjobs.connections.fields import settings_from_fields

_SERVE = """
from argparse import Namespace
from airflow_provider_elasticjobs.cli.sandbox import serve
serve(Namespace(file=None))
"""


@pytest.fixture
def served() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", _SERVE], stdout=subprocess.PIPE, text=True) as process:
        yield process
        if process.poll() is None:
            process.kill()


def _printed(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if line == "}\n":
            break
    found: dict[str, Any] = json.loads("".join(lines))
    return found


@pytest.mark.sandbox_only
def test_its_connections_lead_to_it_until_it_is_told_to_end(served: subprocess.Popen[str]) -> None:
    described = _printed(served)["elasticjobs_job_database"]
    fields = {name: described[name] for name in ("login", "password", "host", "schema")}
    settings = settings_from_fields(**fields, port=None, extra=json.loads(described["extra"]))
    connection = connect(settings)
    try:
        assert connection.execute("SELECT DB_NAME()").fetchval() == "job_database"
    finally:
        connection.close()
    served.send_signal(signal.SIGTERM)
    assert served.wait(30) == 0

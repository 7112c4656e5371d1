"""Unit tests know Airflow's classes, and none of its databases: its home is a folder that goes away."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

_HOME = tempfile.mkdtemp(prefix="elasticjobs-airflow-home-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)

# Airflow reads these once, when it is first imported, which is before any fixture.
os.environ["AIRFLOW_HOME"] = _HOME
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"

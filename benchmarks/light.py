"""What a DAG file costs Airflow: seconds to import the package and to parse a file, in a process that does only that.

``python -m benchmarks.light import`` and ``python -m benchmarks.light parse`` print the seconds.
"""

from __future__ import annotations

import importlib
import runpy
import sys
import time
from pathlib import Path

__all__ = ["import_seconds", "parse_seconds"]

_FILE = Path(__file__).parent / "dags" / "parsing" / "five_steps.py"
_PACKAGE = "airflow_provider_elasticjobs"
#: What every DAG file with an operator and a trigger of any provider has imported before it is at its own work.
_AIRFLOW = (
    ("airflow.sdk", ("DAG", "BaseHook", "BaseOperator", "TaskGroup", "XComArg")),
    ("airflow.sdk.definitions.mappedoperator", ("MappedOperator",)),
    ("airflow.triggers.base", ("BaseTrigger",)),
)
_NAMES = ("ElasticJob", "JobStep", "SqlDatabase", "SqlServer", "TargetGroup")


def _import_airflow() -> None:
    for module, names in _AIRFLOW:
        found = importlib.import_module(module)
        for name in names:
            getattr(found, name)


def _import_package() -> None:
    package = importlib.import_module(_PACKAGE)
    for name in _NAMES:
        getattr(package, name)


def import_seconds() -> float:
    """Return the seconds to import what a DAG file needs of the package, Airflow's own modules being there."""
    _import_airflow()
    began = time.perf_counter()
    _import_package()
    return time.perf_counter() - began


def parse_seconds() -> float:
    """Return the seconds to run a DAG file with a job of five steps for the first time, its imports being there."""
    _import_airflow()
    _import_package()
    began = time.perf_counter()
    runpy.run_path(str(_FILE))
    return time.perf_counter() - began


if __name__ == "__main__":
    measure = {"import": import_seconds, "parse": parse_seconds}[sys.argv[1]]
    sys.stdout.write(f"{measure():.6f}\n")

"""Loads what the tasks of an elastic job need, once, in the processes that Airflow forks others from.

Tasks of a LocalExecutor are processes forked from the scheduler, and a file is parsed in one forked from the DAG
processor. What these have loaded is there in all of them; anything else each loads again, for a task or a file at a
time. The triggerer is spared it while its triggers wait.
"""

from __future__ import annotations

import logging
from importlib import import_module

from airflow.listeners import hookimpl
from airflow.sdk.configuration import conf

__all__ = ["on_starting"]

_log = logging.getLogger(__name__)

#: What the class of a component is called that is the scheduler, the DAG processor or the triggerer; a task is another
#: one, and loads for itself what it needs.
_COMPONENT = "Job"

#: With all that they import: what a DAG file names, what runs scripts, and what Airflow itself loads only to map a task
#: and to render a template.
_MODULES = (
    "airflow_provider_elasticjobs.task_groups.elastic_job",
    "airflow_provider_elasticjobs.triggers.target_run",
    "airflow.providers.standard.operators.empty",
    "jinja2.ext",
)


@hookimpl
def on_starting(component: object) -> None:
    """Load the modules, unless ``[elasticjobs] preload`` is off.

    :param component: what of Airflow starts.
    """
    if type(component).__name__ != _COMPONENT or not conf.getboolean("elasticjobs", "preload", fallback=True):
        return
    for module in _MODULES:
        try:
            import_module(module)
        except Exception:  # noqa: BLE001, PERF203 a missing driver is the tasks' matter, they will say it
            _log.info("%s cannot be loaded ahead", module, exc_info=True)

"""The scripts of a job as they were written: the text of a ``.sql`` file, with its templates as they stand.

A job's definition must not change from run to run, or each run would make a new version; so it holds a script's source.
What a template becomes in one run is seen in the task's rendered fields.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import jinja2

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.model.job import Job, JobStep

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

__all__ = ["with_command_sources"]

_FILE_SUFFIX = ".sql"


def with_command_sources(job: Job, task: BaseOperator) -> Job:
    """Return the job with the text of each ``.sql`` file in place of its path.

    :param job: the job as its author wrote it.
    :param task: a task of its DAG; paths are looked for as Airflow does for that task.
    :raises DefinitionError: if a file is not there, naming the step.
    """
    if not any(step.command.endswith(_FILE_SUFFIX) for step in job.steps):
        return job
    environment = task.get_template_env()
    steps = [replace(step, command=_source(step, environment)) for step in job.steps]
    return Job(job.name, steps, description=job.description)


def _source(step: JobStep, environment: jinja2.Environment) -> str:
    if not step.command.endswith(_FILE_SUFFIX):
        return step.command
    if environment.loader is None:
        raise DefinitionError(f"step {step.name!r}: the DAG has no folder to find {step.command!r} in")
    try:
        return environment.loader.get_source(environment, step.command)[0]
    except jinja2.TemplateNotFound:
        raise DefinitionError(f"step {step.name!r}: the file {step.command!r} was not found beside the DAG") from None

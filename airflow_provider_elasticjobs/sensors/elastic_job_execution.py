"""The sensor that waits until a run of a job has come to a lifecycle."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator
from airflow.sdk.bases.sensor import PokeReturnValue
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.job_database.history import job_lifecycle
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.operators.execution_request import execution_id
from airflow_provider_elasticjobs.triggers.defaults import DEFAULT_JOB_DATABASE
from airflow_provider_elasticjobs.triggers.process import connection_settings, open_job_database

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["ElasticJobExecutionSensor"]

_TERMINAL = tuple(str(each) for each in Lifecycle if not each.is_active)
_BAD = tuple(str(each) for each in Lifecycle if not each.is_active and not each.is_good)


class ElasticJobExecutionSensor(BaseSensorOperator):
    """Waits until a run of a job has one of some lifecycles, and returns which; fails on a bad one.

    It reads one row each ``poke_interval``, whoever runs the job. A run that ends in a lifecycle that is not waited for
    fails the task, because it stays so; so does one that the job database does not know, unless it may come later.

    :param job_execution_id: the run, as :class:`StartElasticJobOperator` returns it; a template.
    :param lifecycles: what is waited for; default: every one that ends a run.
    :param failing: what fails the task; default: ``Failed``, ``TimedOut`` and ``Canceled``. Empty: the task succeeds
        however the run ends.
    :param may_come_later: also wait while the job database does not know the run.
    :param poke_interval: seconds between two looks; default 10.
    :param job_database_conn_id: Airflow connection of the job database.
    :raises DefinitionError: if a lifecycle is not one of the ten.
    """

    template_fields: Sequence[str] = ("job_execution_id", "job_database_conn_id")
    ui_color = "#d9ead3"

    def __init__(
        self,
        *,
        job_execution_id: str,
        lifecycles: Collection[str] = _TERMINAL,
        failing: Collection[str] = _BAD,
        may_come_later: bool = False,
        poke_interval: float = 10,
        job_database_conn_id: str = DEFAULT_JOB_DATABASE,
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, **kwargs)
        self.job_execution_id = job_execution_id
        self.lifecycles = self._known(lifecycles)
        self.failing = self._known(failing)
        self.may_come_later = may_come_later
        self.job_database_conn_id = job_database_conn_id

    def poke(self, context: Context) -> PokeReturnValue:  # noqa: ARG002 Airflow's signature
        """Look once.

        :raises AirflowFailException: if the run is in a failing lifecycle, has ended otherwise, or is not known.
        """
        database = open_job_database(connection_settings(self.job_database_conn_id))
        try:
            lifecycle = job_lifecycle(database, execution_id(self.job_execution_id))
        finally:
            database.close()
        if lifecycle is None:
            if self.may_come_later:
                return PokeReturnValue(is_done=False)
            raise AirflowFailException(f"there is no run {self.job_execution_id} in the job database")
        self.log.info("Run %s is %s", self.job_execution_id, lifecycle)
        if lifecycle in self.failing or (not lifecycle.is_active and lifecycle not in self.lifecycles):
            raise AirflowFailException(f"run {self.job_execution_id} is {lifecycle}")
        return PokeReturnValue(is_done=lifecycle in self.lifecycles, xcom_value=str(lifecycle))

    def _known(self, names: Collection[str]) -> list[str]:
        """Return the names spelled as in the view."""
        spelled = {each.value.casefold(): each.value for each in Lifecycle}
        unknown = [str(name) for name in names if str(name).casefold() not in spelled]
        if isinstance(names, str) or unknown:
            known = ", ".join(spelled.values())
            raise DefinitionError(f"task {self.task_id!r}: {names!r} is not a list of lifecycles; known: {known}")
        return [spelled[str(name).casefold()] for name in names]

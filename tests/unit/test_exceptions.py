from __future__ import annotations

import copy
import pickle

import pytest

from airflow_provider_elasticjobs import exceptions


@pytest.mark.parametrize("name", exceptions.__all__)
def test_errors_keep_what_failed_when_they_cross_a_process(name: str) -> None:
    error = getattr(exceptions, name)("m", server="s", database="d", step_name="step", attempt=2, number=1205)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 our own bytes
        assert type(again) is type(error)
        assert vars(again) == vars(error)
        assert str(again) == "m"


def test_every_error_is_in_the_tree() -> None:
    assert sorted(exceptions.__all__) == exceptions.__all__
    assert all(issubclass(getattr(exceptions, name), exceptions.ElasticJobsError) for name in exceptions.__all__)

from __future__ import annotations

from airflow_provider_elasticjobs.model.messages import waiting_for_pool, waiting_for_server


def test_what_a_target_waits_for_names_the_cap_and_the_place() -> None:
    assert waiting_for_pool(2, "p", "s") == "Waiting for one of 2 places of elastic pool 'p' on server 's'."
    assert waiting_for_server(1, "s") == "Waiting for the only place of server 's'."


def test_the_longest_names_fit_the_column() -> None:
    assert len(waiting_for_pool(2_147_483_647, "p" * 128, "s" * 256)) <= 600

"""The connection type, as Airflow's form and its "Test" button show it."""

from __future__ import annotations

from typing import Any

from tests.airflow.world import World


def _form(world: World) -> dict[str, Any]:
    airflow = world.airflow
    kinds = airflow._send("GET", "/ui/connections/hook_meta", None, {"Authorization": f"Bearer {airflow.token()}"})
    (form,) = [kind for kind in kinds if kind["connection_type"] == "elasticjobs"]
    return dict(form)


def test_the_form_names_every_field_and_says_what_it_is_for(world: World) -> None:
    fields = _form(world)["extra_fields"]
    assert {"authentication", "client_id", "tenant_id", "host_map", "encrypt", "login_timeout"} <= set(fields)
    for name, field in fields.items():
        assert field["schema"].get("title") or field.get("title"), name
        assert field.get("description"), name
    assert "managed_identity" in fields["authentication"]["schema"]["enum"]


def test_the_button_says_whether_the_connection_works(world: World) -> None:
    connection = world.airflow.api("GET", "/connections/elasticjobs_job_database")
    fields = ("connection_id", "conn_type", "host", "login", "schema", "port", "extra")
    wanted = {key: connection[key] for key in fields}
    answer = world.airflow.api("POST", "/connections/test", wanted)
    assert answer["status"] is True, answer
    assert "Connected to" in answer["message"]
    refused = world.airflow.api("POST", "/connections/test", {**wanted, "schema": "no_such_database"})
    assert refused["status"] is False
    assert "no_such_database" in refused["message"]

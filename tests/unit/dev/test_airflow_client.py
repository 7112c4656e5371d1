from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from dev.airflow_client import AirflowApiError, AirflowClient, connection_fields, every

Answer = tuple[int, Any]


class ApiServer:
    """Answers as it is told and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.tokens: list[str | None] = []
        self._answers: dict[tuple[str, str], list[Answer]] = {("POST", "/auth/token"): [(201, {"access_token": "t0"})]}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def answer(self, method: str, path: str, *answers: Answer) -> None:
        """The answers to come, the last one for ever."""
        self._answers[method, f"/api/v2/{path}"] = list(answers)

    def bodies(self, method: str, path: str) -> list[Any]:
        return [body for *asked, body in self.asked if asked == [method, f"/api/v2/{path}"]]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                api.asked.append((self.command, self.path, json.loads(self.rfile.read(length)) if length else None))
                api.tokens.append(self.headers.get("Authorization"))
                answers = api._answers.get((self.command, self.path), [(404, {"detail": "not found"})])
                status, body = answers.pop(0) if len(answers) > 1 else answers[0]
                self.send_response(status)
                self.end_headers()
                self.wfile.write(b"" if body is None else json.dumps(body).encode())

            def log_message(self, *args: object) -> None:
                pass

        for method in ("GET", "POST", "PATCH", "DELETE"):
            setattr(Handler, f"do_{method}", Handler.handle_any)
        return Handler


@pytest.fixture
def server() -> Iterator[ApiServer]:
    started = ApiServer()
    yield started
    started.close()


@pytest.fixture
def client(server: ApiServer) -> AirflowClient:
    return AirflowClient(server.url, "admin", "secret word")


def test_it_logs_in_once_and_shows_the_token(server: ApiServer, client: AirflowClient) -> None:
    server.answer("GET", "version", (200, {"version": "3"}))
    assert client.api("GET", "version") == {"version": "3"}
    assert client.api("GET", "/version") == {"version": "3"}
    logins = [body for method, path, body in server.asked if path == "/auth/token"]
    assert logins == [{"username": "admin", "password": "secret word"}]
    assert server.tokens[1:] == ["Bearer t0", "Bearer t0"]


def test_a_refusal_says_what_was_asked_and_what_was_answered(server: ApiServer, client: AirflowClient) -> None:
    server.answer("DELETE", "pools/x", (403, {"detail": "no rights"}))
    with pytest.raises(AirflowApiError, match=r"DELETE /api/v2/pools/x: 403 .*no rights") as caught:
        client.api("DELETE", "pools/x")
    assert caught.value.status == 403
    assert "secret word" not in str(caught.value)


def test_an_empty_answer_is_none(server: ApiServer, client: AirflowClient) -> None:
    server.answer("DELETE", "pools/x", (204, None))
    assert client.api("DELETE", "pools/x") is None


def test_health_by_component(server: ApiServer, client: AirflowClient) -> None:
    server.answer("GET", "monitor/health", (200, {"scheduler": {"status": "healthy"}, "triggerer": None}))
    assert client.health() == {"scheduler": "healthy", "triggerer": "None"}


def test_a_server_that_is_down_has_no_health(server: ApiServer, client: AirflowClient) -> None:
    server.close()
    assert client.health() == {}
    with pytest.raises(AirflowApiError, match="POST /auth/token") as caught:
        client.api("GET", "version")
    assert caught.value.status == 0


def test_the_proxy_of_the_environment_is_not_asked(
    server: ApiServer, client: AirflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    server.answer("GET", "version", (200, {"version": "3"}))
    assert client.api("GET", "version") == {"version": "3"}


def test_trigger_waits_for_the_dag_unpauses_it_and_names_the_run(server: ApiServer, client: AirflowClient) -> None:
    server.answer("GET", "dags/job1", (404, {}), (200, {}))
    server.answer("PATCH", "dags/job1", (200, {}))
    server.answer("POST", "dags/job1/dagRuns", (200, {"dag_run_id": "mine"}))
    assert client.trigger("job1", "mine", {"a": 1}) == "mine"
    assert server.bodies("PATCH", "dags/job1") == [{"is_paused": False}]
    (body,) = server.bodies("POST", "dags/job1/dagRuns")
    assert (body["dag_run_id"], body["conf"]) == ("mine", {"a": 1})


def test_a_dag_that_does_not_appear_shows_the_import_errors(server: ApiServer, client: AirflowClient) -> None:
    server.answer("GET", "importErrors", (200, {"import_errors": [{"stack_trace": "SyntaxError: job1.py"}]}))
    with pytest.raises(AirflowApiError, match=r"DAG job1 did not appear within 0.1 s. SyntaxError: job1.py"):
        client.wait_for_dag("job1", 0.1)


def test_another_error_than_not_found_ends_the_wait_for_a_dag(server: ApiServer, client: AirflowClient) -> None:
    server.answer("GET", "dags/job1", (500, {}))
    with pytest.raises(AirflowApiError, match="500"):
        client.wait_for_dag("job1", 60)


BUSY = (500, {"detail": {"reason": "Database error"}})


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dev.airflow_client.time.sleep", lambda _: None)


@pytest.mark.usefixtures("no_pause")
def test_a_busy_database_is_asked_again_for_a_while(server: ApiServer, client: AirflowClient) -> None:
    server.answer("GET", "version", BUSY, BUSY, (200, {"version": "3"}))
    assert client.api("GET", "version") == {"version": "3"}
    server.answer("GET", "version", BUSY)
    with pytest.raises(AirflowApiError, match="Database error"):
        client.api("GET", "version")


@pytest.mark.usefixtures("no_pause")
@pytest.mark.parametrize("last", [(200, {}), (409, {"detail": "it is there"})])
def test_a_run_is_begun_once_however_busy_the_database_is(
    server: ApiServer, client: AirflowClient, last: Answer
) -> None:
    server.answer("GET", "dags/job1", (200, {}))
    server.answer("PATCH", "dags/job1", BUSY, (200, {}))
    server.answer("POST", "dags/job1/dagRuns", BUSY, last)
    name = client.trigger("job1")
    assert [body["dag_run_id"] for body in server.bodies("POST", "dags/job1/dagRuns")] == [name, name]


@pytest.mark.usefixtures("no_pause")
@pytest.mark.parametrize("answers", [[BUSY], [(409, {"detail": "it was there before"})]])
def test_a_run_that_cannot_be_begun_is_an_error(
    server: ApiServer, client: AirflowClient, answers: list[Answer]
) -> None:
    server.answer("GET", "dags/job1", (200, {}))
    server.answer("PATCH", "dags/job1", (200, {}))
    server.answer("POST", "dags/job1/dagRuns", *answers)
    with pytest.raises(AirflowApiError, match=r"Database error|409"):
        client.trigger("job1", "mine")


@pytest.mark.usefixtures("no_pause")
def test_what_changes_something_is_sent_again_as_well(server: ApiServer, client: AirflowClient) -> None:
    server.answer("POST", "pools", BUSY, (409, {}))
    server.answer("PATCH", "pools/wide", (200, {}))
    client.set_pool("wide", 7)
    assert len(server.bodies("POST", "pools")) == 2
    assert [body["slots"] for body in server.bodies("PATCH", "pools/wide")] == [7]


def test_names_are_escaped_in_addresses(server: ApiServer, client: AirflowClient) -> None:
    server.answer("GET", "dags/a%2Fb/dagRuns/manual__2026-01-01T00%3A00%2B00", (200, {"state": "success"}))
    assert client.run_state("a/b", "manual__2026-01-01T00:00+00") == "success"


def test_wait_for_run_returns_the_final_state(server: ApiServer, client: AirflowClient) -> None:
    states: list[Answer] = [(200, {"state": "queued"}), (200, {"state": "failed"})]
    server.answer("GET", "dags/d/dagRuns/r", *states)
    assert client.wait_for_run("d", "r", 20) == "failed"


def test_a_run_that_does_not_end_names_its_tasks(server: ApiServer, client: AirflowClient) -> None:
    server.answer("GET", "dags/d/dagRuns/r", (200, {"state": "running"}))
    instance = {"task_id": "g.step1", "map_index": 4, "state": "deferred"}
    page = {"task_instances": [instance], "total_entries": 1}
    server.answer("GET", "dags/d/dagRuns/r/taskInstances?limit=100&offset=0", (200, page))
    with pytest.raises(AirflowApiError, match=r"d r did not end within 0.1 s: g.step1\[4\] deferred"):
        client.wait_for_run("d", "r", 0.1)


def test_task_instances_of_all_pages(server: ApiServer, client: AirflowClient) -> None:
    path = "dags/d/dagRuns/r/taskInstances?limit=100&offset="
    server.answer("GET", path + "0", (200, {"task_instances": [{"n": 1}, {"n": 2}], "total_entries": 3}))
    server.answer("GET", path + "2", (200, {"task_instances": [{"n": 3}], "total_entries": 3}))
    assert [instance["n"] for instance in client.task_instances("d", "r")] == [1, 2, 3]


def test_a_log_line_shows_level_text_and_the_rest(server: ApiServer, client: AirflowClient) -> None:
    events = [{"level": "warning", "event": "went", "timestamp": "t", "server": "s"}, {"event": "plain"}, "raw"]
    path = "dags/d/dagRuns/r/taskInstances/t/logs/2?map_index=7&full_content=true"
    server.answer("GET", path, (200, {"content": events}))
    assert client.task_log("d", "r", "t", 7, 2).splitlines() == ["WARNING went server=s", "INFO plain", "raw"]


@pytest.mark.parametrize(("map_index", "suffix"), [(-1, ""), (0, "/0"), (3, "/3")])
def test_marking_a_task(server: ApiServer, client: AirflowClient, map_index: int, suffix: str) -> None:
    path = f"dags/d/dagRuns/r/taskInstances/g.t{suffix}"
    server.answer("PATCH", path, (200, {}))
    client.set_task_state("d", "r", "g.t", "failed", map_index)
    assert server.bodies("PATCH", path) == [{"new_state": "failed"}]


def test_clearing_some_tasks_or_all(server: ApiServer, client: AirflowClient) -> None:
    server.answer("POST", "dags/d/clearTaskInstances", (200, {}))
    client.clear("d", "r", [("g.t", 3)], only_failed=False)
    client.clear("d", "r", downstream=False)
    some, every_one = server.bodies("POST", "dags/d/clearTaskInstances")
    assert some["task_ids"] == [["g.t", 3]]
    assert (some["only_failed"], some["include_downstream"], some["dry_run"]) == (False, True, False)
    assert "task_ids" not in every_one
    assert (every_one["only_failed"], every_one["include_downstream"]) == (True, False)


def test_a_connection_that_exists_is_replaced(server: ApiServer, client: AirflowClient) -> None:
    server.answer("POST", "connections", (409, {}))
    server.answer("PATCH", "connections/c", (200, {}))
    client.add_connection("c", {"conn_type": "mssql", "extra": {"a": 1}})
    expected = {"connection_id": "c", "conn_type": "mssql", "extra": '{"a": 1}'}
    assert server.bodies("POST", "connections") == server.bodies("PATCH", "connections/c") == [expected]


def test_a_connection_that_is_refused(server: ApiServer, client: AirflowClient) -> None:
    server.answer("POST", "connections", (422, {"detail": "bad type"}))
    with pytest.raises(AirflowApiError, match="bad type"):
        client.add_connection("c", "mssql://h")


def test_a_pool_is_created_or_resized(server: ApiServer, client: AirflowClient) -> None:
    server.answer("POST", "pools", (201, {}), (409, {}))
    server.answer("PATCH", "pools/JA100", (200, {}))
    client.set_pool("JA100", 100)
    client.set_pool("JA100", 3, include_deferred=False)
    assert server.bodies("POST", "pools")[0] == {"name": "JA100", "slots": 100, "include_deferred": True}
    assert server.bodies("PATCH", "pools/JA100") == [{"pool": "JA100", "slots": 3, "include_deferred": False}]


def test_marking_a_run(server: ApiServer, client: AirflowClient) -> None:
    server.answer("PATCH", "dags/d/dagRuns/r", (200, {}))
    client.set_run_state("d", "r", "failed")
    assert server.bodies("PATCH", "dags/d/dagRuns/r") == [{"state": "failed"}]


def test_the_parts_of_a_connection_uri() -> None:
    fields = connection_fields("google-cloud://us%40er:p%2Fw@host:1433/data%20base?a=1&b=x")
    assert fields == {
        "conn_type": "google_cloud",
        "login": "us@er",
        "password": "p/w",
        "host": "host",
        "port": 1433,
        "schema": "data base",
        "extra": '{"a": "1", "b": "x"}',
    }


def test_a_connection_uri_with_nested_extra_or_next_to_nothing() -> None:
    assert connection_fields('mssql://?__extra__={"host_map": {}}')["extra"] == '{"host_map": {}}'
    assert connection_fields("mssql://h") == {"conn_type": "mssql", "host": "h", "port": None, "extra": None}


def test_every_yields_at_once_and_ends() -> None:
    assert next(every(600, 600)) is None
    assert list(every(0.01, 0)) == []

"""The parts of Airflow's REST API (version 2) that the tests and the demo use, on the standard library alone."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

RUN_ENDED = frozenset({"success", "failed"})


class AirflowApiError(Exception):
    """The API server refused a request, did not answer, or something awaited did not happen.

    :param message: what happened
    :param status: HTTP status, 0 without an answer

    ``tries`` is how often it was sent.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.tries = 1


def quote(part: str) -> str:
    """Return one part of an address, escaped.

    :param part: a name, with slashes perhaps
    """
    return urllib.parse.quote(part, safe="")


#: How long a request may take: writers of a busy scheduler's SQLite database wait for each other.
_PATIENCE_SECONDS = 180
#: What the API server answers when it has waited for them too long, and how often something is sent then.
_DATABASE_ERROR, _TRIES = "Database error", 10
_CONFLICT = 409


class AirflowClient:
    """Talks to one API server as one user.

    :param url: address without a slash at its end
    :param username: who logs in, with the simple auth manager
    :param password: of the same
    """

    def __init__(self, url: str, username: str, password: str) -> None:
        self.url = url
        self.username = username
        self.password = password
        self._token: str | None = None
        # 127.0.0.1 is never behind a proxy, whatever the environment says
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def api(self, method: str, path: str, json: Any = None) -> Any:
        """Send one request to ``/api/v2`` and return the decoded answer (None when it is empty).

        What Airflow's database was too busy for is sent again: nothing of it has been kept, and what it would have made
        is refused if it is there after all.

        :param method: GET, POST, PATCH, DELETE
        :param path: below ``/api/v2``, with its query
        :param json: the body
        :raises AirflowApiError: the server refused or does not answer
        """
        headers = {"Authorization": f"Bearer {self.token()}"}
        tries = 0
        while True:
            tries += 1
            try:
                return self._send(method, f"/api/v2/{path.lstrip('/')}", json, headers)
            except AirflowApiError as error:
                error.tries = tries
                if tries == _TRIES or _DATABASE_ERROR not in str(error):
                    raise
            time.sleep(1)

    def token(self) -> str:
        """Return the token of a login, made once."""
        if self._token is None:
            login = {"username": self.username, "password": self.password}
            self._token = str(self._send("POST", "/auth/token", login, {})["access_token"])
        return self._token

    def health(self) -> dict[str, str]:
        """Return the status of each component ('healthy' or another word); empty while the API server is down."""
        try:
            answer = self._send("GET", "/api/v2/monitor/health", None, {})
        except AirflowApiError:
            return {}
        return {name: str((state or {}).get("status")) for name, state in answer.items()}

    def wait_for_dag(self, dag_id: str, timeout: float = 60) -> None:
        """Wait until Airflow has read a DAG.

        :param dag_id: its name
        :param timeout: seconds
        :raises AirflowApiError: it did not appear; names the import errors there are
        """
        if any(self._has_dag(dag_id) for _ in every(0.5, timeout)):
            return
        errors = [entry["stack_trace"] for entry in self.api("GET", "importErrors")["import_errors"]]
        raise AirflowApiError(f"DAG {dag_id} did not appear within {timeout:g} s. {''.join(errors)}")

    def trigger(self, dag_id: str, run_id: str | None = None, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run of a DAG, waiting for the DAG and unpausing it first; returns the run's id.

        :param dag_id: its name
        :param run_id: name of the run; made up by default
        :param conf: the run's parameters
        """
        self.wait_for_dag(dag_id)
        self.api("PATCH", f"dags/{quote(dag_id)}", {"is_paused": False})
        date = datetime.now(timezone.utc).isoformat()
        name = run_id or f"manual__{date}"
        body = {"dag_run_id": name, "logical_date": date, "conf": dict(conf or {})}
        try:
            self.api("POST", f"dags/{quote(dag_id)}/dagRuns", body)
        except AirflowApiError as error:
            # A try before has begun it, whatever its answer was.
            if error.status != _CONFLICT or error.tries == 1:
                raise
        return name

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run.

        :param dag_id: the DAG
        :param run_id: the run
        """
        return str(self.api("GET", _run(dag_id, run_id))["state"])

    def wait_for_run(self, dag_id: str, run_id: str, timeout: float = 180) -> str:
        """Wait for the end of a run and return its state, 'success' or 'failed'.

        :param dag_id: the DAG
        :param run_id: the run
        :param timeout: seconds
        :raises AirflowApiError: it runs longer; names the tasks that have not ended
        """
        for _ in every(0.5, timeout):
            state = self.run_state(dag_id, run_id)
            if state in RUN_ENDED:
                return state
        states = [f"{ti['task_id']}[{ti['map_index']}] {ti['state']}" for ti in self.task_instances(dag_id, run_id)]
        raise AirflowApiError(f"{dag_id} {run_id} did not end within {timeout:g} s: {', '.join(states)}")

    def set_run_state(self, dag_id: str, run_id: str, state: str) -> None:
        """Mark a run, as the UI's button does.

        :param dag_id: the DAG
        :param run_id: the run
        :param state: 'success', 'failed' or 'queued'
        """
        self.api("PATCH", _run(dag_id, run_id), {"state": state})

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return every task instance of a run as the API describes it.

        :param dag_id: the DAG
        :param run_id: the run
        """
        found: list[dict[str, Any]] = []
        while True:
            page = self.api("GET", f"{_run(dag_id, run_id)}/taskInstances?limit=100&offset={len(found)}")
            found += page["task_instances"]
            if not page["task_instances"] or len(found) >= page["total_entries"]:
                return found

    def task_log(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1, try_number: int = 1) -> str:
        """Return the log of one try of a task, one event a line: its level, its text and what else it carries.

        :param dag_id: the DAG
        :param run_id: the run
        :param task_id: the task, with its group's prefix
        :param map_index: of a mapped task
        :param try_number: the first by default
        """
        path = f"{_run(dag_id, run_id)}/taskInstances/{quote(task_id)}/logs/{try_number}"
        events = self.api("GET", f"{path}?map_index={map_index}&full_content=true")["content"]
        return "\n".join(event if isinstance(event, str) else _log_line(event) for event in events)

    def set_task_state(self, dag_id: str, run_id: str, task_id: str, state: str, map_index: int = -1) -> None:
        """Mark one task instance, as the UI's button does.

        :param dag_id: the DAG
        :param run_id: the run
        :param task_id: the task, with its group's prefix
        :param state: 'failed', 'success' or 'skipped'
        :param map_index: of a mapped task
        """
        mapped = f"/{map_index}" if map_index >= 0 else ""
        self.api("PATCH", f"{_run(dag_id, run_id)}/taskInstances/{quote(task_id)}{mapped}", {"new_state": state})

    def clear(
        self,
        dag_id: str,
        run_id: str,
        tasks: list[str | tuple[str, int]] | None = None,
        *,
        only_failed: bool = True,
        downstream: bool = True,
    ) -> None:
        """Clear task instances, so that they run again.

        :param dag_id: the DAG
        :param run_id: the run
        :param tasks: names of tasks, or pairs of name and map index; all by default
        :param only_failed: those that succeeded stay
        :param downstream: what depends on them, too
        """
        body = {"dry_run": False, "dag_run_id": run_id, "only_failed": only_failed, "include_downstream": downstream}
        self.api("POST", f"dags/{quote(dag_id)}/clearTaskInstances", {**body, "task_ids": tasks} if tasks else body)

    def add_connection(self, conn_id: str, connection: str | Mapping[str, Any]) -> None:
        """Add or replace a connection.

        :param conn_id: its name
        :param connection: an Airflow connection URI, or its fields, with ``extra`` as a mapping or as JSON
        """
        fields = connection_fields(connection) if isinstance(connection, str) else dict(connection)
        if isinstance(fields.get("extra"), Mapping):
            fields["extra"] = json.dumps(fields["extra"])
        body = {"connection_id": conn_id, **fields}
        try:
            self.api("POST", "connections", body)
        except AirflowApiError as error:
            if error.status != _CONFLICT:
                raise
            self.api("PATCH", f"connections/{quote(conn_id)}", body)

    def set_pool(self, name: str, slots: int, *, include_deferred: bool = True) -> None:
        """Create or resize a pool.

        :param name: of the pool
        :param slots: how many tasks hold it at once
        :param include_deferred: deferred tasks count
        """
        size = {"slots": slots, "include_deferred": include_deferred}
        try:
            self.api("POST", "pools", {"name": name, **size})
        except AirflowApiError as error:
            if error.status != _CONFLICT:
                raise
            self.api("PATCH", f"pools/{quote(name)}", {"pool": name, **size})

    def _has_dag(self, dag_id: str) -> bool:
        try:
            self.api("GET", f"dags/{quote(dag_id)}")
        except AirflowApiError as error:
            if error.status != 404:
                raise
            return False
        return True

    def _send(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Any:
        data = None if body is None else json.dumps(body).encode()
        all_headers = {"Content-Type": "application/json", "Accept": "application/json", **headers}
        address = self.url + path
        request = urllib.request.Request(address, data, all_headers, method=method)  # noqa: S310 always http
        try:
            with self._opener.open(request, timeout=_PATIENCE_SECONDS) as response:
                answer = response.read()
        except urllib.error.HTTPError as error:
            with error:
                detail = error.read().decode(errors="replace")[:500]
            raise AirflowApiError(f"{method} {path}: {error.code} {detail}", error.code) from None
        except OSError as error:
            raise AirflowApiError(f"{method} {path}: {error}") from error
        return json.loads(answer) if answer else None


def every(interval: float, timeout: float) -> Iterator[None]:
    """Yield at once and then each time an interval has passed, until the time is over.

    :param interval: seconds
    :param timeout: seconds
    """
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        yield
        time.sleep(interval)


def connection_fields(uri: str) -> dict[str, Any]:
    """Return the fields of an Airflow connection URI.

    :param uri: ``type://login:password@host:port/schema?extra=...``, each part escaped
    """
    parts = urllib.parse.urlsplit(uri)
    query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
    texts = {
        "host": parts.hostname,
        "login": parts.username,
        "password": parts.password,
        "schema": parts.path.lstrip("/"),
    }
    fields: dict[str, Any] = {name: urllib.parse.unquote(text) for name, text in texts.items() if text}
    extra = query.pop("__extra__", None) or (json.dumps(query) if query else None)
    return {"conn_type": parts.scheme.replace("-", "_"), **fields, "port": parts.port, "extra": extra}


def _run(dag_id: str, run_id: str) -> str:
    return f"dags/{quote(dag_id)}/dagRuns/{quote(run_id)}"


def _log_line(event: Mapping[str, Any]) -> str:
    known = {"timestamp", "level", "logger", "event", "filename", "lineno"}
    rest = " ".join(f"{name}={value}" for name, value in event.items() if name not in known and value)
    return f"{str(event.get('level') or 'info').upper()} {event.get('event')} {rest}".rstrip()

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from airflow_provider_elasticjobs.sandbox.activity import LONGEST_LOG, LONGEST_TEXT, Activity, Statement, peak_overlap

START = dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)


def ran(first: int, last: int | None) -> Statement:
    ended = None if last is None else START + dt.timedelta(seconds=last)
    return Statement(1, 51, "db", "app", "x", START + dt.timedelta(seconds=first), ended)


def begin(activity: Activity, text: str = "x", database: str = "db") -> int:
    return activity.begin(session_id=51, database=database, application_name="app", text=text)


def test_overlap_counts_what_ran_at_once() -> None:
    assert peak_overlap([]) == 0
    assert peak_overlap([ran(0, 10), ran(1, 2), ran(3, 4)]) == 2
    assert peak_overlap([ran(0, 10), ran(1, None), ran(3, 4)]) == 3


def test_one_that_ends_as_another_begins_does_not_overlap_it() -> None:
    assert peak_overlap([ran(0, 5), ran(5, 9)]) == 1


def test_sessions_are_counted_in_and_out() -> None:
    activity = Activity()
    for _ in range(3):
        activity.login_succeeded()
    activity.session_closed()
    activity.login_refused()
    counters = activity.counters()
    assert (counters.logins, counters.refused_logins) == (3, 1)
    assert (counters.sessions, counters.peak_sessions) == (2, 3)


def test_running_batches_and_their_peak() -> None:
    activity = Activity()
    first, second = begin(activity), begin(activity)
    activity.end(first, "succeeded")
    third = begin(activity)
    counters = activity.counters()
    assert (counters.batches, counters.running, counters.peak_running) == (3, 2, 2)
    activity.end(second, "cancelled")
    activity.end(third, "failed")
    assert activity.counters().cancelled == 1
    assert [statement.outcome for statement in activity.statements()] == ["succeeded", "cancelled", "failed"]


def test_what_runs_is_in_the_log() -> None:
    activity = Activity()
    begin(activity)
    (statement,) = activity.statements()
    assert (statement.outcome, statement.ended) == ("running", None)


def test_the_log_is_filtered_whatever_the_letter_case() -> None:
    activity = Activity()
    for text, database in (("SELECT 1", "a"), ("insert", "a"), ("select 2", "b")):
        begin(activity, text, database)
    assert [one.text for one in activity.statements(containing="Select")] == ["SELECT 1", "select 2"]
    assert [one.text for one in activity.statements(database="A", containing="select")] == ["SELECT 1"]
    assert activity.peak_running(database="a") == 2


def test_the_log_and_its_texts_are_bounded() -> None:
    activity = Activity()
    for _ in range(LONGEST_LOG + 5):
        activity.end(begin(activity, "x" * (LONGEST_TEXT + 1)), "succeeded")
    log = activity.statements()
    assert len(log) == LONGEST_LOG
    assert log[0].number == 6
    assert len(log[0].text) == LONGEST_TEXT


def test_a_reset_keeps_what_is_open() -> None:
    activity = Activity()
    activity.login_succeeded()
    activity.end(begin(activity), "succeeded")
    running = begin(activity)
    activity.reset()
    counters = activity.counters()
    assert counters == replace(counters, logins=0, sessions=1, peak_sessions=1, batches=0, running=1, peak_running=1)
    assert [one.number for one in activity.statements()] == [running]

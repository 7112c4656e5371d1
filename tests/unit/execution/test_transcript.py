from __future__ import annotations

import logging

import pytest

from airflow_provider_elasticjobs.execution.transcript import KEPT_AT_EACH_END, LONGEST_TEXT, Transcript
from airflow_provider_elasticjobs.job_database.attempts import MOST_MESSAGES
from airflow_provider_elasticjobs.job_database.records import AttemptMessage
from airflow_provider_elasticjobs.tsql.results import Message, ResultSet

Line = tuple[int, str]


@pytest.fixture
def log() -> list[Line]:
    return []


@pytest.fixture
def transcript(log: list[Line]) -> Transcript:
    return Transcript(lambda level, text: log.append((level, text)))


def test_everything_is_logged_and_kept_in_its_order(transcript: Transcript, log: list[Line]) -> None:
    transcript.message(Message(0, "hello", 0, 1, state=1))
    transcript.result(ResultSet(0, 3))
    transcript.result(ResultSet(2, 5))
    transcript.message(Message(8134, "Divide by zero", 16, 4, is_error=True, state=1, procedure="dbo.divide"))
    assert log == [
        (logging.INFO, "hello"),
        (logging.INFO, "3 row(s) affected"),
        (logging.INFO, "Result set of 2 column(s) and 5 row(s)"),
        (logging.ERROR, "Msg 8134, Level 16, Line 4: Divide by zero"),
    ]
    assert transcript.kept() == [
        AttemptMessage("message", "hello", 0, 0, 1, 1),
        AttemptMessage("row count", "3 row(s) affected", rows=3),
        AttemptMessage("result set", "Result set of 2 column(s) and 5 row(s)", rows=5),
        AttemptMessage("error", "Divide by zero", 8134, 16, 1, 4, "dbo.divide"),
    ]


@pytest.mark.parametrize("count", [0, 1, KEPT_AT_EACH_END, KEPT_AT_EACH_END + 1, 2 * KEPT_AT_EACH_END])
def test_up_to_twice_a_hundred_are_all_kept(transcript: Transcript, count: int) -> None:
    for number in range(count):
        transcript.message(Message(0, str(number)))
    assert [one.text for one in transcript.kept()] == [str(number) for number in range(count)]


@pytest.mark.parametrize("more", [1, 2, 1000])
def test_of_more_the_ends_are_kept_and_the_others_counted(transcript: Transcript, log: list[Line], more: int) -> None:
    total = 2 * KEPT_AT_EACH_END + more
    for number in range(total):
        transcript.message(Message(0, str(number)))
    kept = transcript.kept()
    assert len(kept) == MOST_MESSAGES, "as many as one write takes"
    assert [one.text for one in kept[:KEPT_AT_EACH_END]] == [str(number) for number in range(KEPT_AT_EACH_END)]
    assert kept[KEPT_AT_EACH_END] == AttemptMessage("left out", f"{more} message(s) left out", rows=more)
    assert [int(one.text) for one in kept[-KEPT_AT_EACH_END:]] == list(range(total - KEPT_AT_EACH_END, total))
    assert len(log) == total


@pytest.mark.parametrize("text", ["x" * LONGEST_TEXT, "\U0001f4a5" * (LONGEST_TEXT // 2)])
def test_a_text_of_the_longest_print_is_kept_whole(transcript: Transcript, text: str) -> None:
    transcript.message(Message(0, text))
    assert transcript.kept()[0].text == text


@pytest.mark.parametrize("text", ["x" * (LONGEST_TEXT + 1), "\U0001f4a5" * LONGEST_TEXT, "y" + "\U0001f4a5" * 9000])
def test_a_longer_one_is_cut_and_says_so(transcript: Transcript, log: list[Line], text: str) -> None:
    transcript.message(Message(0, text))
    kept, units = transcript.kept()[0].text, len(text.encode("utf-16-le")) // 2
    assert LONGEST_TEXT - 1 <= len(kept.encode("utf-16-le")) // 2 <= LONGEST_TEXT
    beginning, _, note = kept.partition(" ... ")
    assert text.startswith(beginning)
    assert note == f"({units} characters)"
    assert log[0][1] == text

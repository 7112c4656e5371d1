from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.tsql.batches import Batch, split_batches


def texts(script: str) -> list[str]:
    return [batch.text.strip() for batch in split_batches(script)]


def test_a_script_without_go_is_one_batch_exactly_as_written() -> None:
    script = "SELECT 1;\n  SELECT 2 -- x\n"
    assert split_batches(script) == [Batch(script)]


@pytest.mark.parametrize("separator", ["GO", "go", "  Go\t", "GO -- done", "GO /* done */", "/* a */ GO", "GO 1"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_go_alone_on_a_line_separates(separator: str, newline: str) -> None:
    assert texts(newline.join(["SELECT 1", separator, "SELECT 2"])) == ["SELECT 1", "SELECT 2"]


def test_a_count_repeats_the_batch_before_it() -> None:
    assert split_batches("INSERT t DEFAULT VALUES\nGO 3\nSELECT 1") == [
        Batch("INSERT t DEFAULT VALUES\n", 3, 1),
        Batch("SELECT 1", 1, 3),
    ]


@pytest.mark.parametrize(
    "script",
    [
        "PRINT 'a\nGO\nb'",
        "PRINT 'it''s\nGO\n'",
        'SELECT "a\nGO\nb"',
        "SELECT 1 AS [a\nGO\nb]",
        "SELECT 1 AS [a]]\nGO\n]",
        "/* a\nGO\n*/ SELECT 1",
        "/* a /* nested */\nGO\n*/ SELECT 1",
        "SELECT 1 -- '\nAS a",
        "SELECT 1 --\n AS GOAL",
        "again:\nGOTO again",
        "SELECT 1\n-- GO",
        "EXEC GO_home",
        "SELECT '\nGO\n",  # never closed: the server is to say so
    ],
)
def test_go_that_is_text_or_part_of_a_word_does_not_separate(script: str) -> None:
    assert split_batches(script) == [Batch(script)]


def test_a_quote_in_a_comment_does_not_open_a_string() -> None:
    assert texts("SELECT 1 -- don't\nGO\nSELECT 2 /* it's */\nGO\nSELECT 3") == [
        "SELECT 1 -- don't",
        "SELECT 2 /* it's */",
        "SELECT 3",
    ]


@pytest.mark.parametrize("script", ["", "\n", "GO", "GO\nGO 2\n", "-- nothing\nGO\n/* nothing */", "\ufeff  \n"])
def test_batches_without_a_statement_are_left_out(script: str) -> None:
    assert split_batches(script) == []


def test_a_byte_order_mark_is_dropped() -> None:
    assert split_batches("\ufeffSELECT 1") == [Batch("SELECT 1")]


def test_first_lines_count_lines_within_strings_and_comments() -> None:
    script = "PRINT 'a\nb'\nGO\n/* c\nd */\nSELECT 1\nGO\nSELECT 2"
    assert [batch.first_line for batch in split_batches(script)] == [1, 4, 8]


@pytest.mark.parametrize("line", ["GO;", "GO 0", "GO -1", "GO 1.5", "GO SELECT 1", "go = 1", "GO 99999999999"])
def test_go_with_anything_else_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(DefinitionError, match="line 2: "):
        split_batches(f"SELECT 1\n{line}\n")


def test_create_procedure_with_go_around_it_keeps_its_body() -> None:
    body = "CREATE PROCEDURE p AS\nBEGIN\n  PRINT 'GO'\nEND"
    assert texts(f"DROP PROCEDURE IF EXISTS p\nGO\n{body}\nGO\nEXEC p")[1] == body


_PIECES = st.sampled_from(["SELECT 1", "'x'", "[y]", "-- z\n", "/* w */", "'\nGO\n'", "/*\nGO\n*/", "\n", " ", "a"])


@given(st.lists(st.lists(_PIECES, min_size=1).map("".join), max_size=5))
def test_joining_with_go_and_splitting_gives_the_parts_back(parts: list[str]) -> None:
    written = [part for part in parts if split_batches(part)]
    assert texts("\nGO\n".join(parts)) == [part.strip() for part in written]


@given(st.text(alphabet="GgOo'\"[]-/*\n\r 3x;"))
def test_no_text_is_lost_or_invented(script: str) -> None:
    try:
        batches = split_batches(script)
    except DefinitionError:
        return
    position = 0
    for batch in batches:
        position = script.index(batch.text, position) + len(batch.text)

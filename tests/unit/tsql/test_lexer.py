from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_elasticjobs.tsql.lexer import RegionKind, regions


def kinds(text: str) -> list[tuple[str, str]]:
    return [(region.kind.value, text[region.start : region.end]) for region in regions(text)]


def test_every_kind_is_found_with_its_delimiters() -> None:
    assert kinds("a'b''c'[d]]e]\"f\"--g\n/*h/*i*/j*/k") == [
        ("code", "a"),
        ("string", "'b''c'"),
        ("bracketed", "[d]]e]"),
        ("quoted", '"f"'),
        ("line comment", "--g"),
        ("code", "\n"),
        ("block comment", "/*h/*i*/j*/"),
        ("code", "k"),
    ]


@pytest.mark.parametrize("text", ["'a", "[a", '"a', "/*a", "/*a/*b*/", "--a"])
def test_an_unclosed_region_runs_to_the_end(text: str) -> None:
    assert [part for _, part in kinds(text)] == [text]


@pytest.mark.parametrize("text", ["'--'", "'/*'", "[']", '"\'"', "'[']"[:3]])
def test_openings_within_another_region_mean_nothing(text: str) -> None:
    assert len(kinds(text)) == 1


@given(st.text(alphabet="a'\"[]-/*\n\r "))
def test_regions_cover_the_text_without_gap_or_overlap(text: str) -> None:
    position = 0
    for region in regions(text):
        assert region.start == position < region.end
        position = region.end
    assert position == len(text)


def test_only_comments_are_comments() -> None:
    assert {kind for kind in RegionKind if kind.is_comment} == {RegionKind.LINE_COMMENT, RegionKind.BLOCK_COMMENT}

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_elasticjobs.model.names import has_wildcard, name_matches


@pytest.mark.parametrize(
    ("pattern", "names", "others"),
    [
        ("tenant_*", ["tenant_", "TENANT_1", "tenant_a*b"], ["tenant", "my_tenant_1", ""]),
        ("*_old", ["x_old", "_OLD"], ["x_old2"]),
        ("db?", ["db1", "DBx"], ["db", "db12"]),
        ("[a-b]*", ["[a-b]", "[A-B]c"], ["a", "b1"]),
        ("a]b.c*", ["a]b.c", "A]B.Cd"], ["a]bxc"]),
        ("*", ["", "anything\nat all"], []),
        ("Ärger*", ["ÄRGER1", "ärger"], ["arger"]),
    ],
)
def test_patterns(pattern: str, names: list[str], others: list[str]) -> None:
    assert [name for name in names if not name_matches(name, pattern)] == []
    assert [name for name in others if name_matches(name, pattern)] == []


@given(st.text("ab*?[]!-\\.", max_size=8), st.text("ab*[]!-\\.", max_size=8))
def test_only_the_star_and_the_question_mark_mean_more_than_themselves(pattern: str, name: str) -> None:
    escaped = "".join(f"[{letter}]" if letter == "[" else letter for letter in pattern)
    assert name_matches(name, pattern) is fnmatch.fnmatchcase(name, escaped)
    if not has_wildcard(pattern):
        assert name_matches(name, pattern) is (name == pattern)

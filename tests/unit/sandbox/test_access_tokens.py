from __future__ import annotations

from airflow_provider_elasticjobs.sandbox.access_tokens import AccessTokens


def test_tokens_come_and_expire() -> None:
    tokens = AccessTokens({"first": "anna"})
    tokens.accept("second", "ben")
    assert (tokens.user("first"), tokens.user("second")) == ("anna", "ben")
    tokens.expire("first")
    tokens.expire("never set")
    assert (tokens.user("first"), tokens.user("second")) == (None, "ben")


def test_its_repr_shows_no_token() -> None:
    assert "hidden" not in repr(AccessTokens({"hidden": "anna"}))

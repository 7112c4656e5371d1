from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from airflow_provider_elasticjobs.authentication.token_cache import CachedToken, TokenCache, process_token_cache


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Endpoint:
    """Hands out numbered tokens that live an hour; fails when told to."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.calls = 0
        self.failing = False

    def fetch(self) -> CachedToken:
        self.calls += 1
        if self.failing:
            raise ConnectionError("throttled")
        return CachedToken(f"token {self.calls}", self._clock.now + 3600)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def endpoint(clock: Clock) -> Endpoint:
    return Endpoint(clock)


@pytest.fixture
def get(clock: Clock, endpoint: Endpoint) -> Callable[[], str]:
    cache = TokenCache(clock)
    return lambda: cache.get("identity", endpoint.fetch).text


def test_a_good_token_is_fetched_once(get: Callable[[], str], clock: Clock, endpoint: Endpoint) -> None:
    assert get() == "token 1"
    clock.now += 3600 - 301
    assert get() == "token 1"
    assert endpoint.calls == 1


def test_it_is_renewed_five_minutes_before_it_expires(get: Callable[[], str], clock: Clock) -> None:
    get()
    clock.now += 3600 - 300
    assert get() == "token 2"


def test_a_failing_renewal_keeps_the_good_token_and_is_tried_every_thirty_seconds(
    get: Callable[[], str], clock: Clock, endpoint: Endpoint
) -> None:
    get()
    clock.now += 3600 - 300
    endpoint.failing = True
    assert [get(), get(), get()] == ["token 1"] * 3
    assert endpoint.calls == 2
    clock.now += 30
    assert get() == "token 1"
    assert endpoint.calls == 3
    endpoint.failing = False
    clock.now += 30
    assert get() == "token 4"


def test_an_expired_token_is_never_given(get: Callable[[], str], clock: Clock, endpoint: Endpoint) -> None:
    get()
    clock.now += 3600
    endpoint.failing = True
    with pytest.raises(ConnectionError, match="throttled"):
        get()


def test_a_failure_is_told_to_all_for_ten_seconds_without_asking_again(clock: Clock, endpoint: Endpoint) -> None:
    cache = TokenCache(clock)
    endpoint.failing = True
    told = []
    for _ in range(3):
        with pytest.raises(ConnectionError, match="throttled") as caught:
            cache.get("x", endpoint.fetch)
        told.append(caught.value)
    assert endpoint.calls == 1
    assert len({id(error) for error in told}) == 3
    endpoint.failing = False
    clock.now += 10
    assert cache.get("x", endpoint.fetch).text == "token 2"


def test_a_failure_of_one_identity_is_not_anothers(clock: Clock, endpoint: Endpoint) -> None:
    cache = TokenCache(clock)
    endpoint.failing = True
    with pytest.raises(ConnectionError):
        cache.get("a", endpoint.fetch)
    endpoint.failing = False
    assert cache.get("b", endpoint.fetch).text == "token 2"


def test_threads_that_waited_for_a_failure_do_not_ask_themselves(clock: Clock) -> None:
    cache, calls, told = TokenCache(clock), [], []
    entered, release = threading.Event(), threading.Event()

    def fetch() -> CachedToken:
        calls.append(1)
        entered.set()
        assert release.wait(10)
        raise ConnectionError("down")

    def get() -> None:
        with pytest.raises(ConnectionError, match="down") as caught:
            cache.get("x", fetch)
        told.append(caught.value)

    threads = [threading.Thread(target=get) for _ in range(20)]
    for thread in threads:
        thread.start()
    assert entered.wait(10)
    release.set()
    for thread in threads:
        thread.join(10)
    assert (len(told), len(calls)) == (20, 1)


class TestAfterRefusal:
    def test_a_token_of_some_age_is_replaced_once_for_all(self, clock: Clock, endpoint: Endpoint) -> None:
        cache = TokenCache(clock)
        old = cache.get("x", endpoint.fetch)
        clock.now += 60
        newer = [cache.after_refusal("x", old, endpoint.fetch) for _ in range(3)]
        assert [token and token.text for token in newer] == ["token 2"] * 3
        assert cache.get("x", endpoint.fetch).text == "token 2"
        assert endpoint.calls == 2

    def test_a_new_token_was_not_refused_for_its_age(self, clock: Clock, endpoint: Endpoint) -> None:
        cache = TokenCache(clock)
        token = cache.get("x", endpoint.fetch)
        clock.now += 59
        assert cache.after_refusal("x", token, endpoint.fetch) is None
        assert endpoint.calls == 1

    def test_the_same_token_again_is_no_other(self, clock: Clock) -> None:
        cache = TokenCache(clock)

        def same() -> CachedToken:
            return CachedToken("the same", clock.now + 3600)

        token = cache.get("x", same)
        clock.now += 60
        assert cache.after_refusal("x", token, same) is None

    def test_while_no_other_is_to_be_had_there_is_none(self, clock: Clock, endpoint: Endpoint) -> None:
        cache = TokenCache(clock)
        token = cache.get("x", endpoint.fetch)
        clock.now += 60
        endpoint.failing = True
        assert [cache.after_refusal("x", token, endpoint.fetch) for _ in range(3)] == [None] * 3
        assert cache.get("x", endpoint.fetch) is token
        assert endpoint.calls == 2

    def test_one_that_has_expired_is_renewed_in_any_case(self, clock: Clock, endpoint: Endpoint) -> None:
        cache = TokenCache(clock)
        token = cache.get("x", endpoint.fetch)
        clock.now += 3600
        newer = cache.after_refusal("x", token, endpoint.fetch)
        assert newer is not None
        assert newer.text == "token 2"

    def test_of_an_identity_that_is_not_known_there_is_none(self, clock: Clock, endpoint: Endpoint) -> None:
        assert TokenCache(clock).after_refusal("x", CachedToken("t", 0), endpoint.fetch) is None
        assert endpoint.calls == 0


def test_a_token_that_lives_shorter_than_the_early_renewal_is_not_fetched_each_time(clock: Clock) -> None:
    cache, calls = TokenCache(clock), []

    def fetch() -> CachedToken:
        calls.append(1)
        return CachedToken("short", clock.now + 120)

    assert [cache.get("x", fetch).text for _ in range(5)] == ["short"] * 5
    assert len(calls) == 1


def test_identities_do_not_share_tokens(clock: Clock, endpoint: Endpoint) -> None:
    cache = TokenCache(clock)
    assert cache.get("a", endpoint.fetch) != cache.get("b", endpoint.fetch)


def test_many_threads_at_once_make_one_fetch(clock: Clock) -> None:
    cache, calls, got = TokenCache(clock), [], []
    entered, release = threading.Event(), threading.Event()

    def fetch() -> CachedToken:
        calls.append(1)
        entered.set()
        assert release.wait(10)
        return CachedToken("one", clock.now + 3600)

    threads = [threading.Thread(target=lambda: got.append(cache.get("x", fetch).text)) for _ in range(20)]
    for thread in threads:
        thread.start()
    assert entered.wait(10)
    release.set()
    for thread in threads:
        thread.join(10)
    assert got == ["one"] * 20
    assert len(calls) == 1


def test_while_one_thread_renews_the_others_go_on_with_the_good_token(clock: Clock, endpoint: Endpoint) -> None:
    cache = TokenCache(clock)
    cache.get("x", endpoint.fetch)
    clock.now += 3600 - 200
    entered, release, renewed = threading.Event(), threading.Event(), []

    def slow() -> CachedToken:
        entered.set()
        assert release.wait(10)
        return CachedToken("new", clock.now + 3600)

    thread = threading.Thread(target=lambda: renewed.append(cache.get("x", slow).text))
    thread.start()
    assert entered.wait(10)
    assert cache.get("x", endpoint.fetch).text == "token 1"
    release.set()
    thread.join(10)
    assert renewed == ["new"]


def test_a_token_is_not_in_its_repr() -> None:
    assert "secret" not in repr(CachedToken("secret", 1.0))


def test_a_process_has_one_cache() -> None:
    assert process_token_cache() is process_token_cache()

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_elasticjobs.model.rollout import Rollout, Wave
from airflow_provider_elasticjobs.model.targets import Target
from airflow_provider_elasticjobs.targets.waves import into_waves

NAMES = ["canary_1", "Canary_2", "db1", "db2", "db3", "db[x]"]
_targets = st.lists(
    st.builds(Target, st.sampled_from(["s1", "S2"]), st.sampled_from(NAMES)),
    unique_by=lambda target: target.key,
)
_waves = st.lists(
    st.one_of(
        st.builds(Wave, count=st.integers(1, 9)),
        st.builds(Wave, ratio=st.floats(0.01, 0.99)),
        st.builds(Wave, names=st.lists(st.sampled_from([*NAMES, "s1/db1", "nobody"]), min_size=1)),
        st.builds(Wave, pattern=st.sampled_from(["canary_*", "db?", "*", "none*"])),
    ),
    max_size=5,
)
_sizes = st.dictionaries(
    st.tuples(st.sampled_from(["s1", "s2"]), st.sampled_from([name.casefold() for name in NAMES])),
    st.floats(0, 1e6),
)


def databases(*names: str) -> list[Target]:
    return [Target("s1", name) for name in names]


def named(waves: list[list[Target]]) -> list[list[str]]:
    return [[target.database_name for target in wave] for wave in waves]


@given(_targets, _waves, st.booleans(), _sizes)
def test_every_target_is_in_exactly_one_wave(
    targets: list[Target], waves: list[Wave], largest_first: bool, sizes: dict[tuple[str, str], float]
) -> None:
    found = into_waves(targets, Rollout(waves=waves, largest_first=largest_first), sizes)
    assert len(found) == len(waves) + 1
    assert Counter(target for wave in found for target in wave) == Counter(targets)


@given(_targets, _waves)
def test_a_wave_by_number_takes_no_more_and_leaves_none_that_it_could_take(
    targets: list[Target], waves: list[Wave]
) -> None:
    found = into_waves(targets, Rollout(waves=waves))
    for index, wave in enumerate(waves):
        size = wave.size(len(targets))
        if size is not None:
            left = len(targets) - sum(len(earlier) for earlier in found[:index])
            assert len(found[index]) == min(size, left)


@given(_targets, _waves, _sizes)
def test_sizes_change_the_order_within_a_wave_alone(
    targets: list[Target], waves: list[Wave], sizes: dict[tuple[str, str], float]
) -> None:
    plain = into_waves(targets, Rollout(waves=waves), sizes)
    sorted_ = into_waves(targets, Rollout(waves=waves, largest_first=True), sizes)
    for one, other in zip(plain, sorted_, strict=True):
        assert set(one) == set(other)
        assert one == [target for target in targets if target in one]
        measured = [sizes.get(target.key, -1) for target in other]
        assert measured == sorted(measured, reverse=True)


@pytest.mark.parametrize(
    ("wave", "taken"),
    [
        (Wave(count=2), ["db1", "db2"]),
        (Wave(count=9), ["db1", "db2", "Tenant_3", "db[x]"]),
        (Wave(ratio=0.5), ["db1", "db2"]),
        (Wave(ratio=0.01), ["db1"]),
        (Wave(names=["DB2", "nobody"]), ["db2"]),
        (Wave(names=["S1/tenant_3", "other/db1"]), ["Tenant_3"]),
        (Wave(pattern="tenant_*"), ["Tenant_3"]),
        (Wave(pattern="DB?"), ["db1", "db2"]),
        (Wave(pattern="db[[]x]"), ["db[x]"]),
        (Wave(pattern="db[12]"), ["db1", "db2"]),
        (Wave(names=["nobody"]), []),
    ],
)
def test_what_each_kind_of_wave_takes(wave: Wave, taken: list[str]) -> None:
    targets = databases("db1", "db2", "Tenant_3", "db[x]")
    first, rest = named(into_waves(targets, Rollout(waves=[wave])))
    assert first == taken
    assert rest == [target.database_name for target in targets if target.database_name not in taken]


def test_a_later_wave_takes_from_what_is_left() -> None:
    rollout = Rollout(waves=[Wave(pattern="*2"), Wave(count=1), Wave(pattern="*")])
    assert named(into_waves(databases("db1", "db2", "db3"), rollout)) == [["db2"], ["db1"], ["db3"], []]


def test_targets_of_unknown_size_come_last_in_their_order() -> None:
    found = into_waves(databases("a", "b", "c"), Rollout(largest_first=True), {("s1", "c"): 0.0})
    assert named(found) == [["c", "a", "b"]]

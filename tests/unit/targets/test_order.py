from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_elasticjobs.model.targets import Target
from airflow_provider_elasticjobs.targets.order import interleave

_targets = st.lists(
    st.builds(
        Target,
        st.sampled_from(["s1", "S2"]),
        st.sampled_from([f"db{number}" for number in range(9)]),
        st.sampled_from([None, "p1", "p2"]),
    ),
    unique_by=lambda target: target.key,
)


def _lane(target: Target) -> tuple[str, str | None]:
    return target.server_name, target.elastic_pool_name


@given(_targets)
def test_every_target_comes_once(targets: list[Target]) -> None:
    assert Counter(interleave(targets)) == Counter(targets)


@given(_targets, st.randoms(use_true_random=False))
def test_the_order_depends_on_the_set_only(targets: list[Target], random: object) -> None:
    shuffled = list(targets)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert interleave(shuffled) == interleave(targets)


@given(_targets)
def test_no_pool_gets_a_second_turn_before_every_other_had_its_first(targets: list[Target]) -> None:
    turns: Counter[tuple[str, str | None]] = Counter()
    sizes = Counter(_lane(target) for target in targets)
    for target in interleave(targets):
        turns[_lane(target)] += 1
        ahead = turns[_lane(target)]
        assert all(turns[lane] >= min(ahead - 1, size) for lane, size in sizes.items())

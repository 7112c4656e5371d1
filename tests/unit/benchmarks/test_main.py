from __future__ import annotations

import pytest

from benchmarks.__main__ import _options, _too_long
from benchmarks.plan import SCRIPTS, SIZES, VARIANTS


def test_all_is_measured_by_default() -> None:
    options = _options([])
    assert (options.sizes, options.scripts, options.variants) == (SIZES, tuple(SCRIPTS), tuple(VARIANTS))
    assert options.repetitions == 5
    assert not options.resume


def test_a_part_can_be_chosen() -> None:
    options = _options(["--sizes", "10,100", "--scripts", "no-op,100 ms", "--variants", "bare", "--small", ""])
    assert (options.sizes, options.scripts, options.variants) == ((10, 100), ("no-op", "100 ms"), ("bare",))
    assert options.small == ()


@pytest.mark.parametrize("arguments", [["--variants", "bear"], ["--scripts", "none"], ["--small", "import,nothing"]])
def test_what_there_is_not_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        _options(arguments)
    assert "unknown: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected", "passed", "is_left_out"),
    [
        ([], 9_999.0, 9_999.0, False),
        (["--limit", "100"], 99.0, 0.0, False),
        (["--limit", "100"], 101.0, 0.0, True),
        (["--limit", "100"], None, 0.0, False),
        (["--budget", "10"], 100.0, 499.0, False),
        (["--budget", "10"], 100.0, 501.0, True),
        (["--budget", "10"], None, 601.0, True),
    ],
)
def test_what_would_take_too_long_is_left_out(
    arguments: list[str], expected: float | None, passed: float, is_left_out: bool
) -> None:
    assert (_too_long(_options(arguments), expected, passed) is not None) is is_left_out

from __future__ import annotations

import xml.etree.ElementTree as ET

from benchmarks.plot import line_plot

NAMES = {"svg": "http://www.w3.org/2000/svg"}
SERIES = {"a & b": [(100.0, 5.0), (1_000.0, 50.0)], "other": [(100.0, 500.0)], "nothing": []}


def drawn() -> ET.Element:
    return ET.fromstring(line_plot("a title", ("x", "y"), SERIES))  # noqa: S314 - our own text


def test_a_line_for_each_series_with_points() -> None:
    lines = drawn().findall("svg:polyline", NAMES)
    assert len(lines) == 2
    points = [tuple(map(float, point.split(","))) for point in str(lines[0].get("points")).split()]
    (left, low), (right, high) = points
    assert left < right
    assert low > high  # upwards on paper is downwards in numbers


def test_texts_are_escaped_and_axes_labelled() -> None:
    texts = [text.text for text in drawn().findall("svg:text", NAMES)]
    assert {"a title", "x", "y", "a & b", "other", "100", "1,000", "1", "10"} <= set(texts)
    assert "nothing" not in texts


def test_the_same_numbers_make_the_same_bytes() -> None:
    assert line_plot("t", ("x", "y"), SERIES) == line_plot("t", ("x", "y"), SERIES)


def test_one_point_is_enough() -> None:
    assert "<circle" in line_plot("t", ("x", "y"), {"a": [(10.0, 10.0)]})

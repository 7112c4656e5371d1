"""A plot as an SVG file: lines over two logarithmic axes, the same bytes for the same numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

__all__ = ["line_plot"]

_WIDTH, _HEIGHT = 800, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 290, 40, 50
#: Told apart by colour-blind eyes, too (Okabe and Ito).
_COLOURS = ("#000000", "#E69F00", "#0072B2", "#CC79A7", "#009E73", "#56B4E9", "#D55E00")

_Points = Sequence[tuple[float, float]]


class _Axis:
    """Where a value is drawn."""

    def __init__(self, values: Sequence[float], begin: float, end: float) -> None:
        self._low, self._high = math.log10(min(values)), math.log10(max(values))
        self._begin, self._end = begin, end

    def at(self, value: float) -> float:
        part = (math.log10(value) - self._low) / ((self._high - self._low) or 1)
        return self._begin + part * (self._end - self._begin)


def line_plot(title: str, labels: tuple[str, str], series: Mapping[str, _Points]) -> str:
    """Return an SVG image with a line for each series.

    :param title: above the plot.
    :param labels: below the horizontal axis, and beside the vertical one.
    :param series: points with positive coordinates, by the name of the line; those without points are left out.
    """
    drawn = {name: points for name, points in series.items() if points}
    places = sorted({x for points in drawn.values() for x, _ in points})
    ticks = _powers_of_ten([y for points in drawn.values() for _, y in points])
    across = _Axis(places, _LEFT, _WIDTH - _RIGHT)
    up = _Axis(ticks, _HEIGHT - _BOTTOM, _TOP)
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="12"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        _text(_LEFT, 20, title, 'font-size="14"'),
        _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 10, labels[0], 'text-anchor="middle"'),
        _text(16, _HEIGHT / 2, labels[1], f'text-anchor="middle" transform="rotate(-90 16 {_HEIGHT / 2:.1f})"'),
    ]
    for tick in ticks:
        parts.append(_line(_LEFT, up.at(tick), _WIDTH - _RIGHT, up.at(tick)))
        parts.append(_text(_LEFT - 8, up.at(tick) + 4, f"{tick:,g}", 'text-anchor="end"'))
    for place in places:
        parts.append(_line(across.at(place), _TOP, across.at(place), _HEIGHT - _BOTTOM))
        parts.append(_text(across.at(place), _HEIGHT - _BOTTOM + 18, f"{place:,g}", 'text-anchor="middle"'))
    for number, (name, points) in enumerate(drawn.items()):
        parts += _series(name, [(across.at(x), up.at(y)) for x, y in sorted(points)], number)
    return "\n".join([*parts, "</svg>", ""])


def _series(name: str, points: _Points, number: int) -> list[str]:
    colour = _COLOURS[number % len(_COLOURS)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    legend = _TOP + 10 + 20 * number
    beside = _WIDTH - _RIGHT + 15
    return [
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
        *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in points),
        f'<circle cx="{beside}" cy="{legend - 4}" r="4" fill="{colour}"/>',
        _text(beside + 10, legend, name),
    ]


def _powers_of_ten(values: Sequence[float]) -> list[float]:
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return [10.0**power for power in range(low, max(high, low + 1) + 1)]


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#dddddd"/>'


def _text(x: float, y: float, text: str, attributes: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {attributes}>{escape(text)}</text>'.replace(" >", ">")

"""Bars as SVG, readable on a light and on a dark page, with nothing fetched. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LEFT, RIGHT, ROW, BAR = 760, 190, 120, 22, 12
TITLE, HEAD, GAP = 44, 26, 14
STYLE = """
  .page { fill: #ffffff; stroke: #d0d7de } text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 15px; font-weight: 600 } .case { font-weight: 600 } .faint { fill: #59636e }
  .bar { fill: #8c959f } .ours { fill: #0969da } .dot { fill: #1f2328; fill-opacity: .55 } .axis { stroke: #d0d7de }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; stroke: #3d444d } text { fill: #f0f6fc } .faint { fill: #9198a1 }
    .bar { fill: #656c76 } .ours { fill: #4493f8 } .dot { fill: #f0f6fc } .axis { stroke: #3d444d }
  }
"""


@dataclass(frozen=True)
class Bar:
    """A tool's median, how it is written, and the single values."""

    name: str
    value: float
    text: str
    dots: tuple[float, ...] = ()
    ours: bool = False


@dataclass(frozen=True)
class Panel:
    """The bars of one case."""

    title: str
    bars: tuple[Bar, ...]


def chart(title: str, subtitle: str, panels: Sequence[Panel]) -> str:
    """The whole picture; each panel has its own scale, from zero."""
    shown = [panel for panel in panels if panel.bars]
    height = TITLE + sum(HEAD + ROW * len(panel.bars) + GAP for panel in shown) + 4
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="page" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="6"/>',
        f'<text class="title" x="16" y="26">{escape(title)}</text>',
        f'<text class="faint" x="{WIDTH - 16}" y="26" text-anchor="end">{escape(subtitle)}</text>',
    ]
    top = TITLE
    for panel in shown:
        parts += _panel(panel, top)
        top += HEAD + ROW * len(panel.bars) + GAP
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: Panel, top: int) -> list[str]:
    room = WIDTH - LEFT - RIGHT
    most = max(max(bar.value, *bar.dots, 0.0) if bar.dots else bar.value for bar in panel.bars) or 1.0
    parts = [
        f'<text class="case" x="16" y="{top + 14}">{escape(panel.title)}</text>',
        f'<line class="axis" x1="{LEFT}" x2="{LEFT}" y1="{top + HEAD - 4}" y2="{top + HEAD + ROW * len(panel.bars)}"/>',
    ]
    for number, bar in enumerate(panel.bars):
        y = top + HEAD + ROW * number
        long = max(1.0, max(bar.value, 0.0) / most * room)
        kind = "ours" if bar.ours else "bar"
        ends = max([long, *(max(0.0, dot) / most * room for dot in bar.dots)])
        parts += [
            f'<text x="{LEFT - 8}" y="{y + 10}" text-anchor="end">{escape(bar.name)}</text>',
            f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{long:.1f}" height="{BAR}" rx="2"/>',
            *(
                f'<circle class="dot" cx="{LEFT + max(0.0, dot) / most * room:.1f}" cy="{y + BAR / 2:g}" r="2"/>'
                for dot in bar.dots
            ),
            f'<text x="{LEFT + ends + 8:.1f}" y="{y + 10}">{escape(bar.text)}</text>',
        ]
    return parts

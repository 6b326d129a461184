"""What a notebook's cell shows of a result: small cards and time lines, without a script, complete in themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from vcn_ray.export.charts import clock, time_ticks
from vcn_ray.export.pictures import THUMB, data_uri
from vcn_ray.export.render import render_fragment, several
from vcn_ray.export.title_page import bar_of

#: Rows of a card's table; what is left out is counted below it.
MOST_ROWS = 12

_WIDTH, _LABEL, _RIGHT, _TOP, _LANE = 760, 170, 24, 22, 22  # pixels of a time line
_LABEL_CHARACTERS = 24
_SHORTEST_BAR = 2.0  # pixels, so that a short track is seen
_KNOWN, _UNKNOWN = "#3b6fe0", "#8a8f98"


@dataclass(frozen=True)
class Picture:
    """A picture inside a card; `text` tells what it shows."""

    uri: str
    text: str


def picture_of(jpeg: bytes, text: str, size: tuple[int, int] = THUMB) -> Picture:
    """A stored crop for a card, of this many pixels and this JPEG quality."""
    return Picture(data_uri(jpeg, size), text)


def card(
    heading: str,
    facts: Sequence[str] = (),
    *,
    problem: str | None = None,
    pictures: Sequence[Picture] = (),
    columns: Sequence[str] = (),
    rows: Sequence[Sequence[str | Picture]] = (),
    left_out: int = 0,
    chart: Timeline | None = None,
) -> str:
    """HTML that tells of one thing; all text is escaped.

    Args:
        heading: what it is; may be empty.
        facts: a line each.
        problem: what is wrong with it.
        pictures: side by side.
        columns: heads of a table below.
        rows: of the table.
        left_out: rows that the table would have besides.
        chart: below all.
    """
    return render_fragment(
        "notebook_card.html.j2",
        heading=heading,
        facts=facts,
        problem=problem,
        pictures=pictures,
        columns=columns,
        rows=rows,
        left_out=left_out,
        chart=None if chart is None else Markup(chart.svg),  # noqa: S704 (its own values are escaped)
    )


@dataclass(frozen=True)
class TimelineLane:
    """A row of a time line: its name, how long its video is, and tracks as rows of `schemas.TRACKS`."""

    name: str
    duration_s: float
    tracks: Sequence[Mapping[str, Any]]
    is_unknown: bool = False


@dataclass(frozen=True)
class Timeline:
    """When somebody is on screen: a lane for each title or character, drawn as SVG. A notebook shows it as it is."""

    lanes: Sequence[TimelineLane]

    def __repr__(self) -> str:
        tracks = sum(len(lane.tracks) for lane in self.lanes)
        return f"Timeline({len(self.lanes)} lanes, {tracks} tracks)"

    @property
    def svg(self) -> str:
        """The drawing as SVG text, for a file of its own."""
        duration_s = max((self._end_s(lane) for lane in self.lanes), default=0.0)
        plot = _WIDTH - _LABEL - _RIGHT
        lanes = [self._drawn(n, lane, duration_s, plot) for n, lane in enumerate(self.lanes)]
        ticks = [
            {"x": round(_LABEL + share * plot, 1), "text": text}
            for share, text in (time_ticks(duration_s, 8) if duration_s else [])
        ]
        return render_fragment(
            "notebook_timeline.html.j2",
            width=_WIDTH,
            height=_TOP + _LANE * len(lanes) + 4,
            top=_TOP,
            left=_LABEL,
            ticks=ticks,
            lanes=lanes,
            description="; ".join(self._described(lane) for lane in self.lanes),
        )

    def _repr_html_(self) -> str:
        return self.svg

    @staticmethod
    def _end_s(lane: TimelineLane) -> float:
        return max([lane.duration_s, *(track["last_time_s"] for track in lane.tracks)])

    @staticmethod
    def _described(lane: TimelineLane) -> str:
        """The lane in words, for those who cannot see it."""
        if not lane.tracks:
            return f"{lane.name}: not seen"
        first = min(track["first_time_s"] for track in lane.tracks)
        last = max(track["last_time_s"] for track in lane.tracks)
        return f"{lane.name}: {several(len(lane.tracks), 'track')}, {clock(first)}\u2013{clock(last)}"

    def _drawn(self, number: int, lane: TimelineLane, duration_s: float, plot: int) -> dict[str, Any]:
        bars = [bar_of(track, duration_s) for track in lane.tracks]
        name = lane.name
        return {
            "y": _TOP + number * _LANE,
            "name": name,
            "short": name if len(name) <= _LABEL_CHARACTERS else name[: _LABEL_CHARACTERS - 1] + "\u2026",
            "width": round(self._end_s(lane) / duration_s * plot, 1) if duration_s else 0,
            "colour": _UNKNOWN if lane.is_unknown else _KNOWN,
            "bars": [
                {
                    "x": round(_LABEL + bar.left / 100 * plot, 1),
                    "width": max(round(bar.width / 100 * plot, 1), _SHORTEST_BAR),
                    "text": bar.text,
                }
                for bar in bars
            ],
        }

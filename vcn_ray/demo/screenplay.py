"""What happens in the demo season: its shots, written down, so that every difficulty occurs for every seed.

The seed moves people, camera and light; who is in which shot, where and how long is fixed here. 2 episodes, 8 people,
27 tracks: people alone and in pairs (who can never be one character), hard cuts, dissolves, a dark, a blurred and an
occluded shot in each episode, and one person who is only seen as a framed black-and-white picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Difficulty = Literal["", "dark", "blurred", "occluded"]


@dataclass(frozen=True)
class Shot:
    """One camera take."""

    duration_s: float
    people: tuple[int, ...]  # numbers of the portraits, from 1
    place: str  # a backdrop, see `vcn_ray.demo.backdrops`
    difficulty: Difficulty = ""
    dissolve: bool = False  # begins with a dissolve from the shot before instead of a hard cut


EPISODES: dict[str, tuple[Shot, ...]] = {
    "s01e01.mp4": (
        Shot(2.2, (1,), "kitchen"),
        Shot(1.8, (2,), "kitchen"),
        Shot(2.6, (1, 2), "kitchen"),
        Shot(2.2, (3,), "alley", dissolve=True),
        Shot(2.4, (4, 5), "garage"),
        Shot(2.0, (6,), "launch pad", "dark"),
        Shot(2.2, (7,), "launch pad"),
        Shot(1.6, (3,), "alley", "blurred"),
        Shot(2.4, (6, 7), "office", dissolve=True),
        Shot(2.0, (5,), "garage", "occluded"),
    ),
    "s01e02.mp4": (
        Shot(2.4, (2, 3), "alley"),
        Shot(1.8, (8,), "alley"),
        Shot(2.0, (4,), "garage"),
        Shot(2.6, (1, 6), "kitchen", dissolve=True),
        Shot(2.2, (5,), "garden", "dark"),
        Shot(1.6, (7,), "launch pad", "blurred"),
        Shot(2.4, (3, 4), "office"),
        Shot(2.2, (1,), "garden", "occluded"),
        Shot(1.8, (8,), "alley"),
        Shot(2.2, (5, 7), "garage", dissolve=True),
    ),
}

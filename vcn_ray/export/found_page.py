"""The page of a search for a person: who was found in which season, with pictures and time codes."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from vcn_ray.export.charts import chance_text
from vcn_ray.export.render import render_page

#: Sightings of a character that the page lists; the table has all.
MOST_SIGHTINGS = 200

#: Height of a picture that was searched by, pixels, and its JPEG quality.
_SHOWN = (160, 80)


@dataclass(frozen=True)
class FoundCharacter:
    """Somebody who may be the person."""

    season: str
    name: str
    probability: float
    pictures: Sequence[str]  # data URIs
    sightings: Sequence[Mapping[str, Any]]  # rows of schemas.SIGHTINGS

    @property
    def chance(self) -> str:
        """The probability in words."""
        return chance_text(self.probability)


def found_page(
    characters: Sequence[FoundCharacter],
    searched: Sequence[str],
    pictures: Sequence[str],
    nearest: Sequence[tuple[str, str, float]],
    problems: Sequence[str],
) -> bytes:
    """The page as HTML; the same input gives the same bytes.

    Args:
        characters: that were found, the most probable first; none: the person was not found.
        searched: folders or URLs of the seasons.
        pictures: data URIs of those that were searched by.
        nearest: of each season the most probable character, where nobody was found: season, character, probability.
        problems: sentences on what could not be used.
    """
    return render_page(
        "found.html.j2",
        characters=characters,
        searched=searched,
        pictures=pictures,
        nearest=[(season, name, chance_text(probability)) for season, name, probability in nearest],
        problems=list(problems),
        most=MOST_SIGHTINGS,
    )


def picture_uri(content: bytes) -> str | None:
    """A picture of any size as a small data URI; None where it cannot be read."""
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    if image is None:
        return None
    height, quality = _SHOWN
    width = max(1, round(image.shape[1] * height / image.shape[0]))
    small = cv2.resize(image, (min(width, 4 * height), height), interpolation=cv2.INTER_AREA)
    jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()

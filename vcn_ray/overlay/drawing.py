"""Boxes, names and confidence, drawn into frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vcn_ray.overlay.labels import UNKNOWN_COLOUR, label_picture, rgb
from vcn_ray.overlay.planes import Canvas, Paint, Sticker
from vcn_ray.overlay.tracks_in_frames import VideoTracks, by_frame
from vcn_ray.tracks.video_info import VideoInfo

UNKNOWN = "Unknown"


class BoxDrawer:
    """Draws each track's box in the colour of its character, with its name and how probable that is.

    Args:
        tracks: of the video.
        names, colours: of the title's clusters.
        info: of the video.
    """

    def __init__(self, tracks: VideoTracks, names: Mapping[int, str], colours: Mapping[int, str], info: VideoInfo):
        self._tracks, self._names, self._colours = tracks, names, colours
        self._rows = by_frame(tracks, np.arange(len(tracks)))
        shorter = min(info.width_px, info.height_px)
        self._letters_px = max(12, round(shorter / 32))
        self._line_px = max(2, round(shorter / 360 / 2) * 2)
        self._stickers: dict[tuple[str, str], Sticker] = {}
        self._paint: Paint | None = None
        self._info = info

    def draw(self, number: int, frame: Any) -> None:
        """Draw what is in the frame of this number; it is changed."""
        places, boxes = self._rows.at(number)
        if not len(places):
            return
        if self._paint is None:
            self._paint = Paint(frame, self._info)
        canvas = Canvas(frame)
        for place, box in zip(places, boxes, strict=True):
            colour = self._colour(int(place))
            canvas.outline(box, self._paint.yuv(rgb(colour)), self._line_px)
        for place, box in zip(places, boxes, strict=True):  # names over all boxes
            sticker = self._sticker(self._text(int(place)), self._colour(int(place)))
            above = int(box[1]) - sticker.size[1]
            canvas.paste(sticker, int(box[0]), above if above >= 0 else int(box[3]))

    def _text(self, place: int) -> str:
        cluster, confidence = int(self._tracks.cluster[place]), self._tracks.confidence[place]
        name = self._names.get(cluster, UNKNOWN) if cluster >= 0 else UNKNOWN
        # Rounded down: 100 % is said of what is sure, not of 99.7 %.
        return name if np.isnan(confidence) or cluster < 0 else f"{name}  {int(confidence * 100 + 1e-6)} %"

    def _colour(self, place: int) -> str:
        return self._colours.get(int(self._tracks.cluster[place]), UNKNOWN_COLOUR)

    def _sticker(self, text: str, colour: str) -> Sticker:
        if (text, colour) not in self._stickers:
            if self._paint is None:
                raise AssertionError("names are drawn on frames")
            self._stickers[text, colour] = self._paint.sticker(label_picture(text, colour, self._letters_px))
        return self._stickers[text, colour]

"""Which crops a page shows, and how they get into it: small JPEGs inside the HTML, within a budget."""

from __future__ import annotations

import base64

import cv2
import numpy as np
import pyarrow as pa

from vcn_ray.errors import OutputError

#: Pixels and JPEG quality of the three sizes in which a face is shown.
SAMPLE, THUMB, ICON = (112, 84), (72, 74), (40, 70)


def pick_spread(items: list[int], weights: np.ndarray, count: int) -> list[int]:
    """Up to `count` of the items, spread over the list: of each of `count` equal stretches the heaviest.

    Args:
        items: in the order over which to spread, for instance tracks by time.
        weights: (n,) how good each item is.
        count: how many.
    """
    if count <= 0 or not items:
        return []
    stretches = np.array_split(np.arange(len(items)), min(count, len(items)))
    return [items[int(stretch[np.argmax(weights[stretch])])] for stretch in stretches]


class CropIndex:
    """Which rows of a table of crops show a track, or a character, best; knows no pictures."""

    def __init__(self, crops: pa.Table):
        """Take track_id, frame, score and sharpness of crops, as in `schemas.CROPS`."""
        self._frame = crops["frame"].to_numpy()
        score = np.nan_to_num(crops["score"].to_numpy().astype(np.float64))
        sharpness = np.nan_to_num(crops["sharpness"].to_numpy().astype(np.float64))
        self._worth = score * sharpness
        self._rows: dict[int, np.ndarray] = {}
        track = crops["track_id"].to_numpy()
        order = np.lexsort((self._frame, track))
        starts = np.flatnonzero(np.diff(track[order], prepend=-1)) if len(order) else np.empty(0, dtype=np.int64)
        for rows in np.split(order, starts[1:]):
            if len(rows):
                self._rows[int(track[rows[0]])] = rows

    def has(self, track_id: int) -> bool:
        """Whether the track has a crop."""
        return track_id in self._rows

    def worth(self, track_id: int) -> float:
        """How good the track's best crop is: detector score times sharpness; 0 without a crop."""
        rows = self._rows.get(track_id)
        return 0.0 if rows is None else float(self._worth[rows].max())

    def best(self, track_id: int) -> int | None:
        """Row of the track's best crop; None without a crop."""
        rows = self._rows.get(track_id)
        return None if rows is None else int(rows[np.argmax(self._worth[rows])])

    def ranked(self, track_id: int) -> list[int]:
        """Rows of the track's crops, the best first."""
        rows = self._rows.get(track_id, np.empty(0, dtype=np.int64))
        return rows[np.argsort(-self._worth[rows], kind="stable")].tolist()

    def at(self, track_id: int, frame: int) -> int | None:
        """Row of the track's crop of this frame, or of its best where it has none of this frame."""
        rows = self._rows.get(track_id)
        if rows is None:
            return None
        exact = rows[self._frame[rows] == frame]
        return int(exact[0]) if len(exact) else self.best(track_id)

    def varied(self, track_id: int, count: int, besides_frame: int | None = None) -> list[int]:
        """Up to `count` rows of one track, spread over its length; the frame already shown is left out."""
        rows = self._rows.get(track_id, np.empty(0, dtype=np.int64))
        rows = rows[self._frame[rows] != besides_frame]
        return pick_spread(rows.tolist(), self._worth[rows], count)

    def samples(self, track_ids: list[int], best_track: int | None, best_frame: int | None, count: int) -> list[int]:
        """Rows that show a character: the best first, then one per track spread over time, then more of few tracks.

        Args:
            track_ids: the character's tracks in order of time.
            best_track: where the best crop is; None takes the best of all.
            best_frame: its frame.
            count: how many at most.
        """
        with_crops = [t for t in track_ids if self.has(t)]
        if not with_crops or count < 1:
            return []
        if best_track is None or not self.has(best_track):
            best_track, best_frame = max(with_crops, key=self.worth), None
        if best_frame is None:
            best_frame = int(self._frame[self.best(best_track)])
        others = [t for t in with_crops if t != best_track]
        shown = [self.at(best_track, best_frame)]
        worth = np.array([self.worth(t) for t in others])
        shown += [self.best(t) for t in pick_spread(others, worth, count - 1)]
        if len(shown) < count:
            for n, track in enumerate([best_track, *others], start=1):
                more = (count - len(shown)) // (len(others) + 2 - n)
                shown += self.varied(track, more, best_frame if track == best_track else None)
        return [row for row in shown if row is not None]


class Pictures:
    """The crops of a title, found by track, encoded on demand until the page's budget of bytes is used up."""

    def __init__(self, crops: pa.Table, budget_bytes: int):
        """Take a table as `schemas.CROPS` and the total size that pictures may have in the page, as base64."""
        self._jpeg = crops["jpeg"]
        self._index = CropIndex(crops)
        self._left_bytes = budget_bytes
        self.left_out = 0  # pictures that were asked for after the budget was used up

    def has(self, track_id: int) -> bool:
        """Whether the track has a crop."""
        return self._index.has(track_id)

    def worth(self, track_id: int) -> float:
        """How good the track's best crop is, see `CropIndex.worth`."""
        return self._index.worth(track_id)

    def best(self, track_id: int, size: tuple[int, int] = THUMB) -> str | None:
        """The track's best crop as a data URI; None without a crop or budget."""
        return self._encode(self._index.best(track_id), size)

    def at(self, track_id: int, frame: int, size: tuple[int, int] = SAMPLE) -> str | None:
        """The track's crop of this frame, or its best where it has none of this frame."""
        return self._encode(self._index.at(track_id, frame), size)

    def samples(self, track_ids: list[int], best_track: int | None, best_frame: int | None, count: int) -> list[str]:
        """Crops that show a character, see `CropIndex.samples`."""
        rows = self._index.samples(track_ids, best_track, best_frame, count)
        return [picture for row in rows if (picture := self._encode(row, SAMPLE)) is not None]

    def _encode(self, row: int | None, size: tuple[int, int]) -> str | None:
        if row is None:
            return None
        uri = data_uri(self._jpeg[row].as_py(), size)
        if len(uri) > self._left_bytes:
            self.left_out += 1
            return None
        self._left_bytes -= len(uri)
        return uri


def decode_crop(jpeg: bytes) -> np.ndarray:
    """A stored crop as (112, 112, 3) uint8 BGR; `OutputError` where it is no JPEG."""
    image = cv2.imdecode(np.frombuffer(jpeg, dtype=np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise OutputError("a crop is not a JPEG: crops.parquet is damaged; delete the title's folder and run again")
    return image


def data_uri(jpeg: bytes, size: tuple[int, int]) -> str:
    """A stored crop as a data URI of this many pixels and this JPEG quality."""
    side, quality = size
    image = decode_crop(jpeg)
    if image.shape[0] != side:
        image = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
    return "data:image/jpeg;base64," + base64.b64encode(encoded).decode()

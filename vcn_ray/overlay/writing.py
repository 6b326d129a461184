"""A film while it is written: the new picture at the times of the old one, and what goes beside it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from typing import Any

import av
import numpy as np

from vcn_ray.overlay.picture_format import PictureFormat
from vcn_ray.overlay.sound import Piece, SideStreams, copied, cut
from vcn_ray.tracks.video_info import VideoInfo


class FilmWriter:
    """Encodes frames into a new file and interleaves audio and subtitles.

    Args:
        path: of the file.
        kind: of file, as FFmpeg calls it.
        info: of the source.
        picture: what its frames become.
        parts: first frame of each piece that is kept, and the one after its last; None: all of it, with all that is
            beside it as it is.
        start_timecode: of the first frame, "": none.
        crf, preset: of the encoder.
        threads: of the encoder.
    """

    def __init__(
        self,
        path: str,
        kind: str,
        info: VideoInfo,
        picture: PictureFormat,
        parts: Sequence[tuple[int, int]] | None,
        start_timecode: str,
        crf: int,
        preset: str,
        threads: int,
    ):
        flags = {} if kind == "matroska" else {"movflags": "faststart"}
        self._sink: Any = av.open(path, "w", format=kind, options=flags)
        self._info = info
        self._shift, pieces = _places(info, parts)
        try:
            self._stream = self._add_picture(picture, kind, crf, preset, threads)
            if parts is None:
                self._beside: SideStreams = copied(self._sink, kind, info)
                if start_timecode:
                    self._sink.metadata["timecode"] = start_timecode
            else:
                self._beside = cut(self._sink, info, pieces)
        except BaseException:
            self.abandon()
            raise
        self.remarks = self._beside.remarks

    def _add_picture(self, picture: PictureFormat, kind: str, crf: int, preset: str, threads: int) -> Any:
        stream = self._sink.add_stream(picture.codec, rate=Fraction(self._info.fps).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = picture.width_px, picture.height_px, picture.pixels
        context = stream.codec_context
        context.time_base = stream.time_base = self._info.time_base
        context.sample_aspect_ratio = picture.sample_aspect_ratio
        for name, value in picture.colours.items():
            setattr(context, name, value)
        context.thread_count = threads
        stream.options = {"preset": preset, "crf": str(crf)}
        if picture.codec == "libx265":
            stream.options |= {"x265-params": f"log-level=none:pools={threads}"}
            if kind != "matroska":
                context.codec_tag = "hvc1"  # what Apple's players ask for
        elif self._info.interlaced:
            stream.options |= {"flags": "+ildct+ilme"}
        return stream

    def add(self, number: int, frame: Any) -> None:
        """Encode the frame of this number, in order."""
        pts, shift = int(self._info.pts[number]), 0
        for first, by in self._shift:
            if number >= first:
                shift = by
        frame.pts, frame.time_base = pts - shift, self._info.time_base
        frame.duration = _duration(self._info, number)
        self._mux(self._stream.encode(frame))

    def _mux(self, packets: Sequence[Any]) -> None:
        for packet in packets:
            for other in self._beside.until(packet.dts * packet.time_base):
                self._sink.mux(other)
            self._sink.mux(packet)

    def finish(self) -> None:
        """Write what is left; the file is whole."""
        self._mux(self._stream.encode(None))
        for other in self._beside.until(None):
            self._sink.mux(other)
        self._sink.close()

    def abandon(self) -> None:
        """Close the file as it is: nobody wants it any more."""
        with suppress(av.error.FFmpegError, OSError):
            self._sink.close()


def _duration(info: VideoInfo, number: int) -> int:
    """Of a frame, in units of the time base; the last one's is as the median's, see `tracks.probe`."""
    if number + 1 < info.frames:
        return int(info.pts[number + 1] - info.pts[number])
    return int(np.median(np.diff(info.pts))) if info.frames > 1 else round(1 / (info.fps * info.time_base))


def _places(info: VideoInfo, parts: Sequence[tuple[int, int]] | None) -> tuple[list[tuple[int, int]], list[Piece]]:
    """From which frame on times move forward by how much, so that pieces follow one another from 0 on."""
    shifts, pieces, at = [], [], 0
    for first, end in parts or []:
        begin = int(info.pts[first])
        until = int(info.pts[end - 1]) + _duration(info, end - 1)
        shifts.append((first, begin - at))
        scale = info.time_base
        pieces.append(Piece(begin * scale, until * scale, at * scale))
        at += until - begin
    return shifts, pieces

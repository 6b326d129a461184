"""Opening a media file and decoding its frames; what is no footage is refused by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import av
from av.stream import Disposition
from av.video.stream import VideoStream

from vcn_ray.errors import InputError
from vcn_ray.storage.sources import media_source, open_source, stat_source

_NOT_FOOTAGE = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image


def open_container(path: str | os.PathLike[str], version: str = "") -> Any:
    """Open a media file for reading, an object in this version; `InputError` in one sentence where that fails."""
    try:
        container = av.open(media_source(os.fspath(path), version), mode="r", metadata_errors="replace")
    except av.error.FFmpegError as error:
        if _lacks_index(os.fspath(path)):
            raise InputError(
                f"{path} is cut short or was never finished: the index that players need is missing; "
                "copy or export it again"
            ) from None
        raise InputError(
            f"{path} is not a video that can be read ({error.strerror or error}); "
            "check that it plays, or convert it (ffmpeg -i IN -c:v libx264 OUT.mp4)"
        ) from None
    kind = container.format.name
    if kind in ("tty", "image2") or kind.endswith("_pipe"):  # FFmpeg plays text and still pictures, too
        container.close()
        raise InputError(f"{path} is a {'text' if kind == 'tty' else 'still picture'}, not a video; leave it out")
    return container


def footage_stream(container: Any, path: str | os.PathLike[str]) -> VideoStream:
    """The first video stream that is footage, not a cover picture; `InputError` where there is none."""
    streams = footage_streams(container)
    if streams:
        return streams[0]
    kinds = "only sound" if container.streams.audio else "no video stream"
    raise InputError(f"{path} has {kinds}; give a file with moving pictures")


def footage_streams(container: Any) -> list[VideoStream]:
    """The video streams that are no cover pictures."""
    return [stream for stream in container.streams.video if not stream.disposition & _NOT_FOOTAGE]


def timecode_tag(container: Any, stream: VideoStream) -> str:
    """Time code of the first frame as the file tells it, "" where it does not.

    QuickTime and MP4 have it in a track of its own (tmcd), MXF and Matroska in a tag of the stream or of the file.
    """
    others = [one for one in container.streams if one.index != stream.index]
    for metadata in (stream.metadata, *(other.metadata for other in others), container.metadata):
        for key, value in metadata.items():
            if key.lower() == "timecode" and value.strip():
                return str(value.strip())
    return ""


def sound_channels(container: Any) -> int:
    """Channels of all of a file's sound together, 0 where it has none."""
    return sum(stream.codec_context.channels for stream in container.streams.audio)


def decode_packets(container: Any, stream: VideoStream, on_bytes: Callable[[int], None] | None = None) -> Iterator[Any]:
    """Frames of a stream from where the container stands, in display order; a damaged packet loses only itself.

    `on_bytes` hears of each packet's size.
    """
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.error.FFmpegError, OSError):
            return
        if on_bytes is not None:
            on_bytes(packet.size)
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            continue
        yield from frames


def _lacks_index(path: str) -> bool:
    """Whether a file of the MP4 and QuickTime family has no 'moov' box, which says where its frames are."""
    size = stat_source(path).size_bytes
    with open_source(path) as file:
        position = 0
        kinds: list[bytes] = []
        while position + 8 <= size and len(kinds) < 1000:
            file.seek(position)
            head = file.read(16)
            length = int.from_bytes(head[:4])
            kinds.append(head[4:8])
            if length == 1:  # a 64-bit length follows
                length = int.from_bytes(head[8:16])
            if length < 8:
                break
            position += length
    return kinds[:1] in ([b"ftyp"], [b"wide"], [b"mdat"]) and b"moov" not in kinds

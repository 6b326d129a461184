"""Which kinds of file a video may become, and what of the source each can hold."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition

from vcn_ray.errors import OptionError

#: FFmpeg's name of each kind of file, by the ending.
KINDS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}

_STILL = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image


def kind_of(name: str) -> str:
    """FFmpeg's name of the kind of file that a name's ending tells; `OptionError` where it is none that is written."""
    ending = os.path.splitext(name)[1].lower()
    if ending not in KINDS:
        raise OptionError(f"{name}: videos are written as {', '.join(KINDS)}; let the name end in one of these")
    return KINDS[ending]


def best_ending(path: str, container: Any) -> str:
    """Ending of a file for a video with all its audio as it is: its own where that is one of `KINDS`, else what fits.

    Args:
        path: of the video.
        container: it, open.
    """
    own = os.path.splitext(path)[1].lower()
    candidates = [own] if own in KINDS else []
    fitting = (ending for ending in (*candidates, ".mp4", ".mkv") if _not_held(container, KINDS[ending]) is None)
    return next(fitting, ".mkv")


def check_holds(name: str, path: str, container: Any) -> None:
    """`OptionError` where a file of this name's kind cannot hold the audio of a video as it is; see `best_ending`."""
    wrong = _not_held(container, kind_of(name))
    if wrong is not None:
        fitting = [ending for ending in (".mp4", ".mov", ".mkv") if _not_held(container, KINDS[ending]) is None]
        remedy = f"let it end in {' or '.join(fitting)}" if fitting else "convert the film's audio first"
        raise OptionError(f"{name}: such a file cannot hold the {wrong} audio of {path}; {remedy}")


def _not_held(container: Any, kind: str) -> str | None:
    """Codec of an audio stream that a kind of file cannot hold; None where it holds all."""
    for stream in side_streams(container)[0]:
        if codec_name(stream) not in held_by(kind):
            return codec_name(stream)
        with tempfile.TemporaryDirectory(prefix="vcn-ray-") as folder:
            # Some codecs fit at certain rates alone, or with channels in a known layout: FFmpeg says so at the end.
            try:
                with av.open(str(Path(folder, "x")), "w", format=kind) as sink:
                    copy = sink.add_stream_from_template(stream)
                    for packet in islice(container.demux(stream), 1):
                        packet.stream = copy
                        sink.mux(packet)
            except (av.error.FFmpegError, ValueError):
                return codec_name(stream)
    return None


@cache
def held_by(kind: str) -> frozenset[str]:
    """Codecs, by FFmpeg's name, that a kind of file can hold."""
    with tempfile.TemporaryDirectory(prefix="vcn-ray-") as folder:
        # The list is an open file's; nothing is written to it.
        names = av.open(str(Path(folder, "x")), "w", format=kind).supported_codecs
    return frozenset(names) | {_canonical(name) for name in names}


def side_streams(container: Any) -> tuple[list[Any], list[Any]]:
    """Audio and subtitle streams of a file; cover pictures are neither."""
    sound = [stream for stream in container.streams.audio if not stream.disposition & _STILL]
    return sound, list(container.streams.subtitles)


def codec_name(stream: Any) -> str:
    """The codec's name, whichever decoder is used."""
    return str(stream.codec_context.codec.canonical_name)


def _canonical(name: str) -> str:
    """FFmpeg calls some decoders otherwise than their codec: dca, and dts."""
    for mode in ("r", "w"):
        with suppress(av.codec.codec.UnknownCodecError):
            return str(av.Codec(name, mode).canonical_name)
    return name

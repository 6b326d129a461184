"""Audio and subtitles beside the new picture: packets of the source as they are, or audio cut to pieces of it.

Packets of audio hold some 20 ms and lean on one another: cut at frames of the picture, they have to be decoded, cut at
samples and encoded again.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import av
import numpy as np

from vcn_ray.export.render import several
from vcn_ray.overlay.containers import codec_name, held_by, side_streams
from vcn_ray.tracks.container import open_container
from vcn_ray.tracks.video_info import VideoInfo

_AAC_RATES = {8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000}
_AAC_LAYOUTS = {"mono", "stereo", "3.0", "4.0", "5.0", "5.1", "7.1"}
_AAC_BITS = 128_000  # a second, of two channels


class Piece(NamedTuple):
    """A piece of the source and where it goes, in seconds."""

    begin: Fraction
    end: Fraction
    at: Fraction


class SideStreams:
    """Whatever goes beside the picture, in order of time.

    `remarks` says what is left out.
    """

    def __init__(self, packets: Iterator[tuple[Fraction, Any]], remarks: Sequence[str] = ()):
        self._packets = packets
        self._next = next(packets, None)
        self.remarks = tuple(remarks)

    def until(self, time_s: Fraction | None) -> Iterator[Any]:
        """Packets up to a time; None: all that are left."""
        while self._next is not None and (time_s is None or self._next[0] <= time_s):
            yield self._next[1]
            self._next = next(self._packets, None)


def copied(sink: Any, kind: str, info: VideoInfo) -> SideStreams:
    """All audio streams, what subtitles this kind of file can hold, and chapters as they are; adds them to `sink`."""
    container = open_container(info.path, info.version)
    sound, text = side_streams(container)
    kept = [stream for stream in text if codec_name(stream) in held_by(kind)]
    remarks = [f"{several(len(text) - len(kept), 'subtitle stream')} left out: such a file cannot hold them"]
    streams = {}
    for stream in [*sound, *kept]:
        streams[stream.index] = made = sink.add_stream_from_template(stream)
        made.metadata.update(stream.metadata)
        made.disposition = stream.disposition
    if container.chapters():
        sink.set_chapters(container.chapters())
    return SideStreams(_copied(container, streams), remarks[: len(kept) < len(text)])


def _copied(container: Any, streams: dict[int, Any]) -> Iterator[tuple[Fraction, Any]]:
    with container:
        if not streams:
            return
        for packet in container.demux([container.streams[index] for index in streams]):
            if packet.size == 0 or packet.dts is None:  # what FFmpeg ends a stream with
                continue
            packet.stream, time_s = streams[packet.stream.index], packet.dts * packet.time_base
            yield time_s, packet


def cut(sink: Any, info: VideoInfo, pieces: Sequence[Piece]) -> SideStreams:
    """All audio streams, cut to pieces at samples and encoded as AAC; adds the streams to `sink`.

    pieces: one after the other, in the source and where they go.
    """
    with open_container(info.path, info.version) as container:
        sound, text = side_streams(container)
        indices = [stream.index for stream in sound]
        given = [(stream.rate, _layout(stream), dict(stream.metadata)) for stream in sound]
    streams = []
    for rate, layout, metadata in given:
        stream = sink.add_stream("aac", rate=rate if rate in _AAC_RATES else 48000)
        stream.codec_context.layout = layout
        stream.codec_context.format = "fltp"
        stream.codec_context.bit_rate = _AAC_BITS * max(1, stream.codec_context.layout.nb_channels) // 2
        stream.metadata.update(metadata)
        streams.append(stream)
    each = [_encoded(info, index, stream, pieces) for index, stream in zip(indices, streams, strict=True)]
    left_out = ["subtitles are left out: they are not cut"] if text else []
    return SideStreams(heapq.merge(*each, key=lambda timed: timed[0]), left_out)


def _layout(stream: Any) -> str:
    """The channels' layout, or one that AAC has with as many; more odd ones become stereo."""
    name = str(stream.layout.name)
    return name if name in _AAC_LAYOUTS else {1: "mono", 6: "5.1", 8: "7.1"}.get(stream.layout.nb_channels, "stereo")


def _encoded(info: VideoInfo, index: int, stream: Any, pieces: Sequence[Piece]) -> Iterator[tuple[Fraction, Any]]:
    rate, position = stream.codec_context.sample_rate, 0

    def timed(packets: Sequence[Any]) -> Iterator[tuple[Fraction, Any]]:
        for packet in packets:
            yield packet.dts * packet.time_base, packet

    for samples in _samples(info, index, rate, stream.codec_context.layout.name, pieces):
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=stream.codec_context.layout.name)
        frame.sample_rate, frame.pts, frame.time_base = rate, position, Fraction(1, rate)
        position += samples.shape[1]
        yield from timed(stream.encode(frame))
    yield from timed(stream.encode(None))


def _samples(info: VideoInfo, index: int, rate: int, layout: str, pieces: Sequence[Piece]) -> Iterator[np.ndarray]:
    """(channels, n) float32 of the pieces, one behind the other; silence where the source has none."""
    todo = [(round(one.begin * rate), round(one.begin * rate) + _length(one, rate)) for one in pieces]
    todo.reverse()
    channels = av.AudioLayout(layout).nb_channels
    for start, samples in _decoded(info, index, rate, layout, float(pieces[0].begin)):
        end = start + samples.shape[1]
        while todo and todo[-1][0] < end:
            first, last = todo.pop()
            if first < start:  # missing, or given already
                yield np.zeros((channels, min(last, start) - first), np.float32)
                first = min(last, start)
            if first < last:
                upto = min(last, end)
                yield np.ascontiguousarray(samples[:, first - start : upto - start])
                first = upto
            if first < last:
                todo.append((first, last))
                break
        if not todo:
            return
    for first, last in reversed(todo):
        for begin in range(first, last, rate):
            yield np.zeros((channels, min(last, begin + rate) - begin), np.float32)


def _length(piece: Piece, rate: int) -> int:
    """Samples of a piece: so many that what comes after it begins on time, however many came before."""
    return round((piece.at + piece.end - piece.begin) * rate) - round(piece.at * rate)


def _decoded(info: VideoInfo, index: int, rate: int, layout: str, from_s: float) -> Iterator[tuple[int, np.ndarray]]:
    """Samples from about a second on, each time with the number of the first, counted from time 0."""
    resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate)
    with open_container(info.path, info.version) as container:
        stream = container.streams[index]
        if from_s > 1:
            container.seek(int((from_s - 1) / stream.time_base), stream=stream, backward=True)
        expected: int | None = None
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.error.FFmpegError:  # a damaged packet is silence
                continue
            for frame in frames:
                start = expected if frame.pts is None else round(frame.pts * frame.time_base * rate)
                if start is None:
                    start = 0
                # Times of packets are rounded in some containers; a difference of a packet and more is a gap.
                if expected is not None and abs(start - expected) < rate // 100:
                    start = expected
                for part in resampler.resample(frame):
                    samples = part.to_ndarray()
                    yield start, samples
                    start += samples.shape[1]
                expected = start

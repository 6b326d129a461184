r"""Peak memory of stage 1 on a short and on a long file of the same picture: it must not grow with the length.

Run as a program with a video, this file is the process that is measured; see `memory`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from rich.console import Console
from rich.table import Table

from vcn_ray.config import make_options
from vcn_ray.errors import InputError
from vcn_ray.pipeline.stages import ShardTask
from vcn_ray.pipeline.videoclusternet import VideoClusterNet
from vcn_ray.storage.store import Store

_MIB = 2**20
_KEY_FRAME_EVERY = 120


def memory(video: str, minutes: Sequence[float], height_px: int, folder: str) -> None:
    """Print the peak memory of stage 1 for copies of the video of so many minutes, scaled up to the height given.

    The copies repeat the coded frames; nothing is coded again. Each is worked on by a process of its own, shard after
    shard as a worker does it, then joined to the title's tracks as the driver does it.
    """
    scaled = Path(folder) / f"{Path(video).stem}-{height_px}p.mp4"
    if not scaled.exists():
        print(f"scaling {video} up to {scaled}")
        scale(video, scaled, height_px)
    table = Table("minutes", "frames", "frames/s", "probed MiB", "extracted MiB", "by quarter", "joined MiB")
    for length in minutes:
        long = scaled.with_name(f"{scaled.stem}-{length:g}min.mp4")
        if not long.exists():
            repeat(scaled, long, length * 60)
        measured = _measured(long)
        print(json.dumps({"minutes": length, **measured}), flush=True)
        table.add_row(
            f"{length:g}",
            str(measured["frames"]),
            f"{measured['frames'] / measured['seconds']:.1f}",
            str(measured["probed_mib"]),
            str(measured["extracted_mib"]),
            " ".join(map(str, measured["quarters_mib"])),
            str(measured["joined_mib"]),
        )
    Console(width=110).print(table)
    print(
        "peak resident memory of the process so far, after each phase; extraction also after each quarter of its shards"
    )


def scale(video: str, target: Path, height_px: int) -> None:
    """Code the video anew at this height, in H.264, without sound."""
    try:
        with av.open(video) as source, av.open(str(target), "w") as sink:
            given = source.streams.video[0]
            width_px = round(given.width * height_px / given.height / 2) * 2
            stream = sink.add_stream("libx264", rate=Fraction(given.average_rate or 25))
            stream.width, stream.height, stream.pix_fmt = width_px, height_px, "yuv420p"
            stream.options = {"preset": "ultrafast", "crf": "20", "g": str(_KEY_FRAME_EVERY)}
            for frame in source.decode(given):
                scaled = frame.reformat(width_px, height_px, format="yuv420p")
                sink.mux(stream.encode(scaled))
            sink.mux(stream.encode(None))
    except (av.FFmpegError, OSError, IndexError) as error:
        target.unlink(missing_ok=True)
        raise InputError(f"{video}: cannot be scaled ({error}); name a video file") from None


def repeat(video: Path, target: Path, length_s: float) -> None:
    """Write the video's coded frames one copy after another until the file is that long."""
    with av.open(str(target), "w") as sink:
        written, offset = None, 0
        while True:
            with av.open(str(video)) as source:
                given = source.streams.video[0]
                if written is None:
                    written = sink.add_stream_from_template(given)
                end = 0
                for packet in source.demux(given):
                    if packet.dts is None:  # the demuxer's last, empty packet
                        continue
                    assert packet.pts is not None  # noqa: S101  # written by `scale`
                    assert packet.duration is not None  # noqa: S101
                    end = max(end, packet.pts + packet.duration)
                    packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                    packet.stream = written
                    sink.mux(packet)
                offset += end
                assert given.time_base is not None  # noqa: S101
                if offset * given.time_base >= length_s:
                    return


def _measured(video: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "jobs.benchmarks.memory", str(video)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603  # ourselves
    if done.returncode != 0:
        raise InputError(f"{video}: stage 1 ended with exit code {done.returncode}; its message is above")
    return json.loads(done.stdout.splitlines()[-1])


def peak_mib() -> int:
    """The most memory that this process has had resident so far, in MiB; Linux only.

    Not `getrusage`: what it calls a child's peak starts with the parent's.
    """
    status = Path("/proc/self/status").read_text()
    kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kib) * 1024 // _MIB


def _work(video: str) -> dict[str, Any]:
    """Stage 1 of the video in this process, as a worker does it; frames, seconds, and peaks in MiB."""
    stages, options = VideoClusterNet(), make_options()
    info = stages.probe(video)
    probed = peak_mib()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        peaks, steps = [], []
        started = time.perf_counter()
        for number, shard in enumerate(stages.shards(info, options.run.window_s)):
            steps.append(f"shards/{number:05d}")
            task = ShardTask(steps[-1], shard.first_frame, shard.end_frame, starts=False)
            stages.extract(store, task, info, options, lambda _: None)
            peaks.append(peak_mib())
        seconds = time.perf_counter() - started
        stages.assemble(store, [(info, steps)], options)
    quarters = [peaks[max(0, len(peaks) * part // 4 - 1)] for part in (1, 2, 3, 4)]
    return {
        "frames": info.frames,
        "seconds": round(seconds, 1),
        "probed_mib": probed,
        "extracted_mib": peaks[-1],
        "quarters_mib": quarters,
        "joined_mib": peak_mib(),
    }


if __name__ == "__main__":
    print(json.dumps(_work(sys.argv[1])))

"""Stages that compute something small and checkable in no time, in the place of the real ones."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from ray import cloudpickle

from vcn_ray.config import Options
from vcn_ray.errors import InputError
from vcn_ray.pipeline.stages import ShardTask, Stages
from vcn_ray.storage.sources import open_source
from vcn_ray.storage.store import Store

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # Ray's workers do not find this file

FRAMES = pa.schema([("frame", pa.int64()), ("value", pa.int64())])


@dataclass(frozen=True)
class Info:
    """A video of one frame a second whose content is a number a frame: what the file says, one a line."""

    path: str
    name: str
    values: tuple[int, ...]
    warnings: tuple[str, ...] = ()
    start_timecode: str | None = None
    audio_channels: int | None = None

    @property
    def frames(self) -> int:
        return len(self.values)

    @property
    def duration_s(self) -> float:
        return float(len(self.values))

    @property
    def fingerprint(self) -> str:
        return repr(self.values)

    def time_s(self, frame: int) -> float:
        return float(frame)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Piece:
    first_frame: int
    end_frame: int


class CountingStages(Stages):
    """Counts a title's faces instead of finding them.

    `trouble` maps a frame to what extracting it does: "error", "user error", "die" (always), "die once", "slow".
    `calls` is a folder in which every call leaves a file, so that repeated work shows, also across processes.
    """

    def __init__(
        self, calls: Path, trouble: dict[int, str] | None = None, adapt_trouble: str = "", adapt_warning: str = ""
    ):
        self.calls = str(calls)
        self.trouble = trouble or {}
        self.adapt_trouble = adapt_trouble
        self.adapt_warning = adapt_warning

    def note(self, call: str) -> int:
        """Leave a trace of a call; how often it was made before."""
        folder = Path(self.calls) / call.replace("/", "|")
        folder.mkdir(parents=True, exist_ok=True)
        before = len(list(folder.iterdir()))
        (folder / f"{time.time_ns()}-{os.getpid()}").touch()
        return before

    def called(self, prefix: str = "") -> dict[str, int]:
        """How often each call was made."""
        root = Path(self.calls)
        return {
            folder.name: len(list(folder.iterdir()))
            for folder in sorted(root.glob("*"))
            if folder.name.startswith(prefix)
        }

    def check(self, options: Options) -> None:
        """Nothing is needed."""

    def probe(self, path: str) -> Info:
        self.note(f"probe {Path(path).name}")
        with open_source(path) as file:
            text = file.read().decode()
        if not text:
            raise InputError(f"{path} is empty (0 bytes); copy or export it again")
        return Info(path, Path(path).name, tuple(int(line) for line in text.split()))

    def load_info(self, content: dict[str, Any]) -> Info:
        return Info(**content | {"values": tuple(content["values"]), "warnings": tuple(content["warnings"])})

    views_memory_bytes = 0

    def title_memory_bytes(self, minutes: float) -> int:
        return 0

    def shard_memory_bytes(self, info: Info, options: Options) -> int:
        return 0

    def shards(self, info: Info, window_s: float) -> list[Piece]:
        step = int(window_s)
        return [Piece(a, min(a + step, info.frames)) for a in range(0, info.frames, step)]

    def extract(
        self,
        store: Store,
        task: ShardTask,
        info: Info,
        options: Options,
        on_frames: Callable[[int], None],
    ) -> dict[str, Any]:
        first_frame, end_frame = task.first_frame, task.end_frame
        before = self.note(f"extract {info.name} {first_frame}-{end_frame}")
        for frame in range(first_frame, end_frame):
            on_frames(1)
            match self.trouble.get(info.values[frame]):
                case "error":
                    raise RuntimeError("the decoder is confused")
                case "user error":
                    raise InputError(f"{info.name} is damaged; copy it again")
                case "die":
                    os._exit(1)
                case "die once":
                    if before == 0:
                        os._exit(1)
                case "slow":
                    time.sleep(0.5)
        rows = {
            "frame": list(range(first_frame, end_frame)),
            "value": [
                info.values[frame] * options.tracks.sample_every_frames for frame in range(first_frame, end_frame)
            ],
        }
        store.write_table(f"{task.step}/frames.parquet", pa.table(rows, schema=FRAMES))
        return {"frames": end_frame - first_frame}

    def assemble(self, store: Store, videos: Sequence[tuple[Info, Sequence[str]]], options: Options) -> dict[str, Any]:
        self.note(f"assemble {videos[0][0].name}")
        parts = [store.read_table(f"{step}/frames.parquet") for _, steps in videos for step in steps]
        table = pa.concat_tables(parts)
        store.write_table("tracks/faces.parquet", table, FRAMES)
        return {"faces": sum(value > 0 for value in table["value"].to_pylist())}

    def view_chunks(self, store: Store, options: Options, device: str) -> list[str]:
        keys = ["views/0000", "views/0001"]
        return [key for key in keys if not store.exists(f"{key}.json")]

    def views_left(self, store: Store, options: Options, device: str) -> tuple[int, int]:
        return len(self.view_chunks(store, options, device)), 2

    def is_adapted(self, store: Store, options: Options, device: str) -> bool:
        return store.is_done("clustering/sum", f"{options.seed} {options.run.threads_per_title}")

    def embed_views(self, store: Store, options: Options, key: str) -> dict[str, Any]:
        self.note(f"views {Path(store.url).parent.name} {key}")
        if self.adapt_trouble == "views":
            raise RuntimeError("no view")
        store.write_json(f"{key}.json", sum(store.read_table("tracks/faces.parquet")["value"].to_pylist()))
        return {}

    def adapt(
        self,
        store: Store,
        options: Options,
        device: str,
        threads: int,
        on_event: Callable[[dict[str, Any]], None],
        workers: Any = None,
    ) -> None:
        before = self.note(f"adapt {Path(store.url).parent.name}")
        on_event({"iteration": 1, "epoch": 3, "loss": 0.5})
        on_event({"iteration": 1, "clusters": 4} | ({"warning": self.adapt_warning} if self.adapt_warning else {}))
        if self.adapt_trouble == "error":
            raise RuntimeError("no adaptation")
        if self.adapt_trouble == "die once" and before == 0:
            os._exit(1)
        if self.adapt_trouble == "slow":
            time.sleep(60)
        store.write_json("clustering/sum.json", [store.read_json(f"views/000{i}.json") + options.seed for i in (0, 1)])
        store.mark_done("clustering/sum", f"{options.seed} {threads}")

    def finish(
        self,
        store: Store,
        results: Store,
        options: Options,
        title: str,
        infos: Sequence[Info],
        seconds: Mapping[str, float],
    ) -> dict[str, Any]:
        self.note(f"finish {title}")
        results.write_json("result.json", {"title": title, "sums": store.read_json("clustering/sum.json")})
        return {"tracks": store.read_table("tracks/faces.parquet").num_rows, "unknown": 0, "characters": 1}

    def finish_season(
        self, out: Store, slugs: Sequence[str], options: Options, errors: Sequence[Mapping[str, Any]], seconds: float
    ) -> list[str]:
        self.note("finish season")
        out.write_json("all.json", [out.read_json(f"titles/{slug}/result.json") for slug in slugs])
        return []


#: What tells of the run rather than of the season.
_OF_THE_RUN = ("season.json", "errors.json", "status.json", "summary.json", ".lock")


def results_of(out: Path) -> dict[str, bytes]:
    """All that a run delivers, without the working folders and the record of times."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and not {"work", "logs"} & set(path.parts) and path.name not in _OF_THE_RUN
    }


def video(folder: Path, name: str, values: Sequence[int]) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("\n".join(map(str, values)))
    return str(path)

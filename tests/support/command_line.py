"""The commands in this process, and the least that they can be given."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from typer.testing import CliRunner, Result

from vcn_ray.cli.commands import app


def cli(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def complaints(result: Result) -> list[str]:
    assert "Traceback" not in result.output
    return [line for line in result.stderr.splitlines() if line.strip()]


def write_video(path: Path, frames: int = 12) -> Path:
    """A video of moving stripes: nobody in it."""
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for number in range(frames):
            image = np.zeros((120, 160, 3), np.uint8)
            image[:, (np.arange(160) + 3 * number) // 8 % 2 == 0] = (90, 140, 200)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def write_season_file(folder: Path, text: str) -> Path:
    (folder / "season.yaml").write_text(text)
    return folder / "season.yaml"

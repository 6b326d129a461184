"""Make the README's pictures: ``pictures.py [DIR]`` puts pages of a season into docs/pictures/.

DIR: a finished season of `vcn-ray demo`'s two episodes, in place of a run of a minute. Its faces are replaced by
drawings, in a copy, before anything is shown: those of the demo are photographs of people. Needs chromium.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw, ImageEnhance
from playwright.sync_api import Browser, FloatRect, sync_playwright

import vcn_ray
from vcn_ray.demo import render_demo

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
NAMES = ("Ada", "Bruno", "Chidi", "Daria", "Emre")
_WIDTH_PX = 900
_NOBODY = 7
_SCALE = 4  # drawn larger, for smooth edges
_SIDE_PX = 112 * _SCALE
_SKIN = ("#f2c9a1", "#c98d5e", "#8d5a3b", "#f6d7b8", "#d9a66f", "#6b4430", "#ecbf94", "#b97a4d")
_HAIR = ("#3b2a20", "#1d1d24", "#22252b", "#c8872f", "#5c2e1f", "#16161a", "#8f9297", "#a3402c")
_WALL = ("#7f9db3", "#b39a7f", "#7fb39d", "#9d7fb3", "#b37f8c", "#8cb37f", "#a7adb5", "#c0b07a")


def drawn_face(person: int, nth: int) -> bytes:
    """A drawing of a person's face, JPEG of 112x112 pixels; `nth` moves head and mouth a little."""
    chance = np.random.default_rng([person, nth])
    picture = Image.new("RGB", (_SIDE_PX, _SIDE_PX), _WALL[person % 8])
    draw = ImageDraw.Draw(picture)

    def ellipse(x: float, y: float, width: float, height: float, colour: str) -> None:
        box = [(x - width) * _SCALE, (y - height) * _SCALE, (x + width) * _SCALE, (y + height) * _SCALE]
        draw.ellipse(box, fill=colour)

    skin, hair = _SKIN[person % 8], _HAIR[person % 8]
    long_hair, beard, glasses = person % 2 == 0, person % 4 == 1, person % 3 == 2
    if long_hair:
        ellipse(56, 66, 46, 58, hair)
    ellipse(56, 130, 52, 36, _WALL[(person + 3) % 8])  # shoulders
    ellipse(56, 48, 42, 46, hair)
    ellipse(56, 62, 35, 45, skin)
    ellipse(56, 22, 34, 14, hair)
    if beard:
        ellipse(56, 90, 27, 20, hair)
        ellipse(56, 76, 26, 14, skin)
    for x in (38, 74):
        ellipse(x, 52, 6.5, 4.5, "#ffffff")
        ellipse(x + chance.uniform(-2, 2), 52, 3, 3.5, "#2a2a30")
        draw.line([((x - 8) * _SCALE, 43 * _SCALE), ((x + 8) * _SCALE, 42 * _SCALE)], hair, 2 * _SCALE)
        if glasses:
            box = [(x - 12) * _SCALE, 42 * _SCALE, (x + 12) * _SCALE, 62 * _SCALE]
            draw.rounded_rectangle(box, 6 * _SCALE, outline="#26262b", width=2 * _SCALE)
    draw.line([(56 * _SCALE, 56 * _SCALE), (52 * _SCALE, 70 * _SCALE), (58 * _SCALE, 72 * _SCALE)], hair, _SCALE)
    ellipse(56, 86, 12, chance.uniform(1.5, 6), "#8c3a3a")
    picture = picture.rotate(chance.uniform(-9, 9), Image.Resampling.BICUBIC, fillcolor=_WALL[person % 8])
    picture = ImageEnhance.Brightness(picture.resize((112, 112))).enhance(chance.uniform(0.75, 1.05))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90)
    return file.getvalue()


def draw_all_faces(out: Path) -> None:
    """Put a drawing in the place of every crop of a season; what else holds pictures is deleted: pages, shards."""
    photographs = set()
    for page in out.rglob("*.html"):
        page.unlink()
    for title in out.glob("titles/*"):
        shutil.rmtree(title / "work" / "shards")
        rows = pq.read_table(out / "tracks.parquet", columns=["title", "track_id", "cast_id"]).to_pylist()
        name = pq.read_table(title / "tracks.parquet", columns=["title"])["title"][0].as_py()
        person = {row["track_id"]: row["cast_id"] for row in rows if row["title"] == name}
        for path in title.rglob("crops.parquet"):
            crops = pq.read_table(path)
            photographs |= set(crops["jpeg"].to_pylist())
            people = [person.get(track) for track in crops["track_id"].to_pylist()]
            drawn = [drawn_face(_NOBODY if one is None else one, nth) for nth, one in enumerate(people)]
            at = crops.schema.get_field_index("jpeg")
            field = crops.schema.field(at)
            pq.write_table(crops.set_column(at, field, pa.array(drawn, field.type)), path)
    for path in out.rglob("*.parquet"):
        table = pq.read_table(path)
        if "jpeg" in table.column_names and photographs & set(table["jpeg"].to_pylist()):
            sys.exit(f"{path} still holds photographs")


@contextmanager
def reviewed(out: Path) -> Iterator[str]:
    """The address of a season's review page, which is served meanwhile."""
    command = [sys.executable, "-m", "vcn_ray", "review", str(out), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603
        said = server.stdout or ()
        yield next(found[0] for line in said if (found := re.search(r"http://\S+", line)))
        server.terminate()


def photograph(browser: Browser, address: str, name: str, *, top_px: int, height_px: int) -> None:
    """A picture of a part of a page, as PNG of 128 colours."""
    page = browser.new_page(viewport={"width": _WIDTH_PX, "height": height_px}, color_scheme="light")
    page.goto(address)
    page.wait_for_load_state("networkidle")
    clip = FloatRect(x=0, y=top_px, width=_WIDTH_PX, height=height_px)
    seen = Image.open(io.BytesIO(page.screenshot(full_page=True, clip=clip)))
    path = PICTURES / f"{name}.png"
    path.parent.mkdir(exist_ok=True)
    seen.convert("RGB").quantize(128).save(path, optimize=True)
    print(path, path.stat().st_size, "bytes")


def main(finished: Path | None) -> None:
    """Make all pictures."""
    with tempfile.TemporaryDirectory(prefix="vcn-ray-") as folder:
        out = Path(folder, "My series")
        if finished is None:
            vcn_ray.run([*map(str, render_demo(Path(folder, "clips")).videos)], out, local=True)
        else:
            shutil.copytree(finished, out)
        draw_all_faces(out)
        season = vcn_ray.load(out)
        for member, name in zip(list(season.cast), NAMES, strict=False):
            season.correct("name", member, name=name)
        season.apply()
        browser_path = shutil.which("chromium")
        with sync_playwright() as playwright, reviewed(out) as address:
            browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
            photograph(browser, (out / "index.html").as_uri(), "season", top_px=350, height_px=620)
            report = min(out.glob("titles/*/report.html"))
            photograph(browser, report.as_uri(), "title", top_px=380, height_px=900)
            photograph(browser, address, "review", top_px=0, height_px=620)
            browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)

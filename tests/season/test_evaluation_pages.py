"""A title's page: written with its results, and again with the figures of an evaluation."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from typer.testing import CliRunner, Result

import vcn_ray
from vcn_ray import schemas
from vcn_ray.cli.commands import app
from vcn_ray.config import make_options
from vcn_ray.models.loading import INSTALLED
from vcn_ray.pipeline.outputs import title_outputs
from vcn_ray.season.evaluation_pages import show_evaluation
from vcn_ray.storage.store import Store

SECTION = "Against ground truth"


def _write_title(out: Path, title: str, people: Sequence[str]) -> None:
    """A title of one video in which each person has two tracks that are one character, with its page."""
    store, tracks = Store(str(out)).child("titles", title), range(2 * len(people))
    common = [{"title": title, "video": f"{title}.mp4", "shot": t, "track_id": t, "cluster_id": t // 2} for t in tracks]
    of_track = {"status": "clustered", "quality": 0.7, "confidence": 0.96, "faces": 1, "crops": 0}
    when = [{"first_frame": t, "last_frame": t, "first_time_s": float(t), "last_time_s": float(t)} for t in tracks]
    box = {"x": 0, "y": 0, "w": 9, "h": 9}
    rows: dict[str, tuple[list[dict[str, Any]], pa.Schema]] = {
        "faces": ([row | box | {"frame": t, "time_s": float(t)} for t, row in enumerate(common)], schemas.FACES),
        "tracks": ([row | of_track | when[t] for t, row in enumerate(common)], schemas.TRACKS),
        "clusters": (
            [
                {"title": title, "cluster_id": c, "tracks": 2, "faces": 2, "screen_time_s": 1}
                for c in range(len(people))
            ],
            schemas.CLUSTERS,
        ),
        "crops": ([], schemas.CROPS),
        "iterations": ([{"iteration": n, "clusters": len(people), "unknown": 0} for n in (0, 1)], schemas.ITERATIONS),
        "iteration_clusters": (
            [{"iteration": n, "track_id": t, "cluster_id": t // 2} for n in (0, 1) for t in tracks],
            schemas.ITERATION_CLUSTERS,
        ),
    }
    for name, (content, schema) in rows.items():
        table = pa.table({n: [row.get(n) for row in content] for n in schema.names}, schema=schema)
        store.write_table(f"{name}.parquet", table, schema)
    info = SimpleNamespace(
        name=f"{title}.mp4", duration_s=9.0, frames=225, fps=25.0, width_px=64, height_px=48, warnings=("a remark",)
    )
    seconds = {"tracks": 2.0, "adapt": 1.0}
    title_outputs.write_title(store, store.child("work"), make_options({}), title, [info], seconds, INSTALLED)


@pytest.fixture
def season(tmp_path: Path) -> Path:
    """Titles a and b, and labels of a alone."""
    out = Store(str(tmp_path / "out"))
    people = {"a": ["p", "q"], "b": ["p"]}
    for title, names in people.items():
        _write_title(tmp_path / "out", title, names)
    for name, schema in (("faces", schemas.SEASON_FACES), ("tracks", schemas.SEASON_TRACKS)):
        tables = [out.child("titles", title).read_table(f"{name}.parquet") for title in people]
        table = pa.concat_tables(tables)
        out.write_table(f"{name}.parquet", table.append_column("cast_id", table["cluster_id"]), schema)
    titles = [{"id": title, "slug": title, "error": None} for title in people]
    out.write_json("season.json", {"titles": titles, "errors": []})
    labels = [f"a.mp4,{t},0,0,9,9,{people['a'][t // 2]},{t}" for t in range(4)]
    (tmp_path / "labels.csv").write_text("\n".join(["video,frame,x,y,w,h,identity,shot", *labels]))
    return tmp_path


def _evaluate(season: Path, *more: str) -> Result:
    return CliRunner().invoke(
        app, ["evaluate", str(season / "out"), "--ground-truth", str(season / "labels.csv"), *more]
    )


def _page(season: Path, title: str) -> str:
    return (season / "out" / "titles" / title / "report.html").read_text()


def test_an_evaluation_is_brought_to_the_page_of_each_title_with_labels(season: Path) -> None:
    before = {title: _page(season, title) for title in "ab"}
    assert SECTION not in before["a"]
    result = _evaluate(season)
    assert (result.exit_code, result.stderr) == (0, "")
    page = _page(season, "a")
    section = page[page.index(SECTION) : page.index('id="iterations"')]
    assert "100.0 %" in section
    assert "95–98 %: 4 tracks, 96 % on average, 100 % right" in section  # its own tracks, not the season's
    assert ">4</text>" in section
    assert "WCP (ground truth)" in page
    assert _page(season, "b") == before["b"]  # all that the page says is said again
    evaluation = vcn_ray.load(season / "out").evaluate(season / "labels.csv")
    evaluation.titles["a"] = evaluation.titles["b"]
    assert not show_evaluation(vcn_ray.load(season / "out"), evaluation)
    assert _page(season, "a") == before["a"]


def test_the_only_title_of_a_season_has_the_season_s_figures(season: Path) -> None:
    out = Store(str(season / "out"))
    out.write_json("season.json", {"titles": [{"id": "a", "slug": "a", "error": None}], "errors": []})
    for name in ("faces", "tracks"):
        out.write_table(f"{name}.parquet", out.read_table(f"{name}.parquet").filter(pc.field("title") == "a"))
    result = _evaluate(season)
    assert (result.exit_code, result.stderr) == (0, "")
    assert SECTION in _page(season, "a")


@pytest.mark.parametrize("trouble", ["work is gone", "facts of another version", "not writable"])
def test_a_page_that_cannot_be_made_stays_and_the_figures_are_printed(season: Path, trouble: str) -> None:
    title, before = season / "out" / "titles" / "a", _page(season, "a")
    facts = title / "work" / "page_facts.json"
    if trouble == "not writable":
        (title / "report.html").unlink()
        (title / "report.html").mkdir()
    elif trouble == "work is gone":
        facts.unlink()
    else:
        facts.write_text('{"title": "a", "videos": []}')
    result = _evaluate(season, "--json")
    assert result.exit_code == 0
    assert '"wcp": 1.0' in result.stdout
    (complaint,) = result.stderr.splitlines()
    assert "titles/a/report.html stays as it is" in complaint
    if trouble != "not writable":
        assert _page(season, "a") == before

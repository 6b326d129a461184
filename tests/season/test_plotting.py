"""`SeasonResult.plot` and ``vcn-ray plot``: each figure of a small season, where it goes, what is wrong."""

import re
import shutil
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.correctable_season import ODD, TITLES, write_correctable_season
from support.finished_season import FAILED, PLAIN, labels_csv, write_finished_season
from support.finished_season import ODD as ODD_TITLE
from support.labelled_season import write_labels
from typer.testing import CliRunner, Result

import vcn_ray
from vcn_ray.adapt.cache import CachedViews
from vcn_ray.adapt.finetune import Adaptation
from vcn_ray.cli.commands import app
from vcn_ray.config import Options
from vcn_ray.errors import InputError, OptionError
from vcn_ray.inputs.titles import slug
from vcn_ray.pipeline.title_crops import choose_crops, view_chunks
from vcn_ray.pipeline.title_work import TitleWork
from vcn_ray.storage.store import Store

DIM = 16


@pytest.fixture
def season(tmp_path: Path) -> Path:
    """Two titles and one that failed; of tables and pictures alone."""
    write_finished_season(Store(tmp_path / "out"))
    (tmp_path / "labels.csv").write_text(labels_csv())
    return tmp_path / "out"


def _write_networks(out: Store, title: str) -> None:
    """Views and an adapted head as a run leaves them."""
    work = out.child("titles", slug(title), "work")
    options = Options.model_validate(work.read_json("page_facts.json")["options"])
    of_title = TitleWork(work, options)
    crops = choose_crops(of_title)
    centres = np.random.default_rng(1).normal(size=(len(crops.track_id), DIM)).astype(np.float32)
    plain = centres[crops.track_of_crop] + 0.01 * np.arange(len(crops))[:, None].astype(np.float32)
    one, none = plain[:, None], plain[:, None][:, :0]
    views = CachedViews(crops.rows, plain, plain, one, np.repeat(one, 2, axis=1), none)
    for key, rows in view_chunks(of_title):
        kept = np.isin(crops.rows, rows)
        parts = {name: getattr(views, name)[kept] for name in views.__dataclass_fields__}
        work.write_bytes(f"{key}.safetensors", CachedViews(**parts).to_bytes())
    adaptation = Adaptation.on_cache(views, crops.track_of_crop, options.adapt, options.seed)
    last = work.read_json("adapt.done.json")["iterations"]
    work.write_bytes(f"adapt/{last:02d}/state.safetensors", adaptation.state_bytes())
    work.write_json("adapt.done.json", work.read_json("adapt.done.json") | {"iterations": last + 1})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a season with its working data, and labels of both its titles."""
    folder = tmp_path_factory.mktemp("made")
    write_correctable_season(Store(folder / "whole"))
    write_labels(folder / "labels.csv")
    for title in TITLES:
        _write_networks(Store(folder / "whole"), title)
    return folder


@pytest.fixture
def whole_season(made: Path, tmp_path: Path) -> Path:
    """The season, which a test may change; the labels lie beside it."""
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy" / "whole"


def _plot(directory: object, *arguments: object) -> Result:
    return CliRunner().invoke(app, ["plot", *map(str, [directory, *arguments])])


def _is_drawn(png: bytes) -> bool:
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    return image is not None and (image < 128).mean() > 0.002


def test_every_figure_of_a_season_with_ground_truth(whole_season: Path) -> None:
    season, labels = vcn_ray.load(whole_season), whole_season.parent / "labels.csv"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plots = season.plot(ground_truth=labels)
    assert [(plot.name, plot.title) for plot in plots] == [
        *((name, None) for name in ("quality", "lightness", "blur")),
        *((name, title) for name in ("tsne", "sheets") for title in TITLES),
        ("iterations", None),
    ]
    assert plots.problems == [
        "times: no title has times of its stages; results of another version? Run again to have them"
    ]
    assert all(_is_drawn(plot.png) and plot.svg.rstrip().endswith("</svg>") for plot in plots)
    assert plots.written == []
    assert plots._repr_html_().count("<img ") == len(plots)
    assert "<b>" not in plots._repr_html_()


def test_a_figure_comes_once_and_a_title_that_failed_is_named(season: Path) -> None:
    record = Store(season).read_json("season.json")
    for title in record["titles"]:
        title["seconds"] = {"tracks": 400.0, "adapt": 20.5}
    Store(season).write_json("season.json", record)
    plots = vcn_ray.load(season).plot("times", "quality", "times")
    assert [plot.name for plot in plots] == ["times", "quality"]
    assert [problem.split(":")[0] for problem in plots.problems] == ["title 'trailer' is left out, it is not finished"]


def test_by_default_figures_lie_beside_the_results_and_pages_lead_there(whole_season: Path) -> None:
    labels = whole_season.parent / "labels.csv"
    assert CliRunner().invoke(app, ["evaluate", str(whole_season), "--ground-truth", str(labels)]).exit_code == 0
    result = _plot(whole_season, "--figure", "quality", "--figure", "sheets")
    assert (result.exit_code, result.stderr) == (0, "")
    folder = whole_season / "titles" / slug(ODD)
    assert {path.name for path in (whole_season / "figures").iterdir()} == {"quality.png", "quality.svg"}
    assert {path.name for path in (folder / "figures").iterdir()} == {"sheets.png", "sheets.svg"}
    page = (folder / "report.html").read_text()
    links = re.findall(r'href="([^"]*figures/[^"]+)"', page)
    assert [link.rsplit("/", 1)[1] for link in links] == ["quality.png", "quality.svg", "sheets.png", "sheets.svg"]
    assert all((folder / link).is_file() for link in links)
    assert "Against ground truth" in page  # what was measured is still said

    season = vcn_ray.load(whole_season)
    season.correct("name", season.titles[ODD].characters[0], name="Anna")
    season.apply()
    assert not (folder / "figures").exists()  # they showed what is no longer so
    page = (folder / "report.html").read_text()
    assert "figures/" not in page
    assert "Against ground truth" not in page


def test_forgetting_somebody_deletes_all_figures(whole_season: Path) -> None:
    for place in ("", f"titles/{slug(ODD)}/", "titles/s01e01/"):
        Store(whole_season).write_bytes(f"{place}figures/sheets.png", b"\x89PNG of somebody")
    season = vcn_ray.load(whole_season)
    forgotten = season.forget(season.cast[0].cast_id)
    assert not list(whole_season.rglob("figures"))
    assert not any("figures" in note for note in forgotten.notes)
    assert not any("figures/" in page.read_text() for page in whole_season.rglob("report.html"))


def test_files_and_folders_that_are_named(season: Path, tmp_path: Path) -> None:
    assert _plot(season, "--figure", "quality", "-o", tmp_path / "a" / "x.svg").exit_code == 1  # the title that failed
    assert (tmp_path / "a" / "x.svg").read_bytes().startswith(b"<?xml")
    _plot(season, "--figure", "sheets", "-o", tmp_path / "b")
    _plot(season, "--figure", "sheets", "--title", PLAIN, "-o", tmp_path / "c")
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("[bc]/**/*.png"))
    assert files == sorted([f"b/{slug(PLAIN)}/sheets.png", f"b/{slug(ODD_TITLE)}/sheets.png", "c/sheets.png"])
    assert not (season / "figures").exists()


def test_from_bucket_to_bucket(s3_bucket: str) -> None:
    write_finished_season(Store(f"{s3_bucket}/out"))
    written = vcn_ray.load(f"{s3_bucket}/out").plot("quality", path=f"{s3_bucket}/figs").written
    assert written == [f"{s3_bucket}/figs/quality.png", f"{s3_bucket}/figs/quality.svg"]
    assert _is_drawn(Store(f"{s3_bucket}/figs").read_bytes("quality.png"))
    result = _plot(f"{s3_bucket}/out", "--figure", "quality", "--title", PLAIN)
    assert f"wrote {s3_bucket}/out/titles/{slug(PLAIN)}/figures/quality.png" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--figure", "quallity"], "no figure is called 'quallity'; did you mean 'quality'?"),
        (["--figure", "x"], "no figure is called 'x'; there are: quality, lightness, blur, tsne, sheets"),
        (["--title", "s01e02"], "no title is called 's01e02'; did you mean 's01e01'?"),
        (["--title", FAILED], "title 'trailer' is not finished: trailer.mp4: no face was found"),
        (["--figure", "iterations"], "iterations: it needs ground truth"),
        (["--figure", "iterations", "--ground-truth", "nowhere.csv"], "nowhere.csv: no such file"),
        (["--figure", "sheets", "-o", "x.png"], "x.png is one file: name one figure, of one title"),
        (["--figure", "quality", "-o", "x.pdf"], "x.pdf: figures are PNG or SVG"),
        (["-o", "gs://bucket/x"], "--out gs://bucket/x"),
    ],
)
def test_wrong_usage_is_one_sentence(season: Path, arguments: list[str], says: str) -> None:
    result = _plot(season, *arguments)
    assert result.exit_code == 2
    (complaint,) = result.stderr.splitlines()
    assert says in complaint


def test_what_a_title_lacks_is_said_and_the_rest_is_drawn(season: Path, tmp_path: Path) -> None:
    result = _plot(season, "--title", PLAIN, "--figure", "tsne", "--figure", "quality", "-o", tmp_path / "f")
    assert result.exit_code == 1
    (complaint,) = result.stderr.splitlines()
    assert "title 's01e01': its working data is gone" in complaint
    assert [path.name for path in sorted((tmp_path / "f").iterdir())] == ["quality.png", "quality.svg"]


def test_tsne_after_the_network_is_gone(whole_season: Path) -> None:
    for state in whole_season.rglob("state.safetensors"):
        state.unlink()
    plots = vcn_ray.load(whole_season).plot("tsne", title=ODD)
    assert len(plots) == 0
    assert "its adapted network is gone" in plots.problems[0]


def test_errors_are_raised_in_python(season: Path) -> None:
    with pytest.raises(OptionError, match="no figure"):
        vcn_ray.load(season).plot("x")
    with pytest.raises(InputError, match="not finished"):
        vcn_ray.load(season).plot(title=FAILED)

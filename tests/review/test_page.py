"""The review page in a browser, of a season from the real server: what is said there, tables and exports say too."""

from __future__ import annotations

import asyncio
import csv
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pytest
from support.correctable_season import (
    FPS,
    FRAMES_PER_TRACK,
    HEIGHT_PX,
    ODD,
    TITLES,
    WIDTH_PX,
    Seen,
    write_correctable_season,
)

import vcn_ray
from vcn_ray import schemas
from vcn_ray.curation.applying import apply_to_season
from vcn_ray.inputs.titles import slug
from vcn_ray.review.guard import Guard
from vcn_ray.review.saving import Saver
from vcn_ray.review.server import ReviewServer, listen, serve
from vcn_ray.review.session import ReviewSession
from vcn_ray.review.stored_season import StoredSeason
from vcn_ray.storage.store import Store
from vcn_ray.tracks.probe import probe_video

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install 'vcn-ray[test]'")

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")

#: Rows of the season are its tracks in order: six of s01e01, then six of the other title.
ASTRAY = 8  # a track of person 2 that was put to Cast 1's


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    path = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if path is None:
        pytest.skip(f"no browser is installed (looked for {', '.join(_BROWSERS)}): apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(_QUIET))
        yield started
        started.close()


@dataclass
class Review:
    """A page that is open, and the season behind it."""

    page: sync_api.Page
    out: Store
    session: ReviewSession
    saver: Saver
    problems: list[str]  # what the browser complained of

    def go(self, where: str) -> None:
        """Open a view, and wait for what it lists."""
        self.page.evaluate("where => { location.hash = where }", where)

    def row(self, text: str) -> sync_api.Locator:
        """The row of a list that holds a text."""
        return self.page.get_by_role("row").filter(has_text=text).filter(has=self.page.get_by_role("checkbox"))

    def said(self, text: str) -> None:
        """Wait for a note."""
        sync_api.expect(self.page.locator(".toast").filter(has_text=text).first).to_be_visible()

    def people(self) -> list[str]:
        """Who is in the cast, as the page lists it."""
        self.go("#/cast")
        sync_api.expect(self.page.get_by_role("columnheader", name="Screen time")).to_be_visible()
        return self.page.locator(".cast .who a").all_text_contents()

    def tables(self) -> vcn_ray.SeasonResult:
        """The season as it is on the disk, once what was said is in it."""
        until = time.monotonic() + 20
        while self.saver.state() != ("saved", None):
            assert time.monotonic() < until, self.saver.state()
            time.sleep(0.02)
        return vcn_ray.load(self.out.url)

    def member_of(self, row: int) -> int | None:
        """The cast's number of a track, by the season's table of tracks."""
        titles = list(TITLES)
        title, track_id = (
            (titles[0], row) if row < len(TITLES[titles[0]]) else (titles[1], row - len(TITLES[titles[0]]))
        )
        rows = self.tables().tracks.to_arrow(["title", "track_id", "cast_id"]).to_pylist()
        return next(r["cast_id"] for r in rows if (r["title"], r["track_id"]) == (title, track_id))

    def exported(self, folder: Path) -> list[dict[str, str]]:
        """The rows of the CSV that other programs read."""
        path = folder / "export.csv"
        self.tables().export("csv", path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))


@contextmanager
def _opened(browser: sync_api.Browser, out: Store) -> Iterator[Review]:
    """The page of a season, served in a thread of this process."""
    saver = Saver(lambda: apply_to_season(out), pause_s=0.05)
    session = ReviewSession(StoredSeason(out), "anna", saver.edited)
    at = listen(0)
    guard = Guard(at.getsockname()[1])
    loop = asyncio.new_event_loop()
    started = threading.Event()
    serving = loop.create_task(serve(ReviewServer(session, saver, guard), at, started.set))

    def run() -> None:
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(serving)

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(10)
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(8000)
    sync_api.expect.set_options(timeout=8000)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: problems.append(request.url) if guard.address[:21] not in request.url else None)
    try:
        page.goto(guard.address)
        yield Review(page, out, session, saver, problems)
    finally:
        context.close()
        loop.call_soon_threadsafe(serving.cancel)
        thread.join()
        loop.close()
        saver.close()
    assert not problems


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A season; tests change copies of it."""
    folder = tmp_path_factory.mktemp("finished") / "season"
    out = Store(str(folder))
    write_correctable_season(out)
    for title, tracks in TITLES.items():
        shots = [
            {"video": f"{title}.mp4", "shot": shot, "first_frame": shot * FRAMES_PER_TRACK}
            | {"last_frame": (shot + 1) * FRAMES_PER_TRACK - 1, "transition": "cut"}
            for shot in sorted({seen.shot for seen in tracks})
        ]
        table = pa.Table.from_pylist(shots, schemas.SHOTS)
        out.child("titles", slug(title), "work").write_table("tracks/shots.parquet", table)
    return folder


@pytest.fixture
def review(browser: sync_api.Browser, finished: Path, tmp_path: Path) -> Iterator[Review]:
    """The page of a fresh season."""
    out = Store(str(shutil.copytree(finished, tmp_path / "season")))
    with _opened(browser, out) as opened:
        yield opened


def test_two_people_are_merged_and_the_tables_say_so(review: Review, tmp_path: Path) -> None:
    assert review.people() == ["Cast 0", "Cast 1", "Cast 2"]
    review.row("Cast 0").get_by_role("checkbox").click()
    review.row("Cast 2").click(modifiers=["ControlOrMeta"])
    review.page.get_by_role("button", name="Merge").click()
    review.said("Cast 0 and Cast 2 are one person")
    sync_api.expect(review.page.locator(".cast .who a")).to_have_text(["Cast 0", "Cast 1"])
    assert len(review.tables().cast) == 2
    assert review.member_of(0) == review.member_of(11) == 0
    assert {row["character"] for row in review.exported(tmp_path)} == {"Cast 0", "Cast 1", "Unknown"}
    sync_api.expect(review.page.get_by_text("Tables up to date")).to_be_visible()


def test_a_track_is_split_off_and_undo_and_redo_work_by_keys(review: Review) -> None:
    before = review.member_of(ASTRAY)
    review.go("#/people/p1")
    review.row("shot 1").get_by_role("checkbox").click()
    review.page.get_by_role("button", name="Split off").click()
    review.said("1 track is not Cast 1, but somebody else")
    sync_api.expect(review.row("shot 1")).to_have_count(0)
    assert review.member_of(ASTRAY) not in (before, None)
    review.page.keyboard.press("ControlOrMeta+z")
    review.said("Undone")
    sync_api.expect(review.row("shot 1")).to_have_count(1)
    assert review.member_of(ASTRAY) == before
    sync_api.expect(review.page.get_by_role("button", name="Redo split of")).to_be_enabled()
    review.page.keyboard.press("ControlOrMeta+Shift+z")
    sync_api.expect(review.row("shot 1")).to_have_count(0)
    assert review.member_of(ASTRAY) != before


def test_a_name_is_given_completed_and_taken_for_text(review: Review, tmp_path: Path) -> None:
    review.go("#/people/p0")
    review.page.get_by_label("Name", exact=True).fill(ODD)
    review.page.keyboard.press("Enter")
    review.said(f"Cast 0 is called {ODD}")
    sync_api.expect(review.page.get_by_role("heading", name=ODD)).to_be_attached()
    assert review.people()[0] == ODD
    assert review.page.locator("main b:has-text('bold')").count() == 0  # a name is never markup
    assert review.tables().cast.to_arrow(["character"]).to_pylist()[0] == {"character": ODD}
    assert ODD in {row["character"] for row in review.exported(tmp_path)}
    # A known name is offered, and said to make one person of two.
    review.row("Cast 2").click()
    review.page.keyboard.press("n")
    dialog = review.page.get_by_role("dialog")
    assert ODD in dialog.locator("option").evaluate_all("options => options.map(one => one.value)")
    dialog.get_by_label("Name").fill(ODD)
    sync_api.expect(dialog.get_by_text("this makes them one person")).to_be_visible()
    review.page.keyboard.press("Enter")
    sync_api.expect(review.page.locator(".cast .who a")).to_have_text([ODD, "Cast 1"])
    assert len(review.tables().cast) == 2


def test_a_track_is_moved_to_somebody_found_by_typing(review: Review) -> None:
    review.go("#/people/p1")
    review.row("shot 1").click()
    review.page.keyboard.press("m")
    field = review.page.get_by_role("combobox", name="Name of the person")
    field.fill("cast 2")
    sync_api.expect(review.page.get_by_role("listbox").get_by_role("option")).to_have_count(1)
    field.press("Enter")
    review.said("1 track shows Cast 2")
    assert review.member_of(ASTRAY) == review.member_of(11)


def test_an_unknown_track_is_assigned_by_one_key_or_is_no_face(review: Review) -> None:
    review.go("#/unknown")
    rows = review.page.locator(".tracks .row")
    sync_api.expect(rows).to_have_count(2)
    sync_api.expect(review.page.get_by_role("button", name="low quality 2")).to_be_visible()
    row = review.row("s01e01")
    sync_api.expect(row.get_by_role("button", name="Assign to Cast 0")).to_be_visible()
    row.focus()
    review.page.keyboard.press("1")
    review.said("1 track shows Cast 0")
    sync_api.expect(rows).to_have_count(1)
    assert review.member_of(5) == review.member_of(0)
    rows.first.focus()  # the keyboard is on the row that took its place
    review.page.keyboard.press("x")
    review.said("1 track shows no face")
    assert review.member_of(10) is None
    sync_api.expect(review.page.get_by_role("button", name="not a face, says anna 1")).to_be_visible()


def test_the_queue_is_answered_by_keys_alone(review: Review) -> None:
    review.go("#/review")
    question = review.page.get_by_role("region", name="Question")
    sync_api.expect(question.get_by_role("heading", name="Is this Cast 0?")).to_be_visible()
    review.page.keyboard.press("y")
    sync_api.expect(question.get_by_role("heading", name="Is this Cast 1?")).to_be_visible()
    sync_api.expect(review.page.get_by_text("1 question answered")).to_be_visible()
    assert review.member_of(5) == review.member_of(0)
    review.page.keyboard.press("n")
    sync_api.expect(review.page.get_by_text("2 questions answered")).to_be_visible()
    assert review.member_of(ASTRAY) is None
    review.page.keyboard.press("u")
    sync_api.expect(question.get_by_role("heading", name="Is this Cast 1?")).to_be_visible()
    assert review.member_of(ASTRAY) == review.member_of(1)
    review.page.keyboard.press("s")
    sync_api.expect(review.page.get_by_text("1 question answered, 1 skipped")).to_be_visible()
    sync_api.expect(question.get_by_role("heading", name="Is this Cast 0?")).to_be_visible()
    assert len(review.session.moment.corrections) == 1


def test_whoever_comes_late_is_told_and_shown_what_is_there_now(review: Review) -> None:
    review.go("#/cast")
    review.row("Cast 2").click()
    review.session.correct({"kind": "merge", "people": ["p0"], "other_people": ["p2"], "revision": 0})
    review.page.keyboard.press("n")
    review.page.get_by_role("dialog").get_by_label("Name").fill("Anna")
    review.page.keyboard.press("Enter")
    review.said("Somebody changed this person meanwhile")
    sync_api.expect(review.page.locator(".cast .who a")).to_have_text(["Cast 0", "Cast 1"])
    review.problems[:] = [text for text in review.problems if "409" not in text]


def test_rows_are_selected_by_keyboard_and_announced_as_a_table(review: Review) -> None:
    review.go("#/cast")
    grid = review.page.get_by_role("grid", name="Cast, by title")
    sync_api.expect(grid).to_have_attribute("aria-rowcount", "4")
    sync_api.expect(grid.get_by_role("gridcell", name="s01e01: 2.4 s")).to_be_visible()
    review.row("Cast 0").focus()
    for key in ("Shift+ArrowDown", "Shift+ArrowDown"):
        review.page.keyboard.press(key)
    sync_api.expect(review.page.get_by_text("3 people selected")).to_be_visible()
    review.page.keyboard.press("Space")
    sync_api.expect(review.page.get_by_text("2 people selected")).to_be_visible()
    assert [review.row(f"Cast {n}").get_attribute("aria-selected") for n in range(3)] == ["true", "true", "false"]
    review.page.keyboard.press("Escape")
    sync_api.expect(review.page.get_by_text("Nobody selected")).to_be_visible()
    review.page.keyboard.press("?")
    help_dialog = review.page.get_by_role("dialog", name="Keyboard and help")
    sync_api.expect(help_dialog).to_be_visible()
    help_dialog.get_by_role("button", name="Close").click()
    sync_api.expect(help_dialog).to_have_count(0)
    review.row("Cast 0").focus()
    review.page.keyboard.press("Enter")
    sync_api.expect(review.page.get_by_role("grid", name="Tracks")).to_be_visible()
    review.page.go_back()
    sync_api.expect(grid).to_be_visible()


def _film(path: Path, frames: int, codec: str) -> None:
    """A film whose picture is another grey in each frame."""
    with av.open(str(path), "w") as sink:
        stream = sink.add_stream(codec, rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        for number in range(frames):
            picture = np.full((HEIGHT_PX, WIDTH_PX, 3), 20 + number, np.uint8)
            sink.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        sink.mux(stream.encode(None))


def _put_film_back(out: Store, title: str, film: Path) -> None:
    """Let a title's record be of a film that is there."""
    results = out.child("titles", slug(title))
    record = results.read_json("title.json")
    info = probe_video(str(film))
    record["videos"][0] |= {"path": str(film), "fingerprint": info.fingerprint}
    results.write_json("title.json", record)
    results.child("work").write_json(f"probe/{slug(film.name)}.json", info.to_json())


# A browser plays the one itself; of the other it is given a copy of the shot, which begins at 0.
@pytest.mark.parametrize(("codec", "source", "shot_start_s"), [("libx264", "/film/0/0", 0.8), ("mpeg4", "/shots/2", 0)])
def test_a_track_is_shown_in_its_film_and_its_box_goes_along(
    browser: sync_api.Browser, finished: Path, tmp_path: Path, codec: str, source: str, shot_start_s: float
) -> None:
    out = Store(str(shutil.copytree(finished, tmp_path / "season")))
    _film(tmp_path / "s01e01.mp4", 100, codec)
    _put_film_back(out, "s01e01", tmp_path / "s01e01.mp4")
    with _opened(browser, out) as review:
        review.go("#/people/p0?track=2")  # frames 20 to 39; its box goes one pixel to the right each
        dialog = review.page.get_by_role("dialog", name="Cast 0")
        box, video = dialog.locator("rect.box"), dialog.locator("video")
        sync_api.expect(box).to_have_attribute("x", "110.0")
        sync_api.expect(dialog.get_by_alt_text("Frame 30")).to_be_visible()
        dialog.get_by_role("slider").press("ArrowRight")
        sync_api.expect(box).to_have_attribute("x", "111.0")
        picture = dialog.locator(".stage img").element_handle()  # the next frame may take its place
        review.page.wait_for_function("picture => picture.complete && picture.naturalWidth > 300", arg=picture)
        dialog.get_by_role("button", name="Play shot").click()
        sync_api.expect(video).to_be_visible()
        sync_api.expect(dialog.get_by_role("button", name="Play shot")).to_be_visible()  # it has come to the shot's end
        assert 0.6 < video.evaluate("video => video.currentTime") - shot_start_s < 1
        assert float(box.get_attribute("x") or 0) > 115
        assert source in (video.get_attribute("src") or "")
        review.page.go_back()
        sync_api.expect(dialog).to_have_count(0)


def test_a_film_that_is_gone_is_a_sentence(review: Review) -> None:
    review.go("#/people/p0?track=0")
    sync_api.expect(review.page.get_by_role("dialog").get_by_text("is not there any more")).to_be_visible()
    review.page.keyboard.press("Escape")
    sync_api.expect(review.page.get_by_role("dialog")).to_have_count(0)


def _many(people: int, tracks: int) -> Sequence[Seen]:
    return [Seen(number % people, number, number % people) for number in range(tracks)]


def test_of_a_long_list_only_rows_in_sight_are_in_the_page(browser: sync_api.Browser, tmp_path: Path) -> None:
    out = Store(str(tmp_path / "season"))
    write_correctable_season(out, {"long": _many(2, 160)})
    with _opened(browser, out) as review:
        review.go("#/people/p0")
        rows = review.page.locator(".tracks .row")
        sync_api.expect(review.page.get_by_role("grid", name="Tracks")).to_have_attribute("aria-rowcount", "80")
        assert 5 < rows.count() < 30
        rows.first.focus()
        review.page.keyboard.press("End")
        sync_api.expect(review.page.locator("[aria-rowindex='80']")).to_be_focused()
        assert rows.count() < 30
        review.page.keyboard.press("ControlOrMeta+a")
        sync_api.expect(review.page.get_by_text("80 tracks selected")).to_be_visible()

"""The file of corrections: what is written is read back, hand edits are explained, nobody's word is lost."""

from __future__ import annotations

import string
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from support.faulty_server import FaultyServer

from vcn_ray.corrections import correction_file
from vcn_ray.corrections.correction import OTHERS_KEY, Correction, Kind, TrackAnchor, check, make_correction
from vcn_ray.corrections.correction_file import (
    CORRECTIONS_KEY,
    corrections_digest,
    edit_corrections,
    from_plain,
    read_corrections,
    to_plain,
    to_yaml,
)
from vcn_ray.errors import InputError
from vcn_ray.storage.store import Store

ANCHOR = TrackAnchor("print", (3, 9), ((4, 1.0, 2.0, 30.0, 40.5), (7, 1.5, 2.0, 30.0, 40.0)), "a.mp4", 0.12)
OTHER = replace(ANCHOR, frames=(20, 30))
HOSTILE = [
    "Überraschung é 日本",
    "\"Q\" 'q' <b>&amp;",
    "=1+1",
    "No",
    "null",
    "~",
    "007",
    "1e5",
    "2026-01-01",
    "12:30:45",
    "- a: b",
    "{x: [y",
    "# no comment",
    "!!python/object:os.system",
    "*alias",
    "علی\u200cرضا",
    "👩‍🎤",
]


def _name(name: str, by: str = "ann", **more: object) -> Correction:
    return make_correction(Kind.NAME, [ANCHOR], by=by, name=name, **more)  # type: ignore[arg-type]


def _entry(**changes: object) -> str:
    """A file of one entry, written by hand; a value None leaves the key out."""
    entry = {"what": "name", "name": "Anna", "by": "ann", "at": "2026-11-26T17:00:00+00:00", "id": "1a"} | changes
    lines = [f"{key}: {value}" for key, value in entry.items() if value is not None]
    if "tracks" not in changes:
        lines.append(
            "tracks:\n  - {file: a.mp4, time_s: 0.1, video: print, frames: [3, 9], boxes: [[4, 1, 2, 30, 40]]}"
        )
    return "format: 1\ncorrections:\n- " + "\n".join(lines).replace("\n", "\n  ") + "\n"


_boxes = st.tuples(st.integers(0, 10**6), *[st.floats(-100, 4000).map(lambda value: round(value, 1))] * 4)
_anchors = st.builds(
    TrackAnchor,
    st.text(string.hexdigits, min_size=1, max_size=16),
    st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)),
    st.lists(_boxes, min_size=1, max_size=3).map(tuple),
    st.sampled_from(HOSTILE),
    st.floats(0, 10**4).map(lambda value: round(value, 2)),
)


@st.composite
def _corrections(draw: st.DrawFn) -> Correction:
    kind = draw(st.sampled_from(Kind))
    anchors = draw(st.lists(_anchors, min_size=2, max_size=4, unique_by=lambda anchor: anchor.key))
    return Correction(
        draw(st.text("0123456789abcdef", min_size=1, max_size=12)),
        kind,
        tuple(anchors[:1]),
        tuple(anchors[1:]) if kind in OTHERS_KEY else (),
        draw(st.sampled_from(HOSTILE)) if kind is Kind.NAME else None,
        draw(st.integers(0, 1000)) if kind is Kind.NUMBER else None,
        draw(st.none() | st.floats(0, 1)) if kind in (Kind.NAME, Kind.NUMBER) else None,
        draw(st.sampled_from(HOSTILE)),
        "2026-11-26T17:00:00+00:00",
    )


@settings(max_examples=60, deadline=None)
@given(said=st.lists(_corrections(), max_size=4, unique_by=lambda one: one.id))
def test_what_is_written_is_read_back(said: list[Correction], tmp_path_factory: pytest.TempPathFactory) -> None:
    out = Store(tmp_path_factory.getbasetemp() / "round")
    assert edit_corrections(out, lambda _: said) == said
    correction_file._KNOWN.clear()
    assert read_corrections(out) == said
    assert from_plain(to_plain(said)) == said
    assert corrections_digest(said) == corrections_digest([replace(one, id="x", at="") for one in said])


def test_a_season_without_the_file_has_no_corrections_and_none_is_made_by_looking(tmp_path: Path) -> None:
    assert read_corrections(Store(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []
    assert corrections_digest([]) is None


@pytest.mark.parametrize("name", ["Unknown", "unknown\u200d", "Cast 12", "\uff23ast 3", "Character 0"])
def test_nobody_can_be_given_the_name_of_those_without_one(name: str, tmp_path: Path) -> None:
    """Where it could be done once, the file is read as it is."""
    with pytest.raises(InputError, match="is what those are called who have no name: choose another"):
        _name(name)
    written = replace(_name("Anna"), name=name)
    (tmp_path / "corrections.yaml").write_text(to_yaml([written]), encoding="utf-8")
    assert read_corrections(Store(tmp_path)) == [written]


def test_a_track_is_a_line_so_that_a_difference_is_readable(tmp_path: Path) -> None:
    text = to_yaml([_name("Anna"), make_correction(Kind.MERGE, [ANCHOR, OTHER], [replace(OTHER, video="b")], by="ann")])
    assert sum("boxes:" in line for line in text.splitlines()) == 4
    assert all(line.count("boxes:") <= 1 for line in text.splitlines())
    assert text.startswith("#")
    assert "personal data" in text


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_written_by_hand_without_quotes_is_that_text(name: str, tmp_path: Path) -> None:
    if yaml.SafeDumper(None).analyze_scalar(name).allow_block_plain:
        (tmp_path / CORRECTIONS_KEY).write_text(_entry(name=name), encoding="utf-8")
        assert read_corrections(Store(tmp_path))[0].name == name


def test_who_when_and_id_may_look_like_numbers_and_times(tmp_path: Path) -> None:
    (tmp_path / CORRECTIONS_KEY).write_text(_entry(by=123, at="2026-11-26 17:00:00", id="012345670123"))
    (said,) = read_corrections(Store(tmp_path))
    assert (said.by, said.at, said.id) == ("123", "2026-11-26 17:00:00", "012345670123")
    edit_corrections(Store(tmp_path), lambda all_: all_)
    assert read_corrections(Store(tmp_path)) == [said]


def test_a_file_with_the_mark_and_line_ends_of_windows_is_read(tmp_path: Path) -> None:
    (tmp_path / CORRECTIONS_KEY).write_bytes(b"\xef\xbb\xbf" + _entry().replace("\n", "\r\n").encode())
    assert read_corrections(Store(tmp_path))[0].name == "Anna"


@pytest.mark.parametrize("text", ["", "# only this\n", "format: 1\ncorrections: []\n"])
def test_an_empty_file_holds_none(text: str, tmp_path: Path) -> None:
    (tmp_path / CORRECTIONS_KEY).write_text(text)
    assert read_corrections(Store(tmp_path)) == []
    edit_corrections(Store(tmp_path), lambda all_: [*all_, _name("Anna")])
    assert len(read_corrections(Store(tmp_path))) == 1


#: Short to read, and longer than any memory to write out.
_DOUBLED = "".join(f", x{n}: &{n} [*{n - 1}, *{n - 1}]" for n in range(1, 60))

WRONG = {
    "not YAML": (b"corrections: [", "is not YAML"),
    "a merge's marks": (_entry().replace("  by", "<<<<<<< HEAD\n  by").encode(), "is not YAML"),
    "not UTF-8": (b"format: 1\ncorrections: \xff", "is not YAML"),
    "without end": (b"[" * 600, "is not YAML"),
    "code": (_entry(name="!!python/object/apply:os.getcwd []").encode(), "is not YAML"),
    "a list": (b"- what: name\n", "'format: 1' and a list 'corrections' are expected"),
    "no list": (b"format: 1\ncorrections: {what: name}\n", "'corrections' is no list"),
    "half a list": (b"format: 1\ncorrections:\n", "'format: 1' and a list 'corrections' are expected"),
    "more than that": (b"format: 1\ncorrections: []\nnote: mine\n", "no more"),
    "a later format": (b"format: 2\nsaid: []\n", "it is of format 2, this version reads 1; update vcn-ray"),
    "no mapping": (b"format: 1\ncorrections: [Anna]\n", "entry 1: it is not a mapping"),
    "unknown key": (_entry(nmae="x").encode(), "entry 1: 'nmae' is no key of a 'name'"),
    "unknown kind": (_entry(what="rename").encode(), "'what' is 'rename'; it can be name, "),
    "no kind": (_entry(what=None).encode(), "entry 1: 'what' is missing"),
    "no who": (_entry(by=None).encode(), "entry 1: 'by' is missing"),
    "no tracks": (_entry(tracks="[]").encode(), "names no tracks"),
    "tracks that are none": (_entry(tracks="[3]").encode(), "a track under 'tracks' is not what vcn-ray writes there"),
    "tracks without boxes": (
        _entry(tracks="[{video: a, frames: [1, 2], boxes: []}]").encode(),
        "has no 'boxes', or numbers that are none",
    ),
    "no numbers": (
        _entry(tracks="[{video: a, frames: [1, 2], boxes: [[1, nan, 2, 3, 4]]}]").encode(),
        "numbers that are none",
    ),
    "one frame": (_entry(tracks="[{video: a, frames: [1], boxes: [[1, 2, 3, 4, 5]]}]").encode(), "under 'tracks'"),
    "no name": (_entry(name=None).encode(), "a correction 'name' has a name"),
    "empty name": (_entry(name="").encode(), "a name has 1 to 200 letters, not 0"),
    "long name": (_entry(name="x" * 201).encode(), "not 201"),
    "name with bells": (_entry(name='"A\\a"').encode(), "cannot be printed"),
    "name of a list": (_entry(name="[Anna]").encode(), "'name' is no text"),
    "a kind without end": (
        f"format: 1\ncorrections: [{{id: &0 [y, y]{_DOUBLED}, what: *59}}]".encode(),
        "'what' is no text",
    ),
    "a format without end": (f"format: {{x: &0 [y, y]{_DOUBLED}}}\ncorrections: []".encode(), "no more; mend it"),
    "a wild number": (_entry(what="number", name=None, number=10**19).encode(), "0 to 1000000000"),
    "less than nothing": (_entry(what="number", name=None, number=-1).encode(), "0 to 1000000000"),
    "too sure": (_entry(confidence=3).encode(), "a probability"),
    "sure of nothing": (_entry(confidence="nan").encode(), "a probability"),
    "equal ids": (
        (_entry() + _entry().split("corrections:\n")[1]).encode(),
        "several entries have the id 1a; take all but one out",
    ),
    "with whom": (_entry(what="merge", name=None).encode(), "entry 1: 'with' is missing"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_explained_and_stays_as_it_is(case: str, tmp_path: Path) -> None:
    content, sentence = WRONG[case]
    (tmp_path / CORRECTIONS_KEY).write_bytes(content)
    for act in (read_corrections, lambda out: edit_corrections(out, lambda all_: [*all_, _name("Berta")])):
        with pytest.raises(InputError) as error:
            act(Store(tmp_path))
        assert sentence in str(error.value)
        assert str(tmp_path / CORRECTIONS_KEY) in str(error.value)
        assert "\n" not in str(error.value)
    assert (tmp_path / CORRECTIONS_KEY).read_bytes() == content


def test_what_would_make_the_file_wrong_is_not_written(tmp_path: Path) -> None:
    out = Store(tmp_path)
    edit_corrections(out, lambda _: [_name("Anna")])
    before = out.read_bytes(CORRECTIONS_KEY)
    for wrong in (replace(_name("B"), name=" " * 3 + "\0"), replace(_name("B"), tracks=())):
        with pytest.raises(InputError):
            edit_corrections(out, lambda all_, wrong=wrong: [*all_, wrong])
    with pytest.raises(InputError, match="two corrections would have the id"):
        edit_corrections(out, lambda all_: [*all_, *all_])
    with pytest.raises(ZeroDivisionError):
        edit_corrections(out, lambda all_: [all_[1 // 0]])
    assert out.read_bytes(CORRECTIONS_KEY) == before


def test_a_name_is_one_however_its_accents_and_spaces_are_typed() -> None:
    assert _name("  U\u0308ber \t Zoe\u0301 ").name == "Über Zoé"
    check(_name("Zoé"))


def test_who_says_it_can_be_stored_whatever_the_machine_calls_them(tmp_path: Path) -> None:
    edit_corrections(Store(tmp_path), lambda _: [_name("Anna", by="a\udc80\n\0b")])
    assert read_corrections(Store(tmp_path))[0].by == "a\N{REPLACEMENT CHARACTER} \N{REPLACEMENT CHARACTER}b"


@pytest.fixture(params=["folder", "bucket"])
def out(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return Store(tmp_path) if request.param == "folder" else Store(f"{request.getfixturevalue('s3_bucket')}/season")


def _say_several(url: str, who: str, times: int) -> None:
    for number in range(times):
        edit_corrections(Store(url), lambda all_, number=number: [*all_, _name(f"{who} {number}", by=who)])


_SAY_SEVERAL = """
import sys
from vcn_ray.corrections.correction import Kind, TrackAnchor, make_correction
from vcn_ray.corrections.correction_file import edit_corrections
from vcn_ray.storage.store import Store
url, who, times = sys.argv[1:]
track = TrackAnchor("v", (0, 9), ((4, 1.0, 1.0, 9.0, 9.0),))
for number in range(int(times)):
    said = make_correction(Kind.NAME, [track], by=who, name=f"{who} {number}")
    edit_corrections(Store(url), lambda present: [*present, said])
"""


def _all_are_there(out: Store, who: int, times: int) -> None:
    said = read_corrections(out)
    names = [one.name for one in said]
    assert sorted(names) == sorted(f"w{n} {k}" for n in range(who) for k in range(times))
    for n in range(who):  # and each one's in their order
        assert [name for name in names if name.startswith(f"w{n} ")] == [f"w{n} {k}" for k in range(times)]


def test_several_who_write_at_once_lose_nothing(out: Store) -> None:
    threads = [threading.Thread(target=_say_several, args=(out.url, f"w{n}", 4)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _all_are_there(out, 3, 4)


def test_several_processes_that_write_at_once_lose_nothing(out: Store) -> None:
    # Programs of their own: a fork of this process would cut off a Ray that other tests have started in it.
    command = [sys.executable, "-c", _SAY_SEVERAL, out.url]
    workers = [subprocess.Popen([*command, f"w{n}", "4"]) for n in range(2)]  # noqa: S603
    assert [worker.wait(60) for worker in workers] == [0, 0]
    _all_are_there(out, 2, 4)


def test_in_a_bucket_change_is_asked_again_where_somebody_else_wrote_meanwhile(s3_bucket: str) -> None:
    out = Store(f"{s3_bucket}/season")
    seen: list[int] = []

    def change(all_: list[Correction]) -> list[Correction]:
        seen.append(len(all_))
        if len(seen) == 1:
            edit_corrections(out, lambda present: [*present, _name("Berta")])
        return [*all_, _name("Anna")]

    assert [one.name for one in edit_corrections(out, change)] == ["Berta", "Anna"]
    assert seen == [0, 1]


def test_an_answer_that_is_lost_makes_no_second_correction(faulty: FaultyServer, s3_bucket: str) -> None:
    out = Store(f"{s3_bucket}/season")
    edit_corrections(out, lambda _: [_name("Anna")])
    new = _name("Berta")
    calls: list[int] = []

    def change(all_: list[Correction]) -> list[Correction]:
        calls.append(len(all_))
        faulty.faults = ["cut"]  # of the answer to the next request, which is the writing
        return [*all_, new]

    edit_corrections(out, change)
    assert faulty.met == ["cut"]
    assert calls == [1]
    assert [one.name for one in read_corrections(out)] == ["Anna", "Berta"]

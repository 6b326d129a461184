"""Whom the review page's server answers: nobody without the token, no other site, and nothing but its own files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.served_review import Asker, ask

from jobs.benchmarks.synthetic_season import SyntheticSeason
from vcn_ray.storage.store import Store

FOREIGN = "SECRET-FILE"
OTHER = "https://other.example"
HOSTILE = '<b>"é 日本'


@pytest.fixture
def page(tmp_path: Path) -> Path:
    folder = tmp_path / "page"
    folder.mkdir()
    (tmp_path / "secret.js").write_text(FOREIGN)
    (folder / "index.html").write_text("<!doctype html>the page")
    (folder / "app.js").write_text("// the app")
    (folder / "notes.txt").write_text(FOREIGN)
    return folder


@pytest.fixture
def season(tmp_path: Path) -> SyntheticSeason:
    return SyntheticSeason(Store(tmp_path / "out"), 4, 24, name=HOSTILE)


def test_the_token_lets_in_once_and_then_stays_in_a_cookie(season: SyntheticSeason, page: Path) -> None:
    async def test(asker: Asker) -> None:
        client = asker.client
        async with client.get("/", params={"token": "the-token"}, allow_redirects=False) as first:
            assert (first.status, first.headers["Location"]) == (303, "/")
            cookie = first.headers["Set-Cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=Strict" in cookie
        # By a link of another site: a redirect would lose a strict cookie, the server's own page does not.
        far = {"Sec-Fetch-Site": "cross-site"}
        async with client.get("/", params={"token": "the-token"}, headers=far, allow_redirects=False) as linked:
            assert (linked.status, linked.headers["Refresh"]) == (200, "0; url=/")
        assert await asker.get("/") == (200, b"<!doctype html>the page")

    ask(season, page, test)


def test_what_a_browser_is_started_with_lets_in_once(season: SyntheticSeason, page: Path) -> None:
    async def test(asker: Asker) -> None:
        path = asker.guard.address_for_once().partition(str(asker.guard.port))[2]
        assert asker.guard.token not in path
        for status in (303, 403):  # the browser's own request, then that of another user who has seen the address
            async with asker.client.get(path, allow_redirects=False) as response:
                assert response.status == status
            asker.client.session.cookie_jar.clear()
        async with asker.client.get("/?token=the-token", allow_redirects=False) as response:
            assert response.status == 303
        assert (await asker.get("/?token="))[0] == 200  # by its cookie

    ask(season, page, test)


def test_without_the_token_nothing_is_answered(season: SyntheticSeason, page: Path) -> None:
    paths = ["/", "/?token=wrong", "/?token=", "/static/app.js", "/api/season", "/pictures/0.jpg", "/film/0/0", "/x"]

    async def test(asker: Asker) -> None:
        # Other servers of this machine get each other's cookies, so theirs has another name.
        for headers in ({}, {"Cookie": f"{asker.guard.cookie}=wrong"}, {"Cookie": "vcn_review_1=the-token"}):
            for path in paths:
                async with asker.client.get(path, headers=headers, allow_redirects=False) as response:
                    assert response.status == 403
                    assert "vcn-ray review" in (await response.json())["error"]
                    assert "Set-Cookie" not in response.headers

    ask(season, page, test)


def test_nothing_is_changed_for_another_site(season: SyntheticSeason, page: Path) -> None:
    foreign = [
        {"Host": "other.example"},  # a name that was made to lead here
        {"Host": "127.0.0.1"},
        {"Origin": OTHER},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},  # another server of this machine
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},  # typed in: that only reads
    ]
    content = {"kind": "name", "tracks": [0], "name": "x"}

    async def test(asker: Asker) -> None:
        for headers in foreign:
            async with asker.client.post("/api/corrections", json=content, headers=asker.headers | headers) as response:
                assert response.status == 403, headers
        no_origin = {"Cookie": asker.headers["Cookie"]}
        async with asker.client.post("/api/corrections", json=content, headers=no_origin) as response:
            assert response.status == 403
        # What a form of another site can send without asking first.
        async with asker.client.post("/api/corrections", data={"kind": "name"}, headers=asker.headers) as response:
            assert response.status == 415
        for method in ("PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"):
            async with asker.client.request(method, "/api/season", headers=asker.headers) as response:
                assert response.status == 405
                assert "Access-Control-Allow-Origin" not in response.headers

    assert not ask(season, page, test).moment.corrections


def test_nothing_is_read_by_another_site(season: SyntheticSeason, page: Path) -> None:
    async def test(asker: Asker) -> None:
        for path in ("/api/season", "/pictures/0.jpg", "/static/app.js"):
            assert (await asker.get(path))[0] == 200
            for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": OTHER}, {"Host": "rebound.example"}):
                assert (await asker.get(path, **headers))[0] == 403

    ask(season, page, test)


def test_no_other_file_can_be_reached(season: SyntheticSeason, page: Path) -> None:
    paths = [
        "/static/../secret.js",
        "/static/..%2fsecret.js",
        "/static/%2e%2e/secret.js",
        "/static/..\\secret.js",
        "/static/....//secret.js",
        "/static/notes.txt",
        "/static/%00app.js",
        "/static/",
        "/static//etc/passwd",
        "//etc/passwd",
        "/../../../../etc/passwd",
        "/pictures/../../secret.js",
        "/film/0/0/../../../secret.js",
        "/film/-1/0",
        "/film/9/0",
        "/pictures/-1.jpg",
        "/pictures/99999.jpg",
        "/pictures/%D9%A3.jpg",  # an Arabic 3
        "/pictures/0.jpg?n=1e9",
        "/pictures/0.jpg?n=99",
        "/api/tracks/0x1",
        "/api/people/..%2f..",
        "/api/unknown?offset=-1",
        "/api/unknown?limit=99999999999999999999999",
    ]

    async def test(asker: Asker) -> None:
        for path in paths:
            head = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{asker.guard.port}", f"Cookie: {asker.headers['Cookie']}"]
            answer = await asker.raw("\r\n".join([*head, "Connection: close", "", ""]))
            assert answer.split()[1] in ("400", "404"), path
            assert FOREIGN not in answer
            assert "root:" not in answer

    ask(season, page, test)


def test_a_huge_body_is_not_read(season: SyntheticSeason, page: Path) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * (1 << 16)

    async def test(asker: Asker) -> None:
        json = asker.headers | {"Content-Type": "application/json"}
        head = [
            "POST /api/corrections HTTP/1.1",
            f"Host: 127.0.0.1:{asker.guard.port}",
            *(f"{k}: {v}" for k, v in json.items()),
        ]
        announced = await asker.raw("\r\n".join([*head, f"Content-Length: {10**12}", "", ""]))  # nothing follows
        assert announced.split()[1] == "413"
        # In pieces, without a word of its length.
        async with asker.client.post("/api/corrections", data=pieces(), headers=json) as response:
            assert response.status == 413
        async with asker.client.post("/api/corrections", data="[" * 100_000, headers=json) as response:
            assert response.status == 400

    assert not ask(season, page, test).moment.corrections


def test_every_answer_tells_the_browser_what_it_may_do(season: SyntheticSeason, page: Path) -> None:
    async def test(asker: Asker) -> None:
        for path, headers in (("/", asker.headers), ("/nothing", asker.headers), ("/api/season", {})):
            async with asker.client.get(path, headers=headers) as response:
                policy = response.headers["Content-Security-Policy"]
                assert "default-src 'self'" in policy
                assert "frame-ancestors 'none'" in policy
                assert "unsafe" not in policy
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                assert response.headers["Referrer-Policy"] == "no-referrer"
                assert response.headers["Server"] == "vcn-ray"
        async with asker.client.get("/pictures/0.jpg", headers=asker.headers) as response:
            assert "no-store" in response.headers["Cache-Control"]  # no faces in the browser's cache on disk
        async with asker.client.get("/static/app.js", headers=asker.headers) as response:
            assert response.headers["Cache-Control"] == "no-cache"
            assert response.headers["Content-Type"].startswith("text/javascript")

    ask(season, page, test)


def test_what_cannot_be_is_told_and_changes_nothing(season: SyntheticSeason, page: Path) -> None:
    name = {"kind": "name", "tracks": [0]}
    contents = [
        [],
        {},
        {"kind": "forget", "tracks": [0]},
        {"kind": "number", "tracks": [0], "number": 1},
        {"kind": ["name"]},
        {"kind": "merge", "people": ["p0"]},
        {"kind": "move", "tracks": [0]},
        name,
        name | {"name": "  "},
        name | {"name": "x" * 201},
        name | {"name": "a\u202eb"},  # turns the direction of what follows
        name | {"name": {"$ne": 1}},
        *({"kind": "name", "name": "x", "tracks": [row]} for row in ("0", True, -1, 10**9, None, 0.5)),
        {"kind": "name", "name": "x", "people": [0]},
    ]

    async def test(asker: Asker) -> None:
        for content in contents:
            status, answer = await asker.post("/api/corrections", content)
            assert (status, list(answer)) == (400, ["error"]), content

    assert not ask(season, page, test).moment.corrections


def test_hostile_names_stay_text(season: SyntheticSeason, page: Path) -> None:
    names = [
        "<script>alert(1)</script>",
        "=1+1",
        "Überraschung é 日本",
        "'; DROP TABLE--",
        "a: b - c",
        "../../x",
        "&lt;",
    ]

    async def test(asker: Asker) -> None:
        for name in names:
            people = (await asker.get("/api/season"))[1]["people"]
            content = {"kind": "name", "people": [people[0]["id"]], "name": name}
            status, changed = await asker.post("/api/corrections", content)
            assert (status, changed["season"]["people"][0]["name"]) == (200, name)
            assert changed["season"]["name"] == HOSTILE

    ask(season, page, test)

"""The review page under load: an invented season of many people and tracks, in a real browser."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jobs.benchmarks.processes import descendants, processes
from vcn_ray.errors import InputError

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
_TIMEOUT_S = 60.0


def review_load(people: int, tracks: int, titles: int, folder: str) -> dict[str, float]:
    """Measure and print how long a person waits, and what server and page take; seconds and MiB.

    The server is a process of its own. Of a click the time to the screen is measured: the merge is done, written to
    corrections.yaml, and the list is drawn without the person who is gone.

    Args:
        people, tracks, titles: of the season.
        folder: where its corrections go.
    """
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if path is None:
        raise InputError(f"no browser is installed (looked for {', '.join(_BROWSERS)}); install chromium")
    call = f"serve_synthetic({people}, {tracks}, {titles}, {folder!r})"
    code = f"from jobs.benchmarks.review_load import serve_synthetic; {call}"
    started = time.monotonic()
    server = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)  # noqa: S603
    try:
        assert server.stdout is not None  # noqa: S101
        address = server.stdout.readline().strip()
        figures = {"server ready, s": time.monotonic() - started}
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=list(_QUIET))
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            figures |= _visit(context.new_page(), address)
            browser.close()
        figures["server, MiB"] = processes()[server.pid]["rss_mib"]
    finally:
        server.terminate()
        server.wait()
    for name, value in figures.items():
        print(f"{name:45} {value:8.3f}")
    return figures


def serve_synthetic(people: int, tracks: int, titles: int, folder: str) -> None:
    """Serve an invented season until the process ends; prints the address."""
    from jobs.benchmarks.synthetic_season import SyntheticSeason
    from vcn_ray.review.guard import Guard
    from vcn_ray.review.saving import Saver
    from vcn_ray.review.server import ReviewServer, listen, serve
    from vcn_ray.review.session import ReviewSession
    from vcn_ray.storage.store import Store

    saver = Saver(lambda: None)
    session = ReviewSession(SyntheticSeason(Store(folder), people, tracks, titles), "benchmark", saver.edited)
    at = listen(0)
    guard = Guard(at.getsockname()[1])
    server = ReviewServer(session, saver, guard)
    asyncio.run(serve(server, at, lambda: print(guard.address, flush=True)))


def _visit(page: Any, address: str) -> dict[str, float]:
    """Open each view, scroll, merge, answer, undo."""
    page.set_default_timeout(_TIMEOUT_S * 1000)
    figures: dict[str, float] = {}

    def timed(what: str, act: Callable[[], None], until: str) -> None:
        """From the act to the frame in which the condition, JavaScript, is true."""
        started = time.monotonic()
        act()
        # The page's policy lets nobody evaluate text, so it is looked at from a function.
        look = (
            f"() => ({until}) ? done() : performance.now() > end ? fail(Error({what!r})) : requestAnimationFrame(look)"
        )
        end = f"performance.now() + {_TIMEOUT_S * 1000}"
        page.evaluate(f"() => new Promise((done, fail) => {{ const end = {end}, look = {look}; look() }})")
        figures[what] = time.monotonic() - started

    drawn = "[...document.querySelectorAll('main img')].filter(i => i.complete && i.naturalWidth).length >= 5"
    timed("address to first faces, s", lambda: page.goto(address), drawn)
    paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
    figures["first contentful paint, s"] = page.evaluate(paint) / 1000
    figures["elements in the cast's list"] = page.evaluate("document.querySelectorAll('*').length")
    _merge(page, timed)
    timed("undo by key to screen, s", lambda: page.keyboard.press("Control+z"), _toast("Undone"))
    go = "where => { location.hash = where }"
    most = page.locator(".cast .who a").first.get_attribute("href")
    timed("person with most tracks to screen, s", lambda: page.evaluate(go, most), drawn)
    figures["longest frame while scrolling, s"] = _scroll(page)
    timed("Unknown to screen, s", lambda: page.evaluate(go, "#/unknown"), drawn)
    timed("first question to screen, s", lambda: page.evaluate(go, "#/review"), drawn)
    metrics = page.context.new_cdp_session(page)
    metrics.send("HeapProfiler.collectGarbage")
    figures["page's JavaScript heap, MiB"] = page.evaluate("performance.memory.usedJSHeapSize") / 2**20
    figures["browser with all its processes, MiB"] = _browser_mib()
    return figures


def _merge(page: Any, timed: Callable[..., None]) -> None:
    """Merge two people of the cast by clicks: the first two of some who are nowhere seen together."""
    page.locator(".cast .who a").first.wait_for()
    rows = page.get_by_role("row").filter(has=page.get_by_role("checkbox"))
    count = rows.count()
    for first, second in itertools.combinations(range(count - 1, 0, -1), 2):
        page.keyboard.press("Escape")
        page.evaluate("() => document.querySelectorAll('.toast').forEach(one => one.remove())")
        rows.nth(first).get_by_role("checkbox").click()
        rows.nth(second).click(modifiers=["Control"])
        button = page.get_by_role("button", name="Merge")
        timed("merge by click to screen, s", button.click, f"{_toast('one person')} || {_toast('seen together')}")
        if page.evaluate(_toast("one person")):
            return


def _toast(text: str) -> str:
    return f"[...document.querySelectorAll('.toast')].some(one => one.textContent.includes({text!r}))"


def _scroll(page: Any) -> float:
    """Longest time between two frames while the list is scrolled from its start to its end in two seconds."""
    return page.evaluate(
        """() => new Promise(done => {
            const scrolled = [...document.querySelectorAll('main, main *')]
                .sort((a, b) => (b.scrollHeight - b.clientHeight) - (a.scrollHeight - a.clientHeight))[0]
            const list = scrolled.scrollHeight > scrolled.clientHeight + 50 ? scrolled : document.scrollingElement
            const length = list.scrollHeight - list.clientHeight, start = performance.now()
            let last = start, longest = 0
            const step = now => {
                longest = Math.max(longest, now - last)
                last = now
                list.scrollTop = length * Math.min(1, (now - start) / 2000)
                now - start < 2000 ? requestAnimationFrame(step) : done(longest / 1000)
            }
            requestAnimationFrame(step)
        })"""
    )


def _browser_mib() -> float:
    """Memory of the browser's processes; what several share counts once (PSS)."""
    table = processes()
    own = [pid for pid in descendants(os.getpid(), table) if "chrom" in table[pid]["name"]]
    texts = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in own]
    return sum(int(found) for text in texts for found in re.findall(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)) / 1024

"""The server of the review page: on this machine's own address, for whoever has the token."""

from __future__ import annotations

import asyncio
import functools
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from vcn_ray.errors import OptionError, OutputError
from vcn_ray.review.film import FilmError, Shots
from vcn_ray.review.guard import MOST_BODY_BYTES, Guard, refused
from vcn_ray.review.request_values import natural, number_of, read_content
from vcn_ray.review.saving import Saver
from vcn_ray.review.session import OutdatedError, ReviewSession

_PAGE = Path(__file__).parent / "page"
_KINDS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".html": "text/html"}

#: How often it is looked whether somebody else wrote corrections.
_LOOK_S = 5.0

_STRIP_CROPS = 8
_MOST_TRACKS = 1000  # of the Unknown, in one answer
_MOST_QUESTIONS = 50


class ReviewServer:
    """Answers the page from a session.

    Args:
        session: the review.
        saver: brings what is said into the tables.
        guard: who may ask.
        page: folder of the page's files.
    """

    def __init__(self, session: ReviewSession, saver: Saver, guard: Guard, page: Path = _PAGE):
        self.session, self.saver, self.guard, self._page = session, saver, guard, page
        self._shots = Shots()
        self._encoding = asyncio.Lock()
        self._preparing: set[asyncio.Task[Any]] = set()

    def app(self) -> web.Application:
        """The application; it ends by writing what is not written yet."""
        app = web.Application(client_max_size=MOST_BODY_BYTES, middlewares=[self.guard.middleware()])
        app.on_response_prepare.append(self.guard.add_headers)
        app.cleanup_ctx.append(self._watching)
        get, post = app.router.add_get, app.router.add_post
        get("/", self._index)
        get("/static/{name}", self._static)
        get("/api/season", self._season)
        get("/api/state", self._state)
        get("/api/people/{id}", self._person)
        get("/api/unknown", self._unknown)
        get("/api/tracks/{row}", self._track)
        get("/api/questions", self._questions)
        post("/api/answers", functools.partial(self._edit, self.session.answer))
        post("/api/corrections", functools.partial(self._edit, self.session.correct))
        post("/api/undo", functools.partial(self._edit, lambda content: self.session.undo()))
        post("/api/redo", functools.partial(self._edit, lambda content: self.session.redo()))
        post("/api/save", self._save)
        get("/pictures/{row}.jpg", self._picture)
        get("/strips/{row}.jpg", self._strip)
        get("/frames/{row}.jpg", self._frame)
        get("/film/{title}/{video}", self._film)
        get("/shots/{row}.mp4", self._shot)
        return app

    async def _watching(self, app: web.Application) -> AsyncIterator[None]:
        """Looks for others' corrections for as long as the server runs."""
        task = asyncio.create_task(self._watch())
        self._prepare()
        yield
        task.cancel()
        await asyncio.gather(task, *self._preparing, return_exceptions=True)
        await asyncio.to_thread(self._shots.close)

    def _prepare(self) -> None:
        """Begin with what will be asked for next, so that nobody waits for it."""
        moment = self.session.moment
        task = asyncio.create_task(asyncio.to_thread(lambda: moment.comparison.own_probability))
        self._preparing.add(task)
        task.add_done_callback(self._preparing.discard)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                await asyncio.to_thread(self.session.look)
            except OutputError:  # a store that does not answer: later
                continue

    async def _index(self, request: web.Request) -> web.StreamResponse:
        if self.guard.lets_in(request):
            # By a link of another site a strict cookie would not be sent to where a redirect leads; to where the
            # server's own page leads it is.
            direct = request.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin")
            response = web.Response(
                status=303 if direct else 200,
                headers={"Location": "/"} if direct else {"Refresh": "0; url=/"},
                content_type="text/html",
            )
            self.guard.let_in(request, response)
            return response
        return self._file("index.html")

    async def _static(self, request: web.Request) -> web.StreamResponse:
        return self._file(request.match_info["name"])

    def _file(self, name: str) -> web.StreamResponse:
        """A file of the page: one of its folder's names, never a path."""
        known = {path.name: path for path in self._page.iterdir() if path.suffix in _KINDS}
        if name not in known:
            raise web.HTTPNotFound
        path = known[name]
        return web.Response(
            body=path.read_bytes(),
            content_type=_KINDS[path.suffix],
            charset="utf-8",
            headers={"Cache-Control": "no-cache"},
        )

    async def _season(self, request: web.Request) -> web.Response:
        return await self._json(self._season_json)

    def _season_json(self) -> dict[str, Any]:
        return self._with_state(self.session.season_json())

    def _with_state(self, content: dict[str, Any]) -> dict[str, Any]:
        saved, problem = self.saver.state()
        return content | {"saved": saved, "save_problem": problem, "session": self.guard.session}

    async def _state(self, request: web.Request) -> web.Response:
        return web.json_response(self._with_state({"revision": self.session.moment.revision}))

    async def _person(self, request: web.Request) -> web.Response:
        moment = self.session.moment
        person = moment.by_id.get(request.match_info["id"])
        if person is None:
            return refused(404, "This person is not there any more.")
        return await self._json(lambda: moment.person_json(person))

    async def _unknown(self, request: web.Request) -> web.Response:
        offset, limit = number_of(request, "offset", 0), number_of(request, "limit", 200)
        reason = request.query.get("reason")
        moment = self.session.moment
        return await self._json(lambda: moment.unknown_json(offset, min(limit, _MOST_TRACKS), reason))

    async def _track(self, request: web.Request) -> web.Response:
        row = self._row(request)
        return await self._json(lambda: self._track_json(row))

    def _track_json(self, row: int) -> dict[str, Any]:
        moment, source = self.session.moment, self.session.source
        person = moment.owner(row)
        title, video = int(source.found.title[row]), int(source.facts.video[row])
        frames, times_s, boxes = source.places.faces(row)
        boxes = boxes.round(1)
        faces = zip(frames.tolist(), times_s.tolist(), boxes.tolist(), strict=True)
        film = source.film(title)
        problem = film.problem(video)
        first, last = source.shot_frames(row) if problem is not None else self._piece(row)
        info = None if problem is not None else film.info(video)
        return moment.track_json(row) | {
            "person": None if person is None else person.id,
            "boxes": [[frame, round(time_s, 4), *box] for frame, time_s, box in faces],
            "shot_first_time_s": first / source.videos[title][video].fps if info is None else info.time_s(first),
            "shot_last_time_s": last / source.videos[title][video].fps if info is None else info.time_s(last),
            "film": f"/film/{title}/{video}" if film.file(video) is not None else None,
            "proxy": f"/shots/{row}.mp4",
            "film_problem": problem,
        }

    def _piece(self, row: int) -> tuple[int, int]:
        """First and last frame of what is shown of a track's shot."""
        source = self.session.source
        facts = source.facts
        track = int(facts.first_frame[row]), int(facts.last_frame[row])
        film = source.film(int(source.found.title[row]))
        return film.piece(int(facts.video[row]), source.shot_frames(row), track)

    async def _questions(self, request: web.Request) -> web.Response:
        count = min(number_of(request, "n", 3), _MOST_QUESTIONS)
        return await self._json(lambda: self.session.questions_json(count))

    async def _edit(self, follow: Callable[[dict[str, Any]], dict[str, Any]], request: web.Request) -> web.Response:
        content = await read_content(request)
        try:
            changed = await asyncio.to_thread(follow, content)
        except OutdatedError as error:
            season = await asyncio.to_thread(self._season_json)
            return web.json_response({"error": str(error), "season": season}, status=409)
        self._prepare()
        return web.json_response(changed | {"season": self._with_state(changed["season"])})

    async def _save(self, request: web.Request) -> web.Response:
        await read_content(request)
        self.saver.save_now()
        return web.json_response(self._with_state({}))

    async def _picture(self, request: web.Request) -> web.Response:
        row, nth = self._row(request), number_of(request, "n", 0)
        return await self._jpeg(lambda: self.session.source.pictures.crop(row, nth))

    async def _strip(self, request: web.Request) -> web.Response:
        row = self._row(request)
        return await self._jpeg(lambda: self.session.source.pictures.strip(row, _STRIP_CROPS))

    async def _frame(self, request: web.Request) -> web.Response:
        row, source = self._row(request), self.session.source
        title, video = int(source.found.title[row]), int(source.facts.video[row])
        frame = number_of(request, "frame", int(source.facts.first_frame[row]))
        width_px = number_of(request, "width", 960)
        try:
            return await self._jpeg(
                lambda: self._shots.frame(source.found.titles[title], source.film(title), video, frame, width_px)
            )
        except FilmError as error:
            return refused(404, str(error))

    async def _film(self, request: web.Request) -> web.StreamResponse:
        source = self.session.source
        title, video = natural(request.match_info["title"]), natural(request.match_info["video"])
        if title >= len(source.videos) or video >= len(source.videos[title]):
            raise web.HTTPNotFound
        file = await asyncio.to_thread(lambda: source.film(title).file(video))
        if file is None:
            return refused(404, "This film cannot be played by a browser, or is not there any more.")
        return web.FileResponse(file.path, headers={"Content-Type": file.content_type})

    async def _shot(self, request: web.Request) -> web.StreamResponse:
        row, source = self._row(request), self.session.source
        title, video = int(source.found.title[row]), int(source.facts.video[row])
        film = source.film(title)
        # Waited for here and not in a thread: threads that wait would be missing for pictures.
        async with self._encoding:
            if request.transport is None or request.transport.is_closing():
                raise web.HTTPNotFound  # whoever asked has gone on to another track
            try:
                path = await asyncio.to_thread(
                    lambda: self._shots.piece(source.found.titles[title], film, video, self._piece(row))
                )
            except FilmError as error:
                return refused(404, str(error))
        return web.FileResponse(path, headers={"Content-Type": "video/mp4"})

    def _row(self, request: web.Request) -> int:
        row = natural(request.match_info["row"])
        if row >= len(self.session.source.found):
            raise web.HTTPNotFound
        return row

    async def _json(self, make: Callable[[], Any]) -> web.Response:
        return web.json_response(await asyncio.to_thread(make))

    async def _jpeg(self, make: Callable[[], bytes | None]) -> web.Response:
        content = await asyncio.to_thread(make)
        if content is None:
            raise web.HTTPNotFound
        return web.Response(body=content, content_type="image/jpeg")


def listen(port: int) -> socket.socket:
    """A socket of this machine's own address; port 0: any that is free. `OptionError` where it is taken."""
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(("127.0.0.1", port))
    except OSError as error:
        found.close()
        raise OptionError(f"--port {port}: {error.strerror}; choose another, or leave it out") from None
    return found


async def serve(server: ReviewServer, at: socket.socket, started: Callable[[], None] = lambda: None) -> None:
    """Answer until this is cancelled."""
    runner = web.AppRunner(server.app(), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.SockSite(runner, at).start()
        started()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()

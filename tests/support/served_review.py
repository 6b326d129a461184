"""A review that is served, as a test asks it: with the token and the origin that a browser would send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient, TestServer, unused_port

from vcn_ray.review.guard import Guard
from vcn_ray.review.saving import Saver
from vcn_ray.review.server import ReviewServer
from vcn_ray.review.session import ReviewSession
from vcn_ray.review.source import SeasonSource


class Asker:
    """Asks a served review; `client` asks without a token."""

    def __init__(self, client: TestClient, guard: Guard):
        self.client, self.guard = client, guard
        self.headers = {"Cookie": f"{guard.cookie}={guard.token}", "Origin": f"http://127.0.0.1:{guard.port}"}

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        """Status, and JSON or else the bytes."""
        return await self._answered(self.client.get(path, headers=self.headers | headers, allow_redirects=False))

    async def post(self, path: str, content: object) -> tuple[int, Any]:
        """Status and JSON."""
        return await self._answered(self.client.post(path, json=content, headers=self.headers))

    async def raw(self, text: str) -> str:
        """The answer to bytes sent as they are, which a client would have tidied up."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.guard.port)
        writer.write(text.encode())
        await writer.drain()
        answer = await asyncio.wait_for(reader.read(4096), 5)
        writer.close()
        return answer.decode()

    @staticmethod
    async def _answered(asked: Any) -> tuple[int, Any]:
        async with asked as response:
            body = await response.read()
            return response.status, await response.json() if response.content_type == "application/json" else body


@asynccontextmanager
async def served(session: ReviewSession, page: Path, apply: Callable[[], object]) -> AsyncIterator[Asker]:
    """The review of a session, with these files as its page."""
    port = unused_port()
    guard, saver = Guard(port, "the-token"), Saver(apply, pause_s=0.05, retry_s=0.05)
    session._on_edit = saver.edited
    server = TestServer(ReviewServer(session, saver, guard, page).app(), host="127.0.0.1", port=port)
    async with TestClient(server) as client:
        yield Asker(client, guard)
    await asyncio.to_thread(saver.close)


def ask(
    source: SeasonSource,
    page: Path,
    test: Callable[[Asker], Awaitable[None]],
    apply: Callable[[], object] = lambda: None,
    by: str = "me",
) -> ReviewSession:
    """Serve a review of a season, run a test against it, and give back the session."""
    session = ReviewSession(source, by)

    async def run() -> None:
        async with served(session, page, apply) as asker:
            await test(asker)

    asyncio.run(run())
    return session

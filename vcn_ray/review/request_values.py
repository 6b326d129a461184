"""What a request of the page holds, read with care: it comes from outside."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from vcn_ray.errors import InputError


async def read_content(request: web.Request) -> dict[str, Any]:
    """A request's body; `InputError` where it is no JSON object."""
    try:
        content = await request.json()
    except (ValueError, RecursionError):
        raise InputError("The request is not JSON.") from None
    if not isinstance(content, dict):
        raise InputError("The request is not a JSON object.")
    return content


def number_of(request: web.Request, name: str, default: int) -> int:
    """A whole number, 0 or above, of the address; `HTTPNotFound` where it is none."""
    text = request.query.get(name)
    return default if text is None else natural(text)


def natural(text: str) -> int:
    """A whole number, 0 or above, as a page writes it; else there is no such thing."""
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise web.HTTPNotFound
    return int(text)

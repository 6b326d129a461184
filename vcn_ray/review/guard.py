"""Who may ask the review page's server: whoever has its token, from its own address, in requests of its own page.

Faces with names are biometric data, so the server answers nobody else: not other users of the machine (the token), not
other web sites that the browser has open (`Host`, `Origin`, `Sec-Fetch-Site`; `SameSite` alone would let other ports
of this machine pass), and a page that should ever carry a foreign script would not get it to run (the policy).
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from collections.abc import Mapping

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from vcn_ray.errors import InputError, OptionError, VcnError

#: Longest body that is read.
MOST_BODY_BYTES = 1 << 20

_POLICY = (
    "default-src 'self'; img-src 'self'; media-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",  # faces are not to lie in the browser's cache on disk
}


class Guard:
    """The token, and the addresses that the server is reached by.

    Args:
        port: that the server listens on; this machine's own address is meant.
        token: None: a new one.
    """

    def __init__(self, port: int, token: str | None = None):
        self.port = port
        self.token = token or secrets.token_urlsafe(32)
        self._ticket = ""
        # Browsers send cookies of one host to all of its ports, so each server's has a name of its own.
        self.cookie = f"vcn_review_{port}"
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}

    @property
    def session(self) -> str:
        """Differs with each server; says nothing of the token."""
        return hashlib.sha256(self.token.encode()).hexdigest()[:12]

    @property
    def address(self) -> str:
        """What is opened in a browser."""
        return self._at(self.token)

    def address_for_once(self) -> str:
        """What a browser is started with, which lets in once: other users see the arguments of running programs."""
        self._ticket = secrets.token_urlsafe(32)
        return self._at(self._ticket)

    def _at(self, token: str) -> str:
        return f"http://127.0.0.1:{self.port}/?token={token}"

    def refusal(self, request: web.BaseRequest) -> web.Response | None:
        """Why a request is not answered; None where it is."""
        host = request.headers.get("Host", "")
        if host not in self._hosts:
            return refused(403, "This address is not the one that the review page is served at.")
        comes_in = request.method == "GET" and request.path == "/" and self.lets_in(request)  # by a link, from anywhere
        if not comes_in and _is_of_another_site(request.headers, host, changes=request.method not in ("GET", "HEAD")):
            return refused(403, "Requests of other web sites are not answered.")
        if request.method not in ("GET", "HEAD", "POST"):
            return refused(405, "The review page is asked by GET and POST.")
        if not comes_in and not _same(request.cookies.get(self.cookie, ""), self.token):
            return refused(403, "Open the address that `vcn-ray review` printed, with its token.")
        if (request.content_length or 0) > MOST_BODY_BYTES:
            return refused(413, "The request is too long.")
        if request.method == "POST" and request.content_type != "application/json":
            return refused(415, "A request's body is JSON.")
        return None

    def lets_in(self, request: web.BaseRequest) -> bool:
        """Whether the request names the token in its address."""
        given = request.query.get("token", "")
        return _same(given, self.token) or (bool(self._ticket) and _same(given, self._ticket))

    def let_in(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Have the browser remember the token for this address, hidden from scripts."""
        if not _same(request.query.get("token", ""), self.token):
            self._ticket = ""
        response.set_cookie(self.cookie, self.token, httponly=True, samesite="Strict", path="/")

    def middleware(self) -> Middleware:
        """Refuses what is not to be answered, and adds to each answer what browsers are to know of it."""

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            refusal = self.refusal(request)
            if refusal is not None:
                return refusal
            try:
                return await handler(request)
            except web.HTTPException as error:
                if error.status < 400:
                    raise
                return refused(error.status, _SENTENCES.get(error.status, "That cannot be."))
            except VcnError as error:  # the user's to mend, or the disk's
                return refused(400 if isinstance(error, InputError | OptionError) else 503, str(error))
            except ConnectionError:  # the browser has turned away
                raise
            except Exception as error:
                logging.getLogger(__name__).exception("a fault of vcn-ray, please report it")
                return refused(500, f"This is a fault of vcn-ray: {type(error).__name__}; see the terminal.")

        return guarded

    @staticmethod
    async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
        """To be called when a response is prepared: streams and files are sent before a middleware sees them."""
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers["Server"] = "vcn-ray"


_SENTENCES = {
    404: "There is no such thing here.",
    405: "This cannot be asked in that way.",
    413: "The request is too long.",
    416: "The film has no such part.",
}


def refused(status: int, sentence: str) -> web.Response:
    """An answer that says why there is none."""
    return web.json_response({"error": sentence}, status=status)


def _is_of_another_site(headers: Mapping[str, str], host: str, changes: bool) -> bool:
    """Whether a browser sent the request from a page that is not the server's own.

    Addresses typed in or opened from a terminal are of no site ("none"), which only reads.
    """
    origin = headers.get("Origin")
    if origin is not None and origin != f"http://{host}":
        return True
    site = headers.get("Sec-Fetch-Site")
    if site is None:
        return changes and origin is None  # neither header: no browser's page of ours
    return site != "same-origin" and (changes or site != "none")


def _same(given: str, known: str) -> bool:
    """Compared in constant time."""
    return hmac.compare_digest(given.encode(errors="surrogatepass"), known.encode())

"""Which requests are answered at all, and what a browser may do with the answers.

The studio starts processes and reads files, so a page from elsewhere must not be able to ask it for anything: the name of
the host must be the one it serves (a foreign name that leads to 127.0.0.1 is refused), whatever changes something must come
from its own pages, and where other machines can reach it, a token is needed.
"""

import hmac
from http.cookies import SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
COOKIE = "fontgan-token"
MAX_BODY = 2 << 30  # bytes of one request: a thousand photographs of pages
# Nothing from elsewhere, and no code or style but the studio's own files. The font and proof pages are made by fontgan.
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'self'"
)


class TooMuch(Exception):
    """A request that is larger than ``MAX_BODY``."""


class Guard:
    """ASGI middleware: refuses what does not come from the studio's own pages.

    Args:
        hosts: names, without port, under which it may be asked for; none: any, since a page that came under a foreign name
            has no cookie with the token.
        token: what else is needed; empty: nothing.
    """

    def __init__(self, app: ASGIApp, hosts: tuple[str, ...], token: str = ""):
        self.app, self.hosts, self.token = app, hosts, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return  # no web sockets here
        headers = Headers(scope=scope)
        if why := self.refused(scope["method"], headers):
            await PlainTextResponse(f"{why}\n", status_code=403)(scope, receive, send)
            return
        if self.token and not self.knows(headers):
            asked = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
            if not hmac.compare_digest(asked.encode(), self.token.encode()):
                told = "Open the studio by the address that fontgan studio printed: it holds a token.\n"
                await PlainTextResponse(told, status_code=401)(scope, receive, send)
                return
            answer = RedirectResponse(scope["path"], status_code=303)
            answer.set_cookie(COOKIE, self.token, httponly=True, samesite="strict")
            await answer(scope, receive, send)
            return
        await self.answer(scope, receive, send, headers)

    def refused(self, method: str, headers: Headers) -> str:
        """Why a request is refused; empty if it is not."""
        host = headers.get("host", "")
        if self.hosts and name_of(host) not in self.hosts:
            return f"The studio is not to be reached under the name {host[:80]!r}."
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "same-origin")
        if origin is not None and origin != f"http://{host}":
            return "This request comes from another page than the studio's."
        if method in ("GET", "HEAD"):
            # A link from elsewhere may open the studio; nothing else of it may be taken into another page.
            if site not in ("same-origin", "none") and headers.get("sec-fetch-mode") != "navigate":
                return "This request comes from another page than the studio's."
            return ""
        return "" if origin is not None else "This request does not say from which page it comes."

    def knows(self, headers: Headers) -> bool:
        cookies = SimpleCookie(headers.get("cookie", ""))
        given = cookies[COOKIE].value if COOKIE in cookies else ""
        return hmac.compare_digest(given.encode(), self.token.encode())

    async def answer(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        taken, begun = 0, False

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > MAX_BODY:
                raise TooMuch
            return message

        async def with_policy(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                given = MutableHeaders(scope=message)
                given.setdefault("Content-Security-Policy", POLICY)
                given.setdefault("Cache-Control", "no-store")
                given["X-Content-Type-Options"] = "nosniff"
                given["Referrer-Policy"] = "same-origin"  # with none at all, browsers send forms from the origin "null"
                given["Cross-Origin-Resource-Policy"] = "same-origin"
            await send(message)

        try:
            await self.app(scope, counted, with_policy)
        except TooMuch:
            if not begun:
                told = f"More than {MAX_BODY >> 30} GB at once. Drop fewer files at a time.\n"
                await PlainTextResponse(told, status_code=413)(scope, receive, send)


def name_of(host: str) -> str:
    """The host without its port."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower()

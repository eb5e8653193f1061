"""The page's own files: read once, compressed once, and served for ever under an address with their hash.

One hash stands for all of them, so that a module finds its neighbours by a relative address, and a page never mixes the
modules of two versions: an address of another version is a 404.
"""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import Final, NamedTuple

from aiohttp import web

from api.endpoint import Endpoint

_FOLDER: Final = Path(__file__).with_name("static")
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_HASH_CHARACTERS: Final = 12
#: As long as a year, which is what browsers take for ever (RFC 9111 names no bound; RFC 8246 for `immutable`).
_FOR_EVER: Final = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}


class _File(NamedTuple):
    plain: bytes
    small: bytes
    media_type: str


class StaticFiles:
    """GET /static/{hash}/{name}."""

    def __init__(self, folder: Path = _FOLDER) -> None:
        self._files = {path.name: _read(path) for path in sorted(folder.iterdir()) if path.suffix in _TYPES}
        digest = hashlib.sha256()
        for name, file in self._files.items():
            digest.update(name.encode() + b"\0" + file.plain + b"\0")
        self._hash = digest.hexdigest()[:_HASH_CHARACTERS]

    def address(self, name: str) -> str:
        """Return where a file is served."""
        return f"/static/{self._hash}/{name}"

    def names(self, suffix: str) -> list[str]:
        """Return the names that end so, in order."""
        return [name for name in self._files if name.endswith(suffix)]

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        return [
            Endpoint(
                path="/static/{hash}/{name}",
                handler=self._file,
                summary="A file of the page.",
                scope="open",
                media_type="text/javascript",
                problems=(404,),
            )
        ]

    async def _file(self, request: web.Request) -> web.Response:
        file = self._files.get(request.match_info["name"])
        if file is None or request.match_info["hash"] != self._hash:
            raise web.HTTPNotFound
        is_small = "gzip" in request.headers.get("Accept-Encoding", "")
        headers = _FOR_EVER | {"Content-Encoding": "gzip"} if is_small else _FOR_EVER
        body = file.small if is_small else file.plain
        return web.Response(body=body, content_type=file.media_type, charset="utf-8", headers=headers)


def _read(path: Path) -> _File:
    plain = path.read_bytes()
    return _File(plain, gzip.compress(plain, compresslevel=9, mtime=0), _TYPES[path.suffix])

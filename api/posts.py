"""The route of one post or comment, by its id."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from api.answers import ExplainedPost, Post, explained_post, post, reply
from api.endpoint import Endpoint
from api.errors import Refused
from api.parameters import PostParameters, read
from ipc.channel import ask
from ipc.errors import Unavailable, WireError
from ipc.messages import Explain, Explained

if TYPE_CHECKING:
    from pathlib import Path

    from aiohttp import web

    from agent.store.protocol import Reading
    from ipc.messages import Explanation, Item

#: The analyzer is waited for this long: it gives up by itself before (agent/explaining.py). Below the patience of
#: :mod:`api.known_answers`, which would answer from memory then. Chosen, not measured.
_EXPLANATION_S: Final = 2.5
_FULLNAME: Final = re.compile(r"t[13]_.+", re.DOTALL)


class PostRoutes:
    """GET /posts/{id}."""

    def __init__(self, store: Reading, analyzer: Path) -> None:
        self._store = store
        self._analyzer = analyzer

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        return [
            Endpoint(
                path="/api/v1/posts/{id}",
                handler=self._one,
                summary="One post or comment.",
                parameters=PostParameters,
                answer=Post | ExplainedPost,
                made_of="store",
                problems=(404,),
            ),
        ]

    async def _one(self, request: web.Request) -> web.Response:
        """Answer one item; an id without a prefix is a post's."""
        wanted = read(request, PostParameters)
        given = request.match_info["id"]
        found = await self._store.item(given if _FULLNAME.fullmatch(given) else f"t3_{given}")
        if found is None or (wanted.only and found.item.subreddit.lower() != wanted.only.lower()):
            raise Refused(HTTPStatus.NOT_FOUND, "unknown_post", "There is no such post here.")
        if not wanted.explain:
            return reply(post(found), found.item.source)
        explanation, reason = await self._explained(found.item)
        response = reply(explained_post(found, explanation, reason), found.item.source)
        response.headers["Cache-Control"] = "no-store"  # the words are the analyzer's, who may answer otherwise now
        return response

    async def _explained(self, item: Item) -> tuple[Explanation | None, str | None]:
        """Ask the analyzer, which alone has the model, for the words; or say why there are none.

        The post is told in any case: whoever asked for it wants it more than the words.
        """
        try:
            answer = await ask(self._analyzer, Explain(title=item.title, content=item.content), _EXPLANATION_S)
        except (Unavailable, WireError) as error:
            return None, f"The analyzer does not answer: {error}."
        if not isinstance(answer, Explained):
            return None, "The analyzer answered with something else."
        return answer.explanation, answer.reason

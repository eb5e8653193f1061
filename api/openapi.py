"""The description of the API in OpenAPI 3.1, made at the start of the endpoints and of the structs that they use.

It knows no single call: what stands in it was said where the call is. The words are those of the structs' docstrings
and comments, so that nothing is written twice and nothing can differ.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from types import UnionType
from typing import TYPE_CHECKING, Any, Final, Union, get_args, get_origin

import msgspec
from msgspec import inspect

from api import notes
from api.answers import SOURCE_HEADER
from api.endpoint import JSON
from api.errors import Problem
from api.known_answers import AGE_HEADER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from api.endpoint import Endpoint
    from api.version import Version

Json = dict[str, Any]

_SCHEMA: Final = "#/components/schemas/"
_BASE: Final = "/api/v1/"
_IN_PATH: Final = re.compile(r"{(\w+)}")

#: The statuses of 400 and above that any call may answer, by what makes them.
_ANY: Final = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_WITH_PARAMETERS: Final = (HTTPStatus.UNPROCESSABLE_ENTITY,)
_NOT_OPEN: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)

#: How a request may say who it is, and what each scope asks for. The empty one is a request from this machine.
_SCHEMES: Final[Json] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "One of API_TOKENS."},
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "The name of one of API_TOKENS, and the token as the password: for browsers.",
    },
    "admin": {"type": "apiKey", "in": "header", "name": "X-Admin-Token", "description": "The value of ADMIN_TOKEN."},
}
_SECURITY: Final[dict[str, list[Json]]] = {
    "open": [],
    "read": [{}, {"bearer": []}, {"basic": []}],
    "admin": [{}, {"admin": []}, {"bearer": []}],
}

_TEXT: Final[Json] = {"type": "string"}

#: What the headers of answers say.
_HEADERS: Final = {
    SOURCE_HEADER: "The sources of the data, comma-separated; `sample` says that it is not about the world.",
    AGE_HEADER: "Seconds since this answer was true; only there while the database is away.",
    "ETag": "Stands for what this answer says, its `timestamp` aside: ask again with it in `If-None-Match`.",
    "Retry-After": "Seconds to wait before the next try.",
    "WWW-Authenticate": "How to say who asks.",
    "Link": 'The address of the next page, with rel="next"; absent on the last one.',
    "X-Next-Cursor": "The `cursor` of the next page; absent on the last one.",
    "Content-Disposition": "The name of the file.",
}
#: Answers that may be asked for by their tag, and that are told again while the database is away.
_TAGGED: Final = "store"
_OF_TAGGED: Final = (SOURCE_HEADER, AGE_HEADER, "ETag")
_CONDITION: Final = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The `ETag` of an answer that you have: 304 without a body while it is still true.",
    "schema": {"type": "string"},
}
_NOT_MODIFIED: Final = {
    "NotModified": {
        "description": HTTPStatus.NOT_MODIFIED.phrase,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in (SOURCE_HEADER, "ETag")},
    }
}
_OF_PROBLEMS: Final = {
    HTTPStatus.UNAUTHORIZED: ("WWW-Authenticate",),
    HTTPStatus.TOO_MANY_REQUESTS: ("Retry-After",),
    HTTPStatus.SERVICE_UNAVAILABLE: ("Retry-After",),
}


def describe(endpoints: Sequence[Endpoint], version: Version, summary: str) -> Json:
    """Return the description of these endpoints."""
    schemas = _Schemas(endpoints)
    paths: dict[str, Json] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "SentimentAgent", "version": version.number, "description": summary},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": _problems(endpoints, schemas) | _NOT_MODIFIED,
            "headers": {name: _header(text) for name, text in _HEADERS.items()},
            "securitySchemes": _SCHEMES,
        },
    }


def _problems(endpoints: Sequence[Endpoint], schemas: _Schemas) -> Json:
    """Return what each status of 400 and above carries."""
    found = {status for endpoint in endpoints for status in _statuses(endpoint) if status >= HTTPStatus.BAD_REQUEST}
    kinds = {JSON: [schemas.of(Problem)]}
    problems = {_phrase(each): _told(each, _OF_PROBLEMS.get(HTTPStatus(each), ()), kinds) for each in sorted(found)}
    # What is no HTTP, or too long for it, is answered by the server's parser, before anything of ours.
    return problems | {_phrase(HTTPStatus.BAD_REQUEST): _told(HTTPStatus.BAD_REQUEST, (), {"text/plain": [_TEXT]})}


def _operation(endpoint: Endpoint, schemas: _Schemas) -> Json:
    return {
        "operationId": _name(endpoint),
        "tags": [_tag(endpoint.path)],
        "summary": endpoint.summary,
        "security": _SECURITY[endpoint.scope],
        "parameters": [*_in_path(endpoint.path), *schemas.in_query(endpoint), *_conditions(endpoint)],
        "responses": {str(status): _response(status, endpoint, schemas) for status in _statuses(endpoint)},
    }


def _name(endpoint: Endpoint) -> str:
    words = re.findall(r"[A-Za-z]+", endpoint.path.removeprefix(_BASE))
    return "_".join([endpoint.method.lower(), *words] if words else [endpoint.method.lower(), "page"])


def _tag(path: str) -> str:
    return path.removeprefix(_BASE).partition("/")[0] if path.startswith(_BASE) else "pages"


def _in_path(path: str) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _IN_PATH.findall(path)
    ]


def _conditions(endpoint: Endpoint) -> list[Json]:
    return [_CONDITION] if endpoint.made_of == _TAGGED else []


def _statuses(endpoint: Endpoint) -> list[int]:
    found = {*endpoint.statuses, *endpoint.problems, *_ANY}
    if endpoint.made_of == _TAGGED:
        found.add(HTTPStatus.NOT_MODIFIED)
    if endpoint.parameters is not None:
        found |= set(_WITH_PARAMETERS)
    if endpoint.scope != "open":
        found |= set(_NOT_OPEN)
    return sorted(found)


def _response(status: int, endpoint: Endpoint, schemas: _Schemas) -> Json:
    """Return what a status carries: the answer, a problem, or either."""
    if status not in endpoint.statuses:
        return {"$ref": f"#/components/responses/{_phrase(status)}"}
    kinds = {media: [schemas.of_answer(endpoint)] for media in (endpoint.media_type, *endpoint.other_media_types)}
    headers = [*(_OF_TAGGED if endpoint.made_of == _TAGGED else ()), *endpoint.headers]
    if status >= HTTPStatus.BAD_REQUEST:
        kinds.setdefault(JSON, []).append(schemas.of(Problem))
        headers += _OF_PROBLEMS.get(HTTPStatus(status), ())
    return _told(status, headers, kinds)


def _told(status: int, headers: Iterable[str], kinds: dict[str, list[Json]]) -> Json:
    return {
        "description": HTTPStatus(status).phrase,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
        "content": {media_type: {"schema": _any_of(each)} for media_type, each in kinds.items()},
    }


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase.title().replace(" ", "")


def _any_of(schemas: Sequence[Json]) -> Json:
    return schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}


def _header(text: str) -> Json:
    return {"description": text, "schema": _TEXT}


class _Schemas:
    """The schemas of every struct that is asked for or answered."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        kinds = [Problem, *(kind for endpoint in endpoints for kind in _alternatives(endpoint.answer))]
        found, self.components = msgspec.json.schema_components(kinds, ref_template=f"{_SCHEMA}{{name}}")
        self._found: dict[Any, Json] = dict(zip(kinds, found, strict=True))
        self._known: dict[str, notes.Notes] = {}
        for kind in _structs(inspect.multi_type_info(kinds)):
            self._annotate(self.components[kind.__name__], kind)

    def of(self, kind: Any) -> Json:  # noqa: ANN401 - whatever may stand in an annotation
        """Return the schema of an answer's type."""
        return self._found[kind]

    def of_answer(self, endpoint: Endpoint) -> Json:
        """Return the schema of what is answered; of what is no JSON, that it is text."""
        kinds = _alternatives(endpoint.answer)
        return _any_of([self._found[kind] for kind in kinds]) if kinds else _TEXT

    def in_query(self, endpoint: Endpoint) -> Iterator[Json]:
        """Yield the parameters of the query string."""
        if endpoint.parameters is None:
            return
        _, components = msgspec.json.schema_components([endpoint.parameters])
        schema = components[endpoint.parameters.__name__]
        self._annotate(schema, endpoint.parameters)
        for name, each in schema["properties"].items():
            parameter: Json = {"name": name, "in": "query", "required": name in schema["required"]}
            if text := each.pop("description", None):
                parameter["description"] = text
            yield parameter | {"schema": _given(each)}

    def _annotate(self, schema: Json, kind: type) -> None:
        schema["description"] = notes.plain(kind.__doc__)
        said = notes.of(kind, self._known)
        for name, each in schema["properties"].items():
            if name in said:
                each.setdefault("description", said[name])


def _given(schema: Json) -> Json:
    """Return the schema of a parameter that is there: one that may be left out is never null."""
    if "anyOf" not in schema:
        return schema
    kinds = [each for each in schema["anyOf"] if each != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name not in {"anyOf", "default"}}
    return rest | _any_of(kinds)


def _alternatives(kind: Any) -> tuple[Any, ...]:  # noqa: ANN401 - whatever may stand in an annotation
    """Return the members of a union one by one: msgspec has no schema for a union of structs without tags."""
    if kind is None:
        return ()
    return get_args(kind) if get_origin(kind) in {Union, UnionType} else (kind,)


def _structs(types: Iterable[inspect.Type]) -> set[type[msgspec.Struct]]:
    """Return every struct within these types."""
    found: set[type[msgspec.Struct]] = set()
    waiting = list(types)
    while waiting:
        match waiting.pop():
            case inspect.StructType(cls=kind, fields=fields) if kind not in found:
                found.add(kind)
                waiting += [field.type for field in fields]
            case inspect.UnionType(types=inner) | inspect.TupleType(item_types=inner):
                waiting += inner
            case inspect.CollectionType(item_type=inner_type) | inspect.DictType(value_type=inner_type):
                waiting.append(inner_type)
            case inspect.Metadata(type=inner_type):
                waiting.append(inner_type)
    return found

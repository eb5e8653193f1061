"""The reference at ``/docs``, as HTML: the description of the API for people. Pure: the document in, a page out.

It says what the document says, and a line of curl for each call.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from api.html import Html, fill, joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from api.openapi import Json

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}: the API</title>
{loads}
</head>
<body class="reference">
<a class="skip" href="#calls">Skip to the calls</a>
<header class="top"><a class="brand" href="/">{title}</a> <span class="hint">version {version}</span></header>
<main>
<h1>The API</h1>
<p>{summary}. This page is made of the <a href="/api/v1/openapi.json">description in OpenAPI</a>, and that of the
program itself.</p>
<section aria-labelledby="who">
<h2 id="who">Who may</h2>
<p>At the machine itself every call is open. From anywhere else a request says who it is:</p>
<dl>
{ways}
</dl>
</section>
<nav aria-label="Calls">
{index}
</nav>
<div id="calls">
{calls}
</div>
<section aria-labelledby="objects" class="objects">
<h2 id="objects">Objects</h2>
{objects}
</section>
</main>
</body>
</html>
"""
_WAY: Final = "<div><dt><code>{header}</code></dt><dd>{text}</dd></div>"
_GROUP: Final = '<section aria-labelledby="tag-{tag}">\n<h2 id="tag-{tag}">{tag}</h2>\n{calls}\n</section>'
_CALL: Final = """<article id="{name}">
<h3><span class="method">{method}</span> <code>{path}</code></h3>
<p>{summary} <span class="hint">{who}</span></p>
<pre tabindex="0"><code>{curl}</code></pre>
{parameters}
<dl>
{responses}
</dl>
</article>"""
_PARAMETERS: Final = """<div class="scrolled"><table>
<thead><tr><th scope="col">Parameter</th><th scope="col">Value</th><th scope="col">Left out</th>
<th scope="col">What</th></tr></thead>
<tbody>
{rows}
</tbody>
</table></div>"""
_PARAMETER: Final = '<tr><th scope="row"><code>{name}</code></th><td>{kind}</td><td>{default}</td><td>{text}</td></tr>'
_RESPONSE: Final = "<div><dt>{status}</dt><dd>{text}</dd></div>"
_OBJECT: Final = """<article id="object-{name}">
<h3>{name}</h3>
<p>{text}</p>
<div class="scrolled"><table>
<thead><tr><th scope="col">Field</th><th scope="col">Value</th><th scope="col">What</th></tr></thead>
<tbody>
{rows}
</tbody>
</table></div>
</article>"""
_FIELD: Final = '<tr><th scope="row"><code>{name}</code></th><td>{kind}</td><td>{text}</td></tr>'

_HEADER_OF: Final = {"bearer": "Authorization: Bearer TOKEN", "basic": "Authorization: Basic BASE64(NAME:TOKEN)"}
_WAYS: Final = {"bearer": "a bearer token", "basic": "a name and its token", "admin": "X-Admin-Token"}
_PAGES: Final = "pages"
_CODE: Final = re.compile(r"(`+)(.+?)\1")


def page(document: Json, address: str, loads: Html) -> Html:
    """Return the page; ``address`` is where the calls of curl go, ``loads`` the elements that load its style."""
    by_tag = _by_tag(_calls(document))
    info, components = document["info"], document["components"]
    return fill(
        _PAGE,
        title=info["title"],
        version=info["version"],
        summary=info["description"],
        loads=loads,
        ways=joined(_way(name, each) for name, each in components["securitySchemes"].items()),
        index=_index(by_tag),
        calls=joined(
            fill(_GROUP, tag=tag, calls=joined(_call(*each, components["responses"], address) for each in group))
            for tag, group in by_tag.items()
        ),
        objects=joined(_object(name, schema) for name, schema in sorted(components["schemas"].items())),
    )


#: The path, the method and the operation.
_Call = tuple[str, str, Any]


def _calls(document: Json) -> Iterator[_Call]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _by_tag(calls: Iterable[_Call]) -> dict[str, list[_Call]]:
    """Return the calls by what they are about, in the order of the document, with the pages at the end."""
    found: dict[str, list[_Call]] = {}
    for call in calls:
        found.setdefault(call[2]["tags"][0], []).append(call)
    return dict(sorted(found.items(), key=lambda item: item[0] == _PAGES))


def _index(by_tag: dict[str, list[_Call]]) -> Html:
    links = (
        fill('<li><a href="#{name}"><code>{path}</code></a></li>', name=operation["operationId"], path=path)
        for group in by_tag.values()
        for path, _, operation in group
    )
    return fill("<ul>\n{links}\n</ul>", links=joined(links))


def _way(name: str, scheme: Json) -> Html:
    header = _HEADER_OF.get(name) or f"{scheme['name']}: TOKEN"
    return fill(_WAY, header=header, text=_text(scheme["description"]))


def _call(path: str, method: str, operation: Json, shared: Json, address: str) -> Html:
    rows = [_parameter(each) for each in operation["parameters"] if each["in"] != "header"]
    return fill(
        _CALL,
        name=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        who=_who(operation["security"]),
        curl=_curl(path, method, operation, address),
        parameters=fill(_PARAMETERS, rows=joined(rows)) if rows else Html(),
        responses=joined(_responses(operation["responses"], shared)),
    )


def _who(security: Sequence[Json]) -> str:
    ways = [_WAYS[name] for each in security for name in each]
    return f"From elsewhere with {' or '.join(ways)}." if ways else "Open to everybody."


def _curl(path: str, method: str, operation: Json, address: str) -> str:
    """Return a line that can be run as it is, but for what stands in the path: every parameter at its default."""
    given = {each["name"]: each["schema"]["default"] for each in operation["parameters"] if "default" in each["schema"]}
    query = urlencode({name: str(value).lower() if isinstance(value, bool) else value for name, value in given.items()})
    where = re.sub(r"{(\w+)}", lambda found: found[1].upper(), path)
    verb = "" if method == "get" else f" -X {method.upper()}"
    return f"curl -s{verb} '{address}{where}{'?' if query else ''}{query}'"


def _parameter(each: Json) -> Html:
    schema = each["schema"]
    default = fill("<code>{value}</code>", value=_json(schema["default"])) if "default" in schema else Html()
    return fill(
        _PARAMETER,
        name=each["name"],
        kind=_kind(schema),
        default=Html("needed") if each["required"] else default,
        text=_text(each.get("description", "")),
    )


def _responses(responses: Json, shared: Json) -> Iterator[Html]:
    """Yield what each status carries, those that carry the same in one line."""
    alike: dict[Html, list[str]] = {}
    for status, response in responses.items():
        name = response.get("$ref", "").rpartition("/")[2]
        alike.setdefault(_carried(shared[name] if name else response, is_shared=bool(name)), []).append(status)
    for text, statuses in alike.items():
        yield fill(_RESPONSE, status=", ".join(statuses), text=text)


def _carried(response: Json, *, is_shared: bool) -> Html:
    """Return in words what comes with a status; the headers of what is the same everywhere are not repeated."""
    kinds = _joined((_media(*each) for each in response.get("content", {}).items()), " or ")
    headers = _joined((fill("<code>{name}</code>", name=name) for name in response["headers"]), ", ")
    if is_shared or not headers:
        return kinds or Html("nothing")
    return fill("{kinds}; {headers}", kinds=kinds, headers=headers)


def _media(media_type: str, content: Json) -> Html:
    return fill("<code>{media_type}</code> {kind}", media_type=media_type, kind=_kind(content["schema"]))


def _object(name: str, schema: Json) -> Html:
    rows = (
        fill(_FIELD, name=field, kind=_kind(each), text=_text(each.get("description", "")))
        for field, each in schema.get("properties", {}).items()
    )
    return fill(_OBJECT, name=name, text=_text(schema.get("description", "")), rows=joined(rows))


def _kind(schema: Json) -> Html:
    """Return in words what a schema lets through."""
    match schema:
        case {"$ref": reference}:
            name = reference.rpartition("/")[2]
            return fill('<a href="#object-{name}">{name}</a>', name=name)
        case {"type": "array", "items": items}:
            return fill("list of {kind}", kind=_kind(items))
        case {"type": "object", "additionalProperties": dict() as values}:
            return fill("{kind} by name", kind=_kind(values))
        case {"enum": values}:
            return _joined((fill("<code>{value}</code>", value=_json(value)) for value in values), ", ")
        case {"anyOf": kinds}:
            return _joined((_kind({**_without(schema, "anyOf"), **each}) for each in kinds), " or ")
    return fill("{text}", text=" ".join(_words(schema)))


def _words(schema: Json) -> Iterator[str]:
    if "format" in schema:
        yield schema["format"]
        return
    yield schema.get("type", "anything")
    if "minimum" in schema and "maximum" in schema:
        yield f"from {schema['minimum']} to {schema['maximum']}"
    elif "minimum" in schema:
        yield f"from {schema['minimum']} on"
    if "maxLength" in schema:
        yield f"of at most {schema['maxLength']} characters"


def _without(schema: Json, *names: str) -> Json:
    return {name: value for name, value in schema.items() if name not in names}


def _joined(parts: Iterable[Html], by: str) -> Html:
    return Html(by.join(parts))


def _json(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _text(text: str) -> Html:
    """Return Markdown of one paragraph, of which only code is marked here."""
    parts = _CODE.split(text)
    # Between the text, split gives the quotes and what was quoted.
    return Html(
        "".join(
            fill("<code>{text}</code>", text=parts[n]) if n % 3 == 2 else fill("{text}", text=parts[n])  # noqa: PLR2004
            for n in range(len(parts))
            if n % 3 != 1
        )
    )

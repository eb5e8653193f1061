"""The description of the API: valid, whole, and made of what the handlers use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from msgspec import Meta
from openapi_spec_validator import OpenAPIV31SpecValidator

from agent.store.choose import open_reader
from api import notes, openapi
from api.answers import Answer
from api.application import build
from api.endpoint import Endpoint
from api.parameters import Parameters
from api.version import Version
from api.vitals import Vitals
from ipc.environment import load
from ipc.life import Pulse

if TYPE_CHECKING:
    from pathlib import Path


class Animal(Answer, frozen=True, kw_only=True):
    """What :class:`~somewhere.else_.Shepherd` looks after."""

    #: As its owner calls it,
    #: when nobody listens.
    name: str
    legs: int


class Sheep(Animal, frozen=True, kw_only=True):
    """An animal with wool."""

    #: Of the year.
    wool_kg: float | None


class Wanted(Parameters, frozen=True, kw_only=True):
    """GET /animals."""

    kind: Annotated[str, Meta(max_length=9)] | None = None
    #: The least of them.
    legs: Annotated[int, Meta(ge=0, le=8)] = 4


async def nobody(_request: web.Request) -> web.Response:
    """Answer nothing."""
    return web.Response()


def described(**changed: Any) -> Any:  # noqa: ANN401 - JSON is anything
    """Return the description of one endpoint, with these of its fields."""
    one = Endpoint(path="/api/v1/animals/{id}", handler=nobody, summary="Animals.")
    return openapi.describe([msgspec.structs.replace(one, **changed)], Version("1.2", None), "A farm.")


def application(folder: Path) -> web.Application:
    """Return the application over a store that is not there."""
    settings = load({"SENTIMENTAGENT_HOME": str(folder)})
    vitals = Vitals(folder / "none.sock", 1.0)
    return build(settings, open_reader(settings), vitals, Pulse("api"), Version("1.2.3", None))


async def served(app: web.Application) -> Any:  # noqa: ANN401 - JSON is anything
    """Return the document as it is served."""
    async with TestClient(TestServer(app)) as client, client.get("/api/v1/openapi.json") as response:
        assert response.status == 200
        return await response.json()


async def test_the_document_is_valid_and_names_the_version(tmp_path: Path) -> None:
    """OpenAPI 3.1 as others read it, every reference resolved."""
    document = await served(application(tmp_path))
    OpenAPIV31SpecValidator(document).validate()
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["version"] == "1.2.3"


async def test_every_route_is_described_and_nothing_else(tmp_path: Path) -> None:
    """What the router answers is what the document names, method by method."""
    app = application(tmp_path)
    routed = {
        (route.resource.canonical, route.method.lower())
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    document = await served(app)
    assert routed == {(path, method) for path, each in document["paths"].items() for method in each}


async def test_every_operation_has_a_name_of_its_own(tmp_path: Path) -> None:
    """Generated clients make a function of each."""
    document = await served(application(tmp_path))
    names = [operation["operationId"] for each in document["paths"].values() for operation in each.values()]
    assert len(names) == len(set(names)) > 5


async def test_every_time_says_that_it_is_one(tmp_path: Path) -> None:
    """A generated client makes a time of it, and not a text."""
    schemas = (await served(application(tmp_path)))["components"]["schemas"]
    times = [
        (name, field)
        for name, schema in schemas.items()
        for field, each in schema["properties"].items()
        if field in {"timestamp", "start", "end", "at"} or field.endswith(("_at", "_utc", "_time"))
        if "date-time" not in str(each)
    ]
    assert times == []
    assert schemas["Post"]["properties"]["created_utc"]["format"] == "date-time"


def test_parameters_tell_type_range_default_and_what_they_mean() -> None:
    """All of it comes from the struct: what may be left out is never null, and the comment is the description."""
    operation = described(parameters=Wanted)["paths"]["/api/v1/animals/{id}"]["get"]
    assert operation["parameters"] == [
        {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}},
        {"name": "kind", "in": "query", "required": False, "schema": {"type": "string", "maxLength": 9}},
        {
            "name": "legs",
            "in": "query",
            "required": False,
            "description": "The least of them.",
            "schema": {"type": "integer", "minimum": 0, "maximum": 8, "default": 4},
        },
    ]
    assert {"200", "422", "500", "503"} <= set(operation["responses"])


def test_an_answer_tells_its_fields_with_the_comments_above_them() -> None:
    """Those of the struct that it inherits from too; a role of reStructuredText becomes the name that it points to."""
    schemas = described(answer=dict[str, list[Sheep | None]])["components"]["schemas"]
    assert schemas["Sheep"]["description"] == "An animal with wool."
    assert schemas["Sheep"]["properties"]["name"]["description"] == "As its owner calls it, when nobody listens."
    assert schemas["Sheep"]["properties"]["wool_kg"]["description"] == "Of the year."
    assert "description" not in schemas["Sheep"]["properties"]["legs"]
    assert notes.plain(Animal.__doc__) == "What Shepherd looks after."


def test_an_answer_of_two_shapes_is_either() -> None:
    """Structs without a tag have no schema as a union, so each has its own."""
    document = described(answer=Animal | Sheep)
    content = document["paths"]["/api/v1/animals/{id}"]["get"]["responses"]["200"]["content"]
    either = [{"$ref": "#/components/schemas/Animal"}, {"$ref": "#/components/schemas/Sheep"}]
    assert content == {"application/json": {"schema": {"anyOf": either}}}


def test_an_answer_may_come_with_a_status_of_failure() -> None:
    """Then it is the answer, or the problem that any call may tell with this status."""
    responses = described(answer=Animal, statuses=(200, 503))["paths"]["/api/v1/animals/{id}"]["get"]["responses"]
    either = [{"$ref": "#/components/schemas/Animal"}, {"$ref": "#/components/schemas/Problem"}]
    assert responses["503"]["content"]["application/json"]["schema"] == {"anyOf": either}
    assert "Retry-After" in responses["503"]["headers"]
    assert responses["500"] == {"$ref": "#/components/responses/InternalServerError"}


@pytest.mark.parametrize(
    ("scope", "ways"), [("open", set()), ("read", {"bearer", "basic"}), ("admin", {"admin", "bearer"})]
)
def test_who_may_is_told_by_scope(scope: str, ways: set[str]) -> None:
    """Each way is one that the document explains; no token is needed at the machine itself."""
    document = described(scope=scope)
    operation = document["paths"]["/api/v1/animals/{id}"]["get"]
    assert (
        {name for each in operation["security"] for name in each}
        == ways
        <= set(document["components"]["securitySchemes"])
    )
    assert ({} in operation["security"]) == ("401" in operation["responses"]) == (scope != "open")


def test_other_media_types_are_told_beside_the_first() -> None:
    """A call may answer in one of several forms."""
    document = described(media_type="text/csv", other_media_types=("application/x-ndjson",), headers=("Link",))
    answer = document["paths"]["/api/v1/animals/{id}"]["get"]["responses"]["200"]
    assert set(answer["content"]) == {"text/csv", "application/x-ndjson"}
    assert "Link" in answer["headers"]


def test_without_a_source_there_are_no_comments() -> None:
    """What is built in has none, and neither has a copy without its sources."""
    assert notes.notes("builtins") == {}

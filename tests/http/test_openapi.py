"""The OpenAPI document is whole, for whatever functions: valid, every reference leads somewhere, every operation has an
id of its own, and what a function gives is described as it comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

import jsonschema
import pytest
from openapi_spec_validator import validate
from pydantic import BaseModel, Discriminator, Field, WithJsonSchema, computed_field

from overwinter import Agent, tool, workflow
from overwinter.functions.http.openapi import document

from .conftest import Shop, asked_over

Run = Callable[..., None]


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    friends: list[Pet] = []


Pet = Annotated[Cat | Dog, Discriminator("kind")]


class Tree(BaseModel):
    """Recursive from its root."""

    name: str
    children: list[Tree] = []


class Odd(BaseModel):
    """Fields that are called as keywords of JSON schema are."""

    ref: Tree | None = Field(default=None, alias="$ref")
    default: Tree | None = None
    discriminator: Tree | None = None


@dataclass
class Sum:
    total: Decimal
    share: float


class Area(BaseModel):
    width: int

    @computed_field  # type: ignore[prop-decorator]  # as pydantic's documentation writes it
    @property
    def square(self) -> int:
        return self.width * self.width


Handmade = Annotated[
    dict[str, Any], WithJsonSchema({"type": "object", "properties": {"x": {"$ref": "https://x.example/no"}}})
]


@workflow
async def groom(ctx: Any, input: Pet) -> Pet:
    return input


@workflow
async def grow(ctx: Any, input: Tree) -> Tree:
    return Tree(name="root", children=[input])


@workflow
async def odd(ctx: Any, input: Odd) -> Odd:
    return input


@workflow(name="a b/{c}?".replace("/", "."))
async def named(ctx: Any, input: int) -> int:
    return input


@workflow(name="über-größe")
async def other(ctx: Any, input: int) -> int:
    return input


@tool(name="add-up")
def add_up(numbers: list[Decimal]) -> Sum:
    """Add."""
    return Sum(sum(numbers, Decimal(0)), float("inf"))


@tool(name="add_up")
def add_up_again(numbers: list[int]) -> int:
    """Add."""
    return sum(numbers)


@tool
def measure(width: int) -> Area:
    """Measure."""
    return Area(width=width)


@tool
def handmade(given: Handmade) -> Handmade:
    """Take what was described by hand."""
    return given


echo = Agent("echo", "scripted:echo")
FUNCTIONS = [groom, grow, odd, named, other, add_up, add_up_again, measure, handmade, echo]


def described(secured: bool = True) -> dict[str, Any]:
    from overwinter.functions.runtime import Runtime

    return document(Runtime(FUNCTIONS, "memory://").functions, "1", secured)


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(inner)


def operations(made: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in made["paths"].items():
        for method, one in methods.items():
            yield path, method, one


@pytest.mark.parametrize("secured", [True, False])
def test_it_is_valid(secured: bool) -> None:
    validate(described(secured))


def test_every_reference_leads_somewhere() -> None:
    made = described()
    places = [node["$ref"] for node in nodes(made) if isinstance(node.get("$ref"), str)]
    mappings = [node["mapping"].values() for node in nodes(made) if isinstance(node.get("mapping"), dict)]
    assert mappings
    for place in [*places, *(place for values in mappings for place in values)]:
        found: Any = made
        for key in place.removeprefix("#/").split("/"):
            found = found[key]
        assert found


def test_operation_ids_are_unique_and_fit_for_names() -> None:
    ids = [one["operationId"] for _, _, one in operations(described())]
    assert len(set(ids)) == len(ids)
    assert {"post_workflows_groom", "post_tools_add_up", "post_tools_add_up_2", "get_results_id"} <= set(ids)
    assert all(id.isidentifier() and id.isascii() for id in ids)


def test_starts_name_their_id_and_open_operations_need_no_token() -> None:
    made = described()
    for path, _, one in operations(made):
        if path.startswith(("/workflows/", "/agents/")):
            assert "id" in [each["name"] for each in one["parameters"] if each["in"] == "query"]
    open_ones = {(path, method) for path, method, one in operations(made) if one.get("security") == []}
    assert open_ones == {("/healthz", "get"), ("/readyz", "get"), ("/", "options"), ("/events/{function}", "options")}
    assert made["security"] and set(made["components"]["securitySchemes"]) == {"token", "tokenInUrl"}
    unsecured = described(False)
    assert "security" not in unsecured and all("security" not in one for _, _, one in operations(unsecured))


def test_each_function_has_a_path_that_is_served() -> None:
    async def main(shop: Shop) -> None:
        paths = (await shop.client.get("/openapi.json")).json()["paths"]
        for prefix in ("/workflows/", "/tools/", "/agents/"):
            for path in [path for path in paths if path.startswith(prefix)]:
                answer = await shop.client.post(path, json={"it is": "certainly wrong"})
                assert answer.status_code == 422 or path == "/workflows/odd", (path, answer.text)

    asked_over(main, FUNCTIONS)


CALLS: list[tuple[str, Any]] = [
    ("/workflows/groom", {"kind": "dog", "friends": [{"kind": "cat"}]}),
    ("/workflows/grow", {"name": "a", "children": [{"name": "b"}]}),
    ("/workflows/odd", {"$ref": {"name": "a"}, "default": {"name": "b"}}),
    ("/workflows/a%20b.%7Bc%7D%3F", 5),
    ("/tools/add-up", {"numbers": ["1.5", 2]}),
    ("/tools/add_up", {"numbers": [1, 2]}),
    ("/tools/measure", {"width": 3}),
    ("/tools/handmade", {"given": {"x": 1}}),
    ("/agents/echo", "hi"),
]


@pytest.mark.parametrize(("path", "body"), CALLS)
def test_what_a_function_gives_is_what_the_document_says(path: str, body: Any) -> None:
    async def main(shop: Shop) -> None:
        made = (await shop.client.get("/openapi.json")).json()
        answer = await shop.client.post(path, json=body, headers={"prefer": "wait=10"})
        assert answer.status_code == 200, answer.text
        schema = made["paths"][path]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
        whole = {**schema, "components": made["components"]}
        jsonschema.validate(answer.json(), whole)
        result = answer.json()["result"] if "/tools/" not in path else answer.json()
        wrong = {"result": ["no", result], "id": "x", "status": "completed"} if "/tools/" not in path else [result]
        if "handmade" not in path:
            with pytest.raises(jsonschema.ValidationError):
                jsonschema.validate(wrong, whole)

    asked_over(main, FUNCTIONS)

"""Typed stubs of what another process serves: used like the real thing, and made of nothing that could become code."""

from __future__ import annotations

import ast
import asyncio
import json
import sys
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any, assert_type

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from overwinter import Agent, Context, InvalidInput, Runtime, Scripted, call, workflow
from overwinter.cli.main import cli
from overwinter.functions.http.asking import described
from overwinter.functions.invocation.loading import functions_of
from overwinter.functions.stubs.names import IMPORTED
from overwinter.functions.stubs.shapes import MOST
from overwinter.functions.stubs.writing import listing, mark_of, module
from overwinter.state.errors import ExecutionFailed
from overwinter.tests.apart import shop, shop_stubs
from overwinter.tests.apart.shop_stubs import Bill, Line, Order, billing

from .place import on_a_loop, served

GOLDEN = Path(__file__).with_name("shop_stubs.py")
TOKEN = "a-token-of-some-length"


def said() -> Any:
    """What ``GET /functions`` of the shop answers."""
    functions = functions_of(shop)
    return json.loads(json.dumps({"functions": [described(name, one) for name, one in functions.items()]}))


def one(name: str = "f", kind: str = "tool", description: str = "", input: Any = None, output: Any = None) -> Any:
    takes = {"type": "object", "properties": {}, "additionalProperties": False} if input is None else input
    shown = {"name": name, "kind": kind, "description": description, "input": takes, "output": output or {}}
    return {"functions": [shown]}


def made(answer: Any) -> ModuleType:
    """The module, run."""
    text = module(listing(answer), "https://shop.example")
    found = ModuleType("stubs_of_a_test")
    found.__dict__["__source__"] = text
    sys.modules[found.__name__] = found  # where pydantic looks for what a class refers to
    exec(compile(text, "stubs", "exec"), found.__dict__)  # it is what the test is about
    return found


def test_a_module_is_the_same_for_the_same_functions() -> None:
    answer = said()
    first = module(listing(answer), "https://shop.example")
    answer["functions"].reverse()
    assert module(listing(answer), "https://shop.example") == first
    assert mark_of(module(listing(answer), "http://elsewhere")) == mark_of(first), "wherever it is served"
    assert mark_of(GOLDEN.read_text("utf-8")) == mark_of(first), "write tests/apart/shop_stubs.py anew"
    next(one for one in answer["functions"] if one["name"] == "billing")["description"] += " More."
    assert mark_of(module(listing(answer), "https://shop.example")) != mark_of(first)


def order(**more: Any) -> Order:
    return Order(id="o-1", lines=[Line(article="book")], at=datetime(2026, 1, 2, 3, 4), **more)


@workflow
async def buys(ctx: Context, wanted: str) -> list[Any]:
    found = await ctx.step(shop_stubs.lookup_order, wanted)
    assert_type(found, Order)
    bill = await ctx.call(shop_stubs.billing, order(from_="there"))
    assert_type(bill, Bill)
    weight = await ctx.step(shop_stubs.weigh, found.lines, of="1.5")
    assert_type(weight, float)
    desk = await ctx.call(shop_stubs.support_desk, "hello")
    assert_type(desk, str)
    await ctx.call(shop_stubs.tidy_up)
    odd = await ctx.step(shop_stubs.ask_anything, **{"not a name": "?"})
    return [found.id, found.place, bill.number.int, bill.order.from_, weight, desk, odd]


def lead(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("OVERWINTER_ROUTES", json.dumps({"*": {"url": url, "token": "env:T"}}))
    monkeypatch.setenv("T", TOKEN)


@on_a_loop
async def test_stubs_are_used_like_the_real_thing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(list(functions_of(shop).values()), token=TOKEN) as there, Runtime([buys], "memory://") as here:
        lead(monkeypatch, there.url)
        got = await (await here.start(buys, "o-9")).result(timeout=30)
        assert got == ["o-9", [1, "a"], 7, "there", 5.0, "hello", {"not a name": "?"}]


@on_a_loop
async def test_an_agent_has_them_as_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Scripted([call("lookup_order", order_id="o-3"), call("refund", order_id="o-3", amount=5), "done"])
    desk = Agent("desk", model, tools=[shop_stubs.lookup_order, shop_stubs.refund, shop_stubs.billing])
    async with served(list(functions_of(shop).values()), token=TOKEN) as there, Runtime([desk], "memory://") as here:
        lead(monkeypatch, there.url)
        handle = await here.start(desk, "refund o-3", id="d")
        async with asyncio.timeout(20):
            while not await here.proposals("d"):  # noqa: ASYNC110  # it is the runtime that changes it
                await asyncio.sleep(0.005)
        (waits,) = await here.proposals("d")
        assert (waits["role"], waits["data"]["amount"]) == ("boss", 5)
        await here.decide("d", waits["op"], True, by="me")
        assert await handle.result(timeout=30) == "done"


@on_a_loop
async def test_without_a_route_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    @workflow
    async def bills(ctx: Context) -> Bill:
        return await ctx.call(billing, order())

    monkeypatch.delenv("OVERWINTER_ROUTES", raising=False)
    async with Runtime([buys, bills], "memory://") as here:
        for function, name in ((buys, "lookup_order"), (bills, "billing")):
            with pytest.raises(ExecutionFailed, match=rf"OVERWINTER_ROUTES={name}=https"):
                await (await here.start(function, "o" if function is buys else None)).result(timeout=20)


def test_what_was_not_given_is_not_sent() -> None:
    sent = order().model_dump(mode="json", by_alias=True)
    assert "tags" not in sent and "place" not in sent
    assert sent["from"] == "here" and sent["more"] == {} and sent["parent"] is None


def test_the_command_writes_and_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T", TOKEN)
    out = tmp_path / "shop_stubs.py"

    def ran(*words: str) -> Any:
        return CliRunner().invoke(cli, ["stubs", *words])

    async def main() -> None:
        async with served(list(functions_of(shop).values()), token=TOKEN) as there:

            async def said_of(*words: str, url: str = there.url) -> tuple[int, str]:
                done = await asyncio.to_thread(ran, url, *words)
                return done.exit_code, done.output

            code, printed = await said_of("--token", "env:T")
            assert code == 0 and "class Order(BaseModel):" in printed and there.url in printed and TOKEN not in printed
            assert await said_of("--token", "env:T", "--out", str(out)) == (0, "")
            assert out.read_text("utf-8") == printed
            for file in (out, GOLDEN):
                assert await said_of("--token", "env:T", "--check", str(file)) == (0, "")
            out.write_text(printed.replace("# sha256 ", "# sha256 0"), "utf-8")
            code, printed = await said_of("--token", "env:T", "--check", str(out))
            assert code == 1 and f"--out {out}" in printed
            for words, why in (
                ((), "401"),
                (("--token", "env:T", "--check", str(tmp_path / "absent.py")), "can't be read"),
                (("--token", TOKEN), "env:NAME"),
                (("--token", "env:T", "--check", str(out), "--out", str(out)), "give one of them"),
            ):
                code, printed = await said_of(*words)
                assert code != 0 and why in printed, printed
                assert TOKEN not in printed
            for url, why in (("http://127.0.0.1:1", "does not answer"), ("nowhere", "https://HOST"), ("here", "here")):
                code, printed = await said_of(url=url)
                assert code != 0 and why in printed, printed

    asyncio.run(main())


# -- what a server says is somebody else's text -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ([], "no server of overwinter"),
        ({"functions": 7}, "functions"),
        ({"functions": [{"name": "f", "kind": "tool", "description": "", "input": {}}]}, "up to this release"),
        ({"functions": one()["functions"] * 2}, "two functions"),
        (one("a b\nimport os", "agent"), "name"),
        (one("../x", "workflow"), "name"),
        (one(kind="thing"), "kind"),
    ],
)
def test_what_is_no_list_of_functions_is_said(answer: Any, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        listing(answer)


def test_a_name_is_never_code() -> None:
    names = ["class", "str", "tool", "Any", "print", "_x", "9", "ä", "a-b", "a_b", "a b", "elsewhere", "__import__"]
    answer = {"functions": [one(name, "workflow")["functions"][0] for name in names]}
    found = made(answer)
    stubs = [thing for thing in vars(found).values() if getattr(thing, "__module__", "") == found.__name__]
    assert sorted(thing.__overwinter__.name for thing in stubs) == sorted(names)


@pytest.mark.parametrize(
    "text",
    [
        '"""',
        "\\",
        '"',
        "'",
        '\\"""\nimport os\n"""',
        "a\nArgs:\n  x: y",
        "\u202eimport",
        "\x00",
        "{x}",
        "  \n\n",
        '"""]',
    ],
)
def test_a_description_is_never_code(text: str) -> None:
    found: Any = made(one(description=text)).f
    assert found.__overwinter__.description in (text, text.strip() or "f"), found.__source__


def twice(schema: Any) -> Any:
    return {"anyOf": [schema, {"type": "array", "items": schema}]}


def test_a_huge_or_endless_schema_is_any() -> None:
    deep: Any = {"type": "integer"}
    for _ in range(200):
        deep = {"type": "array", "items": deep}
    wide = {"type": "object", "properties": {f"p{number}": {"type": "string"} for number in range(MOST)}}
    doubled = {f"d{number}": twice({"$ref": f"#/$defs/d{number + 1}"}) for number in range(38)}
    for output in (
        deep,
        wide,
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
        {"$ref": "#"},
        {"$ref": "file:///etc/passwd"},
        {"$ref": "#/$defs/d0", "$defs": {**doubled, "d38": {"type": "null"}}},
    ):
        found = made(one(output=output))
        assert len(found.__dict__["__source__"]) < 400_000
        assert "Any" in found.__dict__["__source__"]
    tree = {"$ref": "#/$defs/T", "$defs": {"T": {"type": "object", "properties": {"next": {"$ref": "#/$defs/T"}}}}}
    tree_made: Any = made(one(output=tree))
    assert tree_made.T(next={"next": {}}).next.next.next is None


NASTY = st.sampled_from(
    ["__class__", "x", "model_config", "copy", "class", "'", '"""', "\\", "a b", "#", "Any", "List", "\n", "]", "é", ""]
)
SCALAR = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), NASTY)
KINDS = st.sampled_from(["string", "integer", "number", "boolean", "null", "object", "array", "odd", 7])


def schemas() -> Any:
    """What may be a schema, or look like one."""
    leaf = st.one_of(
        st.fixed_dictionaries({"type": KINDS}, optional={"default": SCALAR, "description": NASTY, "title": NASTY}),
        st.fixed_dictionaries({"enum": st.lists(SCALAR, max_size=4)}),
        st.fixed_dictionaries({"const": SCALAR}),
        st.fixed_dictionaries({"type": st.just("integer"), "minimum": SCALAR, "maximum": SCALAR, "default": SCALAR}),
        st.fixed_dictionaries(
            {"type": st.just("string"), "minLength": SCALAR, "format": st.sampled_from(["date", "x"])}
        ),
        st.builds(lambda name: {"$ref": f"#/$defs/{name}"}, NASTY),
        SCALAR,
    )

    def around(inner: Any) -> Any:
        object_ = st.fixed_dictionaries(
            {"type": st.just("object"), "properties": st.dictionaries(NASTY, inner, max_size=4)},
            optional={"required": st.lists(NASTY, max_size=3), "additionalProperties": inner, "title": NASTY},
        )
        array = st.fixed_dictionaries({"type": st.just("array")}, optional={"items": inner, "minItems": SCALAR})
        pair = st.builds(lambda one: {"type": "array", "prefixItems": [one], "minItems": 1, "maxItems": 1}, inner)
        words = st.sampled_from(["anyOf", "oneOf", "allOf"])
        union = st.builds(lambda word, each: {word: each}, words, st.lists(inner, max_size=3))
        return st.one_of(object_, array, pair, union)

    whole = st.recursive(leaf, around, max_leaves=12)
    defined = st.dictionaries(NASTY, whole, max_size=3)
    return st.builds(lambda schema, defs: {**schema, "$defs": defs} if isinstance(schema, dict) else {}, whole, defined)


ALLOWED = frozenset({"tool", "workflow", "Field", "ConfigDict", "elsewhere"})


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["tool", "workflow", "agent"]), st.text(max_size=20), schemas(), schemas())
def test_nothing_that_a_server_says_becomes_code(kind: str, description: str, takes: Any, gives: Any) -> None:
    text = made(one("f", kind, description, takes, gives)).__dict__["__source__"]
    for node in ast.walk(ast.parse(text)):
        assert not isinstance(node, (ast.Attribute, ast.Lambda, ast.JoinedStr, ast.Global)), ast.dump(node)
        if isinstance(node, ast.Call):
            assert isinstance(node.func, ast.Name) and node.func.id in ALLOWED, ast.dump(node)
        if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and node.module != "__future__"):
            assert isinstance(node, ast.ImportFrom) and {one.name for one in node.names} <= set(IMPORTED)
        if isinstance(node, ast.Expr):
            assert isinstance(node.value, ast.Constant), ast.dump(node)

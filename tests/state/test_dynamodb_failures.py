"""What goes wrong between a process and DynamoDB: answers lost on the wire, throttling, settings that do not fit."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from botocore.awsrequest import (  # type: ignore[import-untyped]
    AWSResponse,  # pyright: ignore[reportMissingTypeStubs]
)

from overwinter.state.contract.case import NOW, TTL, WORKFLOW, bodies, change, found, known, lease, mail, settle
from overwinter.state.dynamodb import DynamoStore
from overwinter.state.dynamodb.clock import ServiceClock
from overwinter.state.dynamodb.edit import N
from overwinter.state.dynamodb.failures import ClientError, translate
from overwinter.state.dynamodb.layout import HEAD_MAIL_BYTES
from overwinter.state.dynamodb.place import parse
from overwinter.state.errors import (
    Conflict,
    EtagMismatch,
    InvalidInput,
    SchemaMismatch,
    StoreCorrupt,
    StoreError,
    StoreUnavailable,
)
from overwinter.state.records import Answer
from overwinter.tests.servers.moto import Moto, credentials
from overwinter.tests.servers.proxy import Fault, Proxy

UPDATE, TRANSACT, PUT = b"20120810.UpdateItem", b"20120810.TransactWriteItems", b"20120810.PutItem"


@asynccontextmanager
async def opened(dsn: str, **options: Any) -> AsyncGenerator[DynamoStore]:
    store = DynamoStore(dsn, **options)
    await store.create()
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def behind(moto: Moto) -> AsyncGenerator[tuple[DynamoStore, Proxy]]:
    """A store whose requests go through a proxy."""
    with Proxy(moto.port) as proxy:
        async with opened(moto.dsn(port=proxy.port, bucket="failures")) as store:
            yield store, proxy


# -- lost answers --------------------------------------------------------------------------------------


def test_a_commit_whose_answer_is_lost_is_answered_and_written_once(moto: Moto) -> None:
    async def scenario() -> None:
        async with behind(moto) as (store, proxy):
            head = known(await lease(store, "x"))
            for version, release in enumerate((False, True)):
                cut = proxy.cut_after_request(TRANSACT)
                answer = await store.append(
                    change(head, [f"{version}"], version=version, consumed=[1], release=release, status="idle")
                )
                assert cut.done
                assert (answer.arrivals, answer.released) == (1, release)
            assert list(await store.history("x")) == ["0", "1"]
            assert (await found(store, "x")).version == 2

    asyncio.run(scenario())


def test_a_commit_without_entries_whose_answer_is_lost_is_answered(moto: Moto) -> None:
    async def scenario() -> None:
        async with behind(moto) as (store, proxy):
            head = known(await lease(store, "x"))
            cut = proxy.cut_after_request(UPDATE)
            await store.append(change(head, note="noted"))
            assert cut.done
            assert (await found(store, "x")).version == 1

    asyncio.run(scenario())


def test_a_lost_answer_is_no_way_around_the_fence(moto: Moto) -> None:
    async def scenario() -> None:
        async with behind(moto) as (store, proxy), opened(store.dsn) as other:
            head = known(await lease(store, "x"))
            await store.retire("a")
            await other.beat("b", NOW, TTL)
            await other.accept("x", None, now=NOW, owner="b")
            proxy.cut_after_request(TRANSACT)
            with pytest.raises(Conflict):
                await store.append(change(head, ["late"]))
            assert await store.history("x") == []

    asyncio.run(scenario())


@pytest.mark.parametrize("key", ["k", ""])
def test_an_accept_whose_answer_is_lost_is_answered_as_it_would_have_been(moto: Moto, key: str) -> None:
    async def scenario() -> None:
        async with behind(moto) as (store, proxy), opened(store.dsn) as other:
            await store.beat("a", NOW, TTL)
            cut = proxy.cut_after_request(UPDATE)
            accepted = await store.accept("x", mail(key, "start"), now=NOW, owner="a", create=WORKFLOW)
            assert cut.done
            assert accepted.answer is Answer.GRANTED
            assert [m.body for m in accepted.mail] == ["start"]
            proxy.cut_after_request(UPDATE)
            accepted = await other.accept("x", mail(key + "2" if key else "", "news"), now=NOW)
            assert accepted.answer is Answer.BUSY
            assert [(m.seq, m.body) for m in accepted.mail] == [(2, "news")]
            assert known(accepted).arrivals == 2
            proxy.cut_after_request(UPDATE)
            queued = await store.accept("y", mail(key, "one"), now=NOW, create=WORKFLOW)
            assert (queued.answer, known(queued).arrivals) == (Answer.QUEUED, 1)
            assert await bodies(store, "y") == ["one"]

    asyncio.run(scenario())


def test_a_lease_that_was_granted_into_the_void_is_granted(moto: Moto) -> None:
    async def scenario() -> None:
        async with behind(moto) as (store, proxy):
            await settle(store, "x", "waiting", wake=NOW)
            cut = proxy.cut_after_request(UPDATE)
            accepted = await store.accept("x", None, now=NOW, owner="a")
            assert cut.done
            assert (accepted.answer, list(accepted.entries or ())) == (Answer.GRANTED, ["entry"])
            assert (await store.accept("x", None, now=NOW, owner="a")).answer is Answer.BUSY

    asyncio.run(scenario())


def test_mail_that_was_consumed_before_the_repetition_is_not_taken_twice(
    moto: Moto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its traces stay in the head for a while, with a key or without one."""

    async def scenario() -> None:
        async with behind(moto) as (store, proxy), opened(moto.dsn(store.place.table)) as owner:
            head = known(await lease(owner, "x"))
            send = store._wire._once

            def once(service: str, operation: str, *rest: Any) -> Any:
                """The answer to the second update is lost, the first only looks. Before the repetition the owner
                consumes the mail."""
                updates.append(operation) if operation == "update_item" else None
                if len(updates) == 2:
                    cuts.append(proxy.cut_after_request(UPDATE))
                try:
                    return send(service, operation, *rest)
                finally:
                    if len(updates) == 2:
                        asyncio.run_coroutine_threadsafe(consume(), loop).result()

            async def consume() -> None:
                await owner.append(change(head, ["e"], version=number, consumed=[number + 2], arrivals=number + 2))

            loop = asyncio.get_running_loop()
            monkeypatch.setattr(store._wire, "_once", once)
            cuts: list[Fault] = []
            for number, key in enumerate(("", "k")):
                updates: list[str] = []
                accepted = await store.accept("x", mail(key, "news"), now=NOW + number)
                assert len(cuts) == number + 1
                assert all(cut.done for cut in cuts)
                assert accepted.answer is Answer.BUSY
            assert (await found(store, "x")).arrivals == 3
            assert await bodies(store, "x") == ["start"]

    asyncio.run(scenario())


@pytest.mark.parametrize("key", ["k", ""])
def test_spilled_mail_whose_answer_is_lost_is_there_once(moto: Moto, key: str) -> None:
    async def scenario() -> None:
        async with behind(moto) as (store, proxy):
            await store.accept("x", mail("", "x" * HEAD_MAIL_BYTES), now=NOW, create=WORKFLOW)
            cut = proxy.cut_after_request(TRANSACT)
            accepted = await store.accept("x", mail(key, "news"), now=NOW)
            assert cut.done
            assert (accepted.answer, known(accepted).arrivals) == (Answer.QUEUED, 2)
            assert (await bodies(store, "x"))[1:] == ["news"]

    asyncio.run(scenario())


def test_values_and_deletions_whose_answers_are_lost(moto: Moto) -> None:
    async def scenario() -> None:
        async with behind(moto) as (store, proxy):
            proxy.cut_after_request(PUT)
            etag = await store.put("s", "k", "1", etag="")
            proxy.cut_after_request(PUT)
            etag = await store.put("s", "k", "2", etag=etag)
            assert await store.get("s", "k") == ("2", etag)
            with pytest.raises(EtagMismatch):
                await store.put("s", "k", "3", etag="")
            await settle(store, "x", "idle")
            dump = await store.dump("x")
            assert dump is not None
            proxy.cut_after_request(TRANSACT)
            assert await store.delete("x", now=NOW) is True
            proxy.cut_after_request(TRANSACT)
            assert await store.restore(dump) is True
            assert await store.dump("x") == dump
            assert list(await store.verify()) == []

    asyncio.run(scenario())


def test_requests_that_never_arrived_and_broken_connections_are_made_again(moto: Moto) -> None:
    async def scenario() -> None:
        async with behind(moto) as (store, proxy):
            head = known(await lease(store, "x"))
            proxy.cut_mid_request(200, TRANSACT)
            await store.append(change(head, ["one"]))
            proxy.reset()
            await store.append(change(head, ["two"], version=1))
            assert list(await store.history("x")) == ["one", "two"]

    asyncio.run(scenario())


def test_a_store_that_stays_away_is_unavailable_and_the_same_call_finds_out_what_became_of_it(moto: Moto) -> None:
    async def scenario() -> None:
        with Proxy(moto.port) as proxy:
            async with opened(moto.dsn(port=proxy.port), patience="300ms") as store:
                head = known(await lease(store, "x"))
                proxy.cut_after_request(TRANSACT, times=None)
                commit = change(head, ["one"], token="t1")
                with pytest.raises(StoreUnavailable, match="has not answered for"):
                    await store.append(commit)
                proxy.clear()
                assert (await store.append(commit)).arrivals == 1
                assert list(await store.history("x")) == ["one"]
                proxy.refuse()
                with pytest.raises(StoreUnavailable):
                    await store.head("x")
                proxy.restore()
                assert (await found(store, "x")).version == 1

    asyncio.run(scenario())


# -- throttling ----------------------------------------------------------------------------------------


def answering(store: DynamoStore, *answers: tuple[int, dict[str, Any]], operation: str = "") -> list[str]:
    """The next requests get these answers; none of them reaches the server. Returns what was asked."""
    asked: list[str] = []

    def before(request: Any, event_name: str, **_: Any) -> AWSResponse | None:
        name = event_name.rpartition(".")[2]
        if (operation and name != operation) or len(asked) >= len(answers):
            return None
        status, body = answers[len(asked)]
        asked.append(name)
        answer = AWSResponse(request.url, status, {"content-type": "application/x-amz-json-1.0"}, None)
        answer._content = json.dumps(body).encode()
        return answer

    store._wire._clients["dynamodb"].meta.events.register("before-send.dynamodb", before)
    return asked


def error(code: str, message: str = "no", **more: Any) -> dict[str, Any]:
    return {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message, **more}


def test_what_passes_is_tried_again(moto: Moto) -> None:
    async def scenario() -> None:
        async with opened(moto.dsn()) as store:
            head = known(await lease(store, "x"))
            cancelled = error("TransactionCanceledException", CancellationReasons=[{"Code": "TransactionConflict"}, {}])
            answers = [
                (400, error("ProvisionedThroughputExceededException")),
                (400, error("ThrottlingException")),
                (400, error("RequestLimitExceeded")),
                (400, error("TransactionConflictException")),
                (400, cancelled),
                (500, error("InternalServerError")),
                (503, {}),
            ]
            asked = answering(store, *answers, operation="TransactWriteItems")
            await store.append(change(head, ["one"]))
            assert len(asked) == len(answers)
            assert list(await store.history("x")) == ["one"]

    asyncio.run(scenario())


def test_throttling_that_lasts_is_unavailable(moto: Moto) -> None:
    async def scenario() -> None:
        async with opened(moto.dsn(), patience="200ms") as store:
            await store.head("x")
            asked = answering(store, *[(400, error("ThrottlingException"))] * 1000)
            with pytest.raises(StoreUnavailable, match="throttled"):
                await store.accept("x", mail("k"), now=NOW, create=WORKFLOW)
            assert len(asked) > 2

    asyncio.run(scenario())


def test_items_of_a_batch_that_were_throttled_are_written_again(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with opened(moto.dsn(), patience="500ms") as store:
            send, left = store._wire.dynamodb, [3]

            async def dynamodb(operation: str, **parameters: Any) -> dict[str, Any]:
                """Does the first of a batch, and gives back the rest; at first not even that."""
                given = parameters.get("RequestItems", {}).get(store.place.table)
                if operation == "batch_write_item":
                    left[0] -= 1
                    if left[0] >= 0:
                        return {"UnprocessedItems": {store.place.table: given}}
                    parameters["RequestItems"] = {store.place.table: given[:1]}
                    answer = await send(operation, **parameters)
                    return {**answer, "UnprocessedItems": {store.place.table: given[1:]} if given[1:] else {}}
                return await send(operation, **parameters)

            monkeypatch.setattr(store._wire, "dynamodb", dynamodb)
            await settle(store, "x", "idle")
            for number in range(3):
                await store.put("x", str(number), "1")
            await store._table.put_many([{"pk": {"S": "p"}, "sk": {"S": str(n)}} for n in range(30)])
            assert len(await store._table.query("p")) == 30
            left[0] = 10**9
            with pytest.raises(StoreUnavailable, match="throttled"):
                await store._table.put_many([{"pk": {"S": "p"}, "sk": {"S": "31"}}])

    asyncio.run(scenario())


# -- settings ------------------------------------------------------------------------------------------


def test_a_table_that_is_not_there_is_named_with_the_command_that_makes_it(moto: Moto) -> None:
    async def scenario() -> None:
        store = DynamoStore(moto.dsn("missing"))
        with pytest.raises(StoreError, match=r"missing.*overwinter store init"):
            await store.open()
        with pytest.raises(StoreError, match="not open"):
            await store.head("x")
        await store.close()

    asyncio.run(scenario())


def test_creating_is_idempotent_and_makes_what_is_asked_for(moto: Moto) -> None:
    async def scenario() -> None:
        dsn = moto.dsn(bucket="created")
        for _ in range(2):
            async with opened(dsn) as store:
                remarks = {remark.name: remark.state for remark in await store.survey()}
                assert remarks == {"table": "ok", "expiry": "ok", "backups": "warn", "bucket": "ok"}
                described = (await store._wire.dynamodb("describe_table", TableName=store.place.table))["Table"]
                assert described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        async with opened(moto.dsn()) as store:
            assert {remark.name: remark.state for remark in await store.survey()}["bucket"] == "warn"

    asyncio.run(scenario())


async def table(moto: Moto, name: str, **definition: Any) -> DynamoStore:
    """A table that somebody else has made."""
    maker = DynamoStore(moto.dsn(name))
    maker._wire.start()
    await maker._wire.dynamodb("create_table", TableName=name, BillingMode="PAY_PER_REQUEST", **definition)
    await maker._wire.stop()
    return DynamoStore(moto.dsn(name))


def test_a_table_of_another_program_is_left_alone(moto: Moto) -> None:
    async def scenario() -> None:
        key = [{"AttributeName": "id", "KeyType": "HASH"}]
        store = await table(
            moto, "other", KeySchema=key, AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}]
        )
        for attempt in (store.open, store.create):
            with pytest.raises(StoreCorrupt, match="another program"):
                await attempt()

    asyncio.run(scenario())


def test_a_table_without_the_indexes_is_refused(moto: Moto) -> None:
    async def scenario() -> None:
        names = (("pk", "HASH"), ("sk", "RANGE"))
        store = await table(
            moto,
            "bare",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in names],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in names],
        )
        with pytest.raises(StoreCorrupt, match="lacks the index due and list and children"):
            await store.open()

    asyncio.run(scenario())


def test_a_table_that_a_template_has_made_is_taken_into_use(moto: Moto) -> None:
    async def scenario() -> None:
        from overwinter.state.dynamodb.setup import description

        given = description()
        given.pop("BillingMode")
        store = await table(moto, "templated", **given)
        await store.open()
        await settle(store, "x", "idle")
        await store.close()

    asyncio.run(scenario())


def test_a_newer_layout_is_refused_by_name(moto: Moto) -> None:
    async def scenario() -> None:
        async with opened(moto.dsn()) as store:
            await store._table.put_many([{"pk": {"S": "schema"}, "sk": {"S": "schema"}, "version": N(99)}])
            other = DynamoStore(store.dsn)
            with pytest.raises(SchemaMismatch, match="Upgrade"):
                await other.open()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "code, message, expected",
    [
        (
            "AccessDeniedException",
            "User is not authorized to perform: dynamodb:UpdateItem",
            r"denied.*docs/dynamodb\.md",
        ),
        ("UnrecognizedClientException", "The security token is invalid", "credentials"),
        ("ExpiredTokenException", "The token has expired", "Renew"),
        ("ValidationException", "Item size to update has exceeded the maximum allowed size", "400 KB"),
        ("SomethingNew", "what", "SomethingNew: what"),
    ],
)
def test_refusals_are_named_with_advice(moto: Moto, code: str, message: str, expected: str) -> None:
    async def scenario() -> None:
        async with opened(moto.dsn()) as store:
            answering(store, (400, error(code, message)))
            with pytest.raises((StoreError, InvalidInput), match=expected):
                await store.accept("x", mail("k"), now=NOW, create=WORKFLOW)

    asyncio.run(scenario())


def test_missing_credentials_and_region_are_named(moto: Moto, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    async def scenario() -> None:
        for name in (*credentials(), "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            monkeypatch.setenv(name, str(tmp_path / "none"))
        with pytest.raises(StoreError, match="no AWS credentials"):
            await DynamoStore(moto.dsn()).open()
        with pytest.raises(StoreError, match="region"):
            await DynamoStore("dynamodb://table").open()

    asyncio.run(scenario())


def test_a_dsn_is_taken_apart() -> None:
    place = parse("dynamodb://My_table.1?region=eu-central-1&bucket=name/some/folder&retention=30d")
    assert (place.table, place.region, place.bucket, place.folder) == (
        "My_table.1",
        "eu-central-1",
        "name",
        "some/folder/",
    )
    assert place.retention == 30 * 86_400_000
    assert parse("dynamodb://table") == ("table", "", "", "", "", None, 1024)


@pytest.mark.parametrize(
    "dsn", ["dynamodb://", "dynamodb://ab", "dynamodb://a b c", "dynamodb://table/x", "dynamodb://table?buckt=x"]
)
def test_a_dsn_that_says_nothing_is_refused(dsn: str) -> None:
    with pytest.raises(InvalidInput):
        parse(dsn)


@pytest.mark.parametrize(
    ("dsn", "said"),
    [
        ("dynamodb://t1", "a name of 3 to 255 letters"),
        ("dynamodb://a b c", "a name of 3 to 255 letters"),
        ("dynamodb://", "names no DynamoDB table"),
        ("dynamodb:///table", "names no DynamoDB table"),
    ],
)
def test_a_dsn_is_refused_for_what_is_wrong_with_it(dsn: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        parse(dsn)


def test_an_operation_that_an_imitation_lacks_is_no_matter_of_permissions(
    moto: Moto, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with opened(moto.dsn()) as store:
            dynamodb = store._wire.dynamodb

            refusal = ClientError({"Error": {"Code": "UnknownOperationException", "Message": ""}}, "X")
            error = translate(refusal, store.place)
            assert isinstance(error, StoreError) and "permission" not in str(error)

            async def lacks(operation: str, **given: Any) -> Any:
                if operation == "describe_continuous_backups":
                    raise error
                return await dynamodb(operation, **given)

            monkeypatch.setattr(store._wire, "dynamodb", lacks)
            (remark,) = [one for one in await store.survey() if one.name == "backups"]
            assert remark.state == "warn" and "has no such operation" in remark.detail
            assert "permission" not in remark.advice + remark.detail
            denied = translate(ClientError({"Error": {"Code": "AccessDenied", "Message": ""}}, "X"), store.place)
            assert "permissions" in str(denied)

    asyncio.run(scenario())


def test_odd_texts_that_no_key_can_hold_are_refused(moto: Moto) -> None:
    async def scenario() -> None:
        async with opened(moto.dsn()) as store:
            attempts: list[Callable[[], Awaitable[Any]]] = [
                lambda: store.accept("\ud800", mail("k"), now=NOW, create=WORKFLOW),
                lambda: store.accept("x", mail("k", "\ud800"), now=NOW, create=WORKFLOW),
                lambda: store.put("s", "k" * 1001, "1"),
            ]
            for attempt in attempts:
                with pytest.raises(InvalidInput):
                    await attempt()
            for name in ("z" * 5000, "z" * 4999 + "y"):
                await settle(store, name, "idle")
                await store.put(name, "k", f'"{name[-1]}"')
            assert sorted(head.id for head in (await store.executions()).heads) == ["z" * 4999 + "y", "z" * 5000]
            assert (await store.get("z" * 5000, "k") or ("",))[0] == '"z"'
            assert sorted(await store.scopes()) == ["z" * 4999 + "y", "z" * 5000]

    asyncio.run(scenario())


# -- the clock -----------------------------------------------------------------------------------------


class Machine:
    """A clock that is wrong by so many ms, and a service whose clock is right."""

    def __init__(self, wrong: float) -> None:
        self.right, self.wrong = 1_790_000_000_123.0, wrong

    def __call__(self) -> float:
        return self.right + self.wrong

    def hear(self, clock: ServiceClock, there: float = 3.0, back: float = 4.0) -> None:
        sent = self()
        self.right += there
        second = self.right // 1000
        self.right += back
        from email.utils import formatdate

        clock.hear(formatdate(second, usegmt=True), sent, self())


@pytest.mark.parametrize("wrong", [-300_000, -1_500, 1_500, 300_000])
def test_a_wrong_clock_is_corrected(wrong: int) -> None:
    machine = Machine(wrong)
    clock = ServiceClock(machine)
    for _ in range(6):
        machine.hear(clock)
        if clock.settled:
            break
        machine.right += clock.pause() * 1000
    assert clock.settled
    assert abs(clock.ahead + wrong) < 60


@pytest.mark.parametrize("wrong", [-400, -5, 0, 5, 400])
def test_a_clock_that_nothing_contradicts_is_believed(wrong: int) -> None:
    machine = Machine(wrong)
    clock = ServiceClock(machine)
    for _ in range(50):
        machine.hear(clock)
        machine.right += 777.7
        assert clock.ahead == 0 or abs(clock.ahead + wrong) < 600
    if abs(wrong) < 10:
        assert clock.ahead == 0


def test_a_clock_that_is_set_is_followed() -> None:
    machine = Machine(0)
    clock = ServiceClock(machine)
    for _ in range(10):
        machine.hear(clock)
        machine.right += 313
    assert clock.ahead == 0
    machine.wrong = 60_000
    for _ in range(6):
        machine.hear(clock)
        machine.right += clock.pause() * 1000
    assert abs(clock.ahead + 60_000) < 60


def test_a_date_that_is_none_says_nothing() -> None:
    clock = ServiceClock()
    for date in (None, "", "yesterday"):
        clock.hear(date, 0, 1)
    assert (clock.ahead, clock.settled) == (0, False)


def test_the_time_is_that_of_the_service(moto: Moto) -> None:
    async def scenario() -> None:
        async with opened(moto.dsn()) as store:
            right = store._wire.clock.machine
            assert abs((await store.time() or 0) - right()) < 1000
            store._wire.clock.machine = lambda: right() + 300_000
            store._wire.clock._bounds = None
            assert abs((await store.time() or 0) - right()) < 1500

    asyncio.run(scenario())

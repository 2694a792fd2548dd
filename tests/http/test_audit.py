"""``/audit``: who did what, by pages, and whether a journal holds."""

from __future__ import annotations

import base64
import json
from typing import Any

from overwinter.orchestrator.governance.budgets.accounts import freeze
from overwinter.tests.audit.desk import one_order, order, short

from .conftest import asked_over
from .test_api import problem_of


def test_acts_come_by_pages_and_a_journal_is_proven() -> None:
    async def main(shop: Any) -> None:
        client, runtime = shop.client, shop.runtime
        await one_order(runtime, "a/b")
        await freeze(runtime.store, "user:ana", runtime.clock(), by="dora")
        whole = (await client.get("/audit")).json()
        told = [act["what"] for act in whole["acts"]]
        assert told == ["budget.freeze", "audit.list", "start", "approve", "signal"]
        assert whole["cursor"] is None and whole["scanned"] > 4
        first = (await client.get("/audit?limit=3")).json()
        rest = (await client.get("/audit", params={"limit": 3, "cursor": first["cursor"]})).json()
        assert first["acts"] + rest["acts"] == whole["acts"] and rest["cursor"] is None
        told = (await client.get("/audit?on=a/b&by=ben")).json()
        assert [act["what"] for act in told["acts"]] == ["approve"]
        assert (await client.get("/audit?since=2999-01-01")).json()["acts"] == []
        proof = (await client.get("/audit/a/b")).json()
        assert proof["holds"] and proof["begins"] == 1 and proof["link"] and proof["findings"] == []
        problem_of(await client.get("/audit/nothing"), 404)
        problem_of(await client.get("/audit?limit=0"), 400)
        problem_of(await client.get("/audit?cursor=x"), 400)
        for place in (-5, 2**70):
            made = base64.urlsafe_b64encode(json.dumps(["a/b", place, None, False]).encode()).decode().rstrip("=")
            problem_of(await client.get("/audit", params={"cursor": made}), 400)
        problem_of(await client.get("/audit?since=yesterday"), 400)

    asked_over(main, [order, short])


def test_who_reads_and_who_takes_a_journal_away_is_in_the_audit() -> None:
    async def main(shop: Any) -> None:
        client, runtime = shop.client, shop.runtime
        await one_order(runtime, "a/b")
        problem_of(await client.get("/audit?cursor=x&reader=zoe"), 400)
        problem_of(await client.get("/audit/nothing?reader=zoe"), 404)
        problem_of(await client.get(f"/audit?reader={'z' * 201}"), 400)
        problem_of(await client.get("/history/nothing?download=true&reader=zoe"), 404)
        problem_of(await client.get("/history/a/b?download=yes&reader=zoe"), 400)
        for _ in range(3):
            await client.get("/audit?reader=ana")
            await client.get("/audit/a/b?reader=ana")
            await client.get("/history/a/b?reader=ana")
            await client.get("/history/a/b?download=true&reader=ben&limit=2")
        acts = [act for act in (await client.get("/audit?reader=ana")).json()["acts"] if act["on"] != "a/b"]
        assert [(act["by"], act["what"]) for act in acts] == [("ana", "audit.list")]
        acts = (await client.get("/audit?reader=ana&on=a/b")).json()["acts"]
        told = [(act["by"], act["what"]) for act in acts if act["chain"].startswith("store:")]
        assert told == [("ana", "audit.verify"), ("ben", "data.download"), ("ana", "audit.list")]
        assert next(act for act in acts if act["by"] == "ben")["details"]["entries"] > 2

    asked_over(main, [order, short])

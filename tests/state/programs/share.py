"""One of several processes that send to, and work off, the same executions. It ends when all are worked off.

Arguments: database, own name, number of mails to send to each of three executions.
"""

import asyncio
import json
import sys
import time

from overwinter.state import Store, open_store
from overwinter.state.errors import Conflict
from overwinter.state.records import Accepted, Answer, Change, NewExecution, NewMail


async def work(store: Store, owner: str, accepted: Accepted) -> None:
    """Add the mails to the sum in the state, one transition for each, until the lease is given back."""
    head, mails = accepted.head, list(accepted.mail)
    assert head is not None
    version, arrivals, total = head.version, head.arrivals, json.loads(head.state or "0")
    while True:
        taken = mails[:1]
        total += sum(json.loads(mail.body) for mail in taken)
        release = len(mails) <= 1
        answer = await store.append(
            Change(
                id=head.id,
                owner=owner,
                version=version,
                at=1,
                entries=[mail.body for mail in taken],
                consumed=[mail.seq for mail in taken],
                arrivals=arrivals,
                status="idle" if release else "running",
                wake=None,
                release=release,
                base=1,
                awaits="",
                note="",
                state=json.dumps(total),
            )
        )
        version, arrivals = version + 1, answer.arrivals
        if answer.released:
            return
        mails = list(answer.mail) if answer.mail is not None else mails[1:]


async def main(path: str, owner: str, count: int) -> None:
    store = open_store(f"sqlite:///{path}")
    await store.open()
    now = time.time_ns() // 1_000_000
    await store.beat(owner, now, 60_000)
    for number in range(count):
        for id in ("a", "b", "c"):
            mail = NewMail(f"{owner}/{number}", 1, now, json.dumps(number))
            create = NewExecution("adder", "workflow")
            accepted = await store.accept(id, mail, now=now, owner=owner, create=create)
            if accepted.answer is Answer.GRANTED:
                try:
                    await work(store, owner, accepted)
                except Conflict:
                    print("conflict", flush=True)
    await store.retire(owner)
    await store.close()


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))

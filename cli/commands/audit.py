"""``overwinter audit list|export|verify|key``: who did what, as lines for an archive, and whether anybody changed it.

``--json``: ``list`` ``{"acts": [{at, by, what, on, function, reason, details, chain, n, link}]}``; ``export``
``{"file", "acts", "chains"}``; ``verify`` ``{"ok", "chains", "entries", "unlinked", "unchecked": {key: n},
"signature", "findings": [{chain, n, what}]}``; ``key`` ``{"key", "chains", "older", "left": [{chain, n, what}]}``.
Exit code 1 of ``verify``: something does not hold.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import click

from .. import reach
from ..exits import FAILED, USAGE, Exit
from ..options import by_default, complete_id, json_option, store_option, text_option

if TYPE_CHECKING:
    from ...orchestrator.audit.acts import Act, Wanted
    from ...orchestrator.audit.exporting import Written
    from ...orchestrator.audit.keying import Keyed
    from ...orchestrator.audit.proving import Anchor, Finding, Proven
    from ...state.store import Store

Command = TypeVar("Command", bound=Callable[..., Any])
LISTED = "--json: {acts: [{at, by, what, on, function, reason, details, chain, n, link}]}"
EXPORTED = "--json: {file, acts, chains}"
VERIFIED = "--json: {ok, chains, entries, unlinked, unchecked: {key: n}, signature, findings: [{chain, n, what}]}"
KEYED = "--json: {key, chains, older, left: [{chain, n, what}]}"
SHOWN = 200


@click.group("audit")
def audit_command() -> None:
    """Who did what, and whether anybody has changed the record of it."""


def _filters(command: Command) -> Command:
    """``--by --what --function --since --until``, and the id of one execution."""
    for name, what in (
        ("--until", "Only before this day or time."),
        ("--since", "Only from this day or time on, like 2026-11-29 or 2026-11-29T08:00Z."),
        ("--function", "Only of executions of this workflow or agent."),
        ("--what", "Only this: approve, cancel, budget, store.delete …"),
        ("--by", "Only by this person or program."),
    ):
        command = text_option(name, unsaid="", help=what)(command)
    return command


def _wanted(given: dict[str, Any], on: str | None = None) -> Wanted:
    from ...orchestrator.audit.acts import Wanted

    since, until = (_moment(given[name], name) for name in ("since", "until"))
    return Wanted(given["by"], given["what"], given["function"], on or "", since, until)


def _moment(text: str, what: str) -> int:
    from datetime import UTC, datetime

    if not text:
        return 0
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no day or time; write it like 2026-11-29", param_hint=what) from None
    return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


@audit_command.command("list", epilog=LISTED)
@click.argument("on", metavar="[ID]", required=False, shell_complete=complete_id)
@_filters
@click.option(
    "--limit", default=SHOWN, show_default=True, type=click.IntRange(1, 1_000_000), help="The latest so many."
)
@store_option
@json_option
def list_command(on: str | None, limit: int, store: str, as_json: bool, **given: str) -> None:
    """The latest acts, oldest first: of all, or on one execution, account or agent."""
    found = reach.run(_listed(store, _wanted(given, on), limit))
    if as_json:
        from ..view.terminal import emit

        emit({"acts": [act.record() for act in found]})
        return
    _print(found)


async def _listed(dsn: str, wanted: Wanted, limit: int) -> list[Act]:
    from heapq import heappush, heappushpop

    from ...orchestrator.audit.reading import acts

    latest: list[tuple[int, str, int, Act]] = []
    async with reach.opened(dsn) as store:
        await _told(store, "audit.list", wanted)
        async with contextlib.aclosing(acts(store, wanted)) as found:
            async for act in found:
                one = (act.at, act.chain, act.n, act)
                if len(latest) < limit:
                    heappush(latest, one)
                else:
                    heappushpop(latest, one)
    return [act for *_, act in sorted(latest, key=lambda one: one[:3])]


async def _told(store: Store, what: str, wanted: Wanted, **more: Any) -> None:
    """Who reads is in the audit before it is read."""
    from ...orchestrator.audit.readings import reading

    fields = wanted._asdict()
    asked = {name: fields[name] for name in ("what", "function", "since", "until") if fields[name]}
    asked |= {"who": wanted.by} if wanted.by else {}
    more |= {"asked": asked} if asked else {}
    await reading(store, what, wanted.on or "store", by=by_default(), **more)


def _print(found: Sequence[Act]) -> None:
    from ..view.heads import table
    from ..view.moments import ago, now
    from ..view.terminal import console, say
    from ..view.text import clean

    if not found:
        say("nobody did anything like that")
        return
    today, out = now(), console()
    rows = [
        [
            (ago(act.at, today), "dim"),
            (clean(act.by) or "-", "bold"),
            (clean(act.what), "yellow"),
            (clean(act.on), ""),
            (clean(act.reason), "dim"),
        ]
        for act in found
    ]
    for line in table(["WHEN", "WHO", "DID", "ON", "REASON"], rows, out.width):
        out.print(line)


@audit_command.command("export", epilog=EXPORTED)
@click.argument("file", metavar="FILE|-")
@_filters
@click.option("--ocsf", is_flag=True, help="As events of OCSF 1.3.0, class API Activity; they hold no anchors.")
@text_option("--secret", unsaid="", metavar="REF", help="Sign it: env:NAME or file:PATH of a secret.")
@store_option
@json_option
def export_command(file: str, ocsf: bool, secret: str, store: str, as_json: bool, **given: str) -> None:
    """Write acts as JSON lines, and how far each chain has come: what `verify --against` takes.

    Keep it where those who can write the store can't.
    """
    if as_json and file == "-":
        raise click.UsageError("--json and - both write to stdout; name a file")
    if ocsf and secret:
        raise click.UsageError("events of OCSF are not signed; leave out --secret, or --ocsf")
    with _writing(file) as stream:
        done = reach.run(_export(store, stream, _wanted(given), secret, file, ocsf=ocsf))
    from ..view.terminal import emit, say
    from ..view.text import counted

    if as_json:
        emit({"file": file, **done._asdict()})
    else:
        chains = "" if ocsf else f" and {counted(done.chains, 'anchor')}"
        say(f"wrote {counted(done.acts, 'act')}{chains}")


@contextlib.contextmanager
def _writing(file: str) -> Generator[BinaryIO]:
    if file == "-":
        yield sys.stdout.buffer
        return
    try:
        stream = Path(file).open("xb")  # noqa: SIM115  # closed below; only opening it is an expected error
    except FileExistsError:
        raise Exit(f"{file} exists already", code=USAGE, advice="An export is kept; name another file.") from None
    except OSError as error:
        raise Exit(f"{file} can't be written: {error.strerror}", code=USAGE) from None
    try:
        with stream:
            yield stream
    except BaseException:  # half an export is none, and would be in the way of the next
        Path(file).unlink(missing_ok=True)
        raise


async def _export(dsn: str, stream: BinaryIO, wanted: Wanted, secret: str, file: str, *, ocsf: bool) -> Written:
    from ... import __version__
    from ...orchestrator.audit.exporting import export, export_ocsf
    from ...orchestrator.audit.proving import prove
    from ...orchestrator.protocol.clock import present

    async with reach.opened(dsn) as store:
        at, key = await present(store), _secret(secret)
        await _told(store, "audit.export", wanted, to=file)
        if ocsf:
            return await export_ocsf(store, stream.write, wanted, release=__version__)
        return await export(store, stream.write, wanted, prove(store), at=at, release=__version__, secret=key)


def _secret(reference: str) -> bytes:
    from ...functions.invocation.secrets import is_reference, look_up

    if not reference:
        return b""
    if not is_reference(reference):
        raise Exit("a secret is given by where it lies", code=USAGE, advice="Write env:NAME or file:PATH.")
    return look_up(reference, "secret of the audit").encode()


@audit_command.command("verify", epilog=VERIFIED)
@click.argument("id", metavar="[ID]", required=False, shell_complete=complete_id)
@text_option("--against", unsaid="", metavar="FILE|LINK", help="An export, or one link, that was kept elsewhere.")
@text_option("--secret", unsaid="", metavar="REF", help="The secret that the export was signed with.")
@store_option
@json_option
@click.pass_context
def verify_command(ctx: click.Context, id: str | None, against: str, secret: str, store: str, as_json: bool) -> None:
    """Find what was changed, taken out or put elsewhere, in all chains or in the journal of one execution."""
    kept, link, signed = _against(against, secret)
    proven, missing = reach.run(_verify(store, id, kept, link))
    findings = [finding for one in proven for finding in one.findings]
    unlinked = sum(one.begins != 1 and one.entries > 0 for one in proven)
    ok = not findings and not missing
    if as_json:
        from ..view.terminal import emit

        told = [finding._asdict() for finding in findings]
        told += [{"chain": "", "n": 0, "what": f"no chain has the link {link}"}] if missing else []
        entries = sum(one.entries for one in proven)
        unsure = {"unlinked": unlinked, "unchecked": _unchecked(proven), "signature": signed}
        emit({"ok": ok, "chains": len(proven), "entries": entries, **unsure, "findings": told})
    else:
        _report(proven, unlinked, f"no chain has the link {link}" if missing else "")
        _signature(against, signed)
    ctx.exit(0 if ok else FAILED)


def _against(against: str, secret: str) -> tuple[list[Anchor], str, str]:
    """Anchors of a file, or a link; and of the file's signature that it was ``checked``, was ``not checked``, or that
    there is none: ``unsigned``. "" where there is no file."""
    from ...orchestrator.audit.exporting import anchors
    from ...security.chain import LENGTH
    from ...state.errors import InvalidInput

    path = Path(against)
    if not against or (len(against) == LENGTH and not path.exists()):
        if secret:
            advice = "Name the export by --against FILE, or leave --secret out."
            raise Exit("--secret is for an export that was signed", code=USAGE, advice=advice)
        return [], against, ""
    try:
        with path.open("rb") as lines:
            found = anchors(lines, _secret(secret))
    except FileNotFoundError:
        advice = f"A link has {LENGTH} characters."
        raise Exit(f"{against} is no file, and no link", code=USAGE, advice=advice) from None
    except OSError as error:
        raise Exit(f"{against} can't be read: {error.strerror}", code=USAGE) from None
    except InvalidInput as error:
        raise Exit(f"{against} can't be held against the store: {error}", code=USAGE) from None
    return found.anchors, "", "unsigned" if not found.signed else "checked" if secret else "not checked"


def _signature(file: str, signed: str) -> None:
    """What nobody has looked at, or nobody could."""
    from ..view.terminal import say

    if signed == "not checked":
        say(f"the signature of {file} was not checked: name the secret by --secret", style="yellow")
    elif signed == "unsigned":
        say(f"{file} is not signed: it says as much as the place where it was kept is safe", style="yellow")


async def _verify(dsn: str, id: str | None, kept: Sequence[Anchor], link: str) -> tuple[list[Proven], bool]:
    from ...orchestrator.audit.proving import holds, prove, prove_one
    from ...orchestrator.audit.readings import reading

    async with reach.control(dsn) as control:
        store = control.store
        head = None if id is None else await control.show(id)
        await reading(store, "audit.verify", id or "store", by=by_default())
        if head is not None:
            found = [await prove_one(store, head, [anchor for anchor in kept if anchor.chain == head.id])]
        else:
            async with contextlib.aclosing(prove(store, anchors=kept)) as chains:
                found = [one async for one in chains]
        return found, bool(link) and not await holds(store, found, link)


def _report(proven: Sequence[Proven], unlinked: int, missing: str) -> None:
    from rich.text import Text

    from ..view.terminal import console, say
    from ..view.text import counted

    out = console()
    findings = [finding for one in proven for finding in one.findings]
    _found(findings)
    if missing:
        out.print(Text.assemble(("✗ ", "bold red"), missing), soft_wrap=True)
    entries = counted(sum(one.entries for one in proven), "entry", "entries")
    wrong = len(findings) + bool(missing)
    verdict = (f"{wrong:,} do not hold", "bold red") if wrong else ("all of them hold", "green")
    out.print(Text.assemble(f"{counted(len(proven), 'chain')}, {entries}: ", verdict), soft_wrap=True)
    if unlinked:
        say(f"{counted(unlinked, 'chain')} began before there were links: what is older is not proven", style="yellow")
    for key, count in _unchecked(proven).items():
        entries = counted(count, "entry", "entries")
        say(
            f"not checked: {entries} that the key {key or '?'}… has linked, which is not here; name it in "
            "OVERWINTER_AUDIT_KEY",
            style="yellow",
        )


def _unchecked(proven: Sequence[Proven]) -> dict[str, int]:
    """How many entries need a key to be checked that is not here, by the beginning of its id."""
    found: dict[str, int] = {}
    for one in proven:
        for key, count in one.unchecked.items():
            found[key] = found.get(key, 0) + count
    return found


def _found(findings: Sequence[Finding]) -> None:
    from rich.text import Text

    from ..view.terminal import console, say
    from ..view.text import clean

    out = console()
    for finding in findings[:SHOWN]:
        place = f"{finding.chain} entry {finding.n}" if finding.n else finding.chain
        out.print(Text.assemble(("✗ ", "bold red"), (clean(place), "bold"), "  ", clean(finding.what)), soft_wrap=True)
    if len(findings) > SHOWN:
        say(f"… and {len(findings) - SHOWN:,} more; --json lists all", style="dim")


@audit_command.command("key", epilog=KEYED)
@store_option
@json_option
@click.pass_context
def key_command(ctx: click.Context, store: str, as_json: bool) -> None:
    """Say that from here on every entry is linked with the key of OVERWINTER_AUDIT_KEY.

    For when every process has it. Again after another key, or an import. What is there already is verified first: what
    does not hold in itself is left as it is, told, and found by `verify` ever after. Exit code 1 then. What was written
    without a key is taken as it is: run `verify` with the keys of until now before.
    """
    from ..view.terminal import emit, say
    from ..view.text import counted

    done = reach.run(_key(store))
    if as_json:
        emit({**done._asdict(), "left": [finding._asdict() for finding in done.left]})
    else:
        _found(done.left)
        older = counted(done.older, "chain")
        say(f"{counted(done.chains, 'chain')}: keyed with {done.key} from here on; {older} with entries from before")
    ctx.exit(FAILED if done.left else 0)


async def _key(dsn: str) -> Keyed:
    from ...orchestrator.audit.keying import key_from_here
    from ...orchestrator.protocol.clock import present

    async with reach.opened(dsn) as store:
        return await key_from_here(store, at=await present(store), by=by_default())

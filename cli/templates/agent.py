"""The template ``agent``: one agent with one tool."""

from __future__ import annotations

ABOUT = "An agent (`assistant`) and its tool in `{{module}}.py`, on overwinter."
FIRST = "overwinter chat assistant {{module}}.py"

APP = '''"""A shop's assistant: an agent and a tool, durable at every step.

It runs offline on a scripted model. For a real one: name it in .env, see .env.example.
"""

from __future__ import annotations

import os

from overwinter import Agent, Limits, Scripted, call, tool

HOURS = {"saturday": "10 to 14", "sunday": "closed"}

SCRIPT = Scripted(
    {
        r"open on sunday": call("opening_hours", day="sunday"),
        r"open on monday": call("opening_hours", day="monday"),
        r"^closed": "We are closed that day.",
        r"^\\d+ to": "We are open that day.",
        r".*": "Ask me whether we are open on Sunday, or on Monday.",
    },
    "assistant",
)


@tool(effect="pure")
def opening_hours(day: str) -> str:
    """When the shop is open.

    Args:
        day: a day of the week, like monday
    """
    return HOURS.get(day.lower(), "9 to 17")


assistant = Agent(
    name="assistant",
    model=os.environ.get("OVERWINTER_MODEL") or SCRIPT,
    instructions="You answer customers of a shop. Look the opening hours up before you answer. Be brief and kind.",
    tools=[opening_hours],
    limits=Limits(iterations=8, tokens=20_000, time="2m"),
)
'''

TEST = '''"""The agent looks it up, and answers the same whatever happens to the process."""

from __future__ import annotations

import os

from overwinter.testing import World, crash_everywhere

os.environ.pop("OVERWINTER_MODEL", None)  # tests run on the script, whatever the environment says

from {{module}} import assistant, opening_hours  # noqa: E402


def test_a_tool_is_a_plain_function() -> None:
    assert opening_hours("Sunday") == "closed"


async def ask(world: World) -> str:
    message = await world.send(assistant, "me", "Are you open on Sunday?")
    reply: str = await message.reply()
    return reply


def test_the_answer_is_looked_up_though_the_process_dies_anywhere() -> None:
    report = crash_everywhere(ask, functions=[assistant])
    assert report.outcome.value == "We are closed that day."
'''

COMMANDS = """Talk to it:

```
overwinter chat assistant {{module}}.py
> Are you open on Sunday?
```

One question, in one process, resumable under its id:

```
overwinter run {{module}}.py assistant "Are you open on Monday?" --id question-1
overwinter show question-1
```

Serve it, and ask from a second terminal:

```
overwinter dev {{module}}.py
```

```
overwinter invoke assistant --session me "Are you open on Sunday?"
overwinter show assistant/me
```
"""

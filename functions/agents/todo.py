"""``todo_list``: a list that a model keeps for long work. It lies in the journal, the model reads it whatever has left
the window, and people see it where the execution is shown.
"""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import TypedDict

from ...state.errors import ModelRetry
from ..tools.tool import Tool
from ..toolsets.toolset import Toolset

TODOS = "todos"
"""Under which the list is kept."""
MOST = 30
LONGEST = 120
"""Characters of an item. A list that has left the window goes along with each transition, so it is short."""
_MARKS = {"pending": "[ ]", "in_progress": "[>]", "completed": "[x]"}


class Todo(TypedDict):
    """One item."""

    content: str
    status: Literal["pending", "in_progress", "completed"]


def todo_list() -> Toolset:
    """``write_todos`` and ``read_todos`` for an agent's ``tools``: a list for each session or run."""

    async def write_todos(todos: list[Todo]) -> str:
        """Write the to-do list of this conversation, all of it; what was there is replaced. Use it for work of several
        steps: write the steps down first, keep one of them in progress, mark each as completed when it is done, and
        change the list when something new turns up.

        Args:
            todos: the items in their order, at most 30 with 120 characters each; an empty list takes the list away
        """
        if len(todos) > MOST or any(len(todo["content"]) > LONGEST or not todo["content"].strip() for todo in todos):
            raise ModelRetry(f"The list may have {MOST} items of 1 to {LONGEST} characters; put several into one.")
        return "\n".join(f"{_MARKS[todo['status']]} {' '.join(todo['content'].split())}" for todo in todos)

    async def read_todos() -> str:
        """Read the to-do list of this conversation."""
        return ""  # the loop knows it and answers itself

    marked: Any = write_todos
    marked.keeps = TODOS
    marked = read_todos
    marked.recalls = TODOS
    return Toolset(Tool(write_todos, effect="pure"), Tool(read_todos, effect="pure"))

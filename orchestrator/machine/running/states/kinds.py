"""Which file is which kind's."""

from __future__ import annotations

from ...definition.states.choice import Choice
from ...definition.states.fail import Fail
from ...definition.states.map import Map
from ...definition.states.parallel import Parallel
from ...definition.states.passing import Pass
from ...definition.states.state import State
from ...definition.states.succeed import Succeed
from ...definition.states.task import Task
from ...definition.states.wait import Wait
from ..execution import Behaviour
from . import choice, ending, map, parallel, passing, task, wait

BEHAVIOURS: dict[type[State], Behaviour] = {
    Pass: passing.BEHAVIOUR,
    Task: task.BEHAVIOUR,
    Choice: choice.BEHAVIOUR,
    Wait: wait.BEHAVIOUR,
    Succeed: ending.SUCCEED,
    Fail: ending.FAIL,
    Parallel: parallel.BEHAVIOUR,
    Map: map.BEHAVIOUR,
}

"""State machines in Python, for those who prefer it to JSON: ``from overwinter import asl``.

    parcels = StateMachine("parcels", asl.machine(
        asl.Task("Weigh", weigh, result_path="$.grams", retry=[asl.retry(ConnectionError, max_attempts=5)]),
        asl.Choice("Heavy?", asl.when(asl.var("$.grams") > 500, asl.Task("Van", send_van))),
        asl.Task("Thank", thank),
    ))

States are values: a class for each kind, with the fields of the language as keywords (``ResultPath`` is
``result_path``; what has a twin such as ``TimeoutSecondsPath`` takes ``path("$.…")``). In a ``chain`` each leads to the
next; where a rule of a Choice or a catcher leads and nothing more is said, the flow goes on with what follows the
state. ``machine`` makes a plain definition of them and checks it whole; the functions that its Tasks name go along.
"""

from ..built import Definition
from .chains import Chain, chain
from .conditions import Condition, Variable, var
from .definition import machine
from .errors import catch, retry
from .expressions import Expression, Reference, jsonata, path
from .map_data import item_batcher, item_reader, result_writer
from .states import Choice, Fail, Map, Parallel, Pass, Succeed, Task, Wait, when

__all__ = [
    "Chain",
    "Choice",
    "Condition",
    "Definition",
    "Expression",
    "Fail",
    "Map",
    "Parallel",
    "Pass",
    "Reference",
    "Succeed",
    "Task",
    "Variable",
    "Wait",
    "catch",
    "chain",
    "item_batcher",
    "item_reader",
    "jsonata",
    "machine",
    "path",
    "result_writer",
    "retry",
    "var",
    "when",
]

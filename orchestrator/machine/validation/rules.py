"""The rules of the language, by a short name each, as one sentence for people."""

from __future__ import annotations

from collections.abc import Mapping

RULES: Mapping[str, str] = {
    "json": "A definition is one JSON object, or the same in YAML.",
    "duplicates": "A field stands once in its object.",
    "fields": "An object has the fields of its kind, and no others.",
    "required": "Some fields must be there.",
    "type": "A field has a value of its type.",
    "range": "A value is one of those that its field takes, a number within its bounds.",
    "exclusive": "Of some fields only one may be there.",
    "language": "A field belongs to JSONPath or to JSONata, and a JSONata machine has no JSONPath states.",
    "next": 'Every state but Choice, Succeed and Fail has either "Next" or "End": true.',
    "targets": 'StartAt, "Next" and "Default" name a state of the same States object.',
    "reachable": "Every state can be reached from StartAt.",
    "ends": "A machine has a state that ends it, and each state leads to one.",
    "unique-names": "A state's name stands once in the whole machine, also inside of Map and Parallel.",
    "names": "A state's name has 1 to 80 characters.",
    "path": "A path begins with $, $$ or $variable.",
    "reference-path": "Where a result goes is a path to one place: no *, no filter, no slice.",
    "template": "The value of a key that ends in .$ is a path or a call of an intrinsic function.",
    "intrinsic": "Intrinsic functions are called by their name with their number of arguments.",
    "static": "What is to be evaluated is written so that it can be told from plain text.",
    "delimiters": "JSONata stands in a string of its own, from {% to %} with nothing around it.",
    "jsonata": "A JSONata expression is sound, and starts from $states or from a variable.",
    "choice": "A rule of a Choice has one comparison, or one of And, Or and Not; only the outermost says Next.",
    "error-names": "ErrorEquals lists names of errors, and those that begin with States. are the language's own.",
    "catch-all": "States.ALL stands alone, in the last Retry or Catch of a list.",
    "retry": "A retrier says how often and when.",
    "timeouts": "A heartbeat comes more often than the timeout.",
    "resource": "A Task names a function, an activity, or an integration that runs here.",
    "pattern": "An integration is called in one of the ways that it has.",
    "map": "What belongs to distributed Maps stands in one.",
    "assign": "A variable's name begins with a letter, has up to 80 characters, and is not states.",
    "variables": "A variable is assigned before it is used, on every way there.",
    "limits": "AWS has limits that are not there here.",
    "nesting": "A definition has at most 128 levels.",
}

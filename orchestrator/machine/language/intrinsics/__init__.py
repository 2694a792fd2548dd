"""Intrinsic functions: ``States.Format('{} of {}', $.a, $$.Execution.Name)``, for states that use JSONPath.

``call`` has the texts made into calls and evaluates them, ``parser`` their grammar; the functions themselves stand in
``arrays``, ``texts`` and ``math``, and ``arguments`` checks what they are given.
"""

"""The query languages of Amazon States Language: plain JSON in, plain JSON out.

One file for each: ``paths`` (reference paths and JSONPath in Jayway's dialect, as AWS has it), ``template`` (payload
templates of both languages), ``intrinsics`` (``States.Format(…)``), ``jsonata`` (the port to the engine), ``choice``
(comparison operators), ``variables`` (``Assign`` and its limits), and below them ``numbers``, ``timestamps``,
``chance`` and ``scope``.

What is compiled once is evaluated often: every ``compile_…`` is given a text or a piece of a definition and gives an
object with one method that evaluates it. Nothing here changes its input; results share structure with it. Time, seeds
and variables come in as values, so the same call has the same result whenever it is replayed. What goes wrong is one
exception, ``failure.QueryError``, with AWS's error name and, where it is known, AWS's words.
"""

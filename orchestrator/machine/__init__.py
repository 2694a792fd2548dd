"""State machines: the third decider, pure like the others. A definition that runs on AWS Step Functions means the same
here.

The rooms: ``definition`` reads texts and makes the immutable model that an interpreter goes by; ``building`` makes
definitions in Python; ``validation`` says everything that is wrong with a definition before anything of it runs;
``language`` evaluates what stands in the fields of a state (paths, templates, intrinsic functions, JSONata, choice
rules); ``running`` is what a definition does while it runs. Texts and values come in, values and effects go out:
nothing there has I/O, a clock or randomness of its own. ``datasets`` is what distributed Maps read and write: calls,
which the interpreter orders; their results are recorded.
"""

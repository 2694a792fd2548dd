"""State machines: definitions in Amazon States Language, read, checked and run.

A definition that runs on AWS Step Functions means the same here. Everything in this room is pure: texts and values
come in, values and effects go out; nothing here reads a file or a clock. ``definition`` reads texts and makes the
immutable model that an interpreter goes by; ``validation`` says everything that is wrong with a definition before
anything of it runs. The room may import ``state`` and plain libraries.
"""

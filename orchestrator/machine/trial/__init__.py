"""A state, or a whole machine, tried out: with outcomes that are made up for what it would call, and nothing else.

``test_state`` says what a state does with an input, as AWS's TestState does; ``test_machine`` goes through a machine to
its end. Both run what runs an execution; time passes at once. Nothing here has I/O. ``cases`` reads files of such
tests, ``verdict`` says what came out otherwise than expected.
"""

"""What an execution of a state machine did, told from its journal alone: as AWS's history, and as its states.

The journal is let pass once more with a recorder. Nothing is called for that, and no function has to be there: what a
Task came to is in the journal, and so is the definition that the execution goes by. Of the library, this room knows
the other rooms of state machines and ``state``.
"""

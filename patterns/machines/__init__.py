"""The patterns as state machines, a file for each whose shape allows it: same agents, same results, in Amazon States
Language. ``as_state_machine`` of ``shape`` is the way in."""

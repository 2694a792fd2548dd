"""The durable core: executions that survive whatever process runs them.

Files here are the faces: ``runtime`` (what a process does), ``control`` and ``reading`` (what anybody may do to or
learn of a store without running anything). The rooms below, in the order in which they may import: ``errors`` and
``governance`` know nothing of executions, ``usercode`` calls what people write, ``protocol`` says what is stored,
``workflow`` and ``agent`` decide, ``engine`` carries out, ``upkeep`` looks after whole stores. No import goes up.
"""

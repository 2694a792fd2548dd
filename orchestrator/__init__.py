"""The durable core: executions that survive whatever process runs them.

Files here are the faces: ``runtime`` (what a process does), ``control`` and ``reading`` (what anybody may do to or
learn of a store without running anything). The rooms, each of which may import those named before it: ``errors``
makes errors data, ``usercode`` calls what people write, ``protocol`` says what is stored, ``governance`` what may be
used and by whom, ``upkeep`` looks after whole stores; ``workflow`` and ``agent`` decide and ``engine`` carries out,
and none of these three knows another.
"""

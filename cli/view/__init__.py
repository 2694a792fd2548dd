"""How things are shown: times, lines, tables, timelines, what to type next.

May import nothing of the rest of ``cli`` but ``again``. Shows and never reads a store; a terminal's
width and colours, or their absence, change the form and no fact.
"""

"""The command line: ``main`` finds a command and ends every expected error, ``commands`` has a file for each.

May import everything but ``patterns`` and ``testing``. Everything here can be done in code as well, through the same
``runtime``, ``control`` and ``reading``; people get tables and timelines, programs ``--json`` and exit codes.
"""

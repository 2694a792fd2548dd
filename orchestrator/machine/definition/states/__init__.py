"""The kinds of states, a file each: the class, and what makes one of the fields of a definition. What all have in
common is in ``state``; what a Map reads and writes is in ``map_data``."""

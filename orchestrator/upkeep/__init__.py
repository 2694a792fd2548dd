"""A store as a whole: its audit, its archive, its move to another store, the removal of what is over.

May import ``protocol`` and everything below. All of it may run beside working
processes, may be interrupted anywhere and is finished by doing it again; only retention removes anything.
"""

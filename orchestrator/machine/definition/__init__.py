"""Definitions: from JSON or YAML text to an immutable model.

``reading`` makes a document of a text: the plain value, and where each part of it stands. ``machine`` makes a model of
a value that is sound: one class per kind of state in ``states``, with paths, expressions and templates told apart once,
so that nobody looks fields up by name later. It takes every field or says which it can't take; what is wrong with a
definition, in whole sentences, is for ``validation`` to say.
"""

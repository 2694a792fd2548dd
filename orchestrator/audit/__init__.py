"""Who did what: a chain of digests for each execution and one for the store (docs/audit.md).

An execution's chain is its journal, every entry of which ends with a link to the one before (``security.chain``). What
is done to no single execution, or ends one's rows, is written down in the store's own chain (``store_chain``) before it
is done. Reading, proving and exporting are here; nothing here is asked on the way of a step. Imports the protocol and
the store.
"""

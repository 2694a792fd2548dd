"""What may be used, and by whom: amounts, the worst case of a call, and the accounts that executions share.

May import ``protocol`` and everything below. What is about to be used is held before it is; what was used is settled by
the entry that records it, once, whoever reads the journal. What nobody knows counts as used.
"""

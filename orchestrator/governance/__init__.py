"""What an execution may use and who may act on it: budgets of a turn, tokens that open one callback and nothing else.

May import ``protocol`` and everything below. A limit holds in the transition that would break it, not after it; a token
is compared in constant time and is never written to a log.
"""

"""Approvals: who must agree before a call is made, and what has become of the question.

A proposal is an ``ordered`` entry, bound by its digest to the exact arguments, the version of the tool, the role, the
expiry and the life that asks. What people decide about it are entries of their own. ``Proposal`` folds them: deciders,
readers and the door all ask it, so that none of them takes for an approval what another one does not. Pure: nothing
here knows a store, a clock or a function of the user's.
"""

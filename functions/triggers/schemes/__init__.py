"""A file for each way in which senders prove who they are; ``scheme`` says what they have in common.

Nothing here asks anybody anything, and none of them knows another.
"""

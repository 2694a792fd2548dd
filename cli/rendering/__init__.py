"""What a platform is told of subscriptions and schedules, as documents to apply: a file for each platform.

Promises: what is rendered brings a subscription every event that it wants, and wakes the process at every time of a
schedule. It may bring more, because subscriptions filter again, and a sweep finds what is due and nothing else; what a
platform can't express at all is said in words. May import the rooms of the command line below it.
"""

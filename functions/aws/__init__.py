"""AWS Lambda: HTTP requests, EventBridge events, SQS batches and the sweep, in one function that scales to zero.

``overwinter.functions.aws.entry.handler`` is configured by the environment alone; ``handler_for`` makes one for a
module of your own. docs/deploy-aws.md goes from nothing to a message answered.
"""

from .handler import Handler, handler_for

__all__ = ["Handler", "handler_for"]

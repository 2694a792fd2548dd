"""Webhooks, for programs that take them: the decorator, and a class for each way to prove who has sent one."""

from .triggers.delivery import Delivery, Described, Rejected
from .triggers.scheme import Scheme
from .triggers.schemes.github import GitHub
from .triggers.schemes.hmac_signed import Hmac
from .triggers.schemes.slack import Slack
from .triggers.schemes.standard_webhooks import StandardWebhooks
from .triggers.schemes.stripe import Stripe
from .triggers.schemes.token import Token
from .triggers.schemes.unverified import Unverified
from .triggers.webhook import webhook

__all__ = [
    "Delivery", "Described", "GitHub", "Hmac", "Rejected", "Scheme", "Slack", "StandardWebhooks", "Stripe", "Token",
    "Unverified", "webhook",
]  # fmt: skip

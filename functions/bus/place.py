"""Where on a store all subscriptions stand, and what names the broker: known without loading anything of brokers."""

from ...orchestrator.protocol.shared import place_of

PLACE = place_of("overwinter.subscriptions")
KEY = "all"
ENVIRONMENT = "OVERWINTER_BROKER"

"""Where on a store all subscriptions stand, those that were given up, and by which name a broker knows the store; and
what names the broker. Known without loading anything of brokers."""

from ...orchestrator.protocol.shared import place_of

PLACE = place_of("overwinter.subscriptions")
KEY = "all"
RETIRED = "retired"
IDENTITY = "store"
ENVIRONMENT = "OVERWINTER_BROKER"

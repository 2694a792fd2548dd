"""The agent loop: think, act, observe, and think again, as an explicit and pure state machine."""

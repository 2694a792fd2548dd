"""overwinter: an agent sleeps at zero and wakes where it left off."""

__version__ = "0.1.0"

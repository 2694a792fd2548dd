"""The secrets of all senders, in the environment."""

from .place import secrets

__all__ = ["secrets"]

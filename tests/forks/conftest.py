"""Stores of each kind."""

from overwinter.tests.servers.stores import any_dsn as dsn

__all__ = ["dsn"]

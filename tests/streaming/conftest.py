"""A fresh store of each kind that several processes can share."""

from overwinter.tests.servers.stores import dsn as dsn

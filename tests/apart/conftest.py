"""A fresh store of each kind, as the tests of streams have it."""

from overwinter.tests.streaming.conftest import dsn as dsn

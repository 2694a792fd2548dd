"""The floor of a model's cold start: Python with asyncio and httpx imported, then "done"."""

from __future__ import annotations

import asyncio  # noqa: F401  # what every model call needs
import sys

import httpx  # noqa: F401  # and what an HTTP client is

print("done", flush=True)
sys.stdin.read()

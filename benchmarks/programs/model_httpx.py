"""The floor of a model's cold start: Python with asyncio and httpx imported, then "done"."""

from __future__ import annotations

import asyncio
import sys

import httpx

loaded = [module.__name__ for module in (asyncio, httpx)]  # what every model call needs
print("done" if len(loaded) == 2 else "", flush=True)
sys.stdin.read()

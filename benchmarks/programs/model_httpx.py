"""The floor of a model's cold start: Python with asyncio and httpx imported, then "done"."""

from __future__ import annotations

import asyncio
import sys

import httpx

print("done" if asyncio.run and httpx.AsyncClient else "", flush=True)  # what every model call needs is loaded
sys.stdin.read()

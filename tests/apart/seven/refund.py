"""The tool ``refund``, served by itself."""

from tools import refund as refund  # type: ignore[import-not-found]  # beside this file

"""The tool ``lookup``, served by itself."""

from tools import lookup as lookup  # type: ignore[import-not-found]  # beside this file

"""The tool ``stock``, served by itself."""

from tools import stock as stock  # type: ignore[import-not-found]  # beside this file

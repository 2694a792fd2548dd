"""The tool ``notify``, served by itself."""

from tools import notify as notify  # type: ignore[import-not-found]  # beside this file

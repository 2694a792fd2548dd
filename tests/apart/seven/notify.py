from tools import notify as notify  # type: ignore[import-not-found]  # beside this file

"""Secrets that come as files, for platforms that mount them instead of setting variables."""

from __future__ import annotations

import os
import re
from pathlib import Path

from .exits import USAGE, Exit


def read_secrets() -> None:
    """Each file in the folder OVERWINTER_SECRETS becomes the environment variable of its name, unless that is set:
    ``overwinter-token`` OVERWINTER_TOKEN, ``openai-api-key`` OPENAI_API_KEY. That is how OpenFaaS, Docker and mounted
    Secrets hand them over. Raises Exit when the folder can't be read."""
    folder = os.environ.get("OVERWINTER_SECRETS")
    if not folder:
        return
    try:
        for path in sorted(Path(folder).iterdir()):
            name = path.name.upper().replace("-", "_")
            if re.fullmatch(r"[A-Z][A-Z0-9_]*", name) and path.is_file():
                os.environ.setdefault(name, path.read_text("utf-8").rstrip("\r\n"))
    except (OSError, UnicodeDecodeError) as error:
        advice = "OVERWINTER_SECRETS names a folder with one readable text file for each secret."
        raise Exit(f"the secrets can't be read: {error}", code=USAGE, advice=advice) from None

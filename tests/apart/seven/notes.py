"""What each process writes down of what it does: a line when it begins and one when it ends, in one write."""

import os
import time
from pathlib import Path


def note(what: str, key: str, end: str = "begin") -> None:
    with Path(os.environ["SEVEN_NOTES"]).open("ab", buffering=0) as notes:
        notes.write(f"{time.time():.4f} {end} {what} {key}\n".encode())

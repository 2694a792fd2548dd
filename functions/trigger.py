"""Data as triggers, for programs that are begun by it: the decorator, and the sources that there are."""

from .triggers.folder import Folder
from .triggers.imap import Mailbox
from .triggers.s3 import S3
from .triggers.source import Found, Source, trigger
from .triggers.table import Table

__all__ = ["S3", "Folder", "Found", "Mailbox", "Source", "Table", "trigger"]

"""What keeps secrets in: redaction of everything that leaves a process as words.

The lowest room. It promises that a known secret of this process stands in no error that is journaled, no line of
the package's log, no problem document and no address that is shown. It imports nothing of the package.
"""

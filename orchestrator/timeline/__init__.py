"""When everything in an execution happened: a journal folded into rows, and rows laid along time.

One fold for whoever tells of it: the command line adds its words to it, HTTP and the console get the document of
``timeline.py``. All of it is pure: a story in, rows out; nothing is read and no clock is asked.
"""

"""What a distributed Map reads its items from, and what it writes its results to.

``buckets`` says what the name of a bucket means: a folder of this machine (``folder``), or one of S3 (``s3``).
``sources`` finds the files of a data set; ``delimited`` and ``json_items`` make items of one, each from the place on
where the last page ended; ``page`` puts the two together, as many items as fit into one entry of a journal. ``export``
writes results. This is where the I/O of a state machine happens, in calls whose outcome is recorded: the interpreter
orders them and never reads a file itself. Only ``s3`` imports a client, when it is first asked.
"""

"""The user's functions as this runtime meets them: their annotations, the checks of what goes in, the call itself.

May import ``errors``. Whatever a function raises or does to its thread becomes an outcome of its call and harms nothing
else; the retries, timeouts and breakers that it may have are plain data.
"""

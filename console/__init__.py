"""The console: pages for people, served beside the HTTP API, which is all that they ask.

The pages hold nothing themselves, so anybody may load them; whatever they show needs the API's token. They are plain
files, read once, with nothing from elsewhere and no script or style in the markup (``files``). ``serving`` answers for
them under ``/console``, and ``function`` is the same as a function of its own, in front of an API elsewhere.
"""

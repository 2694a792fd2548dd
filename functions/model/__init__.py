"""Models behind one port: ``scripted`` works offline and always the same, ``litellm`` reaches the providers."""

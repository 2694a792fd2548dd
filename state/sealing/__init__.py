"""Payloads sealed at rest, the same for all stores: bodies are ciphertext, ids, status and times stay readable.

``keys`` reads keys by reference, ``box`` seals and opens with AES-GCM, ``store`` is the Store around a Store,
``marker`` is the note in a store that it is sealed, ``rotation`` changes keys. Nothing is imported here:
cryptography is loaded only by processes that have keys.
"""

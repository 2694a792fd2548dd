"""X-Ray: spans as segment documents, its trace header, and the way to its daemon (docs/xray.md).

Documents and headers are pure; only ``daemon`` imports aws-xray-sdk. Imports spans and the codec.
"""

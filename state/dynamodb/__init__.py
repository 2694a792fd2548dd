"""DynamoDB as the store: one table on demand, big values in S3. See docs/dynamodb.md for the layout and the costs."""

from .store import DynamoStore

__all__ = ["DynamoStore"]

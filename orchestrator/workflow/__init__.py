"""Workflows: code first, durable by replay."""

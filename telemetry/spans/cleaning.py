"""Secrets out of spans, before they leave: a step's name, an execution's id, a label may hold one, like any other text.

Looking costs more than all else that is done with a span, so a batch is looked at as one text, on the exporter's
thread. Only when something is found in it are its spans looked at one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ...security.redaction import redacted
from .span import Attribute, Span, Step, whole


def without_secrets(spans: Sequence[Span | Step]) -> Sequence[Span | Step]:
    """The same spans, with ``***`` in place of secrets in all that they say. Ids, times and what attributes are
    called stay."""
    texts = set[str]()
    for span in spans:
        if isinstance(span, Step):
            texts.add(span.name)
            texts.add(span.op)
        else:
            texts.update(_texts(span))
    said = "\n".join(texts)
    if redacted(said) == said:
        return spans
    return [_clean(whole(span)) for span in spans]


def _texts(span: Span) -> Iterator[str]:
    yield span.name
    yield span.error
    yield from _values(span.attributes)
    for event in span.events:
        yield event.name
        yield from _values(event.attributes)
    for link in span.links:
        yield from _values(link.attributes)


def _values(attributes: Mapping[str, Attribute]) -> Iterator[str]:
    for value in attributes.values():
        if isinstance(value, str):
            yield value
        elif isinstance(value, tuple):
            yield from value


def _clean(span: Span) -> Span:
    return span._replace(
        name=redacted(span.name),
        error=redacted(span.error),
        attributes=_said(span.attributes),
        events=tuple(one._replace(name=redacted(one.name), attributes=_said(one.attributes)) for one in span.events),
        links=tuple(one._replace(attributes=_said(one.attributes)) for one in span.links),
    )


def _said(attributes: Mapping[str, Attribute]) -> dict[str, Attribute]:
    return {name: _value(value) for name, value in attributes.items()}


def _value(value: Attribute) -> Attribute:
    if isinstance(value, tuple):
        return tuple(map(redacted, value))
    return redacted(value) if isinstance(value, str) else value

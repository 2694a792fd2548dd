"""What reaches out of a state machine by ``arn:aws:states:::…``: events for the bus, calls of HTTP APIs and of AWS; and
the table of configuration that says what names and ARNs mean here.

It answers the port ``orchestrator.machine.integrations``. What an integration does is ordered by the interpreter and
recorded like every call: what may not happen twice is recorded as begun before it leaves, an event has an id that
follows from its operation, and errors have the names that AWS gives them. What aws-sdk may call, and where beside
public https a request may go, configuration says. May import ``invocation`` and ``events``; boto3 and httpx are loaded
by the first call that needs them.
"""

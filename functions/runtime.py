"""The runtime as people make it: that of ``orchestrator``, with what leads out of this process.

``Runtime`` below knows the routes of the configuration, so that what an agent or a workflow names may live elsewhere.
The one it is made of knows nothing of addresses.
"""

from __future__ import annotations

from ..orchestrator import runtime


class Runtime(runtime.Runtime):
    __doc__ = runtime.Runtime.__doc__

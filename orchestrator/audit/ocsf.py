"""An act as an event of the Open Cybersecurity Schema Framework: class API Activity (6003) of version 1.3.0.

What the framework has no attribute for stands under ``unmapped``. Where somebody called from is not recorded, so
``src_endpoint``, which the class requires, names the runtime itself.
"""

from __future__ import annotations

from typing import Any

from .acts import Act

VERSION = "1.3.0"
CLASS, CATEGORY = 6003, 6
_CREATE, _READ, _UPDATE, _DELETE, _OTHER = 1, 2, 3, 4, 99
_ACTIVITIES = {
    **dict.fromkeys(("start", "schedule.put", "standing.give", "store.import", "budget.set"), _CREATE),
    **dict.fromkeys(
        ("audit.list", "audit.verify", "audit.export", "audit.more", "store.export", "data.download"), _READ
    ),
    **dict.fromkeys(("terminate", "revoke", "schedule.remove", "standing.revoke", "standing.withdraw"), _DELETE),
    **dict.fromkeys(("store.delete", "budget.remove"), _DELETE),
    **dict.fromkeys(("message", "signal", "deliver", "complete", "schedule.run", "store.move"), _OTHER),
}
_NAMES = {_CREATE: "Create", _READ: "Read", _UPDATE: "Update", _DELETE: "Delete", _OTHER: "Other"}


def event(act: Act, release: str) -> dict[str, Any]:
    """The event of one act."""
    activity = _ACTIVITIES.get(act.what, _UPDATE)
    kind = "execution" if act.function else act.on.partition(":")[0] if ":" in act.on else "store"
    unmapped = {"details": dict(act.details), "chain": act.chain, "n": act.n, "link": act.link}
    told: dict[str, Any] = {
        "class_uid": CLASS,
        "class_name": "API Activity",
        "category_uid": CATEGORY,
        "category_name": "Application Activity",
        "activity_id": activity,
        "activity_name": _NAMES[activity],
        "type_uid": CLASS * 100 + activity,
        "type_name": f"API Activity: {_NAMES[activity]}",
        "severity_id": 1,
        "severity": "Informational",
        "time": act.at,
        "metadata": {
            "version": VERSION,
            "product": {"name": "overwinter", "vendor_name": "overwinter", "version": release},
            "uid": f"{act.chain}#{act.n}",
        },
        "actor": {"user": {"name": act.by or "unknown"}},
        "api": {"operation": act.what, "service": {"name": act.function or "overwinter"}},
        "src_endpoint": {"name": "overwinter"},
        "resources": [{"uid": act.on, "type": kind}],
        "unmapped": unmapped,
    }
    return told | ({"message": act.reason} if act.reason else {})

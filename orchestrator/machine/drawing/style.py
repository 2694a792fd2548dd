"""The looks of pictures, as CSS without variables, so that programs other than browsers show them too."""

from __future__ import annotations

LIGHT = {
    "ground": "#ffffff", "ink": "#1f2328", "quiet": "#59636e", "line": "#818b98", "box": "#f6f8fa", "edge": "#59636e",
    "task": "#0969da", "choice": "#8250df", "wait": "#9a6700", "good": "#1a7f37", "bad": "#cf222e", "group": "#59636e",
    "succeeded": "#dafbe1", "running": "#ddf4ff", "caught": "#fff8c5", "failed": "#ffebe9", "stopped": "#eaeef2",
}  # fmt: skip
DARK = {
    "ground": "#0d1117", "ink": "#f0f6fc", "quiet": "#9198a1", "line": "#6e7681", "box": "#151b23", "edge": "#9198a1",
    "task": "#4493f8", "choice": "#ab7df8", "wait": "#d29922", "good": "#3fb950", "bad": "#f85149", "group": "#9198a1",
    "succeeded": "#12261e", "running": "#12233d", "caught": "#2b2111", "failed": "#2d1214", "stopped": "#21262d",
}  # fmt: skip
_RULES = (
    ("ground", "fill", "ground"),
    ("text", "fill", "ink"),
    ("caption", "fill", "quiet"),
    ("mark", "fill", "ink"),
    ("label", "fill", "quiet"),
    ("box", "fill", "box"),
    ("box", "stroke", "edge"),
    ("Task", "stroke", "task"),
    ("Choice", "stroke", "choice"),
    ("Wait", "stroke", "wait"),
    ("Succeed", "stroke", "good"),
    ("Fail", "stroke", "bad"),
    ("line", "stroke", "line"),
    ("head", "fill", "line"),
    ("dot", "fill", "ink"),
    ("ring", "stroke", "ink"),
    ("split", "stroke", "line"),
    ("taken", "stroke", "good"),
    ("taken-head", "fill", "good"),
    ("taken-catch", "stroke", "wait"),
    ("taken-catch-head", "fill", "wait"),
    ("succeeded", "fill", "succeeded"),
    ("succeeded", "stroke", "good"),
    ("running", "fill", "running"),
    ("running", "stroke", "task"),
    ("caught", "fill", "caught"),
    ("caught", "stroke", "wait"),
    ("failed", "fill", "failed"),
    ("failed", "stroke", "bad"),
    ("stopped", "fill", "stopped"),
    ("stopped", "stroke", "edge"),
    ("box.ow-hollow", "fill", "ground"),
)
_SHAPES = """\
.ow-svg text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;font-size:11px}
.ow-svg text{text-anchor:middle}
.ow-svg .ow-text{font-size:13px;font-weight:600}
.ow-svg .ow-title{font-size:14px;font-weight:600;text-anchor:start}
.ow-svg .ow-told{text-anchor:start}
.ow-svg .ow-box{stroke-width:1.5}
.ow-svg .ow-box.ow-inner{fill:none;stroke-width:1}
.ow-svg .ow-line{fill:none;stroke-width:1.3}
.ow-svg .ow-catch{stroke-dasharray:5 4}
.ow-svg .ow-ring{fill:none;stroke-width:1.5}
.ow-svg .ow-split{stroke-dasharray:2 4}
.ow-svg .ow-taken,.ow-svg .ow-taken-catch{stroke-width:2.6}
.ow-svg .ow-idle{opacity:.45}
.ow-svg .ow-failed,.ow-svg .ow-running{stroke-width:2.5}
.ow-svg .ow-stopped{stroke-dasharray:4 3}
"""


def style() -> str:
    """Both schemes; the light one is what programs show that ask for none."""
    dark = "".join(_rule(*rule, DARK) for rule in _RULES)
    return f"{_SHAPES}{''.join(_rule(*rule, LIGHT) for rule in _RULES)}@media (prefers-color-scheme:dark){{\n{dark}}}\n"


def _rule(name: str, field: str, colour: str, colours: dict[str, str]) -> str:
    return f".ow-svg .ow-{name}{{{field}:{colours[colour]}}}\n"

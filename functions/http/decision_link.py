"""Links by which one person decides one approval, without an account: a signed statement (JWS, HS256) of what is asked,
of whom, and until when. Whoever has it may decide in that person's name, so it is sent as a secret is.

It is bound to the digest of the proposal: when the arguments, or who is to decide, have changed, it is good for nothing
any more; nor is it when the decision has been made. The key is told by reference in OVERWINTER_LINK_KEY (``env:NAME``,
``file:PATH``, ``folder:PATH``, several with spaces between: the first signs, all of them hold).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple

from ...state.errors import InvalidInput
from ..triggers.secrets import Secrets

VARIABLE = "OVERWINTER_LINK_KEY"
LINKS = "/decision/"
"""What the path of a link begins with."""
LONGEST = 30 * 24 * 3600 * 1000
"""Milliseconds that a link may be good for."""
_ALGORITHM = "HS256"
_AUDIENCE = "overwinter decision"
_PURPOSE = b"overwinter decision link 1\n"
_CLAIMS = ("aud", "exp", "jti", "execution", "op", "digest", "by")


class Link(NamedTuple):
    """What a link says: who may decide which approval, as it was then, until when (epoch milliseconds). ``id`` tells it
    from others."""

    execution: str
    op: str
    digest: str
    by: str
    until: int
    id: str = ""


class Keys:
    """Those that links are signed with."""

    def __init__(self, references: str) -> None:
        self._secrets = Secrets(references.split(), VARIABLE)

    def sign(self, link: Link) -> str:
        """The path of the link. Raises InvalidInput, also when no key is there."""
        jwt = _library()
        claims: dict[str, Any] = {"aud": _AUDIENCE, "exp": link.until // 1000, "jti": secrets.token_urlsafe(12)}
        claims |= {"execution": link.execution, "op": link.op, "digest": link.digest, "by": link.by}
        return LINKS + str(jwt.encode(claims, _key(self._secrets.check()[0]), _ALGORITHM))

    def read(self, token: str) -> Link | None:
        """What a link says; None when it is none, was signed with another key or was changed. Whether it is still good
        is for who reads it to say."""
        jwt = _library()
        for key in self._secrets.valid():
            try:
                claims: Mapping[str, Any] = jwt.decode(
                    token,
                    _key(key),
                    algorithms=[_ALGORITHM],
                    audience=_AUDIENCE,
                    options={"require": list(_CLAIMS), "verify_exp": False},  # by the time that all processes go by
                )
            except jwt.InvalidTokenError:
                continue
            texts = [claims[name] for name in ("execution", "op", "digest", "by", "jti")]
            if all(isinstance(text, str) and text for text in texts) and type(claims["exp"]) is int:
                execution, op, digest, by, id = texts
                return Link(execution, op, digest, by, claims["exp"] * 1000, id)
        return None


def configured() -> Keys | None:
    """The keys that the environment names; None: there are no links. Raises InvalidInput."""
    references = os.environ.get(VARIABLE, "").strip()
    return Keys(references) if references else None


def _key(secret: bytes) -> bytes:
    """Another one for links alone, so that nothing else that is made with the secret is one."""
    return hmac.new(secret, _PURPOSE, hashlib.sha256).digest()


def _library() -> Any:
    try:
        import jwt
    except ImportError:
        raise InvalidInput("signed links need PyJWT; install it with: pip install 'overwinter[links]'") from None
    return jwt

"""A version's seal: names what the version holds, so that a change shows.

seal.json stands beside manifest.json and holds the SHA-256 of the manifest without its version
number: the same content keeps its name on another station, where the number may be taken. Since
the manifest has the SHA-256 of every portable file, this one digest stands for all of them.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

SEAL = "seal.json"
SEAL_SCHEMA = 1
LOCAL = frozenset({"version"})
"""What an import may change in a manifest."""


class Seal(BaseModel):
    """The content's digest and when it was sealed; with a key also who vouches for both.

    `key` is an Ed25519 public key, `signature` is over the digest and the date, both hexadecimal.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    seal_schema: int = Field(SEAL_SCHEMA, ge=SEAL_SCHEMA, le=SEAL_SCHEMA)
    content: str = Field(pattern=r"^[0-9a-f]{64}$")
    sealed: str = Field(pattern=r"^[0-9T:+-]{1,40}$")
    key: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    signature: str | None = Field(None, pattern=r"^[0-9a-f]{128}$")

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.key is None) != (self.signature is None):
            raise ValueError("key and signature belong together")
        return self


def content_digest(manifest: Mapping[str, object]) -> str:
    """SHA-256 over a manifest as it was read from JSON.

    Not over a model's fields: a later program may give those defaults that this one does not know.
    """
    kept = {name: value for name, value in manifest.items() if name not in LOCAL}
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()

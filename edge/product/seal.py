"""A version's seal: a digest of its content, so that a change is detected.

seal.json is beside manifest.json and has the SHA-256 of the manifest without its version number:
the same content has the same digest on another station, where the number may differ. Since the
manifest has the SHA-256 of every portable file, this one digest covers all of them.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

SEAL = "seal.json"
SEAL_SCHEMA = 1
LOCAL = frozenset({"version"})
"""Fields of the manifest that an import may change."""


class Seal(BaseModel):
    """The content's digest and the time of sealing, optionally signed.

    `key` is an Ed25519 public key, `signature` is over the digest and the time, both hexadecimal.
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
    """SHA-256 of a manifest as it was read from JSON.

    Not of the pydantic model: a later program version may add defaults to that.
    """
    kept = {name: value for name, value in manifest.items() if name not in LOCAL}
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()

"""Signatures of webhooks (Standard Webhooks 1.0): HMAC-SHA256 over id, time and body."""

import base64
import hashlib
import hmac
import secrets

PREFIX = "whsec_"
SECRET_BYTES = 32


def new_secret() -> str:
    """A secret as the receiver needs it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed_headers(secret: str, message_id: str, at: int, body: str) -> dict[str, str]:
    """The headers by which a receiver knows that a message is ours, and that it is new."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    content = f"{message_id}.{at}.{body}".encode()
    signature = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{signature}",
    }

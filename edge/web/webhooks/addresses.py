"""Where webhooks may go: checked when an address is registered, and again before each sending.

Without the choice "in the plant's network" only public addresses, by https. With it also private
ones and this machine, by http too. Never link-local addresses (where clouds keep their secrets),
multicast or reserved ones. The address that was checked is the one that is connected to, whatever
the name server says a moment later.
"""

import ipaddress
import socket
from dataclasses import dataclass

import httpx

from edge.base.errors import DraemError

MOST_URL = 500
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class WebhookError(DraemError):
    """An address or a choice of a webhook that cannot be used."""


@dataclass(frozen=True)
class Target:
    """An address that may be called: the URL with the checked IP address, and the host's name."""

    url: httpx.URL
    host: str
    header: str


def check_url(text: str, *, is_local: bool) -> httpx.URL:
    """The URL, if its form is allowed; names are not resolved. Raises WebhookError."""
    try:
        url = httpx.URL(text.strip())
    except (httpx.InvalidURL, ValueError) as error:
        raise WebhookError(f"'{text[:100]}' is no address ({error}): write https://...") from error
    if len(text) > MOST_URL or url.scheme not in ("https", "http") or not url.host:
        raise WebhookError(
            f"'{text[:100]}' cannot be used: write https://HOST/PATH, of at most {MOST_URL} letters"
        )
    if url.userinfo or url.fragment:
        raise WebhookError("an address has no user, password or fragment: the signature is enough")
    if url.scheme == "http" and not is_local:
        raise WebhookError(
            "http is not encrypted: write https, or choose 'in the plant's own network'"
        )
    return url


def name_of(url: str, which: str) -> str:
    """A webhook for audit trail and log: the rest of an address is often a secret."""
    parsed = httpx.URL(url)
    return f"{parsed.scheme}://{parsed.netloc.decode('ascii')} {which}"


def resolve(text: str, *, is_local: bool) -> Target:
    """The checked address to connect to. Raises WebhookError."""
    url = check_url(text, is_local=is_local)
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise WebhookError(f"the host {url.host} is not found ({error}): correct it") from error
    addresses = [ipaddress.ip_address(entry[4][0]) for entry in found]
    for address in addresses:
        _check_address(address, url, is_local=is_local)
    chosen = str(addresses[0])
    return Target(url.copy_with(host=chosen), url.host, url.netloc.decode("ascii"))


def _check_address(address: IpAddress, url: httpx.URL, *, is_local: bool) -> None:
    """All addresses of a host must be allowed, as any of them may be connected to."""
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None:
        address = mapped
    is_near = address.is_private or address.is_loopback
    never = address.is_link_local or address.is_multicast or address.is_unspecified
    if never or (address.is_reserved and not address.is_loopback):
        raise WebhookError(f"{url.host} is {address}, which is never called: use another address")
    if is_near and not is_local:
        raise WebhookError(
            f"{url.host} is {address}, in a private network: choose 'in the plant's own network'"
        )
    if not is_near and url.scheme == "http":
        raise WebhookError(f"{url.host} is {address}, outside the plant: write https")
    if not is_near and not address.is_global:
        raise WebhookError(f"{url.host} is {address}, which is not public: use another address")

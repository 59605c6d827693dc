"""How notifiers speak HTTP: one client for each channel, to addresses that may be reached only.

A channel's address comes from a file of settings that others may fill, and its name from a resolver that others may
run: by default nothing on this machine, in a private network or in a cloud's own is reached (SSRF), and the address
that was looked at is the one that is connected to.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field

from plumber_core import Notifier, __version__

if TYPE_CHECKING:
    import httpx

MOST_SHOWN = 300


class HttpChannel(BaseModel):
    """What every channel over HTTP has."""

    model_config = ConfigDict(extra="forbid")

    url: AnyHttpUrl
    """Where notifications are posted."""
    timeout: float = Field(10.0, gt=0, le=50)
    """Seconds for one answer."""
    allow_private: bool = False
    """Whether the address may be this machine's or in a private network."""
    proxy: AnyHttpUrl | None = None
    """An HTTP proxy; the environment's is not used."""
    language: Literal["en", "zh"] | None = None
    """Of the texts; the server's by default."""


class NotAllowed(Exception):
    """The channel's address is one that may not be reached."""


class HttpNotifier(Notifier):
    """A notifier that posts. Redirects are not followed: they could lead anywhere."""

    def __init__(self, name: str, channel: HttpChannel) -> None:
        self.name, self.language = name, channel.language
        self._channel = channel
        self._client: httpx.AsyncClient | None = None

    async def open(self) -> None:
        """Make the client, which keeps its connections."""
        import httpx

        proxy = str(self._channel.proxy) if self._channel.proxy else None
        self._client = httpx.AsyncClient(
            timeout=self._channel.timeout, follow_redirects=False, trust_env=False, proxy=proxy
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def post(
        self, content: bytes, headers: Mapping[str, str], query: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Post and return the answer.

        Raises: NotAllowed, httpx.HTTPError (no answer, or one that is not 2xx).
        """
        import httpx

        if self._client is None:
            raise RuntimeError(f"channel {self.name} is not open")
        url = httpx.URL(str(self._channel.url)).copy_merge_params(dict(query or {}))
        request = self._client.build_request("POST", url, content=content, headers={**_COMMON, **headers})
        if not self._channel.allow_private:
            await _pin(request, pinned=self._channel.proxy is None)
        answer = await self._client.send(request)
        if not answer.is_success:
            # What httpx says itself would show the address, which holds the channel's secret.
            raise httpx.HTTPStatusError(
                f"answered {answer.status_code}: {answer.text[:MOST_SHOWN]}", request=request, response=answer
            )
        return answer

    async def post_json(self, value: Any, query: Mapping[str, str] | None = None) -> httpx.Response:
        """Post a value as JSON."""
        import json

        body = json.dumps(value, ensure_ascii=False).encode()
        return await self.post(body, {"Content-Type": "application/json; charset=utf-8"}, query)


_COMMON = {"User-Agent": f"plumber/{__version__}"}


async def _pin(request: httpx.Request, *, pinned: bool) -> None:
    """Look where a request would go, refuse what may not be reached, and have it go exactly there."""
    host, port = request.url.host, request.url.port or (443 if request.url.scheme == "https" else 80)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise NotAllowed(f"{host} has no address: {error.strerror or error}") from None
    addresses = [str(address[0]).partition("%")[0] for *_, address in found]
    for address in addresses:
        if not _is_public(address):
            raise NotAllowed(f"{host} is {address}, a private address: allow_private = true permits it")
    if pinned:
        request.extensions = {**request.extensions, "sni_hostname": host}
        request.url = request.url.copy_with(host=addresses[0])


def _is_public(text: str) -> bool:
    address: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        address = inner or address
    return address.is_global and not address.is_multicast

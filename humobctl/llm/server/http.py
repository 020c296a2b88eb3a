"""Requests to one server: bounded in what comes back, packed or not, and to no other host."""

from __future__ import annotations

import json
import os
import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit

import openai

from humobctl.errors import HumobError
from humobctl.llm.json_reply import tidy
from humobctl.llm.server.config import OpenAIConfig, Secret

MOST_BYTES = 2 << 20
"""Most bytes of one response, good or bad, unpacked; what is longer is not read on."""
MOST_HOPS = 3
_HERE = ("localhost", "127.0.0.1", "::1")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
_SURROUNDINGS = (*_PROXIES, "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Variables that say how a server is reached."""


class ResponseError(Exception):
    """A response that cannot be used, in words."""


@dataclass(frozen=True)
class Response:
    """What came back.

    Attributes:
        status: of HTTP.
        headers: names in small letters.
        body: unpacked.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    def payload(self) -> dict[str, Any]:
        """The body as an object.

        Raises:
            ResponseError: it is none.
        """
        try:
            found = json.loads(self.body)
        except RecursionError:
            raise ResponseError("a response that is nested too deeply") from None
        except ValueError as exc:  # a number of thousands of digits, too
            raise ResponseError(f"a response of invalid JSON ({type(exc).__name__})") from exc
        if not isinstance(found, dict):
            raise ResponseError("a response that is not a JSON object")
        return found


def _choose_trust(base_url: str) -> ssl.SSLContext | bool:
    """Certificates to believe: none where a server on this machine is asked by plain HTTP.

    Reading those of all authorities takes 0.1 s, and such a server shows none.
    """
    parts = urlsplit(base_url)
    plain = parts.scheme == "http" and parts.hostname in _HERE
    if plain and not any(os.environ.get(name) for name in _PROXIES):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return True


class Connection:
    """Sends requests to one server.

    Args:
        config: of the server.
        key: sent with each request.

    Raises:
        HumobError: the environment names a proxy or certificates that cannot be used.
    """

    def __init__(self, config: OpenAIConfig, key: Secret) -> None:
        self._config = config
        # Servers without keys get one all the same: some insist on one.
        self._headers = {
            "authorization": f"Bearer {key.reveal() or 'none'}",
            "accept": "application/json",
            "accept-encoding": "identity",
        }
        for name in ("Organization", "Project"):
            variable = {"Organization": "OPENAI_ORG_ID", "Project": "OPENAI_PROJECT_ID"}[name]
            if value := os.environ.get(variable, "").strip():
                self._headers[f"OpenAI-{name}"] = value
        try:
            self._client = openai.DefaultAsyncHttpxClient(
                timeout=None, follow_redirects=False, verify=_choose_trust(config.base_url)
            )
        except Exception as exc:  # whatever the HTTP library says of what it was told
            told = [name for name in _SURROUNDINGS if os.environ.get(name)]
            said = tidy(key.hide(str(exc)), 120)
            raise HumobError(
                f"{', '.join(told) or 'HTTP'}: found something that cannot be used ({said}), "
                "expected an address such as http://proxy:3128"
            ) from exc

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def post(self, path: str, body: dict[str, Any]) -> Response:
        """The response to a request.

        Args:
            path: after the base URL, such as ``chat/completions``.
            body: sent as JSON.

        Raises:
            ResponseError: it cannot be used.
            HumobError: the server sends on to another host.
            Exception: the HTTP library's own, whose names depend on its version.
        """
        parts = urlsplit(self._config.base_url)
        place = f"{parts.path.rstrip('/')}/{path}"
        url = urlunsplit((parts.scheme, parts.netloc, place, parts.query, ""))
        content = json.dumps(body).encode()
        headers = {**self._headers, "content-type": "application/json"}
        for _ in range(MOST_HOPS):
            async with self._client.stream(
                "POST", url, content=content, headers=headers
            ) as response:
                onward = response.headers.get("location")
                if not (300 <= response.status_code < 400 and onward):
                    found = await _whole(response)
                    return Response(response.status_code, dict(response.headers), found)
            url = self._same_host(url, onward)
        raise ResponseError("a response that redirects again and again")

    def _same_host(self, url: str, onward: str) -> str:
        """Where a response sends on to, on the same server."""
        try:
            target = urljoin(url, onward)
            here, there = urlsplit(url), urlsplit(target)
            same = (here.scheme, here.netloc) == (there.scheme, there.netloc)
        except ValueError:
            same, there = False, urlsplit("")
        if not same:
            raise HumobError(
                f"{self._config.server}: redirects to {there.scheme}://{there.hostname}, another "
                "server, to which nothing is sent; check --base-url"
            )
        return target


async def _whole(response: Any) -> bytes:
    """The body of a response, unpacked, as far as its size is believed."""
    packing = response.headers.get("content-encoding", "identity").strip().lower()
    if packing in ("", "identity"):
        unpack: Any = None
    elif packing in ("gzip", "x-gzip", "deflate"):
        unpack = zlib.decompressobj(47 if "gzip" in packing else 15)
    else:
        raise ResponseError(
            f"a response compressed by {tidy(packing, 20)}, which was not requested"
        )
    content = bytearray()
    async for chunk in response.aiter_raw():
        try:
            room = MOST_BYTES + 1 - len(content)
            content += chunk if unpack is None else unpack.decompress(chunk, room)
        except zlib.error as exc:
            raise ResponseError("a response that cannot be unpacked") from exc
        if len(content) > MOST_BYTES:
            raise ResponseError(f"a response of more than {MOST_BYTES >> 20} MB")
    return bytes(content)

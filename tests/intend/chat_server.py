"""A chat server on loopback that answers as a test wants it to, faults included."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-loopback-0123456789abcdef"
Json = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """A response.

    Attributes:
        body: what is sent; a dict as JSON.
        status: of HTTP.
        headers: besides the usual ones.
        delay: seconds before it.
        missing: bytes that are promised and not sent.
        drip: seconds between one byte and the next.
    """

    body: Json | list[Json] | bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    missing: int = 0
    drip: float = 0.0


Behaviour = Callable[[Json, int], Reply]


def kind(request: Json) -> str:
    """What a request asks for: attitude, norm or decision."""
    asked = [m["content"] for m in request["messages"] if m["role"] == "user"]
    last = next(text for text in reversed(asked) if "Form:" in text)
    lines = f"\n{last}"  # a system turn may stand before the question
    if "\nAttitude" in lines:
        return "attitude"
    return "norm" if "\nSubjective norm" in lines else "decision"


def sensible(request: Json) -> str:
    """What a good model says: the same for the same question."""
    ask = kind(request)
    if ask == "attitude":
        return '{"preferences": ["eat", "do sports", "go home"], "reason": "A quiet life."}'
    if ask == "norm":
        times = '"get_up": "7:00", "duty_from": "9:00", "duty_to": "18:00", "bedtime": "23:00"'
        return f'{{{times}, "routine": "Dinner at home."}}'
    asked = [m["content"] for m in request["messages"] if "Now it is" in m["content"]][-1]
    decisions = (
        ("Now it is 0:00,", "go to sleep", 0, 7, 10),
        ("Now it is 7:10,", "go to work", 35, 9, 20),
        ("Now it is 17:05,", "eat", 10, 1, 5),
    )
    found = next((d for d in decisions if d[0] in asked), ("", "go home", 25, 24, 0))
    _, intent, travel, hours, minutes = found
    decision: Json = {
        "ranking": [intent, "go home", "eat"],
        "intent": intent,
        "travel_minutes": travel,
        "hours": hours,
        "minutes": minutes,
        "reason": f"It is time to {intent}, as always.",
    }
    return json.dumps(decision)


def chat(text: str | None, *, prompt: Any = 400, completion: Any = 50, **more: Any) -> Json:
    """A chat completion with this content."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "loopback",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": text} | more,
            }
        ],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": 0,
        },
    }


def well(request: Json, _number: int) -> Reply:
    """Answer sensibly."""
    return Reply(chat(sensible(request)))


class ChatServer(ThreadingHTTPServer):
    """Behaves as it is told, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self, behave: Behaviour) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behave = behave
        self.requests: list[Json] = []
        self.paths: list[str] = []
        self.keys: set[str | None] = set()
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away does not matter."""

    @property
    def url(self) -> str:
        """For --base-url."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    @property
    def questions(self) -> list[str]:
        """The conversations that were sent, as text."""
        return [json.dumps(request["messages"]) for request in self.requests]


class _Handler(BaseHTTPRequestHandler):
    server: ChatServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        request = json.loads(self.rfile.read(length))
        with self.server.lock:
            number = len(self.server.requests)
            self.server.requests.append(request)
            self.server.paths.append(self.path)
            self.server.keys.add(self.headers.get("authorization"))
            self.server.at_once += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.at_once)
        try:
            self._send(self.server.behave(request, number))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with self.server.lock:
                self.server.at_once -= 1

    def _send(self, reply: Reply) -> None:
        time.sleep(reply.delay)
        raw = isinstance(reply.body, bytes)
        body = reply.body if raw else json.dumps(reply.body).encode()
        self.send_response_only(reply.status)
        if "date" not in reply.headers:
            self.send_header("date", self.date_time_string())
        self.send_header("content-type", "text/html" if raw else "application/json")
        self.send_header("content-length", str(len(body) + reply.missing))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        for piece in [bytes([byte]) for byte in body] if reply.drip else [body]:
            self.wfile.write(piece)
            self.wfile.flush()
            time.sleep(reply.drip)
        if reply.missing:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(behave: Behaviour = well) -> Iterator[ChatServer]:
    """A server that runs as long as the block."""
    server = ChatServer(behave)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

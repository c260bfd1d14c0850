"""RTSP 1.0 messages (RFC 2326 sections 4 to 7): requests as bytes, replies from bytes, with every length bounded.

Used by `wire`. A reply is assembled apart from media, so that one that comes a byte at a time costs time, not
memory; the bounds below are what a hostile camera can make us hold.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_HEADER_BYTES = 16 * 1024
MAX_HEADERS = 100
MAX_BODY_BYTES = 64 * 1024
"""SDP of a camera with many tracks: 3 KB."""


class MalformedMessage(ValueError):
    """Not RTSP, or past a bound; the text continues the sentence "the camera ..."."""


@dataclass(slots=True)
class Message:
    """A reply, or (rarely) a request of the camera's: then `status` is 0 and `method` is set."""

    status: int
    reason: str
    method: str = ""
    headers: dict[str, list[str]] = field(default_factory=dict)
    """By lower-case name, values in order."""
    body: bytes = b""

    def header(self, name: str) -> str:
        """The first value, or an empty string."""
        values = self.headers.get(name)
        return values[0] if values else ""

    @property
    def cseq(self) -> int:
        """-1 where there is none or it is no number."""
        return _number(self.header("cseq"), -1)


def _number(text: str, default: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else default


def format_request(method: str, url: str, cseq: int, headers: dict[str, str]) -> bytes:
    """Raises `ValueError` where a value would break the line it stands on."""
    lines = [f"{method} {url} RTSP/1.0", f"CSeq: {cseq}", "User-Agent: heron-vms"]
    lines += (f"{name}: {value}" for name, value in headers.items())
    for line in lines:
        if "\r" in line or "\n" in line or "\0" in line:
            raise ValueError("a request header holds a line end")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")


def parse_head(head: bytes) -> Message:
    """Start line and headers, without the empty line. Raises `MalformedMessage`."""
    text = head.decode("utf-8", "replace").replace("\r\n", "\n")
    # What is left of CR and NUL would come back in a request (a realm, a session id) and break its line.
    lines = text.replace("\r", " ").replace("\0", " ").split("\n")
    if len(lines) - 1 > MAX_HEADERS:
        raise MalformedMessage(f"sent a reply with more than {MAX_HEADERS} headers")
    start = lines[0].split(None, 2)
    if len(start) >= 2 and start[0].startswith("RTSP/") and start[1].isdigit() and len(start[1]) == 3:
        message = Message(int(start[1]), start[2] if len(start) > 2 else "")
    elif len(start) == 3 and start[2].startswith("RTSP/"):
        message = Message(0, "", method=start[0])
    else:
        raise MalformedMessage("does not speak RTSP")
    name = ""
    for line in lines[1:]:
        if line[:1] in (" ", "\t") and name:  # a folded header (RFC 2616 section 2.2)
            message.headers[name][-1] += " " + line.strip()
            continue
        key, colon, value = line.partition(":")
        if colon:
            name = key.strip().lower()
            message.headers.setdefault(name, []).append(value.strip())
    return message


class MessageAssembler:
    """Collects one message from pieces of any size."""

    __slots__ = ("_head_from", "_length", "_message", "_text")

    def __init__(self) -> None:
        self._text = bytearray()
        self._head_from = 0
        self._message: Message | None = None
        self._length = 0

    def feed(self, piece: bytes | memoryview) -> tuple[Message | None, int]:
        """The message once it is whole, and how many bytes of `piece` belong to it (all, until then).

        Raises `MalformedMessage`."""
        before = len(self._text)
        if self._message is None:
            self._text += piece[: MAX_HEADER_BYTES + 4 - before]
            end, body_at = self._head_end()
            if end < 0:
                if len(self._text) > MAX_HEADER_BYTES:
                    raise MalformedMessage(f"sent a reply header of more than {MAX_HEADER_BYTES // 1024} KB")
                return None, len(piece)
            self._message = parse_head(bytes(self._text[:end]))
            self._length = self._body_length(self._message)
            used = body_at - before
            self._text.clear()
            piece = piece[used:]
        else:
            used = 0
        wanted = self._length - len(self._text)
        self._text += piece[:wanted]
        used += min(wanted, len(piece))
        if len(self._text) < self._length:
            return None, used
        message = self._message
        message.body = bytes(self._text)
        return message, used

    def _head_end(self) -> tuple[int, int]:
        """Where the header block ends and where the body begins; (-1, -1) while it is open."""
        start = max(0, self._head_from - 3)
        self._head_from = len(self._text)
        first = self._text.find(b"\n\r\n", start), 3
        second = self._text.find(b"\n\n", start), 2
        found = [(at, length) for at, length in (first, second) if at >= 0]
        if not found:
            return -1, -1
        at, length = min(found)
        end = at - 1 if at and self._text[at - 1] == 0x0D else at
        return end, at + length

    @staticmethod
    def _body_length(message: Message) -> int:
        text = message.header("content-length")
        if not text:
            return 0
        length = _number(text, -1)
        if not 0 <= length <= MAX_BODY_BYTES:
            raise MalformedMessage(f"announces a reply body that is not 0 to {MAX_BODY_BYTES // 1024} KB long")
        return length

"""Why a camera can't be reached or understood: one exception with a code, used by the client, probe and capture.

The message is a sentence for a person. It names host and port, never a user name, a password or a full URL.
"""

from __future__ import annotations

from enum import StrEnum


class ErrorCode(StrEnum):
    """Stable codes of the API; docs/reference/errors.md lists them for integrators."""

    BAD_SCHEME = "bad_scheme"
    BAD_ADDRESS = "bad_address"
    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    NAME_NOT_FOUND = "name_not_found"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    UNAUTHORIZED = "unauthorized"
    NOT_FOUND = "not_found"
    BUSY = "busy"
    REDIRECTED = "redirected"
    TRANSPORT_REFUSED = "transport_refused"
    TLS_FAILED = "tls_failed"
    NO_VIDEO = "no_video"
    NO_KEYFRAME = "no_keyframe"
    UNKNOWN_CODEC = "unknown_codec"
    BAD_STREAM = "bad_stream"
    STALLED = "stalled"
    CLOSED = "closed"
    INTERNAL = "internal"


class CameraError(Exception):
    """A camera could not be used; `code` for programs, `str()` for people.

    `is_permanent` means that trying again soon can't help (a wrong password, an unknown codec); capture then
    retries at most once a minute.
    """

    def __init__(self, code: ErrorCode, message: str, *, is_permanent: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.is_permanent = is_permanent

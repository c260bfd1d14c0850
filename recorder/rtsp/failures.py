"""How failures of a connection become `CameraError`s: the one place that words them.

A message is one sentence for a person. It names `host:port` and what happened; it never holds credentials,
a full URL or bytes of the camera's that were not cleaned by `quote`.
"""

from __future__ import annotations

import errno
import ssl

from recorder.errors import CameraError, ErrorCode

_UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.EADDRNOTAVAIL}


def quote(text: str, limit: int = 60) -> str:
    """A camera's own words, safe to show: printable ASCII, short."""
    return "".join(char if " " <= char <= "~" else "?" for char in text[:limit]).strip()


def bad_target(scheme: str) -> CameraError:
    return CameraError(ErrorCode.BAD_SCHEME, f"A {scheme}:// address isn't read over RTSP.", is_permanent=True)


def connect_failed(peer: str, err: BaseException, timeout_s: float) -> CameraError:
    """From what `create_connection` raised."""
    if isinstance(err, TimeoutError) or (isinstance(err, OSError) and err.errno == errno.ETIMEDOUT):
        return CameraError(ErrorCode.TIMEOUT, f"{peer} did not answer within {timeout_s:g} s.")
    if isinstance(err, ConnectionRefusedError):
        return CameraError(ErrorCode.REFUSED, f"{peer} refuses connections: nothing listens on that port.")
    if isinstance(err, ssl.SSLError):
        return CameraError(ErrorCode.TLS_FAILED, f"{peer} does not speak TLS as expected: try rtsp:// instead.")
    if isinstance(err, ConnectionError):
        return CameraError(ErrorCode.CLOSED, f"{peer} closed the connection while it was being set up.")
    if isinstance(err, OSError) and err.errno in _UNREACHABLE:
        return CameraError(ErrorCode.UNREACHABLE, f"There is no route to {peer}.")
    return CameraError(ErrorCode.UNREACHABLE, f"{peer} can't be reached.")


def connection_ended(peer: str, err: BaseException | None) -> CameraError:
    """From `connection_lost`."""
    if isinstance(err, ssl.SSLError):
        return CameraError(ErrorCode.TLS_FAILED, f"The TLS connection to {peer} broke.")
    if err is not None:
        return CameraError(ErrorCode.CLOSED, f"The connection to {peer} was reset.")
    return CameraError(ErrorCode.CLOSED, f"{peer} closed the connection.")


def no_reply(peer: str, method: str, timeout_s: float) -> CameraError:
    return CameraError(ErrorCode.TIMEOUT, f"{peer} did not answer {method} within {timeout_s:g} s.")


def stalled(peer: str, stall_s: float, transport: str) -> CameraError:
    hint = " over UDP (a firewall may block it; try TCP)" if transport == "udp" else ""
    return CameraError(ErrorCode.STALLED, f"{peer} has sent no video{hint} for {stall_s:g} s.")


def bad_stream(peer: str, what: str) -> CameraError:
    return CameraError(ErrorCode.BAD_STREAM, f"{peer} {what}.")


def refused_status(peer: str, method: str, status: int, reason: str) -> CameraError:
    """From a reply whose status is an error (RFC 2326 section 7.1.1); 401 and redirects are handled before."""
    match status:
        case 403:
            return CameraError(
                ErrorCode.UNAUTHORIZED,
                f"{peer} does not allow this user to see the stream.",
                is_permanent=True,
            )
        case 404 | 410:
            return CameraError(ErrorCode.NOT_FOUND, f"{peer} has no stream of that path.", is_permanent=True)
        case 453 | 503:
            return CameraError(ErrorCode.BUSY, f"{peer} is busy: it has no room for another viewer.")
        case 461:
            return CameraError(
                ErrorCode.TRANSPORT_REFUSED,
                f"{peer} does not offer this transport: try the other of TCP and UDP.",
                is_permanent=True,
            )
    return CameraError(ErrorCode.BAD_STREAM, f"{peer} answered {method} with {status} {quote(reason)}.")


def unauthorized(peer: str, has_credentials: bool) -> CameraError:
    what = "does not accept user name and password" if has_credentials else "asks for user name and password"
    return CameraError(ErrorCode.UNAUTHORIZED, f"{peer} {what}.", is_permanent=True)


def redirected(peer: str) -> CameraError:
    return CameraError(
        ErrorCode.REDIRECTED, f"{peer} sends us to another address, which is not followed.", is_permanent=True
    )


def no_video(peer: str) -> CameraError:
    return CameraError(ErrorCode.NO_VIDEO, f"{peer} offers no video in this stream.", is_permanent=True)


def unknown_codec(peer: str, codec: str) -> CameraError:
    return CameraError(
        ErrorCode.UNKNOWN_CODEC,
        f"{peer} sends video as {quote(codec, 30)}, which is not supported.",
        is_permanent=True,
    )


def internal(peer: str) -> CameraError:
    return CameraError(ErrorCode.INTERNAL, f"An error in this program ended the connection to {peer}.")

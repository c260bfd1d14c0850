"""An RTSP server that isn't ours: gst-rtsp-server, run by the system's Python (needs Debian's gi packages).

`/usr/bin/python3 gst_server.py --clip FILE --codec h264 --audio aac --auth digest` prints its port and serves
`/test` until its standard input closes. User `camera`, password `s3cret`.
"""

import argparse
import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

AUDIO = {
    "aac": "d.audio_0 ! queue ! aacparse ! rtpmp4gpay name=pay1 pt=97",
    "pcmu": "audiotestsrc is-live=true ! audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay name=pay1 pt=0",
    "none": "",
}


def launch_line(clip: str, codec: str, audio: str, interval: int) -> str:
    video = f"d.video_0 ! queue ! {codec}parse config-interval={interval} ! rtp{codec}pay name=pay0 pt=96 mtu=1400"
    return f"( filesrc location={clip} ! qtdemux name=d {video} {AUDIO[audio]} )"


def authentication(kind: str) -> GstRtspServer.RTSPAuth:
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    if kind == "digest":
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest("camera", "s3cret", token)
    else:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic("camera", "s3cret"), token)
    return auth


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clip", required=True)
    parser.add_argument("--codec", default="h264")
    parser.add_argument("--audio", default="none", choices=list(AUDIO))
    parser.add_argument("--auth", default="none")
    parser.add_argument("--port", default="0")
    parser.add_argument("--interval", type=int, default=-1)
    options = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(options.port)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(launch_line(options.clip, options.codec, options.audio, options.interval))
    if options.auth != "none":
        server.set_auth(authentication(options.auth))
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("viewer", "media.factory.access", True)
        permissions.add_permission_for_role("viewer", "media.factory.construct", True)
        factory.set_permissions(permissions)
    server.get_mount_points().add_factory("/test", factory)
    server.attach(None)
    loop = GLib.MainLoop()
    print(server.get_bound_port(), flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), loop.quit()), daemon=True).start()
    loop.run()


main()

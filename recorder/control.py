"""The recorder on the operations CLI: `celery -A vms inspect recorder`, `celery -A vms control restart_camera ...`."""

from __future__ import annotations

from celery.worker.control import control_command, inspect_command

from recorder.worker.bootstep import NODE_PREFIX, poke_recorder, shard_count

_SHOWN = ("state", "state_detail", "codec", "width_px", "height_px", "fps", "bitrate_bps", "frames",
          "lost_packets", "reconnects", "gaps")  # fmt: skip


@inspect_command()
def recorder(state) -> dict:
    """Per camera and stream: state, fps, bit rate, last keyframe, gaps."""
    if not state.hostname.startswith(NODE_PREFIX):
        return {"detail": "not a recorder"}
    from recorder.worker.drain import utc_from_ns
    from recorder.worker.status import read_stream_reports
    from vms.cameras.models import Camera

    reports = read_stream_reports(shard_count())
    names = {
        str(pk): name
        for pk, name in Camera.objects.filter(pk__in={report.camera for report in reports}).values_list("pk", "name")
    }
    answer: dict = {}
    for report in reports:
        last_ns = report.last_keyframe_ns
        camera = answer.setdefault(report.camera, {"name": names.get(report.camera, ""), "streams": {}})
        camera["streams"][report.stream] = {
            **{field: getattr(report, field) for field in _SHOWN},
            "last_keyframe_at": utc_from_ns(last_ns).isoformat() if last_ns else None,
        }
    return answer


@control_command(args=[("camera", str)], signature="<camera id or name>")
def restart_camera(state, camera: str) -> dict:
    """Have a camera of this recorder reconnect; the others are left alone."""
    if not state.hostname.startswith(NODE_PREFIX):
        return {"error": "not a recorder"}
    from uuid import UUID

    from django.conf import settings
    from django.db.models import Q

    from vms.cameras import services
    from vms.cameras.models import Camera

    match = Q(name=camera)
    try:
        match |= Q(pk=UUID(camera))
    except ValueError:
        pass
    found = list(Camera.objects.existing().filter(match, server__name=settings.VMS_SERVER_NAME)[:2])
    if len(found) != 1:
        return {"error": f"{'no camera' if not found else 'more than one camera'} of this server is called {camera}"}
    services.restart_camera(actor=None, camera=found[0])
    poke_recorder()
    return {"ok": f"{found[0].name} reconnects"}

"""Clips, playlists, spans and pictures over HTTP, against the real service."""

import io
import time

import av
import httpx
import pytest

from recorder.fmp4 import FragmentScanner, parse_init

from .footage import FPS, encode, write_recording

START = 1_790_000_000_000


@pytest.fixture
def recorded(media):
    write_recording(media.volume, media.camera, "main", START, 25, audio="aac")
    return media


def span_of(response):
    scanner = FragmentScanner()
    fragments = scanner.feed(response.content)
    return parse_init(scanner.init), fragments


def test_clip_has_its_length_and_plays(recorded):
    url = recorded.url(f"clip.mp4?from={START + 2500}&to={START + 12000}")
    whole = httpx.get(url)
    assert whole.status_code == 200
    assert int(whole.headers["content-length"]) == len(whole.content)
    assert whole.headers["content-disposition"].startswith(f'attachment; filename="{recorded.camera[:8]}-main-2026-')
    with av.open(io.BytesIO(whole.content)) as clip:
        assert sum(packet.size > 0 for packet in clip.demux(clip.streams.video[0])) == 10 * FPS


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-99", 206, slice(0, 100)),
        ("bytes=100-", 206, slice(100, None)),
        ("bytes=-50", 206, slice(-50, None)),
        ("bytes=0-99999999", 206, slice(0, None)),
        ("bytes=5-2", 200, slice(0, None)),
        ("bytes=0-1,5-6", 200, slice(0, None)),
        ("lines=1-2", 200, slice(0, None)),
        ("bytes=99999999-", 416, slice(0, 0)),
        ("bytes=-0", 416, slice(0, 0)),
    ],
)
def test_ranges_of_a_clip(recorded, asked, status, part):
    url = recorded.url(f"clip.mp4?from={START}&to={START + 5000}")
    whole = httpx.get(url).content
    answer = httpx.get(url, headers={"Range": asked})
    assert answer.status_code == status
    assert answer.content == (b"" if status == 416 else whole[part])
    if status == 206:
        first = len(whole) - len(whole[part]) if part.start and part.start < 0 else part.start
        assert answer.headers["content-range"] == f"bytes {first}-{first + len(whole[part]) - 1}/{len(whole)}"
    if status == 416:
        assert answer.headers["content-range"] == f"bytes */{len(whole)}"


def test_range_of_another_version_of_the_clip_gets_all_of_it(recorded):
    url = recorded.url(f"clip.mp4?from={START}&to={START + 5000}")
    etag = httpx.get(url).headers["etag"]
    assert httpx.get(url, headers={"Range": "bytes=0-9", "If-Range": etag}).status_code == 206
    assert httpx.get(url, headers={"Range": "bytes=0-9", "If-Range": '"other"'}).status_code == 200


def test_head_tells_the_length_without_a_body(recorded):
    url = recorded.url(f"clip.mp4?from={START}&to={START + 5000}")
    head = httpx.head(url)
    assert head.content == b""
    assert int(head.headers["content-length"]) == len(httpx.get(url).content)


def test_span_begins_with_the_keyframe_before_and_says_what_follows(recorded):
    answer = httpx.get(recorded.url(f"span?from={START + 2500}&to={START + 6000}"))
    (video, audio), fragments = span_of(answer)
    assert (video, audio) == (encode().video, None)
    assert fragments[0].decode_time == (START + 2000) * 90
    assert len(fragments) == 4 * FPS
    assert answer.headers["x-heron-start-ms"] == str(START + 2000)
    assert answer.headers["x-heron-end-ms"] == str(START + 6000)
    assert answer.headers["x-heron-next-ms"] == str(START + 6000)
    assert answer.headers["x-heron-mime"] == f'video/mp4; codecs="{video.rfc6381}"'


def test_span_of_keyframes_alone(recorded):
    _, fragments = span_of(httpx.get(recorded.url(f"span?from={START}&to={START + 20000}&keyframes=1")))
    assert [fragment.is_keyframe for fragment in fragments] == [True] * 20


def test_span_with_sound(recorded):
    answer = httpx.get(recorded.url(f"span?from={START}&to={START + 2000}&audio=1"))
    assert {fragment.track for fragment in span_of(answer)[1]} == {1, 2}
    assert "mp4a" in answer.headers["x-heron-mime"]


def test_span_without_footage_names_the_nearest_moments(recorded):
    answer = httpx.get(recorded.url(f"span?from={START + 60000}&to={START + 61000}"))
    assert answer.status_code == 404
    content = answer.json()
    assert content["errors"][0]["code"] == "no_footage"
    assert content["nearest"]["before"].startswith("2026-09-21T14:13:44.9")
    assert content["nearest"]["after"] is None


@pytest.mark.parametrize(
    "query",
    ["", "?from=1", "?from=x&to=2", "?from=5&to=5", "?from=1&to=2&audio=maybe", "?from=1&to=2&stream=x"],
)
def test_question_that_makes_no_sense_gets_400(recorded, query):
    answer = httpx.get(recorded.url(f"span{query}"))
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "invalid")


def test_playlist_and_its_files_play(recorded):
    base = recorded.url("")
    text = httpx.get(f"{base}playlist.m3u8?from={START}&to={START + 25000}").text
    uri = next(line for line in text.splitlines() if line.startswith("s/"))
    assert httpx.get(base + uri, headers={"Range": "bytes=0-7"}).content[4:] == b"ftyp"
    with av.open(f"{base}playlist.m3u8?from={START}&to={START + 25000}", timeout=20) as hls:
        assert sum(packet.size > 0 for packet in hls.demux(hls.streams.video[0])) == 25 * FPS


def test_foreign_segment_names_are_refused(recorded):
    base = recorded.url("")
    for name in ("s/1-1.mp4", "s/../../meta", "s/x.mp4", "s/%2e%2e%2fmeta"):
        assert httpx.get(base + name).status_code in (403, 404)


def test_snapshot_is_the_picture_of_that_moment(recorded):
    started = time.monotonic()
    answer = httpx.get(recorded.url(f"snapshot.jpg?at={START + 7500}&w=160"))
    assert answer.status_code == 200, answer.text
    assert time.monotonic() - started < 3
    assert answer.headers["x-heron-start-ms"] == str(START + 7466)
    with av.open(io.BytesIO(answer.content), format="jpeg_pipe") as image:
        frame = next(image.decode(video=0))
    assert (frame.width, frame.height) == (160, 120)
    assert httpx.get(recorded.url("snapshot.jpg")).status_code == 200
    assert httpx.get(recorded.url(f"snapshot.jpg?at={START - 1}")).status_code == 404
    assert httpx.get(recorded.url(f"snapshot.jpg?at={START}&w=99999")).status_code == 400


def test_token_opens_only_what_it_says(recorded):
    camera = "0" * 8 + recorded.camera[8:]
    query = f"?from={START}&to={START + 1000}"
    for url, status in [
        (recorded.url(f"span{query}", "live"), 403),
        (recorded.url(f"span{query}", "clip"), 403),
        (recorded.url(f"span{query}", "snapshot"), 403),
        (recorded.url(f"clip.mp4{query}", "clip"), 200),
        (recorded.url(f"span{query}&stream=main", str="sub"), 403),
        (recorded.url(f"span{query}", cam=camera), 404),
        (recorded.url(f"span{query}", **{"from": START + 500}), 403),
        (recorded.url(f"span{query}", to=START + 500), 403),
        (recorded.url("span", **{"from": START, "to": START + 500}), 200),
        (recorded.url(f"span{query}", iat=1, exp=2), 403),
        (recorded.url(f"span{query}")[:-40], 403),
        (recorded.url(f"span{query}").replace("/m/", "/m/x"), 403),
    ]:
        answer = httpx.get(url)
        assert answer.status_code == status, url
        if status == 403:
            assert answer.text in ("forbidden", "expired")


def test_pages_of_this_host_may_read_and_others_may_not(recorded):
    url = recorded.url(f"span?from={START}&to={START + 1000}")
    ours = httpx.get(url, headers={"Origin": "http://127.0.0.1:5008"})
    assert ours.headers["access-control-allow-origin"] == "http://127.0.0.1:5008"
    assert "X-Heron-Next-Ms" in ours.headers["access-control-expose-headers"]
    assert ours.headers["x-content-type-options"] == "nosniff"
    assert ours.headers["cache-control"] == "no-store"
    assert ours.headers["cross-origin-resource-policy"] == "cross-origin"
    for origin in ("http://evil.example", "null", "http://127.0.0.1.evil.example", "file://"):
        assert httpx.get(url, headers={"Origin": origin}).status_code == 403
    assert httpx.post(url).status_code == 405
    for referer, status in (("http://127.0.0.1:5008/", 200), ("http://evil.example/", 403)):
        headers = {"Referer": referer, "Sec-Fetch-Dest": "video"}
        assert httpx.get(url, headers=headers).status_code == status


def test_long_answer_is_cut_when_the_right_is_withdrawn(media):
    write_recording(media.volume, media.camera, "main", START, 600, encoded=encode(width=640, height=480))
    url = media.url(f"clip.mp4?from={START}&to={START + 600000}")
    with httpx.stream("GET", url) as answer:
        assert int(answer.headers["content-length"]) > 20_000_000
        pieces = answer.iter_raw(65536)
        next(pieces)
        media.desire(cut_before={"session:abc": time.time()})
        deadline = time.monotonic() + 5
        while httpx.head(url).status_code != 403:
            assert time.monotonic() < deadline
        with pytest.raises(httpx.RemoteProtocolError):
            for _ in pieces:
                pass


def test_second_service_on_the_port_ends_with_one_line(media):
    import subprocess
    import sys

    second = subprocess.run(
        [sys.executable, "-m", "recorder.media", "--home", str(media.home.root), "--port", str(media.port)],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert second.returncode == 1
    assert f"port {media.port}" in second.stderr.splitlines()[-1]
    assert "Traceback" not in second.stderr

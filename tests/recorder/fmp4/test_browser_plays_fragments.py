"""Chromium's Media Source Extensions take init and fragments as they are; their clock is Unix time."""

from __future__ import annotations

import base64
import shutil

import pytest

from recorder.samples import AudioParameters, VideoParameters

from .clips import START_S, encode_audio, encode_video, with_audio, write

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--autoplay-policy=no-user-gesture-required",
]

APPEND_AND_PLAY = """async ([mime, parts]) => {
  const video = document.querySelector('video');
  if (!MediaSource.isTypeSupported(mime)) return {error: 'unsupported ' + mime};
  const source = new MediaSource();
  video.src = URL.createObjectURL(source);
  await new Promise(done => source.addEventListener('sourceopen', done, {once: true}));
  const buffer = source.addSourceBuffer(mime);
  let failed = null;
  video.addEventListener('error', () => { failed = video.error.message; });
  buffer.addEventListener('error', () => { failed = failed || 'append failed'; });
  for (const part of parts) {
    buffer.appendBuffer(Uint8Array.from(atob(part), letter => letter.charCodeAt(0)));
    await new Promise(done => buffer.addEventListener('updateend', done, {once: true}));
    if (failed) return {error: failed};
  }
  const ranges = [...Array(video.buffered.length).keys()].map(i => [video.buffered.start(i), video.buffered.end(i)]);
  if (!ranges.length) return {error: 'nothing buffered'};
  video.currentTime = ranges[0][0] + 0.05;
  await new Promise(done => video.addEventListener('seeked', done, {once: true}));
  const from = video.currentTime;
  await video.play();
  await new Promise(done => {
    const look = () => video.currentTime > from + 0.5 || failed ? done() : requestAnimationFrame(look);
    look();
  });
  return {error: failed, ranges, from, now: video.currentTime, width: video.videoWidth, height: video.videoHeight};
}"""


def mime_of(video: VideoParameters, audio: AudioParameters | None) -> str:
    codecs = [video.rfc6381] + ([audio.rfc6381] if audio else [])
    return f'video/mp4; codecs="{", ".join(codecs)}"'


@pytest.mark.browser
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Debian's chromium")
@pytest.mark.parametrize(("b_frames", "has_audio"), [(0, False), (0, True), (2, True)])
def test_chromium_buffers_unix_time_and_plays(b_frames, has_audio):
    from playwright.sync_api import sync_playwright

    video = encode_video(b_frames=b_frames)
    clip = with_audio(video, encode_audio()) if has_audio else video
    written = write(clip)
    parts = [base64.b64encode(part).decode() for part in (written.init, *written.media)]
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS) as browser,
    ):
        page = browser.new_page()
        page.set_content("<video muted></video>")
        told = page.evaluate(APPEND_AND_PLAY, [mime_of(clip.video, clip.audio), parts])
    assert not told["error"], told
    assert len(told["ranges"]) == 1
    begin, end = told["ranges"][0]
    assert begin == pytest.approx(START_S, abs=0.001)
    assert end == pytest.approx(START_S + 3, abs=0.1)
    assert START_S < told["from"] < told["now"]
    assert (told["width"], told["height"]) == (320, 180)

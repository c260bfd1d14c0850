"""AudioSpecificConfig: what encoders write, and every way SBR and PS are announced."""

from __future__ import annotations

import av
import pytest

from recorder.codecs import aac_parameters, parse_aac_config


def bits(text: str) -> bytes:
    text = text.replace(" ", "")
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000, 96000])
@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1"])
def test_config_of_an_encoder_tells_rate_and_channels(rate, layout):
    context = av.CodecContext.create("aac", "w")
    context.sample_rate, context.layout, context.format = rate, layout, "fltp"
    context.open()
    audio = aac_parameters(bytes(context.extradata))
    assert (audio.sample_rate_hz, audio.channels) == (rate, context.layout.nb_channels)
    assert audio.rfc6381 == "mp4a.40.2"
    assert audio.config == bytes(context.extradata)


def test_explicit_sbr_doubles_rate_and_length():
    aac = parse_aac_config(bits("00101 0110 0010 0011 00010 000"))
    assert (aac.core_rate_hz, aac.sample_rate_hz, aac.channels, aac.frame_ticks) == (24000, 48000, 2, 2048)
    assert aac.rfc6381 == "mp4a.40.5"


def test_explicit_ps_makes_mono_stereo():
    aac = parse_aac_config(bits("11101 0111 0001 0100 00010 000"))
    assert (aac.core_rate_hz, aac.sample_rate_hz, aac.channels) == (22050, 44100, 2)
    assert aac.rfc6381 == "mp4a.40.29"


def test_backward_compatible_sbr_and_ps_are_found_behind_the_core():
    aac = parse_aac_config(bits("00010 0110 0001 000 01010110111 00101 1 0011 10101001000 1"))
    assert (aac.core_rate_hz, aac.sample_rate_hz, aac.channels, aac.frame_ticks) == (24000, 48000, 2, 2048)
    assert aac.rfc6381 == "mp4a.40.2"


def test_escaped_rate_and_short_frames():
    aac = parse_aac_config(bits("00010 1111" + f"{12345:024b}" + "0010 1 0 0"))
    assert (aac.sample_rate_hz, aac.channels, aac.frame_ticks) == (12345, 2, 960)


def test_program_config_element_names_the_channels():
    # One front pair, one side single, one LFE: 4 channels.
    element = "0000 01 0011" + "0001 0001 0000 01 000 0000" + "0 0 0" + "1 0000" + "0 0000" + "0000"
    head = "00010 0011 0000 000"
    text = (head + element).replace(" ", "")
    text += "0" * (-len(text) % 8) + "0" * 8
    assert parse_aac_config(bits(text)).channels == 4


@pytest.mark.parametrize(
    "config",
    [b"", b"\x12", b"\xff\xff", bits("00010 1101 0010 000"), bits("00010 0011 1000 000"), bytes(300)],
)
def test_unusable_configs_are_refused(config):
    with pytest.raises(ValueError):
        aac_parameters(config)

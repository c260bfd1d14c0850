"""Media tokens: only what was signed, in date, and not withdrawn."""

import base64
import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.media.tokens import TokenExpired, TokenRefused, sign_media_token, verify_media_token

KEY = b"k" * 32
CAMERA = str(uuid.uuid4())
CLAIMS = {
    "sub": "user:1",
    "sid": "session:x",
    "cam": CAMERA,
    "str": "main",
    "use": "live",
    "from": None,
    "to": None,
    "iat": 1000,
    "exp": 1300,
}


def test_signed_claims_come_back():
    claims = verify_media_token(sign_media_token(CLAIMS, KEY), KEY, 1100)
    assert (claims.subject, claims.session, claims.camera, claims.use) == (
        "user:1",
        "session:x",
        CAMERA,
        "live",
    )
    assert claims.allows_stream("main")
    assert not claims.allows_stream("sub")


def test_token_expires_to_the_second():
    token = sign_media_token(CLAIMS, KEY)
    verify_media_token(token, KEY, 1299.9)
    with pytest.raises(TokenExpired):
        verify_media_token(token, KEY, 1300)


def test_token_of_the_future_is_refused():
    with pytest.raises(TokenRefused):
        verify_media_token(sign_media_token(CLAIMS, KEY), KEY, 100)


def test_token_of_another_key_is_refused():
    with pytest.raises(TokenRefused):
        verify_media_token(sign_media_token(CLAIMS, b"x" * 32), KEY, 1100)


def test_changed_claims_are_refused():
    body, signature = sign_media_token(CLAIMS, KEY).split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["cam"] = str(uuid.uuid4())
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    with pytest.raises(TokenRefused):
        verify_media_token(f"{forged}.{signature}", KEY, 1100)


@given(st.integers(min_value=0, max_value=300))
def test_truncated_token_is_refused(length):
    token = sign_media_token(CLAIMS, KEY)
    if length < len(token):
        with pytest.raises(TokenRefused):
            verify_media_token(token[:length], KEY, 1100)


@given(st.text())
def test_nonsense_is_refused(text):
    with pytest.raises(TokenRefused):
        verify_media_token(text, KEY, 1100)


@pytest.mark.parametrize(
    "change",
    [{"cam": "../x"}, {"use": "admin"}, {"str": "third"}, {"from": "0"}, {"exp": float("nan")}, {"sub": 7}],
)
def test_claims_that_make_no_sense_are_not_signed(change):
    with pytest.raises(ValueError):
        sign_media_token({**CLAIMS, **change}, KEY)


def test_withdrawn_right_voids_older_tokens_of_the_person_and_the_session():
    claims = verify_media_token(sign_media_token(CLAIMS, KEY), KEY, 1100)
    assert claims.is_cut({"user:1": 1000.5})
    assert claims.is_cut({"session:x": 1001})
    assert not claims.is_cut({"user:1": 1000})
    assert not claims.is_cut({"user:2": 2000, "session:y": 2000})

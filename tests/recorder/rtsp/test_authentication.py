"""Vectors of RFC 7616 section 3.9.1, RFC 2617 section 3.5 and RFC 7617, and challenges as cameras write them."""

import re

from hypothesis import given
from hypothesis import strategies as st

from recorder.rtsp.auth import Authenticator, parse_challenges

RFC7616_NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
RFC7616 = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}, '
    f'nonce="{RFC7616_NONCE}", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


def answer(header, method="GET", uri="/dir/index.html", **credentials):
    values = {"username": "Mufasa", "password": "Circle of Life"} | credentials
    authenticator = Authenticator(**values)
    authenticator.accept([header])
    return authenticator.authorization(method, uri)


def field(text, name):
    return re.search(rf'\b{name}="?([^",]*)', text)[1]


def test_md5_digest_of_rfc_7616():
    text = answer(RFC7616.format(algorithm="MD5"), client_nonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")
    assert field(text, "response") == "8ca523f5e9506fed4657c9700eebdbec"
    assert "nc=00000001" in text
    assert 'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"' in text


def test_sha_256_digest_of_rfc_7616():
    nonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    text = answer(RFC7616.format(algorithm="SHA-256"), client_nonce=nonce)
    assert field(text, "response") == "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"


def test_digest_of_rfc_2617():
    header = (
        'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
        'opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    text = answer(header, password="Circle Of Life", client_nonce="0a4f113b")
    assert field(text, "response") == "6629fae49393a05397450978507c4ef1"


def test_digest_without_qop_is_that_of_rfc_2069():
    header = 'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"'
    text = answer(header, password="CircleOfLife")
    # RFC 2069 erratum 749.
    assert field(text, "response") == "1949323746fe6a43ef61f9606e7febea"
    assert "qop" not in text
    assert "cnonce" not in text


def test_basic_of_rfc_7617_in_utf_8():
    assert answer('Basic realm="WallyWorld"', username="Aladdin", password="open sesame") == (
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    )
    assert answer('Basic realm="foo", charset="UTF-8"', username="test", password="123£") == "Basic dGVzdDoxMjPCow=="


def test_hashed_user_name_is_sent_hashed():
    text = answer('Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth", userhash=true')
    assert "Mufasa" not in text
    assert "userhash=true" in text


def test_strongest_offer_is_taken_from_any_spelling():
    several = ['Basic realm="c"', 'Digest realm="c", nonce="a"', 'Digest realm="c", nonce="b", algorithm=SHA-256']
    joined = [", ".join(several)]
    for headers in (several, joined):
        assert [(offer.scheme, offer.algorithm) for offer in parse_challenges(headers)] == [
            ("digest", "sha256"),
            ("digest", "md5"),
            ("basic", ""),
        ]
    (offer,) = parse_challenges(['digest realm="IP Camera(12345)",nonce="4e2f" , stale="TRUE",algorithm="MD5"'])
    assert offer.is_stale
    assert parse_challenges(["Negotiate", 'Digest realm="x", nonce="y", algorithm=UNKNOWN']) == []


def test_comma_in_a_realm_does_not_end_it():
    (offer,) = parse_challenges(['Digest realm="Door, Digest east", nonce="1"'])
    assert offer.parameters["realm"] == "Door, Digest east"


def test_count_rises_with_each_request_of_a_nonce():
    authenticator = Authenticator("u", "p")
    authenticator.accept(['Digest realm="r", nonce="n", qop=auth'])
    counts = [field(authenticator.authorization("PLAY", "rtsp://h/"), "nc") for _ in range(3)]
    assert counts == ["00000001", "00000002", "00000003"]


def test_quote_in_a_user_name_is_escaped():
    assert 'username="a\\"b"' in answer('Digest realm="r", nonce="n"', username='a"b')


@given(st.lists(st.text(max_size=300), max_size=5))
def test_no_challenge_raises(headers):
    authenticator = Authenticator("u", "p")
    authenticator.accept(headers)
    authenticator.authorization("DESCRIBE", "rtsp://h/")

"""Bound to any other address the product speaks HTTPS, with a certificate of its own that names this machine."""

import http.client
import json
import ssl
from contextlib import contextmanager

import pytest
from websockets.sync.client import connect

from tests.product import OWNER, OWNER_PASSWORD, running_product, wait_for

ADDRESS = "127.0.0.2"


@pytest.fixture(scope="module")
def secured():
    with running_product(VMS_BIND=ADDRESS) as product:
        trust = ssl.create_default_context(cafile=product.home / "secrets" / "certificate.pem")
        yield product, trust


@contextmanager
def asked(secured, method, path, body=None, token=None, **headers):
    product, trust = secured
    connection = http.client.HTTPSConnection(ADDRESS, product.port, context=trust, timeout=10)
    headers["Content-Type"] = "application/json"
    if token:
        headers["Authorization"] = f"Bearer {token}"
    connection.request(method, path, json.dumps(body) if body else None, headers)
    try:
        yield connection.getresponse()
    finally:
        connection.close()


def ask_json(secured, method, path, body=None, token=None):
    with asked(secured, method, path, body, token) as answer:
        assert answer.status == 200, answer.read()
        return json.loads(answer.read())


@pytest.fixture(scope="module")
def token(secured):
    body = {"username": OWNER, "password": OWNER_PASSWORD}
    return ask_json(secured, "POST", "/api/v1/auth/token/", body)["token"]


@pytest.fixture(scope="module")
def camera(secured, token):
    def recording():
        rows = ask_json(secured, "GET", "/api/v1/cameras/", token=token)["results"]
        return next((row for row in rows if row["state"] == "recording"), None)

    return wait_for(recording, 60, "a camera records")


def test_cookies_travel_over_https_alone(secured):
    with asked(secured, "GET", "/sign-in/") as answer:
        cookies = answer.headers.get_all("Set-Cookie")
    assert cookies and all("Secure" in cookie and cookie.startswith("__Host-") for cookie in cookies)


@pytest.mark.parametrize("way", ["websocket_url", "proxy_websocket_url"])
def test_live_pictures_come_over_tls_directly_and_through_the_web_service(secured, token, camera, way):
    url = ask_json(secured, "GET", f"/api/v1/cameras/{camera['id']}/live/", token=token)[way]
    assert url.startswith("wss://")
    with connect(url, ssl=secured[1], proxy=None) as socket:
        assert json.loads(socket.recv(10))["codec"] == "h264"
        assert socket.recv(10)[4:8] == b"ftyp"


def test_a_snapshot_comes_through_the_web_service(secured, token, camera):
    with asked(secured, "GET", f"/api/v1/cameras/{camera['id']}/snapshot.jpg?proxy=1", token=token) as answer:
        where = answer.headers["Location"]
    with asked(secured, "GET", where) as picture:
        assert picture.status == 200 and picture.read(2) == b"\xff\xd8"


def test_a_foreign_host_name_is_refused(secured):
    with asked(secured, "GET", "/sign-in/", Host="elsewhere.example") as answer:
        assert answer.status == 400

import pytest
from rest_framework.test import APIClient


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_what_is_not_there_answers_in_the_apis_own_shape(db, method):
    answer = getattr(APIClient(), method)("/api/v1/nonsense/")
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["code"] == "not_found"


def test_a_lost_slash_is_found_again(viewer, api_of, camera):
    client = api_of(viewer)
    answer = client.get("/api/v1/cameras?search=harb")
    assert (answer.status_code, answer.headers["Location"]) == (301, "/api/v1/cameras/?search=harb")
    assert len(client.get("/api/v1/cameras?search=harb", follow=True).json()["results"]) == 1
    assert client.get("/api//evil.example/x").status_code == 404


def test_a_method_that_a_call_lacks_gets_405_in_the_same_shape(administrator, api_of, camera):
    answer = api_of(administrator).put(f"/api/v1/cameras/{camera.pk}/", {"name": "x"})
    assert answer.status_code == 405
    assert answer.json()["errors"][0]["code"] == "method_not_allowed"


def test_a_body_that_is_no_json_gets_400(administrator, api_of, server):
    client = api_of(administrator)
    answer = client.post("/api/v1/cameras/", "{", content_type="application/json")
    assert answer.status_code == 400 and answer.json()["errors"][0]["code"] == "parse_error"
    assert client.post("/api/v1/cameras/", "a=b", content_type="text/plain").status_code == 415

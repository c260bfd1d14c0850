"""The OpenAPI document is part of the outside: it changes in the commit that changes the API."""

from pathlib import Path

import pytest
import yaml
from django.core.management import call_command
from rest_framework.test import APIClient

KEPT = Path(__file__).parents[2] / "docs" / "reference" / "openapi.yaml"


def test_the_kept_document_is_the_current_one(tmp_path):
    made = tmp_path / "openapi.yaml"
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(made))
    hint = "manage.py spectacular --validate --fail-on-warn --file docs/reference/openapi.yaml"
    assert yaml.safe_load(made.read_text()) == yaml.safe_load(KEPT.read_text()), f"run: {hint}"


@pytest.mark.parametrize("url", ["/api/v1/schema/", "/api/v1/docs/"])
def test_the_document_is_for_signed_in_users(url, viewer, api_of):
    assert APIClient().get(url).status_code == 401
    assert api_of(viewer).get(url).status_code == 200


def test_the_docs_page_loads_nothing_from_elsewhere_and_has_no_inline_script(viewer, api_of):
    page = api_of(viewer).get("/api/v1/docs/").content.decode()
    assert "https://" not in page and "//cdn" not in page
    assert "<script>" not in page

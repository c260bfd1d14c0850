"""Errors of the API beyond what the framework has: each is one code and one sentence, in the documented shape."""

from __future__ import annotations

from rest_framework import exceptions, status


def refuse_field(attr: str, code: str, detail: str) -> exceptions.ValidationError:
    """A 400 about the field or parameter `attr`, to be raised by the caller."""
    return exceptions.ValidationError({attr: [exceptions.ErrorDetail(detail, code=code)]})


class Busy(exceptions.APIException):
    """503 with a time after which to try again."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE

    def __init__(self, code: str, detail: str, retry_after_s: int) -> None:
        super().__init__(detail, code)
        self.wait = retry_after_s


class NotThere(exceptions.APIException):
    """404 with a code that says what is missing."""

    status_code = status.HTTP_404_NOT_FOUND

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail, code)

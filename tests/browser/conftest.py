"""A person's page: signed in through the form, and no script error or blocked content goes unnoticed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.product import OWNER, OWNER_PASSWORD, Product, wait_for


def until(page: Any, expression: str, timeout_s: float = 15) -> Any:
    """The first true value of a JavaScript expression (Playwright's own waiting needs eval, which the CSP forbids)."""
    return wait_for(lambda: page.evaluate(expression), timeout_s, expression)


def sign_in(page: Any) -> None:
    page.get_by_label("User name").fill(OWNER)
    page.get_by_label("Password").fill(OWNER_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector(".rail, heron-wall, .page")


@pytest.fixture
def open_page(browser) -> Iterator[Callable[..., Any]]:
    """`open_page(product)` gives a page of an own context; at the end no page may have met an error."""
    contexts: list[Any] = []
    errors: list[str] = []

    def note(message: Any) -> None:
        if "Content Security Policy" in message.text:
            errors.append(message.text)

    def start(product: Product, **options: Any) -> Any:
        settings = {
            "viewport": {"width": 1440, "height": 900},
            "locale": "en-GB",
            "base_url": product.url,
            **options,
        }
        context = browser.new_context(**settings)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", note)
        return page

    yield start
    for context in contexts:
        context.close()
    assert errors == []

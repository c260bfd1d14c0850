"""Pages of lists: numbered for settings rows, by cursor for what only grows (events, audit)."""

from rest_framework.pagination import CursorPagination, PageNumberPagination

MAX_PAGE_SIZE = 500
"""Rows an answer; more would let one request hold a worker for long."""


class DefaultPagination(PageNumberPagination):
    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = MAX_PAGE_SIZE


class NewestFirstPagination(CursorPagination):
    """No count: counting millions of rows would cost more than the page. The view sets `ordering`."""

    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = MAX_PAGE_SIZE

    def get_ordering(self, request, queryset, view):
        return view.cursor_ordering

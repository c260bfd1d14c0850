"""Remembers the client's address for the audit trail. Forwarding headers are not believed: any client can send them."""

from asgiref.sync import iscoroutinefunction, markcoroutinefunction

from vms.audit.services import client_address


class ClientAddressMiddleware:
    sync_capable = True
    async_capable = True

    def __init__(self, get_response):
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request):
        client_address.set(request.META.get("REMOTE_ADDR") or None)
        return self.get_response(request)

"""WebSocket routes of the web service. Media has its own service and port."""

from django.urls import path

from vms.events.consumers import EventConsumer

websocket_urlpatterns = [path("ws/events/", EventConsumer.as_asgi())]

"""Response headers of every page: what the browser may load, and from where.

Media comes from the media services' own port on this host, so `connect-src` names the host of the request with any
of the site's media ports; nothing else outside the origin is allowed, and no inline script or style.
"""

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings

_DOCS_PREFIX = "/api/v1/docs/"


class ContentSecurityPolicyMiddleware:
    sync_capable = True
    async_capable = True

    def __init__(self, get_response):
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request):
        if self.is_async:
            return self._call_async(request)
        return self._with_headers(request, self.get_response(request))

    async def _call_async(self, request):
        return self._with_headers(request, await self.get_response(request))

    def _with_headers(self, request, response):
        response.headers.setdefault("Content-Security-Policy", content_security_policy(request))
        response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=(self)")
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if not request.path.startswith(settings.STATIC_URL):
            response.headers.setdefault("Cache-Control", "no-store")
        return response


def content_security_policy(request) -> str:
    host = request.META.get("HTTP_HOST", "").rsplit(":", 1)[0] or "localhost"
    scheme, socket = ("https", "wss") if request.is_secure() else ("http", "ws")
    media = f"{scheme}://{host}:{settings.VMS_MEDIA_PORT}"
    media_socket = f"{socket}://{host}:{settings.VMS_MEDIA_PORT}"
    # Swagger's page ships inline styles; it shows only the schema.
    style = "'self' 'unsafe-inline'" if request.path.startswith(_DOCS_PREFIX) else "'self'"
    script = "'self' 'unsafe-inline'" if request.path.startswith(_DOCS_PREFIX) else "'self'"
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {script}",
            f"style-src {style}",
            f"img-src 'self' blob: data: {media}",
            f"media-src 'self' blob: {media}",
            f"connect-src 'self' {media} {media_socket}",
            "worker-src 'self' blob:",
            "font-src 'self'",
            "manifest-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
        )
    )

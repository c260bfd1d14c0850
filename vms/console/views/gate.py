"""Before the product: signing in and out, and the one-time set-up of the owner."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import login, logout
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from vms.accounts.exceptions import LockedOutError, SetupClosedError, WrongCredentialsError
from vms.accounts.services import authenticate_person, create_owner, has_owner, is_setup_open, note_sign_out

_BACKEND = "django.contrib.auth.backends.ModelBackend"


def _next_page(request: HttpRequest) -> str:
    """Where to go after signing in; only within this origin."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    if url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure()):
        return wanted
    return resolve_url(settings.LOGIN_REDIRECT_URL)


@never_cache
@login_not_required
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    following = _next_page(request)
    if request.user.is_authenticated:
        return redirect(following)
    problem, status, username = "", 200, ""
    if request.method == "POST":
        username = request.POST.get("username", "")
        try:
            user = authenticate_person(
                username=username,
                password=request.POST.get("password", ""),
                address=request.META.get("REMOTE_ADDR") or None,
            )
        except WrongCredentialsError as err:
            problem, status = str(err), 401
        except LockedOutError as err:
            problem, status = str(err), 429
        else:
            login(request, user, backend=_BACKEND)
            return redirect(following)
    context = {"problem": problem, "username": username, "next": following, "has_owner": has_owner()}
    return render(request, "console/sign_in.html", context, status=status)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    note_sign_out(user=request.user)
    logout(request)
    return redirect(settings.LOGOUT_REDIRECT_URL)


@never_cache
@login_not_required
@sensitive_post_parameters("password", "password_again")
@require_http_methods(["GET", "POST"])
def owner_setup(request: HttpRequest, token: str) -> HttpResponse:
    """Makes the owner, once. A link that no longer holds says so and leads to sign-in."""
    if not is_setup_open(token):
        return render(request, "console/setup_closed.html", {"has_owner": has_owner()}, status=404)
    problems: list[str] = []
    given = request.POST
    if request.method == "POST":
        if given.get("password") != given.get("password_again"):
            problems = ["The two passwords differ."]
        else:
            try:
                owner = create_owner(
                    token=token,
                    username=given.get("username", "").strip(),
                    password=given.get("password", ""),
                    site_name=given.get("site_name", "").strip()[:120],
                )
            except SetupClosedError:
                return render(request, "console/setup_closed.html", {"has_owner": has_owner()}, status=404)
            except ValidationError as err:
                problems = err.messages
            else:
                login(request, owner, backend=_BACKEND)
                return redirect(settings.LOGIN_REDIRECT_URL)
    context = {"problems": problems, "username": given.get("username", ""), "site_name": given.get("site_name", "")}
    return render(request, "console/owner_setup.html", context, status=422 if problems else 200)

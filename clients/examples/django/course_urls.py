"""A Django site with a course for those who have it, told at once when that changes."""

from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, JsonResponse
from django.shortcuts import redirect
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from latchkey_client import Latchkey, WebhookError, verify_webhook

latchkey = Latchkey(settings.LATCHKEY_URL, settings.LATCHKEY_TOKEN)

View = Callable[..., HttpResponse]


def opens(product: str) -> Callable[[View], View]:
    """Lets in who may open the product now, and leads others to where it is sold."""

    def around(view: View) -> View:
        @login_required
        @wraps(view)
        def inner(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
            if not latchkey.has_access(product, email=request.user.email):
                return redirect(f"{settings.LATCHKEY_URL}/buy/{product}")
            return view(request, *args, **kwargs)

        return inner

    return around


@opens(settings.COURSE)
def course(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"lesson": f"Welcome, {request.user.email}"})


@csrf_exempt
@require_POST
def webhook(request: HttpRequest) -> HttpResponse:
    try:
        event = verify_webhook(settings.LATCHKEY_WEBHOOK_SECRET, request.body, request.headers)
    except WebhookError:
        return HttpResponseBadRequest("this wasn't signed by the site")
    if event["type"] == "access.ended":
        pass  # close the sessions of event["data"]["user"] here
    return HttpResponse(status=204)


urlpatterns = [path("course", course), path("webhooks/latchkey", webhook)]

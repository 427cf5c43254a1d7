"""Tells the page cache in front of Django which pages an edit changes.

Add "cloudflare_isr.Config" to INSTALLED_APPS, and "cloudflare_isr.middleware" at the end of MIDDLEWARE.
"""

import json
import logging
import urllib.request

from django.apps import AppConfig
from django.conf import settings
from django.db import transaction
from django.db.models.signals import m2m_changed, post_delete, post_save

log = logging.getLogger(__name__)

# What changes without an edit of a page: sessions, the time of a login, logs, drafts.
APPS_NOT_SHOWN = {
    *("admin", "auth", "contenttypes", "migrations", "sessions"),
    *("wagtailadmin", "wagtailsearch", "wagtailusers"),
}
MODELS_NOT_SHOWN = {
    *("wagtailcore.comment", "wagtailcore.modellogentry", "wagtailcore.pagelogentry", "wagtailcore.pagesubscription"),
    *("wagtailcore.referenceindex", "wagtailcore.revision", "wagtailcore.taskstate"),
}


def middleware(get_response):
    """Tags each page, and lets those who may edit pass the cache: with the cookie of the gateway's draft mode."""

    def answer(request):
        response = get_response(request)
        response["Cache-Tag"] = "django"
        user = getattr(request, "user", None)
        is_editor = user is not None and user.is_authenticated and user.is_staff
        has_cookie = "__isr_bypass" in request.COOKIES
        if settings.ISR_BYPASS_TOKEN and is_editor and not has_cookie:
            response.set_cookie(
                "__isr_bypass", settings.ISR_BYPASS_TOKEN, secure=request.is_secure(), httponly=True, samesite="Lax"
            )
        elif has_cookie and not is_editor:
            response.delete_cookie("__isr_bypass", samesite="Lax")
        return response

    return answer


def invalidate(*tags):
    """Invalidates all pages with one of these tags. The next visitor of each gets it as it is now."""
    if not settings.ISR_ADMIN_TOKEN:
        return
    request = urllib.request.Request(
        f"{settings.ISR_GATEWAY}/__isr/revalidate",
        data=json.dumps({"tags": tags}).encode(),
        headers={"Authorization": f"Bearer {settings.ISR_ADMIN_TOKEN}", "Content-Type": "application/json"},
    )
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except OSError:
        log.exception("the pages were not invalidated")


def changed(sender, **_):
    """Invalidates every page once after the transaction: an object may be listed on any page."""
    if sender._meta.app_label in APPS_NOT_SHOWN or sender._meta.label_lower in MODELS_NOT_SHOWN:
        return
    connection = transaction.get_connection()
    waiting = [function for _, function, _ in connection.run_on_commit]
    if invalidate_all not in waiting:
        transaction.on_commit(invalidate_all)


def invalidate_all():
    invalidate("django")


class Config(AppConfig):
    name = "cloudflare_isr"

    def ready(self):
        for signal in (post_save, post_delete, m2m_changed):
            signal.connect(changed)

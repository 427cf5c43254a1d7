from django.contrib import admin
from django.urls import include, path, re_path
from django.views.static import serve
from home import views
from wagtail import urls as wagtail_urls
from wagtail.admin import urls as wagtailadmin_urls
from wagtail.contrib.sitemaps.views import sitemap
from wagtail.documents import urls as wagtaildocs_urls

from project.settings import MEDIA_ROOT

urlpatterns = [
    path("django-admin/", admin.site.urls),
    path("admin/", include(wagtailadmin_urls)),
    path("documents/", include(wagtaildocs_urls)),
    path("search/", views.search),
    path("contact/", views.contact),
    path("feed/", views.LatestLamps()),
    path("sitemap.xml", sitemap),
    re_path(r"^media/(?P<path>.*)$", serve, {"document_root": MEDIA_ROOT}),
    path("", include(wagtail_urls)),
]

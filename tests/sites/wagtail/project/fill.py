"""Fills the site: pages in several scripts, an image, a document, a redirect, a page behind a password, a draft, users."""

import io
import os

import django
from django.core.management import call_command

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
django.setup()
call_command("makemigrations", "home", verbosity=0)
call_command("migrate", verbosity=0)
call_command("collectstatic", interactive=False, verbosity=0)

from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from home.models import HomePage, LampPage
from PIL import Image as Picture
from wagtail.contrib.redirects.models import Redirect
from wagtail.documents.models import Document
from wagtail.images.models import Image
from wagtail.models import Page, PageViewRestriction, Site

User = get_user_model()
User.objects.create_superuser("editor", "editor@site.test", "secret-of-the-editor")
User.objects.create_user("reader", "reader@site.test", "secret-of-the-reader")
root = Page.objects.get(depth=1)
Page.objects.filter(depth=2).delete()
root.refresh_from_db()
home = root.add_child(instance=HomePage(title="Lamps", slug="home", intro="<p>All lamps</p>"))
Site.objects.all().delete()
Site.objects.create(hostname="site.test", port=80, root_page=home, is_default_site=True, site_name="Lamps")
picture = io.BytesIO()
Picture.new("RGB", (1200, 800), "red").save(picture, "JPEG")
image = Image.objects.create(title="lamp", file=ContentFile(picture.getvalue(), "lamp.jpg"))
document = Document.objects.create(title="manual", file=ContentFile(b"A manual of lamps.\n" * 500, "manual.txt"))
for n in range(1, 13):
    page = LampPage(title=f"Lamp {n}", slug=f"lamp-{n}", body=f'<p>The lamp number {n}. <a linktype="document" id="{document.id}">Manual</a></p>', image=image if n % 3 == 0 else None)
    home.add_child(instance=page)
    page.save_revision().publish()
russian = home.add_child(instance=LampPage(title="Лампа", slug="лампа", body="<p>Красный свет</p>"))
team = home.add_child(instance=LampPage(title="Team", slug="team", body="<p>Us</p>"))
team.add_child(instance=LampPage(title="Ann", slug="ann", body="<p>Ann</p>"))
hidden = home.add_child(instance=LampPage(title="Hidden", slug="hidden", body="<p>The hidden text</p>"))
PageViewRestriction.objects.create(page=hidden, restriction_type="password", password="open")
home.add_child(instance=LampPage(title="Draft", slug="draft", body="<p>Not yet</p>", live=False))
Redirect.objects.create(old_path="/old-lamp", redirect_page=Page.objects.get(slug="lamp-1"), is_permanent=True)
Redirect.objects.create(old_path="/moved", redirect_link="/lamp-2/", is_permanent=False)
call_command("rebuild_references_index", verbosity=0)
call_command("update_index", verbosity=0)

from django.db import models
from wagtail.admin.panels import FieldPanel
from wagtail.fields import RichTextField
from wagtail.images import get_image_model_string
from wagtail.models import Page
from wagtail.search import index


class HomePage(Page):
    intro = RichTextField(blank=True)
    content_panels = Page.content_panels + [FieldPanel("intro")]

    def get_context(self, request, *args, **kwargs):
        context = super().get_context(request, *args, **kwargs)
        context["lamps"] = LampPage.objects.live().order_by("-first_published_at")[:5]
        return context


class LampPage(Page):
    body = RichTextField(blank=True)
    image = models.ForeignKey(get_image_model_string(), null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    content_panels = Page.content_panels + [FieldPanel("body"), FieldPanel("image")]
    search_fields = Page.search_fields + [index.SearchField("body")]

from django import forms
from django.contrib import messages
from django.contrib.syndication.views import Feed
from django.core.paginator import Paginator
from django.shortcuts import redirect, render
from wagtail.models import Page

from .models import LampPage


def search(request):
    query = request.GET.get("query", "")
    found = Page.objects.live().search(query) if query else Page.objects.none()
    return render(request, "home/search.html", {"query": query, "found": Paginator(found, 3).get_page(request.GET.get("page", 1))})


class ContactForm(forms.Form):
    name = forms.CharField(max_length=20)
    text = forms.CharField()


def contact(request):
    form = ContactForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        messages.success(request, f"Thank you, {form.cleaned_data['name']}")
        return redirect("/contact/")
    return render(request, "home/contact.html", {"form": form})


class LatestLamps(Feed):
    title = "Lamps"
    link = "/"

    def items(self):
        return LampPage.objects.live().order_by("-first_published_at")[:10]

    def item_link(self, item):
        return item.full_url

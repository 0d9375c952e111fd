"""URLs while somebody is in Django admin, which knows no practice: the script prefix names it."""

from django.urls import path

from trackstat.tenancy.admin import site

urlpatterns = [path("admin/", site.urls)]

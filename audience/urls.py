from django.urls import path

from audience.views import patient, patients

app_name = "audience"
urlpatterns = [
    path("", patients.patients, name="patients"),
    path("search/", patients.patient_search, name="patient_search"),
    path("<int:pk>/", patient.patient, name="patient"),
    path("<int:pk>/tags/", patient.put_tag, name="put_tag"),
    path("<int:pk>/tags/<int:tag_pk>/remove/", patient.take_tag, name="take_tag"),
]

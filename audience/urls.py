from django.urls import path

from audience.views import patient, patients

app_name = "audience"
urlpatterns = [
    path("patients/", patients.patients, name="patients"),
    path("patients/search/", patients.patient_search, name="patient_search"),
    path("patients/<int:pk>/", patient.patient, name="patient"),
    path("patients/<int:pk>/tags/", patient.put_tag, name="put_tag"),
    path("patients/<int:pk>/tags/<int:tag_pk>/remove/", patient.take_tag, name="take_tag"),
]

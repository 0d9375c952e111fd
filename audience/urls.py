from django.urls import path

from audience.views import audience, audiences, choices, patient, patients, tagging, tags

app_name = "audience"
urlpatterns = [
    path("patients/", patients.patients, name="patients"),
    path("patients/search/", patients.patient_search, name="patient_search"),
    path("patients/<int:pk>/", patient.patient, name="patient"),
    path("patients/<int:pk>/tags/", patient.put_tag, name="put_tag"),
    path("patients/<int:pk>/tags/<int:tag_pk>/remove/", patient.take_tag, name="take_tag"),
    path("patients/tag/", tagging.tag_patients, name="tag_patients"),
    path("tags/", tags.tags, name="tags"),
    path("tags/new/", tags.create_tag, name="create_tag"),
    path("tags/<int:pk>/rename/", tags.rename_tag, name="rename_tag"),
    path("tags/<int:pk>/merge/", tags.merge_tag, name="merge_tag"),
    path("tags/<int:pk>/take-off/", tags.take_tag_off_everyone, name="take_tag_off_everyone"),
    path("tags/<int:pk>/delete/", tags.delete_tag, name="delete_tag"),
    path("tags/jobs/<int:pk>/", tagging.tag_job, name="tag_job"),
    path("tags/jobs/<int:pk>/undo/", tagging.undo_tag_job, name="undo_tag_job"),
    path("audiences/", audiences.audiences, name="audiences"),
    path("audiences/choices/", choices.choices, name="choices"),
    path("audiences/new/", audience.new_audience, name="new_audience"),
    path("audiences/new/try/", audience.try_new_audience, name="try_new_audience"),
    path("audiences/new/save/", audience.create_audience, name="create_audience"),
    path("audiences/<int:pk>/", audience.audience, name="audience"),
    path("audiences/<int:pk>/count/", audiences.audience_count, name="audience_count"),
    path("audiences/<int:pk>/try/", audience.try_audience, name="try_audience"),
    path("audiences/<int:pk>/save/", audience.save_audience, name="save_audience"),
    path("audiences/<int:pk>/name/", audiences.rename_audience, name="rename_audience"),
    path("audiences/<int:pk>/copy/", audiences.copy_audience, name="copy_audience"),
    path("audiences/<int:pk>/delete/", audiences.delete_audience, name="delete_audience"),
]

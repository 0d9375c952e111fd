from django.urls import path

from campaigns.views import drips, lists, message, moves, name, review

app_name = "campaigns"
urlpatterns = [
    path("blasts/", lists.blasts, name="blasts"),
    path("blasts/new/", name.new_blast, name="new_blast"),
    path("drips/", lists.drips, name="drips"),
    path("drips/new/", drips.new_drip, name="new_drip"),
    path("drips/<int:pk>/", drips.drip, name="drip"),
    path("<int:pk>/", review.blast, name="blast"),
    path("<int:pk>/name/", name.name, name="name"),
    path("<int:pk>/message/", message.message, name="message"),
    path("<int:pk>/message/preview/", message.preview, name="preview"),
    path("<int:pk>/message/mail/<int:patient_pk>/", message.mail, name="mail"),
    path("<int:pk>/review/", review.review, name="review"),
    path("<int:pk>/enable/", moves.enable, name="enable"),
    path("<int:pk>/disable/", moves.disable, name="disable"),
    path("<int:pk>/pause/", moves.pause, name="pause"),
    path("<int:pk>/resume/", moves.resume, name="resume"),
    path("<int:pk>/stop/", moves.stop, name="stop"),
    path("<int:pk>/archive/", moves.archive, name="archive"),
]

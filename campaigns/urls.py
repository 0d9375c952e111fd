from django.urls import path

from campaigns.models import Campaign
from campaigns.views import audience, drips, households, lists, message, moves, name, preview, review, saved, tagging

app_name = "campaigns"
# Views that are the same for drips are told so; else they are about blasts.
DRIP = {"kind": Campaign.Kind.DRIP}
urlpatterns = [
    path("blasts/", lists.blasts, name="blasts"),
    path("blasts/new/", name.new_blast, name="new_blast"),
    path("drips/", lists.drips, name="drips"),
    path("drips/new/", drips.new_drip, name="new_drip"),
    path("drips/<int:pk>/", drips.drip, name="drip"),
    path("drips/<int:pk>/audience/", audience.drip_audience, name="drip_audience"),
    path("drips/<int:pk>/audience/save/", audience.save_audience, DRIP, name="save_drip_audience"),
    path("drips/<int:pk>/audience/why/", audience.explain, DRIP, name="explain_drip"),
    path("drips/<int:pk>/audience/use/", saved.use_audience, DRIP, name="use_drip_audience"),
    path("drips/<int:pk>/audience/keep/", saved.keep_audience, DRIP, name="keep_drip_audience"),
    path("blasts/<int:pk>/", review.blast, name="blast"),
    path("blasts/<int:pk>/name/", name.name, name="name"),
    path("blasts/<int:pk>/audience/", audience.audience, name="audience"),
    path("blasts/<int:pk>/audience/save/", audience.save_audience, name="save_audience"),
    path("blasts/<int:pk>/audience/household/", households.household, name="household"),
    path("blasts/<int:pk>/audience/households/", households.households, name="households"),
    path("blasts/<int:pk>/audience/tag/", tagging.tag_audience, name="tag_audience"),
    path("blasts/<int:pk>/audience/load/", audience.load, name="load"),
    path("blasts/<int:pk>/audience/remove/", audience.remove, name="remove"),
    path("blasts/<int:pk>/audience/undo/", audience.undo_removal, name="undo_removal"),
    path("blasts/<int:pk>/audience/why/", audience.explain, name="explain"),
    path("blasts/<int:pk>/audience/use/", saved.use_audience, name="use_audience"),
    path("blasts/<int:pk>/audience/keep/", saved.keep_audience, name="keep_audience"),
    path("blasts/<int:pk>/freshness/", saved.freshness, name="freshness"),
    path("blasts/<int:pk>/panel/", audience.panel, name="panel"),
    path("blasts/<int:pk>/tag-action/", tagging.tag_action, name="tag_action"),
    path("blasts/<int:pk>/message/", message.message, name="message"),
    path("blasts/<int:pk>/message/preview/", preview.preview, name="preview"),
    path("blasts/<int:pk>/message/mail/<int:patient_pk>/", preview.mail, name="mail"),
    path("blasts/<int:pk>/review/", review.review, name="review"),
    path("<int:pk>/enable/", moves.enable, name="enable"),
    path("<int:pk>/disable/", moves.disable, name="disable"),
    path("<int:pk>/pause/", moves.pause, name="pause"),
    path("<int:pk>/resume/", moves.resume, name="resume"),
    path("<int:pk>/stop/", moves.stop, name="stop"),
    path("<int:pk>/archive/", moves.archive, name="archive"),
]

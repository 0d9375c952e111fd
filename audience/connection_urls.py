from django.urls import path

from audience.views import connection_columns, connection_runs, connections, opt_out_lists

app_name = "connections"
urlpatterns = [
    path("", connections.index, name="index"),
    path("add/", connections.add, name="add"),
    path("opt-outs/", opt_out_lists.index, name="opt_out_lists"),
    path("opt-outs/<int:pk>/", opt_out_lists.opt_out_list, name="opt_out_list"),
    path("<int:pk>/", connections.connection, name="connection"),
    path("<int:pk>/edit/", connections.edit, name="edit"),
    path("<int:pk>/columns/", connection_columns.columns, name="columns"),
    path("<int:pk>/key/", connections.new_key, name="new_key"),
    path("<int:pk>/switch/", connections.switch, name="switch"),
    path("<int:pk>/remove/", connections.remove, name="remove"),
    path("<int:pk>/test/", connection_runs.test, name="test"),
    path("<int:pk>/run/", connection_runs.run, name="run"),
    path("<int:pk>/stop/", connection_runs.stop, name="stop"),
    path("<int:pk>/runs/<int:sync_pk>/", connection_runs.sync, name="sync"),
    path("<int:pk>/runs/<int:sync_pk>/rejected.csv", connection_runs.rejected, name="rejected"),
]

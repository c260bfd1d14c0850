"""Pages of the console, and the fragments that htmx fetches for them."""

from django.urls import path
from django.views.generic.base import RedirectView

from vms.console.views import gate, pictures, setup

app_name = "console"

urlpatterns = [
    path("", pictures.wall, name="wall"),
    path("cameras/", RedirectView.as_view(pattern_name="console:wall")),
    path("cameras/<uuid:camera_id>/", pictures.camera, name="camera"),
    path("sign-in/", gate.sign_in, name="sign-in"),
    path("sign-out/", gate.sign_out, name="sign-out"),
    path("set-up/", setup.home, name="setup"),
    path("set-up/cameras/", setup.cameras, name="setup-cameras"),
    path("set-up/cameras/add/", setup.add_camera, name="add-camera"),
    path("set-up/cameras/remove-demo/", setup.remove_demo, name="remove-demo"),
    path("set-up/cameras/<uuid:camera_id>/", setup.edit_camera, name="setup-camera"),
    path("set-up/cameras/<uuid:camera_id>/switch/", setup.switch_camera, name="switch-camera"),
    path("set-up/cameras/<uuid:camera_id>/delete/", setup.remove_camera, name="delete-camera"),
    path("set-up/cameras/<uuid:camera_id>/reconnect/", setup.reconnect_camera, name="reconnect-camera"),
    path("set-up/servers/", setup.servers, name="setup-servers"),
    path("set-up/volumes/<uuid:volume_id>/switch/", setup.switch_volume, name="switch-volume"),
    path("set-up/<str:token>/", gate.owner_setup, name="owner-setup"),
    path("fragments/tree/", pictures.tree, name="tree-fragment"),
    path("fragments/count/", pictures.count, name="count-fragment"),
    path("fragments/cameras/", setup.camera_table, name="camera-table-fragment"),
    path("fragments/servers/", setup.server_table, name="server-table-fragment"),
]

from django.urls import path

from . import views

urlpatterns = [
    path("accounts/new/", views.new_account),
    path("accounts/login/", views.log_in),
    path("accounts/logout/", views.log_out),
    path("accounts/self/", views.myself),
    path("posts/", views.posts),
    path("posts/<int:number>/", views.one_post),
]

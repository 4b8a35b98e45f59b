"""Routes under /identity; with and without a slash where clients use both."""

from django.urls import path, re_path

from identity import views

urlpatterns = [
    re_path(r"^identity/?\Z", views.Versions.as_view()),
    re_path(r"^identity/v3/?\Z", views.Version.as_view()),
    path("identity/v3/auth/tokens", views.Tokens.as_view()),
    path("identity/v3/auth/projects", views.OwnProjects.as_view()),
    path("identity/v3/auth/catalog", views.Catalog.as_view()),
    path("identity/v3/projects", views.Projects.as_view()),
    path("identity/v3/projects/<str:ident>", views.ProjectDetail.as_view()),
    path("identity/v3/users", views.Users.as_view()),
    path("identity/v3/users/<str:ident>", views.UserDetail.as_view()),
]

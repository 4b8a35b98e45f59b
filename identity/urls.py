"""Routes under /identity; with and without a slash where clients use both."""

from django.urls import path, re_path

from identity.views import auth, projects, roles, users

urlpatterns = [
    re_path(r"^identity/?\Z", auth.Versions.as_view()),
    re_path(r"^identity/v3/?\Z", auth.Version.as_view()),
    path("identity/v3/auth/tokens", auth.Tokens.as_view()),
    path("identity/v3/auth/catalog", auth.Catalog.as_view()),
    path("identity/v3/auth/projects", projects.OwnProjects.as_view()),
    path("identity/v3/projects", projects.Projects.as_view()),
    path("identity/v3/projects/<str:ident>", projects.ProjectDetail.as_view()),
    path("identity/v3/users", users.Users.as_view()),
    path("identity/v3/users/<str:ident>", users.UserDetail.as_view()),
    path("identity/v3/users/<str:ident>/password", users.OwnPassword.as_view()),
    path("identity/v3/users/<str:ident>/projects", projects.ProjectsOfUser.as_view()),
    path("identity/v3/domains", roles.Domains.as_view()),
    path("identity/v3/domains/<str:ident>", roles.DomainDetail.as_view()),
    path("identity/v3/roles", roles.Roles.as_view()),
    path("identity/v3/roles/<str:ident>", roles.RoleDetail.as_view()),
    path("identity/v3/role_assignments", roles.Assignments.as_view()),
    path("identity/v3/projects/<str:project>/users/<str:user>/roles", roles.Grants.as_view()),
    path("identity/v3/projects/<str:project>/users/<str:user>/roles/<str:role>", roles.Grant.as_view()),
    path("identity/v3/system/users/<str:user>/roles", roles.Grants.as_view()),
    path("identity/v3/system/users/<str:user>/roles/<str:role>", roles.Grant.as_view()),
]

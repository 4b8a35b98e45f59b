"""Routes under /identity; with and without a slash where clients use both."""

from django.urls import include, path, re_path

from identity.views import auth, credentials, projects, roles, users

_version_3 = [
    path("auth/tokens", auth.Tokens.as_view()),
    path("auth/catalog", auth.Catalog.as_view()),
    path("auth/projects", projects.OwnProjects.as_view()),
    path("projects", projects.Projects.as_view()),
    path("projects/<str:ident>", projects.ProjectDetail.as_view()),
    path("users", users.Users.as_view()),
    path("users/<str:ident>", users.UserDetail.as_view()),
    path("users/<str:ident>/password", users.OwnPassword.as_view()),
    path("users/<str:ident>/projects", projects.ProjectsOfUser.as_view()),
    path("users/<str:user>/application_credentials", credentials.Credentials.as_view()),
    path("users/<str:user>/application_credentials/<str:ident>", credentials.CredentialDetail.as_view()),
    path("users/<str:user>/access_rules", credentials.AccessRules.as_view()),
    path("users/<str:user>/access_rules/<str:ident>", credentials.AccessRuleDetail.as_view()),
    path("domains", roles.Domains.as_view()),
    path("domains/<str:ident>", roles.DomainDetail.as_view()),
    path("roles", roles.Roles.as_view()),
    path("roles/<str:ident>", roles.RoleDetail.as_view()),
    path("role_assignments", roles.Assignments.as_view()),
    path("projects/<str:project>/users/<str:user>/roles", roles.Grants.as_view()),
    path("projects/<str:project>/users/<str:user>/roles/<str:role>", roles.Grant.as_view()),
    path("system/users/<str:user>/roles", roles.Grants.as_view()),
    path("system/users/<str:user>/roles/<str:role>", roles.Grant.as_view()),
]
urlpatterns = [
    re_path(r"^identity/?\Z", auth.Versions.as_view()),
    re_path(r"^identity/v3/?\Z", auth.Version.as_view()),
    path("identity/v3/", include(_version_3)),
]

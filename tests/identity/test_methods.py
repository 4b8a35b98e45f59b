"""Methods that the routes of identity have not. Whom they let use those that they have is in `tests/matrix`."""

from tests.identity.base import AdminCase


class MethodTests(AdminCase):
    def test_it_answers_405_for_methods_that_a_route_has_not(self):
        for method, path in (
            ("DELETE", "projects"),
            ("PUT", "users/x"),
            ("POST", "roles"),
            ("PATCH", "domains/x"),
        ):
            self.refused(405, method, path)

"""Wrong values of every attribute: the right 4xx in the service's own shape, never 5xx, and no row written."""

from __future__ import annotations

from typing import Any

from tests.bays.bad_input import BadInputCase

HUGE = (2**31, 2**63, 10**30, -1, -(2**31), -(2**63) - 1)
NOT_A_COUNT: tuple[Any, ...] = (
    *HUGE,
    "",
    "x",
    "1e3",
    "0x10",
    "1.0",
    "\u0661",
    "1\x00",
    " 1",
    1.5,
    True,
    False,
    [],
    [1],
    {},
    {"a": 1},
)
NOT_TEXT: tuple[Any, ...] = (1, 1.5, True, [], ["x"], {}, {"a": "b"}, "\x00", "a\x00b", "x" * 2000)
NOT_LABELS: tuple[Any, ...] = (
    *(1, True, "x", [], [["a", "b"]], {"a": None}, {"a": {}}, {"a": [1]}, {"a": "\x00"}, {"\x00": "a"}),
    *({"x" * 300: "a"}, {"a": "x" * 5000}, {str(n): "" for n in range(300)}),
)
NOT_TRUTH: tuple[Any, ...] = (2, -1, "yess", "", "01", [], {}, 1.5, 1.0)
NOT_A_NAME: tuple[Any, ...] = (
    *(
        "",
        " ",
        "1abc",
        "-x",
        "a b",
        "a/b",
        "../../etc/passwd",
        "a\r\nX-Evil: 1",
        "a\n",
        "<script>alert(1)</script>",
    ),
    *("a'b", 'a"b', "a;--", "bäy", "بحر", "\u202eabc", "🚢", "a\x00", "a" * 243, 5, True, [], {}),
)
READ_ONLY = {
    *("uuid", "id", "status", "status_reason", "stack_id", "project_id", "user_id", "links", "created_at"),
    *("updated_at", "epoch", "holder", "lease_until", "not_before", "attempts", "operation", "sent_for"),
    *("api_address", "node_addresses", "health_status", "faults", "pk", "_state", "__class__", "baymodel"),
}


class BadValueTests(BadInputCase):
    def assert_refused_values(self, method, path, wrap, tables):
        for name, values in tables.items():
            for value in values:
                with self.subTest(path=path, name=name, value=repr(value)[:60]):
                    self.refused(self.ask(method, path, wrap(name, value)), 400)

    def test_values_of_a_new_bay(self):
        counts = dict.fromkeys(("node_count", "master_count", "docker_volume_size"), NOT_A_COUNT)
        texts = dict.fromkeys(
            ("keypair", "flavor_id", "fixed_network", "fixed_subnet", "discovery_url"), NOT_TEXT
        )
        truths = dict.fromkeys(("floating_ip_enabled", "master_lb_enabled", "merge_labels"), NOT_TRUTH)
        shared = {"name": NOT_A_NAME, "labels": NOT_LABELS, "master_count": (0, None, *NOT_A_COUNT)}
        for path, model, timeout in (
            ("/clusters", "cluster_template_id", "create_timeout"),
            ("/bays", "baymodel_id", "bay_create_timeout"),
        ):
            own = {model: (None, "", *NOT_TEXT), timeout: NOT_A_COUNT}
            least = {model: str(self.model.pk)}
            tables = counts | texts | truths | shared | own
            self.assert_refused_values("POST", path, lambda k, v, least=least: {**least, k: v}, tables)
            for name in READ_ONLY | {"Name", "name ", "nmae", "\u202e", "x" * 1000}:
                self.refused(self.post(path, {**least, name: "x"}), 400, "Unknown attribute")

    def test_values_of_a_resize_and_a_patch(self):
        for path in (f"/clusters/{self.bay.pk}", f"/bays/{self.bay.pk}"):
            counts = {"node_count": (None, *NOT_A_COUNT)}
            self.assert_refused_values("POST", f"{path}/actions/resize", lambda k, v: {k: v}, counts)
            removed = {"nodes_to_remove": (1, "x", {}, [1], [None], [["x"]], ["x"]), "nodegroup": NOT_TEXT}
            self.assert_refused_values(
                "POST", f"{path}/actions/resize", lambda k, v: {"node_count": 2, k: v}, removed
            )
            self.assert_refused_values(
                "PATCH", path, lambda k, v: [{"op": "replace", "path": f"/{k}", "value": v}], counts
            )
            for name in READ_ONLY:
                for op in ("add", "replace", "remove"):
                    patch_ = [{"op": op, "path": f"/{name}", "value": "x"}]
                    self.refused(self.patch(path, patch_), 400)
                self.refused(
                    self.post(f"{path}/actions/resize", {"node_count": 2, name: "x"}), 400, "Unknown"
                )

    def test_values_of_a_baymodel(self):
        texts = (
            "keypair_id",
            "flavor_id",
            "master_flavor_id",
            "dns_nameserver",
            "external_network_id",
            "fixed_network",
            "docker_storage_driver",
            "cluster_distro",
            "http_proxy",
            "tags",
            "driver",
        )
        tables = {
            **dict.fromkeys(texts, NOT_TEXT),
            **dict.fromkeys(("public", "hidden", "tls_disabled", "registry_enabled"), NOT_TRUTH),
            "docker_volume_size": NOT_A_COUNT,
            "apiserver_port": (*NOT_A_COUNT, 0, 1023, 65536),
            "labels": NOT_LABELS,
            "name": ("", *NOT_TEXT),
            "coe": (None, "", "mesos", *NOT_TEXT),
            "image_id": (None, "", *NOT_TEXT),
            "server_type": (None, "", "x", 1, True, [], {}),
            "network_driver": ("", "x", 1, True, [], {}),
        }
        for collection in ("clustertemplates", "baymodels"):
            least = {"coe": "demo", "image_id": "i"}
            self.assert_refused_values(
                "POST", f"/{collection}", lambda k, v, least=least: {**least, k: v}, tables
            )
            changed = {k: [v for v in vs if (k, v) != ("labels", [])] for k, vs in tables.items()}
            self.assert_refused_values(
                "PATCH",
                f"/{collection}/{self.model.pk}",
                lambda k, v: [{"op": "replace", "path": f"/{k}", "value": v}],
                changed,
            )
            for name in READ_ONLY:
                self.refused(self.post(f"/{collection}", {**least, name: "x"}), 400, "Unknown attribute")

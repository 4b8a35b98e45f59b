"""Schemathesis against a live server: what it is told, the rows that it finds there, and in whose name it asks."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Final

from django.conf import settings
from django.test import LiveServerTestCase, override_settings
from django.utils import timezone

from api.openapi.document import describe
from api.versions import HEADER, Service
from bays.models import Quota
from deploy.state import ROOT, State
from deploy.venvs import Installer, Venv
from identity import tokens
from identity.models import Assignment, Project, Role, User
from lifecycle.models import Operation
from tests import make
from volumes.models import Attachment, DefaultType, Encryption, Message, QosSpecs, Transfer

FUZZ: Final = Venv("Schemathesis", ROOT / ".venv-fuzz", (ROOT / "deploy" / "requirements-fuzz.txt",))
EXAMPLES: Final = int(os.environ.get("EXAMPLES") or 2)  # per operation and phase; make fuzz EXAMPLES=100
SEED: Final = os.environ.get("SEED") or "1"
PHASES: Final = os.environ.get("PHASES") or "fuzzing"
CHECKS: Final = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance"),
    *("response_headers_conformance", "response_schema_conformance", "negative_data_rejection"),
    "unsupported_method",
)
OF_EACH: Final = 4  # rows: some are deleted on the way
PLENTY: Final = {**settings.VOLUME_QUOTAS, "volumes": -1, "gigabytes": -1, "snapshots": -1}


@override_settings(ROOT_URLCONF="project.urls", BAY_QUOTA=100_000, VOLUME_QUOTAS=PLENTY, CONNECT_WAIT=0.02)
class FuzzCase(LiveServerTestCase):
    """A project with a few of everything; who asks is one of its people."""

    home: ClassVar[Path]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        directory = tempfile.TemporaryDirectory(prefix="roadstead-fuzz-")
        cls.addClassCleanup(directory.cleanup)
        cls.home = Path(directory.name)
        if not FUZZ.is_current():
            Installer(State(cls.home)).ensure(FUZZ)

    def setUp(self) -> None:
        super().setUp()
        tokens.forget()
        self.addCleanup(tokens.forget)
        self.project = Project.objects.create(name="fuzz")
        self.people = {role: User.objects.create(username=role, password="!") for role in Role.values}
        for role, user in self.people.items():
            Assignment.objects.create(user=user, project=self.project, role=role)
        self.known = {name: [str(each) for each in found] for name, found in self._rows()}

    def _rows(self) -> Iterator[tuple[str, list[Any]]]:
        """Yield the ids that a path may name, by the word before them."""
        owner: dict[str, Any] = {"project_id": self.project.pk, "user_id": self.people[Role.MEMBER].pk}
        each = range(OF_EACH)
        models = [make.baymodel(**owner) for _ in each]
        bays = [
            make.bay("CREATE_COMPLETE", model=model, api_address="https://10.0.0.1:6443", **owner)
            for model in models
        ]
        pool = make.pool()
        kinds = [make.volume_type(f"type{number}", extra_specs={"a": "1"}) for number in each]
        volumes = [make.volume("available", type=kinds[0], metadata={"a": "1"}, **owner) for _ in each]
        snapshots = [make.snapshot(volume) for volume in volumes]
        offered = [make.volume("awaiting-transfer", **owner) for _ in each]
        later = timezone.now() + timedelta(days=1)
        told = {"resource_type": "VOLUME", "event_id": "x", "user_message": "m", "guaranteed_until": later}
        Encryption.objects.create(type=kinds[1], provider="luks")
        DefaultType.objects.create(pk=self.project.pk, type=kinds[2])
        Quota.objects.update_or_create(pk=self.project.pk, defaults={"hard_limit": 100_000})
        make.node(uuid.uuid4(), name="node1", serves=[pool.backend])
        spare = [User.objects.create(username=f"spare{number}") for number in each]
        places = [Project.objects.create(name=f"spare{number}") for number in each]
        yield from {"clusters": [row.pk for row in bays], "bays": [row.pk for row in bays]}.items()
        yield "certificates", [row.pk for row in bays]
        yield "nodegroups", [*(make.nodegroup(row).pk for row in bays), "default-worker", "default-master"]
        yield from ((word, [row.pk for row in models]) for word in ("clustertemplates", "baymodels"))
        yield "operations", list(Operation.objects.values_list("pk", flat=True)[:OF_EACH])
        yield from ((word, [self.project.pk]) for word in ("quotas", "os-quota-sets", "default-types"))
        yield "volumes", [row.pk for row in volumes]
        yield "snapshots", [row.pk for row in snapshots]
        yield (
            "attachments",
            [Attachment.objects.create(volume=row, status="reserved", **owner).pk for row in volumes[:2]],
        )
        transfers = [self._offer(row).pk for row in offered]
        yield from ((word, transfers) for word in ("volume-transfers", "os-volume-transfer"))
        yield "messages", [Message.objects.create(project_id=self.project.pk, **told).pk for _ in each]
        yield "types", [row.pk for row in kinds]
        yield "qos-specs", [QosSpecs.objects.create(name=f"qos{n}", specs={"a": "1"}).pk for n in each]
        yield "os-quota-class-sets", ["default"]
        yield from ((word, [f"node1@{pool.backend}"]) for word in ("os-hosts", "capabilities"))
        yield "extensions", ["os-hosts"]
        yield "users", [row.pk for row in spare]
        yield "projects", [row.pk for row in places]
        yield "domains", ["default"]
        yield "roles", ["member", "reader"]
        yield from {"metadata": ["a"], "extra_specs": ["a"], "encryption": ["provider"]}.items()

    def _offer(self, volume: Any) -> Transfer:
        return Transfer.objects.create(volume=volume, project_id=self.project.pk, name="offer")

    def description(self, service: Service) -> Path:
        """Write the description as it is to be tried: with ids of what there is in paths."""
        told = describe(service)
        for path, item in told["paths"].items():
            for parameter in item.get("parameters", []):
                before = re.search(rf"/([^/{{]+)/{{{parameter['name']}}}", path)
                known = self.known.get(before[1] if before else "", ["Cluster"])
                parameter["schema"] = {"anyOf": [{"enum": known}, parameter["schema"]]}
                parameter["examples"] = {"known": {"value": known[0]}}
        target = self.home / f"{service.type}.json"
        target.write_text(json.dumps(told))
        return target

    def fuzz(self, service: Service, role: str | None, version: str | None = "latest") -> None:
        """Have Schemathesis ask all that the description of a service says, in the name of one of the people.

        Without `version` it picks one itself for each request.
        """
        headers = []
        if role is not None:
            headers = ["-H", f"X-Auth-Token:{tokens.issue(self.people[role], self.project.pk)}"]
        if service.history and version:
            headers += ["-H", f"{HEADER}:{service.word} {version}"]
        command = [
            str(FUZZ.path / "bin" / "st"),
            *("run", str(self.description(service)), "--url", self.live_server_url, *headers),
            *("--seed", SEED, "--max-examples", str(EXAMPLES), "--phases", PHASES, "--workers", "2"),
            *("--checks", ",".join(CHECKS), "--generation-database", "none", "--warnings", "off"),
            *("--suppress-health-check", "all", "--no-color", "--continue-on-failure"),
        ]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=self.home, timeout=3600
        )
        self.assertEqual(done.returncode, 0, f"{done.stdout[-60_000:]}\n{done.stderr[-2000:]}")

"""Files without rows and rows without files: found, told, and removed only where that is provably right."""

from __future__ import annotations

import io
import shutil
import uuid

from django.core.management import CommandError, call_command
from django.test import TestCase

from identity.models import Project
from lifecycle import leases
from lifecycle.models import Operation
from sync import storage as sweep
from sync.models import Cursor
from sync.storage import Kind, look, remove
from tests import make
from tests.volumes.storing import Stored, gib
from volumes import storage
from volumes.actions import volumes
from volumes.actions.volumes import Wish
from volumes.backends.base import Fenced, Ref
from volumes.models import Pool, Volume


class StorageCase(Stored, TestCase):
    options = "chunk_size = 65536"

    def setUp(self):
        self.set_up_storage(self)

    def found(self, backend="fast"):
        return [(each.kind, each.id) for each in look(backend)]

    def a_file(self, size=1, backend="fast") -> uuid.UUID:
        """Store something that no row and no record knows."""
        ident = uuid.uuid4()
        storage.backend(backend).create(Ref("one", ident), gib(size), epoch=1)
        return ident

    def resurrect(self, volume: Volume) -> None:
        """Have the file of a volume that was deleted there again, as if the storage had been restored."""
        (self.root / "fast" / "volumes" / str(volume.pk)).write_bytes(b"back again")

    def deleted(self) -> Volume:
        volume: Volume = self.create()
        self.work(volumes.delete(self.by, "", volume))
        return volume

    def half_made(self, ident: uuid.UUID, backend="fast") -> None:
        """Leave an unfinished copy under the id."""
        source = Ref("one", self.a_file(backend=backend))
        with (self.root / backend / "volumes" / str(source.id)).open("r+b") as file:
            file.write(b"x" * (1 << 18))
        storage.backend(backend).copy(source, Ref("one", ident), gib(1), epoch=1, go_on=lambda: False)
        storage.backend(backend).delete(source, epoch=1)


class LookTests(StorageCase):
    def test_what_rows_own_is_no_finding_whatever_is_done_with_it(self):
        volume = self.create()
        self.snap(volume)
        volumes.create(self.by, "", Wish(size=1))
        half = volumes.create(self.by, "", Wish(source_volid=str(volume.pk)))
        self.half_made(half.pk)
        self.assertEqual(look("fast"), [])

    def test_a_file_that_no_record_knows(self):
        self.assertEqual(self.found(), [])
        unknown = self.a_file()
        self.assertEqual(self.found(), [(Kind.UNKNOWN, unknown)])

    def test_a_file_whose_delete_is_on_record(self):
        volume = self.deleted()
        self.resurrect(volume)
        self.assertEqual(self.found(), [(Kind.OVER, volume.pk)])
        Operation.objects.filter(action="delete").update(state="FAILED")
        self.assertEqual(self.found(), [(Kind.UNKNOWN, volume.pk)])

    def test_a_file_that_a_volume_left_in_a_pool_that_could_not_make_it(self):
        volume = self.create()
        Volume.objects.update(backend="slow", tried=[{"pool": "fast#one", "reason": "full"}])
        self.assertEqual(self.found(), [(Kind.OVER, volume.pk)])
        Volume.objects.update(tried=[])
        self.assertEqual(self.found(), [(Kind.UNKNOWN, volume.pk)])

    def test_a_file_that_is_none_of_ours(self):
        (self.root / "fast" / "volumes" / "notes.txt").write_text("hello")
        (finding,) = look("fast")
        self.assertEqual((finding.kind, finding.id), (Kind.FOREIGN, None))
        self.assertIn("notes.txt", str(finding))

    def test_an_unfinished_write_of_a_row_at_rest(self):
        volume = self.create()
        self.file(volume).unlink()
        self.half_made(volume.pk)
        self.assertEqual(sorted(self.found()), [(Kind.LEFT, volume.pk), (Kind.MISSING, volume.pk)])

    def test_a_row_without_a_file(self):
        volume = self.create()
        snapshot = self.snap(volume)
        self.file(volume).unlink()
        self.file(snapshot).unlink()
        self.assertEqual(set(self.found()), {(Kind.MISSING, volume.pk), (Kind.MISSING, snapshot.pk)})
        Volume.objects.update(status="error")  # then it is known
        self.assertEqual(self.found(), [(Kind.MISSING, snapshot.pk)])

    def test_it_is_told_once_in_a_while_by_whichever_node_comes_first(self):
        self.a_file()
        self.a_file(backend="slow")
        with self.assertLogs("sync.storage", "WARNING") as logged:
            self.assertEqual((sweep.tell(), sweep.tell()), (2, 0))
        self.assertEqual(len(logged.records), 2)
        Cursor.objects.update(not_before="2020-01-01T00:00Z")
        with self.settings(SERVES=["slow"]):
            self.assertEqual(sweep.tell(), 1)

    def test_a_back_end_that_cannot_be_listed_is_marked_down_and_does_not_hide_the_others(self):
        self.a_file(backend="slow")
        shutil.move(self.root / "fast", self.root / "away")
        self.assertEqual(sweep.tell(), 1)
        self.assertIsNotNone(Pool.objects.get(pk="fast#one").down_since)


class RemoveTests(StorageCase):
    def test_what_is_over_is_removed_for_ever(self):
        volume = self.deleted()
        self.resurrect(volume)
        (finding,) = look("fast")
        remove(finding)
        self.assertEqual((self.files(), self.found()), ([], []))
        with self.assertRaises(Fenced):
            storage.backend("fast").create(volume.ref, gib(1), epoch=10**9)

    def test_what_is_not_provably_over_is_not(self):
        kept = self.create()
        self.a_file()
        (self.root / "fast" / "volumes" / "notes.txt").write_text("hello")
        gone = self.create()
        self.file(gone).unlink()
        before = self.files()
        findings = look("fast")
        self.assertEqual({each.kind for each in findings}, {Kind.UNKNOWN, Kind.FOREIGN, Kind.MISSING})
        for finding in findings:
            with self.subTest(finding.kind), self.assertRaisesMessage(ValueError, "not provably over"):
                remove(finding)
        self.assertEqual(self.files(), before)
        self.assertTrue(self.file(kept).exists())


class CommandTests(StorageCase):
    def setUp(self):
        super().setUp()
        Project.objects.create(id=make.PROJECT, name="ours")

    def run_it(self, *options) -> list[str]:
        call_command("storage", *options, stdout=(out := io.StringIO()))
        return out.getvalue().splitlines()

    def test_it_lists_and_changes_nothing_unless_told_to(self):
        self.assertEqual(self.run_it(), [])
        over, unknown = self.deleted(), self.a_file(backend="slow")
        self.resurrect(over)
        before = self.files()
        lines = self.run_it()
        self.assertEqual([line.split()[0] for line in lines], ["over", "unknown"])
        self.assertIn(str(over.pk), lines[0])
        self.assertIn(str(unknown), lines[1])
        self.assertEqual(len(self.run_it("--backend", "slow")), 1)
        self.assertEqual(self.files(), before)

    def test_told_to_it_removes_what_is_over_and_nothing_else(self):
        over, unknown = self.deleted(), self.a_file()
        self.resurrect(over)
        kept = self.create()
        (removed,) = [line for line in self.run_it("--remove") if "removed" in line]
        self.assertIn(str(over.pk), removed)
        self.assertEqual(self.files(), sorted([str(unknown), str(kept.pk)]))

    def test_told_to_it_makes_a_volume_of_what_is_unknown(self):
        unknown = self.a_file(size=2)
        path = self.root / "fast" / "volumes" / str(unknown)
        with path.open("r+b") as file:
            file.write(b"somebody's data")
        (line,) = self.run_it("--adopt", make.PROJECT)
        self.assertIn("adopted as a volume of 2 GiB", line)
        volume = self.work(Volume.objects.get(pk=unknown))
        self.assertEqual((volume.status, volume.project_id, volume.size), ("available", make.PROJECT, 2))
        self.assertEqual(self.read(volume, 15), b"somebody's data")
        self.assertEqual((self.run_it(), self.violations()), ([], []))
        self.assertIsNone(self.work(volumes.delete(self.by, "", volume)))
        self.assertEqual(self.files(), [])

    def test_what_is_unfinished_or_has_a_row_elsewhere_is_not_adopted(self):
        half = uuid.uuid4()
        self.half_made(half)
        elsewhere = self.create()
        Volume.objects.update(backend="slow")
        lines = self.run_it("--backend", "fast", "--adopt", make.PROJECT)
        self.assertEqual(["not adopted" in line for line in lines], [True, True], lines)
        self.assertEqual(list(Volume.objects.values_list("pk", flat=True)), [elsewhere.pk])
        self.assertEqual(len(self.parts()), 1)

    def test_what_the_limits_do_not_allow_is_not_adopted(self):
        self.a_file()
        Pool.objects.update(promisable_gb=0)
        (line,) = self.run_it("--adopt", make.PROJECT)
        self.assertIn("not adopted: Pool fast#one takes no 1 GiB more", line)
        self.assertEqual(Volume.objects.count(), 0)

    def test_a_back_end_that_is_not_there(self):
        with self.assertRaisesMessage(CommandError, "There is no back-end tape; there are fast, slow"):
            self.run_it("--backend", "tape")
        shutil.move(self.root / "fast", self.root / "away")
        with self.assertRaisesMessage(CommandError, "fast cannot be reached"):
            self.run_it()

    def test_what_is_being_made_is_left_alone(self):
        volume = volumes.create(self.by, "", Wish(size=1))
        held = leases.claim(Volume, volume.pk)
        assert held is not None
        storage.backend("fast").create(volume.ref, gib(1), epoch=held.epoch)
        self.assertEqual(self.run_it("--remove"), [])
        self.assertTrue(self.file(volume).exists())

    def test_a_project_that_there_is_not_adopts_nothing(self):
        with self.assertRaisesMessage(CommandError, "There is no project"):
            self.run_it("--adopt", "no-such-project")

"""scripts/update-ports: takes a newer registry, refuses anything else, and changes nothing when it refuses."""

import csv
import io
import pathlib
import shutil
import subprocess
import sys

from harness import ROOT, TestCase, clean_env

NAME = "iana-service-names-port-numbers.csv"
LEFT_OUT = ["Assignee", "Contact", "Service Code"]


class UpdatePorts(TestCase):
    def setUp(self):
        self.data = self.tmp()
        for name in (NAME, "README.md"):
            shutil.copy(ROOT / "data" / name, self.data / name)
        with open(self.data / NAME, newline="", encoding="utf-8") as file:
            self.rows = list(csv.reader(file))

    def state(self):
        return {path.name: path.read_bytes() for path in pathlib.Path(self.data).iterdir()}

    def give(self, rows):
        """Runs the script on a file of these rows: (exit code, stdout, stderr)."""
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\r\n").writerows(rows)
        path = self.tmp() / "new.csv"
        path.write_bytes(text.getvalue().encode())
        return self.give_file(path)

    def give_file(self, path):
        done = subprocess.run([sys.executable, "-B", ROOT / "scripts" / "update-ports", path, "--into", self.data],
                              capture_output=True, text=True, env=clean_env(), check=False)
        return done.returncode, done.stdout, done.stderr

    def check_refused(self, outcome, text):
        code, out, err = outcome
        self.assertEqual((code, out), (2, ""), err)
        self.assertRegex(err, r"\Aupdate-ports: [^\n]+\n\Z")
        self.assertIn(text, err)
        self.assertEqual(self.state(), self.before)

    def official(self, rows):
        """As IANA publishes it: with the columns that we leave out."""
        return [row[:4] + (LEFT_OUT[:2] if i == 0 else ["[Someone]", "[Someone]"]) + row[4:7] +
                (LEFT_OUT[2:] if i == 0 else [""]) + row[7:] for i, row in enumerate(rows)]

    def test_the_present_registry_is_nothing_new(self):
        before = self.state()
        code, out, err = self.give(self.rows)
        self.assertEqual((code, err), (0, ""))
        self.assertIn("nothing new", out)
        self.assertEqual(self.state(), before)

    def test_a_newer_one_is_taken_without_names_of_people(self):
        row = ["new-service", "49000", "tcp", "New, with \"quotes\"\nand lines", "2031-05-06", "", "", "", ""]
        code, out, err = self.give(self.official(self.rows + [row]))
        self.assertEqual((code, err), (0, ""))
        self.assertIn("newest entry 2031-05-06", out)
        self.assertIn("1 new names, 0 gone", out)
        with open(self.data / NAME, newline="", encoding="utf-8") as file:
            self.assertEqual(list(csv.reader(file)), self.rows + [row])
        readme = (self.data / "README.md").read_text(encoding="utf-8")
        self.assertIn(f"\nNewest entry: 2031-05-06. Rows: {len(self.rows)}.\n", readme)
        self.assertEqual(set(self.state()), {NAME, "README.md"})

    def test_what_is_not_the_registry_is_refused(self):
        self.before = self.state()
        self.check_refused(self.give([["a", "b"], ["1", "2"]]), "no column 'Service Name'")
        self.check_refused(self.give([]), "no column")
        self.check_refused(self.give_file("/bin/sh"), "cannot be read")
        self.check_refused(self.give_file("/nonexistent"), "cannot be read")
        self.check_refused(self.give([row + ["x"] for row in self.rows]), "'x'")

    def test_a_cut_off_file_is_refused(self):
        self.before = self.state()
        self.check_refused(self.give(self.rows[:5000]), "only 4999 rows")
        self.check_refused(self.give(self.rows[:1]), "only 0 rows")

    def test_an_older_one_is_refused(self):
        self.before = self.state()
        old = [row if i == 0 else row[:4] + ["1999-01-01", ""] + row[6:] for i, row in enumerate(self.rows)]
        self.check_refused(self.give(old), "older than ours")

    def test_a_row_that_makes_no_sense_is_refused_by_number(self):
        self.before = self.state()
        for column, value, why in ((1, "70000", "not a port"), (1, "5-1", "a backwards range"), (1, "x", "not a port"),
                                   (2, "icmp", "not a transport"), (1, "1-2-3", "not a port")):
            rows = [list(row) for row in self.rows]
            rows[7][column] = value
            self.check_refused(self.give(rows), f"row 7: {why}")
        rows = [list(row) for row in self.rows]
        rows[9] = rows[9][:-1]
        self.check_refused(self.give(rows), "row 9: 8 fields")

    def test_another_meaning_of_well_known_ports_is_refused(self):
        self.before = self.state()
        rows = [row if row[1:3] != ["80", "tcp"] else ["other", *row[1:]] for row in self.rows]
        self.check_refused(self.give(rows), "80/tcp is not http")

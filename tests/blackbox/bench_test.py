"""scripts/bench: it runs to its end on a little data, counts what arrives, and says what it could not measure."""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

from harness import BIN_DIR, ROOT, SAFETY, TestCase, clean_env, need_namespaces

sys.path.append(str(ROOT / "tests" / "bench"))


class Bench(TestCase):
    def bench(self, *words, path=None):
        """`scripts/bench WORDS` on the programs under test: its exit code and its output."""
        done = subprocess.run([ROOT / "scripts" / "bench", *map(str, words), "--bin-dir", BIN_DIR], text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=clean_env({"PATH": path} if path else {}), timeout=2 * SAFETY, check=False)
        return done.returncode, done.stdout

    def path_of(self, *programs):
        """A PATH with these programs of the system and no others."""
        folder = self.tmp()
        for name in ("sh", "dirname", "python3", "stat", "cat", *programs):
            (folder / name).symlink_to(shutil.which(name))
        return folder

    def row(self, out, way, name):
        """The cells of a contender in the table of a way, without its name."""
        part = out.partition(f"### {way}")[2].partition("### ")[0]
        found = re.search(rf"^\| {re.escape(name)} +\|(.*)\|$", part, re.M)
        self.assertTrue(found, f"no row of {name!r} in:\n{part or out}")
        return [cell.strip() for cell in found[1].split("|")]

    def assert_measured(self, out, way, *names):
        for name in names:
            self.assertRegex(self.row(out, way, name)[0], r"^\d+\.\d\d", name)


class Relay(Bench):
    def relay(self, ways, *words, path=None):
        return self.bench("relay", "--quick", "--size", "1M", "--rounds", 1, "--only", ways, *words, path=path)

    def test_files_arrive_and_are_timed(self):
        code, out = self.relay("file-null,file-file")
        self.assertEqual(code, 0, out)
        self.assert_measured(out, "file → net → null", "pier", "bare loop: sendfile, splice", "bare loop: sendfile, read")
        self.assert_measured(out, "file → net → file", "pier", "cp", "bare loop: sendfile, splice")
        self.assertRegex(out, r"pier, throughput to nc\.openbsd: .*, at least 2\.5×: ")
        self.assertRegex(out, r"pier, time to cp: .*, at most 1\.15×: ")

    def test_pipes_and_discarding_are_timed(self):
        code, out = self.relay("pipe-pipe,discard")
        self.assertEqual(code, 0, out)
        self.assert_measured(out, "pipe → net → pipe", "pier", "bare loop: splice")
        self.assert_measured(out, "net → discard", "pier", "bare loop: splice", "bare loop: read")

    def test_all_of_tls_speak_one_cipher(self):
        code, out = self.relay("tls")
        self.assertEqual(code, 0, out)
        agreed = re.search(r"^- negotiated: (.*)$", out, re.M)
        if shutil.which("openssl"):
            self.assertTrue(agreed, out)
            self.assertTrue(agreed[1].startswith("TLS 1.2 ECDHE-RSA-AES128-GCM-SHA256 by "), out)
            self.assertNotIn(";", agreed[1])

    def test_a_peer_that_is_not_installed_is_named(self):
        code, out = self.relay("file-file", path=str(self.path_of("cp")))
        self.assertEqual(code, 0, out)
        self.assertEqual(self.row(out, "file → net → file", "nc.openbsd")[0], "not installed")
        self.assert_measured(out, "file → net → file", "pier", "cp")
        self.assertIn("pier, throughput to nc.openbsd: not measured, at least 2×: unknown", out)

    def test_a_peer_that_loses_a_byte_is_not_timed(self):
        folder = self.path_of("cp", "tail")
        tool = BIN_DIR / "bench" / "bench_bare_relay"
        peer = folder / "nc.openbsd"
        peer.write_text("#!/bin/sh\n"
                        f'case "$*" in *-l*) "{tool}" recv-read "$4" | tail -c +2 ;;\n'
                        f'*) exec "{tool}" send-file "$3" ;; esac\n')
        peer.chmod(0o755)
        code, out = self.relay("file-null,file-file", path=str(folder))
        self.assertEqual(code, 0, out)
        self.assertEqual(self.row(out, "file → net → null", "nc.openbsd")[0], "1048575 of 1048576 bytes arrived")
        self.assertIn("1048575 of 1048576", self.row(out, "file → net → file", "nc.openbsd")[0])

    def test_it_leaves_nothing_behind(self):
        folder = self.tmp()
        code, out = self.relay("discard", "--dir", folder, path=str(self.path_of()))
        self.assertEqual(code, 0, out)
        self.assertEqual(os.listdir(folder), [])

    def test_no_room_is_told(self):
        code, out = self.bench("relay", "--size", "4000000G", "--dir", self.tmp())
        self.assertEqual(code, 1, out)
        self.assertRegex(out, r"\Abench: no room for \d+ MiB in .*: use --dir or a smaller --size\n\Z")


class Results(TestCase):
    def test_a_section_is_replaced_and_the_others_stay(self):
        import report
        results = pathlib.Path(self.tmp() / "RESULTS.md")
        results.write_text("# Measured\n\n## one (2026-01-02)\n\nold\n\n## two (2026-01-02)\n\nkept\n")
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            for name in ("one", "three", "one"):
                paper = report.Paper(f"of {name}")
                paper.add("| a table |")
                paper.write(name, results)
        self.assertRegex(results.read_text(), r"\A# Measured\n\n## one \([0-9-]+\)\n\nof one\n\n\| a table \|\n\n"
                                              r"## two \(2026-01-02\)\n\nkept\n\n"
                                              r"## three \([0-9-]+\)\n\nof three\n\n\| a table \|\n\Z")


class Serve(Bench):
    def serve(self, part, *words):
        code, out = self.bench("serve", "--quick", "--rounds", 1, "--only", part, *words, path=str(self.path_of()))
        self.assertEqual(code, 0, out)
        return out

    def test_sessions_are_counted(self):
        out = self.serve("rates", "--seconds", 0.2)
        for name in ("pier -k --exec /bin/cat", "bare epoll echo"):
            self.assertRegex(" ".join(self.row(out, "Sessions a second, with an echo", name)), r"^\d+ \d+ \d+ \d+ \d+ \d+$")
        self.assertEqual(self.row(out, "Sessions a second, with an echo", "socat fork PIPE")[0], "not installed")
        self.assertRegex(" ".join(self.row(out, "Sessions a second, nothing sent back", "pier -k")), r"^[\d ]+$")
        self.assertRegex(out, r"pier -k --echo, 50 at once, to ncat -k -e /bin/cat: not measured, at least 35×: unknown")

    def test_idle_clients_are_held_and_answer(self):
        out = self.serve("idle", "--clients", 50)
        self.assertEqual(self.row(out, "50 idle clients", "pier -k --exec /bin/cat")[:3], ["50", "50", "51"])
        self.assertEqual(self.row(out, "50 idle clients", "bare epoll echo")[:3], ["50", "50", "1"])
        self.assertEqual(self.row(out, "50 idle clients", "pier -k")[0], "50")

    def test_a_relay_in_the_middle_and_a_broker(self):
        out = self.serve("through,broker", "--size", 2)
        self.assertRegex(self.row(out, "2 MiB through a relay", "direct")[0], r"^\d+\.\d\d$")
        self.assertEqual(self.row(out, "A broker", "ncat --broker")[0], "not installed")


class Nc(Bench):
    def test_starts_and_transfers_are_timed(self):
        code, out = self.bench("nc", "--quick", "--runs", 2, "--rounds", 1, "--size", "1M")
        self.assertEqual(code, 0, out)
        self.assertRegex(self.row(out, "Start", "an open port")[0], r"^\d+ / \d+$")
        for way in ("file → net → null", "file → net → file", "pipe → net → pipe"):
            self.assert_measured(out, way, "pier-nc")


class Soak(Bench):
    def test_nothing_is_left_of_good_and_bad_clients(self):
        code, out = self.bench("soak", "--seconds", 5, "--threads", 4)
        self.assertEqual(code, 0, out)
        for name in ("echo", "cat", "dies", "idle", "tls", "proxy", "relay", "datagrams"):
            self.assertRegex(out, rf"(?m)^\| {name} +\| \d+ ")


class Scan(Bench):
    def test_what_is_open_is_found_and_timed(self):
        need_namespaces()
        code, out = self.bench("scan", "--quick", "--only", "loopback,loss10")
        self.assertEqual(code, 0, out)
        self.assert_measured(out, "This host, all ports", "pier", "nmap -sT -T5", "bare loop: socket, connect, close")
        self.assertEqual(self.row(out, "This host, all ports", "pier")[3:5], ["100.00%", "0"])
        recall, false = self.row(out, "A host, 4,000 ports, 10 % of packets lost", "pier")[3:5]
        self.assertGreaterEqual(float(recall.rstrip("%")), 95)
        self.assertEqual(false, "0")

    def test_wrong_words(self):
        code, out = self.bench("scan", "--only", "everything")
        self.assertEqual(code, 2)
        self.assertIn("--only", out)

"""pier-scan and the files of its runs: shards and --merge, --diff, --xml, --checkpoint and --resume."""

import json
import os
import random
import signal
import subprocess
import time
import xml.etree.ElementTree as ElementTree

from harness import SAFETY, need_program, wait_until
from scan_case import LOOPBACK, ScanTestCase

NMAP_DTD = "/usr/share/nmap/nmap.dtd"


class Shards(ScanTestCase):
    HOSTS = "127.0.0.0/30"

    def parts(self, count, ports, *words):
        """The files of all shards of one scan."""
        folder = self.tmp()
        files = []
        for number in range(1, count + 1):
            file = folder / f"{number}.ndjson"
            done = self.scan("--json", "-o", file, "--shard", f"{number}/{count}", "-p", ports, *words, self.HOSTS)
            self.assertIn(done.code, (0, 1), done)
            files.append(file)
        return files

    def test_all_parts_together_are_the_scan(self):
        port = self.open_port()
        files = self.parts(3, f"{port},1-20", "--all-states")
        done = self.scan("--merge", "--json", *files)
        self.assertEqual(done.code, 0, done)
        start, found, summary = self.records(done)
        self.assertEqual((start["shard"], start["merged"]), ("1/1", 3))
        self.assertEqual((summary["complete"], summary["shards"], summary["of"], summary["open"]), (True, 3, 3, 1))
        pairs = [(r["addr"], r["port"]) for r in found if r["type"] == "port"]
        self.assertEqual(len(pairs), 4 * 21)
        self.assertEqual(len(set(pairs)), 4 * 21)
        self.assertEqual((start["pairs"], summary["pairs"]), (4 * 21, 4 * 21))
        with open(files[0], "rb") as first:
            piped = self.scan("--merge", "--json", "-", *files[1:], stdin=first)
        self.assertEqual((piped.code, piped.lines[:-1]), (0, done.lines[:-1]), piped)

    def test_as_rows_too(self):
        port = self.open_port()
        files = self.parts(2, f"{port},1-5")
        done = self.scan("--merge", *files)
        self.assertEqual(done.code, 0, done)
        self.assertEqual([line.split("\t")[:3] for line in done.lines], [[LOOPBACK, f"{port}/tcp", "open"]])

    def test_what_is_missing_is_said(self):
        port = self.open_port()
        files = self.parts(3, port)
        done = self.scan("--merge", "--json", files[0], files[2])
        self.assertEqual(done.code, 1, done)
        self.assertIn("of 3 shards one is missing: 2", done.err)
        self.assertFalse(self.records(done)[2]["complete"])

    def test_a_part_that_was_cut_off_is_said(self):
        port = self.open_port()
        files = self.parts(2, port)
        lines = files[1].read_text().splitlines(keepends=True)
        files[1].write_text("".join(lines[:-1]) + lines[-1][:10])
        done = self.scan("--merge", *files)
        self.assertEqual(done.code, 1, done)
        self.assertIn("not scanned to the end: shard 2", done.err)

    def test_what_does_not_belong_together_is_refused(self):
        port = self.open_port()
        first, second = self.parts(2, port)
        [other, _] = self.parts(2, f"{port},1")
        self.assert_usage_error(self.scan("--merge", first, other), str(other), "is of another scan")
        self.assert_usage_error(self.scan("--merge", first, second, first), "is shard 1/2")
        self.assert_usage_error(self.scan("--merge"), "which files?")
        self.assert_usage_error(self.scan("--merge", "-p", "80", first), "--merge and --ports")
        junk = self.tmp() / "junk"
        junk.write_text('{"type":"start","schema":1}\nno record\n')
        self.assert_usage_error(self.scan("--merge", junk), f"{junk}:2")

    def test_a_scheduler_says_which_part(self):
        def order(**variables):
            done = self.scan("--dry-run", "--shard", "auto", "-p", "1-9", LOOPBACK, env=variables)
            self.assertEqual(done.code, 0, done)
            return done.lines

        slurm = {"SLURM_ARRAY_TASK_COUNT": "3", "SLURM_ARRAY_TASK_MIN": "10", "SLURM_ARRAY_TASK_STEP": "5"}
        parts = [order(SLURM_ARRAY_TASK_ID=str(task), **slurm) for task in (10, 15, 20)]
        pods = [order(JOB_COMPLETION_INDEX=str(index), JOB_COMPLETIONS="3") for index in range(3)]
        self.assertEqual(parts, pods)
        self.assertEqual(sorted(sum(parts, [])), sorted(f"{LOOPBACK}\t{port}/tcp" for port in range(1, 10)))
        self.assert_usage_error(self.scan("--shard", "auto", LOOPBACK), "'auto'", "SLURM_ARRAY_TASK_ID")
        done = self.scan("--shard", "auto", LOOPBACK, env={"JOB_COMPLETION_INDEX": "0"})
        self.assert_usage_error(done, "JOB_COMPLETIONS")


class Diff(ScanTestCase):
    def run_of(self, *words):
        file = self.tmp() / "run.ndjson"
        self.scan("--json", "-o", file, *words, LOOPBACK)
        return file

    def test_what_appeared_and_what_is_gone(self):
        first, second, both = self.open_port(), self.open_port(), self.open_port()
        old = self.run_of("-p", f"{first},{both}")
        new = self.run_of("-p", f"{second},{both},1")
        done = self.scan("--diff", old, new)
        self.assertEqual(done.code, 1, done)
        self.assertEqual(sorted(done.lines), sorted([f"gone\t{LOOPBACK}\t{first}/tcp\topen\t-",
                                                     f"appeared\t{LOOPBACK}\t{second}/tcp\t-\topen"]))
        self.assertIn("did not ask the same", done.err)
        self.assertIn("1 appeared, 1 gone, 0 changed", done.err)
        _, found, summary = self.records(self.scan("--diff", "--json", old, new))
        self.assertEqual({(r["change"], r["port"], r["old"], r["new"]) for r in found},
                         {("gone", first, "open", None), ("appeared", second, None, "open")})
        self.assertEqual((summary["appeared"], summary["gone"], summary["exit"]), (1, 1, 1))

    def test_the_same_is_0_and_no_row(self):
        port = self.open_port()
        done = self.scan("--diff", self.run_of("-p", port), self.run_of("-p", port))
        self.assertEqual((done.code, done.out), (0, b""), done)

    def test_a_changed_state(self):
        port = self.closed_port()
        old = self.run_of("-p", port, "--all-states")
        new = self.tmp() / "new.ndjson"
        new.write_text(old.read_text().replace('"closed"', '"filtered"'))
        done = self.scan("--diff", old, new)
        self.assertEqual((done.code, done.lines), (1, [f"changed\t{LOOPBACK}\t{port}/tcp\tclosed\tfiltered"]), done)

    def test_wrong_words(self):
        self.assert_usage_error(self.scan("--diff", "a"), "two files")
        done = self.scan("--diff", "/nonexistent/a", "/nonexistent/b")
        self.assertEqual(done.code, 2, done)
        self.assertIn("/nonexistent/a", done.err)


class Xml(ScanTestCase):
    def document(self, *words):
        file = self.tmp() / "scan.xml"
        done = self.scan("--xml", file, *words)
        self.assertIn(done.code, (0, 1, 3), done)
        return file

    def test_open_ports_one_by_one_and_others_in_numbers(self):
        port = self.open_port()
        tree = ElementTree.parse(self.document("-p", f"{port},1-9", "-q", LOOPBACK))
        [host] = tree.findall("host")
        self.assertEqual(host.find("address").attrib, {"addr": LOOPBACK, "addrtype": "ipv4"})
        [found] = host.findall("ports/port")
        self.assertEqual((found.get("portid"), found.find("state").get("state")), (str(port), "open"))
        extra = host.find("ports/extraports")
        self.assertEqual((extra.get("state"), extra.get("count")), ("closed", "9"))
        self.assertEqual(tree.find("runstats/finished").get("exit"), "success")

    def test_names_are_escaped(self):
        # The command line is in it, with whatever it holds.
        tree = ElementTree.parse(self.document("-p", "1", "-o", self.tmp() / "a&b<\"c", LOOPBACK))
        self.assertIn('a&b<"c', tree.getroot().get("args"))

    def test_it_is_valid_by_nmaps_own_definition(self):
        need_program("xmllint")
        if not os.path.exists(NMAP_DTD):
            self.skipTest("nmap's DTD is not installed")
        port = self.open_port()
        for words in (("-p", f"{port},1-9", LOOPBACK), ("-u", "-p", "53,9", LOOPBACK),
                      ("-p", f"T:{port},U:9", "--all-states", "localhost")):
            file = self.document(*words)
            done = subprocess.run(["xmllint", "--noout", "--dtdvalid", NMAP_DTD, file], capture_output=True, check=False,
                                  timeout=SAFETY)
            self.assertEqual(done.returncode, 0, done.stderr.decode())

    def test_ndiff_reads_it(self):
        need_program("ndiff")
        port, other = self.open_port(), self.closed_port()
        old = self.document("-p", f"{port},{other}", LOOPBACK)
        same = subprocess.run(["ndiff", old, old], capture_output=True, text=True, check=False, timeout=SAFETY)
        self.assertEqual((same.returncode, same.stderr), (0, ""))
        new = self.tmp() / "new.xml"
        new.write_text(old.read_text().replace(f'portid="{port}"', f'portid="{other}"'))
        changed = subprocess.run(["ndiff", old, new], capture_output=True, text=True, check=False, timeout=SAFETY)
        self.assertEqual(changed.returncode, 1, changed.stderr)
        self.assertIn(f"{other}/tcp open", changed.stdout)


class Checkpoints(ScanTestCase):
    # Long enough to be cut off several times, and every pair answers.
    WORDS = ("-p", "1-3000", "--all-states", "--rate", "4000", "127.0.0.0/30")
    PAIRS = 4 * 3000

    def pairs_of(self, lines):
        return [(r["addr"], r["port"]) for r in map(json.loads, lines) if r["type"] == "port"]

    def kill_again_and_again(self, folder, output):
        """Runs the scan, killed at random moments, to its end; what the runs printed, each."""
        state = folder / "state"
        first = ["--json", "--checkpoint", state, *output, *self.WORDS]
        chance = random.Random(str(folder))
        printed = []
        for attempt in range(20):
            words = first if not printed else ["--resume", state]
            program = self.spawn_scan(*words)
            wait_until(state.exists, "the first checkpoint")
            if attempt < 3:
                time.sleep(chance.uniform(0.2, 1.6))
                if program.running():
                    program.signal(signal.SIGKILL)
                    printed.append(program.finish().out)
                    continue
            done = program.finish()
            self.assertIn(done.code, (0, 1), done)
            printed.append(done.out)
            return printed
        self.fail("never came to its end")

    def test_to_a_file_nothing_is_missing_and_nothing_twice(self):
        folder = self.tmp()
        file = folder / "out.ndjson"
        printed = self.kill_again_and_again(folder, ["-o", file])
        self.assertGreater(len(printed), 1)
        records = file.read_text().splitlines()
        pairs = self.pairs_of(records)
        self.assertEqual((len(pairs), len(set(pairs))), (self.PAIRS, self.PAIRS))
        self.assertEqual([json.loads(r)["type"] for r in (records[0], records[-1])], ["start", "summary"])
        self.assertTrue(json.loads(records[-1])["complete"])
        self.assertEqual(json.loads(records[-1])["pairs"], self.PAIRS)
        self.assertFalse((folder / "out.ndjson.partial").exists())

    def test_to_stdout_nothing_is_told_twice(self):
        printed = self.kill_again_and_again(self.tmp(), [])
        whole = [line for out in printed for line in out.decode().split("\n")[:-1]]
        pairs = self.pairs_of(whole)
        self.assertEqual(len(pairs), len(set(pairs)))
        self.assertTrue(json.loads(whole[-1])["complete"])
        # What a checkpoint says is told and the kill kept from being printed is lost, no more.
        self.assertGreater(len(pairs), self.PAIRS // 2)

    def test_a_signal_and_a_deadline_leave_it_to_be_resumed(self):
        folder = self.tmp()
        state, file = folder / "state", folder / "out.ndjson"
        program = self.spawn_scan("--json", "--checkpoint", state, "-o", file, *self.WORDS)
        wait_until(state.exists, "the first checkpoint")
        program.signal(signal.SIGINT)
        self.assertEqual(program.finish().code, 130)
        self.assertFalse(file.exists())
        self.assertEqual(self.scan("--resume", state, "--limit-time", "300ms").code, 124)
        self.assertIn(self.scan("--resume", state).code, (0, 1))
        pairs = self.pairs_of(file.read_text().splitlines())
        self.assertEqual((len(pairs), len(set(pairs))), (self.PAIRS, self.PAIRS))
        done = self.scan("--resume", state)
        self.assertIn("complete already", done.err)

    def test_other_words_are_refused(self):
        folder = self.tmp()
        state = folder / "state"
        program = self.spawn_scan("--checkpoint", state, *self.WORDS)
        wait_until(state.exists, "the first checkpoint")
        program.signal(signal.SIGTERM)
        self.assertEqual(program.finish().code, 143)
        self.assert_usage_error(self.scan("--resume", state, "-p", "1-99"), "--ports 1-3000", "--ports 1-99")
        self.assert_usage_error(self.scan("--resume", state, "--retries", "3"), "no such option", "--retries 3")
        self.assert_usage_error(self.scan("--resume", state, "192.0.2.1"), "127.0.0.0/30", "192.0.2.1")
        self.assert_usage_error(self.scan("--checkpoint", state, *self.WORDS), "has not come to its end")
        self.assert_usage_error(self.scan("--resume", state, "--xml", "x"), "--xml")
        junk = folder / "junk"
        junk.write_text("anything\n")
        self.assert_usage_error(self.scan("--resume", junk), "not a checkpoint")
        self.assert_usage_error(self.scan("--checkpoint", junk, LOOPBACK), "is not overwritten")
        self.assertEqual(junk.read_text(), "anything\n")
        damaged = folder / "damaged"
        damaged.write_text(state.read_text().replace('"unsettled"', '"unsettle"'))
        self.assert_usage_error(self.scan("--resume", damaged), "damaged")

    def test_two_at_once_are_refused(self):
        folder = self.tmp()
        state = folder / "state"
        program = self.spawn_scan("--checkpoint", state, "-o", folder / "out", *self.WORDS)
        wait_until(state.exists, "the first checkpoint")
        done = self.scan("--resume", state)
        self.assertEqual(done.code, 2, done)
        self.assertIn("another scan", done.err)
        self.assertIn(program.finish().code, (0, 1))


class Asked(ScanTestCase):
    def test_addresses_that_no_host_has_are_left_out(self):
        self.assert_usage_error(self.scan("224.0.0.1"), "'224.0.0.1'", "multicast", "--special")
        self.assert_usage_error(self.scan("255.255.255.255"), "broadcast")
        self.assert_usage_error(self.scan("[ff02::1%lo]"), "multicast")
        done = self.scan("--dry-run", "-p", "1", "0.0.0.0-1.0.0.1")
        self.assertEqual(done.lines and sorted(done.lines), ["1.0.0.0\t1/tcp", "1.0.0.1\t1/tcp"], done)
        self.assertIn("16777216", done.err.replace(",", ""))
        done = self.scan("--dry-run", "--special", "-p", "1", "224.0.0.1")
        self.assertEqual(done.lines, ["224.0.0.1\t1/tcp"])

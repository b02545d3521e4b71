"""pier-scan --syn --checkpoint: killed, interrupted or left without its network, and gone on with."""

import json
import os
import pathlib
import random
import signal
import time

import harness
from harness import run
from scan_lab import NETWORK, SynTestCase

HOSTS = 4096  # in 10.80.0.0/20, of which one quarter is silent


class ResumeTestCase(SynTestCase):
    rate = 1200

    def setUp(self):
        super().setUp()
        self.pin_neighbours()
        self.route_network()
        self.b.drop("ip daddr 10.80.4.0/22 tcp dport 443")
        self.is_open = {f"10.80.{8 + i // 200}.{1 + i % 200}" for i in range(60)}
        for address in self.is_open:
            self.serve(self.b, address, 443)
        self.folder = pathlib.Path(self.tmp())
        self.state, self.file = self.folder / "state", self.folder / "out.ndjson"
        self.first = ["--json", "--all-states", "--checkpoint", self.state, "-o", self.file, "-p", 443, "--rate", self.rate,
                      "--probe-timeout", "300ms", "--retries", 1, "10.80.0.0/20"]

    def give_folder(self, uid):
        """The folder above is of root alone: whoever is to come in may look into it."""
        os.chown(self.folder, uid, uid)
        self.folder.chmod(0o755)

    def progress(self):
        """Where the checkpoint is: it has moved on when this is another."""
        try:
            state = json.loads(self.state.read_text().split("\n")[1])
        except (OSError, IndexError):
            return None
        return state["syn"]["round"], state["syn"]["cursor"], state["syn"]["settled"]

    def spawn_scan(self, *words):
        return self.spawn_syn(*words)

    def spawn_run(self, count, more=()):
        return self.spawn_scan(*more, *(self.first if count == 0 else ["--resume", self.state]))

    def kill_again_and_again(self, times=3, more=()):
        """Runs the scan to its end, `times` times killed, each when it has come further than the one before."""
        chance = random.Random(self.id())
        for count in range(times):
            before = self.progress()
            program = self.spawn_run(count, more if count == 0 else ())
            harness.wait_until(lambda was=before, scan=program: self.progress() not in (was, None) and
                               (self.progress()[2] != "" or not scan.running()), "a checkpoint further on")
            time.sleep(chance.uniform(0, 0.4))  # so that it is killed anywhere
            if not program.running():
                break
            program.signal(signal.SIGKILL)
            self.assertEqual(program.finish().code, 128 + signal.SIGKILL)
            self.assertFalse(self.file.exists())
        self.assertGreater(count, 0 if times > 1 else -1, "came to its end before it could be killed")
        done = self.spawn_run(1).finish()
        self.assertEqual(done.code, 0, done)
        return done

    def check_file(self, pairs=HOSTS):
        records = [json.loads(line) for line in self.file.read_text().splitlines()]
        self.assertEqual([records[0]["type"], records[-1]["type"]], ["start", "summary"])
        ports, summary = [r for r in records if r["type"] == "port"], records[-1]
        self.assertEqual((len(ports), len({r["addr"] for r in ports})), (pairs, pairs))
        self.assertEqual({r["addr"] for r in ports if r["state"] == "open"}, self.is_open)
        self.assertEqual({r["addr"] for r in ports if r["state"] == "filtered"},
                         {f"10.80.{i}.{j}" for i in range(4, 8) for j in range(256)})
        self.assertEqual((summary["open"], summary["filtered"], summary["closed"]),
                         (len(self.is_open), 1024, pairs - len(self.is_open) - 1024))
        self.assertEqual((summary["complete"], summary["pairs"], summary["hosts_up"]), (True, pairs, pairs - 1024))
        self.assertGreaterEqual(summary["probes"], pairs + 1024)
        self.assertEqual(summary["answers"], pairs - 1024)
        self.assertFalse((self.folder / "out.ndjson.partial").exists())


class Killed(ResumeTestCase):
    def test_as_root_who_is_the_owner_of_the_folder_from_then_on(self):
        self.give_folder(1)
        self.kill_again_and_again()
        self.check_file()
        self.assertEqual(self.state.stat().st_uid, 1, "who wrote it has lost the rights of root")
        done = run(self.a.command(["pier-scan", "--resume", self.state]))
        self.assertEqual(done.code, 0, done)
        self.assertIn("complete already", done.err)

    def test_with_a_user_who_may_write_there(self):
        self.give_folder(2)
        self.kill_again_and_again(1, ("--user", "bin"))
        self.check_file()
        self.assertEqual(self.state.stat().st_uid, 2)

    def test_to_stdout_nothing_is_told_twice(self):
        self.first.remove("-o")
        self.first.remove(self.file)
        told = []
        for count in range(2):
            program = self.spawn_run(count)
            before = self.progress()
            harness.wait_until(lambda was=before: self.progress() not in (was, None), "a checkpoint further on")
            program.signal(signal.SIGKILL)
            told += program.finish().out.decode().split("\n")[:-1]
        done = self.spawn_run(1).finish()
        self.assertEqual(done.code, 0, done)
        records = [json.loads(line) for line in told + done.lines]
        addresses = [r["addr"] for r in records if r["type"] == "port"]
        self.assertEqual(len(addresses), len(set(addresses)))
        self.assertTrue(records[-1]["complete"])
        self.assertEqual(records[-1]["open"], len(self.is_open))

    def test_one_shard_of_three(self):
        self.first[self.first.index("--rate") + 1] = 400
        whole = []
        for shard in (1, 2, 3):
            self.state, self.file = self.folder / f"state{shard}", self.folder / f"out{shard}"
            self.first[3], self.first[5] = self.state, self.file
            self.kill_again_and_again(1, ("--shard", f"{shard}/3"))
            whole.append(self.file)
        done = run(["pier-scan", "--merge", "--json", *whole])
        self.assertEqual(done.code, 0, done)
        self.file = self.folder / "whole"
        self.file.write_bytes(done.out)
        records = [json.loads(line) for line in done.lines]
        addresses = [r["addr"] for r in records if r["type"] == "port"]
        self.assertEqual((len(addresses), len(set(addresses))), (HOSTS, HOSTS))
        self.assertEqual({r["addr"] for r in records if r.get("state") == "open"}, self.is_open)


class KilledWithOneRightOnly(ResumeTestCase):
    """An ordinary user, with CAP_NET_RAW."""

    def spawn_scan(self, *words):
        return self.spawn(self.a.command(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                                          "--inh-caps=-all,+net_raw", "--ambient-caps=-all,+net_raw",
                                          "--bounding-set=-all,+net_raw", harness.binary("pier-scan"), "--syn",
                                          *map(str, words)]))

    def test_it_goes_on_as_well(self):
        self.give_folder(65534)
        self.kill_again_and_again()
        self.check_file()
        self.assertEqual({path.stat().st_uid for path in (self.state, self.file)}, {65534})


class Ended(ResumeTestCase):
    def begin(self):
        scan = self.spawn_run(0)
        harness.wait_until(lambda: self.progress() is not None and self.progress()[2] != "", "a checkpoint further on")
        return scan

    def left(self, done, code):
        self.assertEqual(done.code, code, done)
        self.assertIn(f"pier-scan --resume '{self.state}' goes on with it", done.err)
        self.assertFalse(self.file.exists())

    def test_by_signals_and_a_deadline(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            scan = self.begin() if number == signal.SIGINT else self.spawn_run(1)
            scan.wait_err("SYNs a second")
            scan.signal(number)
            self.left(scan.finish(), 128 + number)
        self.left(run(self.a.command(["pier-scan", "--resume", str(self.state), "--limit-time", "200ms"])), 124)
        self.assertEqual(self.spawn_run(1).finish().code, 0)
        self.check_file()

    def test_by_an_interface_that_goes_down_and_comes_back(self):
        scan = self.begin()
        self.a.ip("link", "set", "eth0", "down")
        self.left(scan.finish(), 2)
        self.a.ip("link", "set", "eth0", "up")
        self.a.ip("route", "add", NETWORK, "via", self.b.ip4)
        harness.wait_until(lambda: "state UP" in self.a.ip("link", "show", "eth0"), "the cable to be up")
        self.pin_neighbours()
        self.assertEqual(self.spawn_run(1).finish().code, 0)
        self.check_file()

    def test_what_does_not_fit_is_refused(self):
        scan = self.begin()
        for words, parts in ((("--resume", self.state, "--rate", "77"), (f"--rate {self.rate}", "--rate 77")),
                             (("--resume", self.state, "--connect"), ("--connect",)),
                             (("--resume", self.state, "--banner"), ("--banner",)),
                             (("--syn", *self.first), ("has not come to its end",))):
            self.assert_usage_error(run(self.a.command(["pier-scan", *map(str, words)])), *parts)
        self.assertIn("another scan is writing it", self.spawn_run(1).finish().err)
        scan.signal(signal.SIGINT)
        scan.finish()
        text = self.state.read_text()
        for old, new in (('"round":', '"rounds":'), ('"size":4096', '"size":4097'), ('"size":4096', '"size":0'),
                         ('"syn":', '"sin":')):
            damaged = self.folder / "damaged"
            self.assertIn(old, text)
            damaged.write_text(text.replace(old, new))
            self.assert_usage_error(run(self.a.command(["pier-scan", "--resume", damaged])), str(damaged), "a damaged checkpoint")

    def test_files_of_the_working_directory(self):
        words = ["-p", "443", "--rate", "1k", "10.80.0.0/20"]
        scan = self.spawn(self.a.command(["pier-scan", "--syn", "--checkpoint", "state", "-o", "out", *words]), cwd=self.folder)
        harness.wait_until(self.state.exists, "the first checkpoint")
        scan.signal(signal.SIGINT)
        self.assertEqual(scan.finish().code, 130)
        # A symbolic link stays one, and what it points to is replaced.
        (self.folder / "link").symlink_to("state")
        inode = self.state.stat().st_ino
        done = run(self.a.command(["pier-scan", "--resume", "link", "--limit-time", "2s"]), cwd=self.folder)
        self.assertEqual(done.code, 124, done)
        self.assertTrue((self.folder / "link").is_symlink())
        self.assertNotEqual(self.state.stat().st_ino, inode)

    def test_a_user_who_could_not_write_it_is_told_before(self):
        self.folder.chmod(0o755)
        for words in (["--user", "daemon"], ["--user", "daemon", "-o", self.folder / "out"]):
            done = run(self.a.command(["pier-scan", "--syn", "--checkpoint", str(self.state), *map(str, words), "-p", "443",
                                       "10.80.0.1"]))
            self.assertEqual((done.code, done.out), (2, b""), done)
            self.assertIn("permission denied for user 'daemon'", done.err)
            self.assertFalse(self.state.exists())
        done = run(self.a.command(["pier-scan", "--syn", "--checkpoint", "/dev/null", "-p", "443", "10.80.0.1"]))
        self.assert_usage_error(done, "/dev/null", "no regular file")


class SuspectHosts(SynTestCase):
    def test_are_suspect_after_a_kill_too(self):
        """A tarpit: one listener behind every port; the canaries are out when it is cut off."""
        port = self.serve(self.b, self.b.ip4, 0)
        self.b.nft("add table ip tarpit\nadd chain ip tarpit incoming { type nat hook prerouting priority -100; }\n"
                   f"add rule ip tarpit incoming tcp dport 1-65535 redirect to :{port}\n")
        folder = pathlib.Path(self.tmp())
        scan = self.spawn_syn("--json", "--all-states", "--checkpoint", folder / "state", "-o", folder / "out", "-p", "1-3000",
                              "--rate", 1000, self.b.ip4)
        harness.wait_until(lambda: '"held":[' in self._text(folder / "state"), "the first checkpoint")
        scan.signal(signal.SIGKILL)
        scan.finish()
        done = self.spawn_syn("--resume", folder / "state").finish()
        self.assertEqual(done.code, 3, done)
        records = [json.loads(line) for line in (folder / "out").read_text().splitlines()]
        ports = [r["port"] for r in records if r["type"] == "port"]
        self.assertEqual((len(ports), sorted(set(ports))), (3000, list(range(1, 3001))))
        self.assertEqual({r["state"] for r in records if r["type"] == "port"}, {"suspect"})
        self.assertEqual((records[-1]["suspect"], records[-1]["hosts_suspect"]), (3000, 1))

    @staticmethod
    def _text(path):
        try:
            return path.read_text()
        except OSError:
            return ""

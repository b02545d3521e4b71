"""pier-scan from outside, on real listeners of this host's loopback: verdicts, outputs, orders, ends."""

import json
import os
import socket
import stat
import subprocess
import threading

import harness
from harness import CLOSED, PTY, SAFETY, need_ipv6, need_program, need_root, reset, run, wait_until
from scan_case import LOOPBACK, ScanTestCase


class Verdicts(ScanTestCase):
    def test_an_open_port_is_a_row_of_six_cells(self):
        port = self.open_port()
        done = self.scan("-p", port, LOOPBACK)
        self.assertEqual(done.code, 0, done)
        self.assertEqual(len(done.lines), 1, done)
        cells = done.lines[0].split("\t")
        self.assertEqual(cells[:3] + cells[5:], [LOOPBACK, f"{port}/tcp", "open", "syn-ack"])
        self.assertIn(cells[4], ("registered", "dynamic"))

    def test_the_record_of_an_open_port(self):
        port = self.open_port()
        _, [record], summary = self.records(self.scan("--json", "-p", port, LOOPBACK))
        self.assertEqual(list(record), ["type", "proto", "host", "addr", "port", "state", "reason", "service",
                                        "class", "rtt_us", "tries"])
        self.assertEqual((record["type"], record["proto"], record["host"], record["addr"], record["port"],
                          record["state"], record["reason"], record["tries"]),
                         ("port", "tcp", LOOPBACK, LOOPBACK, port, "open", "syn-ack", 1))
        self.assertIsInstance(record["rtt_us"], int)
        for key in ("probes", "answers", "retries", "estimated_loss", "hosts", "open", "elapsed", "complete"):
            self.assertIn(key, summary)
        self.assertEqual((summary["open"], summary["hosts"], summary["complete"]), (1, 1, True))

    def test_nothing_open_is_1_and_shown_only_when_asked(self):
        port = self.closed_port()
        done = self.scan("-p", port, LOOPBACK)
        self.assertEqual((done.code, done.out), (1, b""), done)
        done = self.scan("-p", port, "--all-states", LOOPBACK)
        self.assertEqual(done.code, 1)
        self.assertEqual(done.lines[0].split("\t")[2:3] + done.lines[0].split("\t")[5:], ["closed", "refused"])

    def test_ipv6(self):
        need_ipv6()
        port = self.open_port("::1")
        done = self.scan("-p", port, "::1")
        self.assertEqual(done.code, 0)
        self.assertTrue(done.text.startswith(f"::1\t{port}/tcp\topen\t"), done)

    def test_silence_is_filtered_and_3(self):
        port = self.silent_port()
        done = self.scan("--json", "--all-states", "-p", port, "--retries", 1, "--probe-timeout", "50ms", LOOPBACK)
        _, [record], summary = self.records(done)
        self.assertEqual((done.code, record["state"], record["reason"], record["tries"], record["rtt_us"]),
                         (3, "filtered", "no answer", 2, None))
        self.assertEqual((summary["probes"], summary["retries"], summary["answers"]), (2, 1, 0))

    def test_something_open_outweighs_something_filtered(self):
        ports = f"{self.silent_port()},{self.open_port()},{self.closed_port()}"
        done = self.scan("-p", ports, "--retries", 0, "--probe-timeout", "50ms", LOOPBACK)
        self.assertEqual(done.code, 0, done)
        self.assertIn("1 open", done.err)
        self.assertIn("1 filtered", done.err)

    def test_a_listener_that_resets_what_it_accepts_is_open(self):
        listener = self.raw_listener()
        stop = threading.Event()

        def serve():
            while not stop.is_set():
                try:
                    reset(listener.accept()[0])
                except OSError:
                    return
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        for _ in range(10):
            done = self.scan("-p", listener.getsockname()[1], LOOPBACK)
            self.assertEqual((done.code, done.lines[0].split("\t")[2]), (0, "open"), done)
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(SAFETY)

    def test_a_fault_of_this_host_is_an_error_never_closed(self):
        # TCP has no broadcast: connect(2) itself refuses, and no packet is sent.
        done = self.scan("--json", "--all-states", "--special", "-p", "80,81", "255.255.255.255")
        _, records, _ = self.records(done)
        self.assertEqual(done.code, 3, done)
        self.assertEqual({r["state"] for r in records}, {"error"})
        self.assertIn("fault of this host", done.err)

    def test_states_can_be_chosen(self):
        ports = [self.open_port(), self.closed_port()]
        words = ["--json", "-p", ",".join(map(str, ports)), LOOPBACK]
        self.assertEqual(list(self.states(self.scan(*words)).values()), ["open"])
        self.assertEqual(list(self.states(self.scan("--state", "closed", *words)).values()), ["closed"])
        self.assertEqual(sorted(self.states(self.scan("--state", "closed,open", *words)).values()), ["closed", "open"])
        self.assertEqual(sorted(self.states(self.scan("--all-states", *words)).values()), ["closed", "open"])

    def test_without_privilege(self):
        need_root("dropping root needs root")
        port = self.open_port()
        probe = subprocess.run(["test", "-x", harness.binary("pier-scan")], user=65534, group=65534)
        if probe.returncode != 0:
            self.skipTest("another user cannot reach the binary here")
        done = self.scan("-p", port, LOOPBACK, preexec=lambda: (os.setgroups([]), os.setgid(65534), os.setuid(65534)))
        self.assertEqual((done.code, len(done.lines)), (0, 1), done)

    def test_few_descriptors_make_it_slow_not_wrong(self):
        is_open = {self.open_port() for _ in range(10)}
        closed = {self.closed_port() for _ in range(90)}
        ports = ",".join(map(str, is_open | closed))
        command = f'ulimit -n 32; exec {harness.binary("pier-scan")} --json --all-states -p {ports} {LOOPBACK}'
        done = run(["sh", "-c", command])
        found = self.states(done)
        self.assertEqual({p for (_, p), s in found.items() if s == "open"}, is_open)
        self.assertEqual({p for (_, p), s in found.items() if s == "closed"}, closed)
        self.assertEqual(done.code, 0)

    def test_a_low_soft_limit_is_raised(self):
        port = self.open_port()
        command = f'ulimit -Sn 16; exec {harness.binary("pier-scan")} -v --window 300 -p {port} {LOOPBACK}'
        done = run(["sh", "-c", command])
        self.assertEqual(done.code, 0, done)
        self.assertNotIn("descriptor limit", done.err)


class Targets(ScanTestCase):
    def test_every_address_of_a_name_is_asked_and_keeps_it(self):
        port = self.open_port()
        _, records, summary = self.records(self.scan("--json", "--all-states", "-p", port, "localhost"))
        self.assertEqual({r["host"] for r in records}, {"localhost"})
        self.assertIn(LOOPBACK, {r["addr"] for r in records})
        self.assertEqual(summary["hosts"], len(records))

    def test_a_duplicate_is_asked_once(self):
        port = self.open_port()
        done = self.scan("-p", port, LOOPBACK, f"{LOOPBACK}/32,{LOOPBACK}", "127.0.0.1-1", "::ffff:127.0.0.1")
        self.assertEqual(len(done.lines), 1, done)

    def test_an_exclusion_wins(self):
        done = self.scan("--dry-run", "-p", "80", "10.0.0.0/30", "10.0.0.1", "--exclude", "10.0.0.1",
                         "--exclude", "10.0.0.2-3")
        self.assertEqual(done.text, "10.0.0.0\t80/tcp\n")
        self.assert_usage_error(self.scan("-p", "80", "10.0.0.1", "--exclude", "10.0.0.0/8"), "excluded")

    def test_lists_come_from_files_and_stdin(self):
        hosts = self.tmp() / "hosts"
        hosts.write_text("# lab\n10.0.0.1, 10.0.0.2\n\n10.0.0.3 # three\n")
        done = self.scan("--dry-run", "-p", "80", f"@{hosts}", "-", stdin="10.0.0.4\n")
        self.assertEqual(sorted(line.split("\t")[0] for line in done.lines), [f"10.0.0.{i}" for i in (1, 2, 3, 4)])

    def test_a_bad_line_is_told_with_file_and_number_and_nothing_is_scanned(self):
        hosts = self.tmp() / "hosts"
        hosts.write_text("10.0.0.1\n\n1.2.3\n")
        self.assert_usage_error(self.scan("--dry-run", f"@{hosts}"), f"{hosts}:3:", "'1.2.3'")
        self.assert_usage_error(self.scan("--dry-run", "-", stdin="a,,b\n"), "standard input:1:", "'a,,b'")

    def test_a_name_that_does_not_resolve_is_1(self):
        done = self.scan("-p", "80", LOOPBACK, "no-such-host.invalid")
        self.assertEqual((done.code, done.out), (1, b""), done)
        self.assertRegex(done.err, r"\Apier-scan: [^\n]*no-such-host\.invalid[^\n]*\n\Z")

    def test_masked_host_bits_are_told_under_v(self):
        words = ["--dry-run", "-p", "80", "10.0.0.77/31"]
        self.assertEqual(self.scan(*words).err, "")
        self.assertIn("10.0.0.77/31 is taken as 10.0.0.76/31", self.scan("-v", *words).err)

    def test_a_terminal_as_list_gets_a_hint(self):
        program = self.spawn_scan("--dry-run", "-p", "80", "-", stdin=PTY)
        program.wait_err("ctrl-D")
        program.write("10.0.0.1\n\x04")
        self.assertEqual(program.wait().text, "10.0.0.1\t80/tcp\n")


class Usage(ScanTestCase):
    def test_bad_words_are_one_line_and_2(self):
        rows = [
            ([], ["no target"]),
            (["1.2.3"], ["'1.2.3'", "looks like an IPv4 address"]),
            (["75.748.86.91"], ["'75.748.86.91'"]),
            (["10.0.0.5-1"], ["10.0.0.1-5"]),
            (["10.0.0.0/33"], ["'10.0.0.0/33'"]),
            (["10.0.0.1,,10.0.0.2"], ["'10.0.0.1,,10.0.0.2'"]),
            (["10.0.0.1,"], ["empty item"]),
            (["127.0.0.1:80"], ["-p"]),
            (["bad host"[:3] + "!x"], ["'!'"]),
            (["@/no/such/file"], ["/no/such/file"]),
            (["-", "-"], ["standard input"]),
            (["-p", "0", LOOPBACK], ["'0'"]),
            (["-p", "80,0", LOOPBACK], ["'0'"]),
            (["-p", "65536", LOOPBACK], ["'65536'"]),
            (["-p", "1,,2", LOOPBACK], ["1,,2"]),
            (["-p", "5-1", LOOPBACK], ["1-5"]),
            (["-p", "80abc", LOOPBACK], ["80abc"]),
            (["-p", "80", "--expect", "U:80", LOOPBACK], ["does not scan"]),
            (["--state", "ajar", LOOPBACK], ["'ajar'", "closed"]),
            (["--state", "open", "--all-states", LOOPBACK], ["--all-states"]),
            (["--shard", "3/2", "--seed", "1", LOOPBACK], ["'3/2'"]),
            (["--shard", "0/2", "--seed", "1", LOOPBACK], ["'0/2'"]),
            (["--shard", "auto", LOOPBACK], ["'auto'"]),
            (["--seed", "x", LOOPBACK], ["'x'"]),
            (["--window", "0", LOOPBACK], ["'0'"]),
            (["--probe-timeout", "0", LOOPBACK], ["--probe-timeout"]),
            (["--probe-timeout", "soon", LOOPBACK], ["'soon'"]),
            (["--rate", "0", LOOPBACK], ["'0'"]),
            (["--expect", "81", "-p", "80", LOOPBACK], ["81", "does not scan"]),
            (["--source", "nonsense", LOOPBACK], ["'nonsense'"]),
            (["--source", "::1", LOOPBACK], ["::1", LOOPBACK]),
            (["--source", "203.0.113.9", LOOPBACK], ["203.0.113.9"]),
            (["--interface", "nosuchif0", LOOPBACK], ["nosuchif0"]),
            (["-o", "/no/such/folder/file", LOOPBACK], ["/no/such/folder/file"]),
            (["-p", "80", "2001:db8::/64"], ["2^64"]),
            (["1-254.1-254.1-254.1-254"], ["runs of addresses"]),
            (["--syn", "-u", LOOPBACK], ["--syn", "--udp"]),
            (["--syn", "--connect", LOOPBACK], ["--syn", "--connect"]),
            (["--syn", "-p", "T:80,U:53", LOOPBACK], ["T:80,U:53", "UDP ports"]),
            (["--syn", "--window", "5", LOOPBACK], ["--syn", "--window"]),
            (["--user", "nobody", LOOPBACK], ["--user", "--syn"]),
        ]
        for words, texts in rows:
            with self.subTest(words=words):
                self.assert_usage_error(self.scan(*words, stdin=""), *texts)

    def test_the_defaults_are_in_the_help(self):
        text = " ".join(self.scan("--help").text.split())
        for default in ("(default: common)", "(default: 4096,", "(default: as long as", "(default: 1s)", "(default: never)"):
            self.assertIn(default, text)


class Datagrams(ScanTestCase):
    def server(self, answer):
        """A UDP server of ours whose answer to each datagram is answer(datagram), or none."""
        sock = self.raw_listener(kind=socket.SOCK_DGRAM)
        sock.settimeout(None)

        def serve():
            try:
                while True:
                    datagram, peer = sock.recvfrom(4096)
                    if (reply := answer(datagram)) is not None:
                        sock.sendto(reply, peer)
            except OSError:
                return

        threading.Thread(target=serve, daemon=True).start()
        return sock.getsockname()[1]

    def closed_udp(self):
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.bind((LOOPBACK, 0))
            return sock.getsockname()[1]

    def test_only_a_reply_is_open(self):
        talks, silent, closed = self.server(lambda d: b"hello"), self.server(lambda d: None), self.closed_udp()
        done = self.scan("-u", "--json", "--all-states", "--retries", 0, "-p", f"{talks},{silent},{closed}", LOOPBACK)
        _, ports, summary = self.records(done)
        self.assertEqual({r["port"]: (r["proto"], r["state"], r["reason"]) for r in ports},
                         {talks: ("udp", "open", "reply"), silent: ("udp", "open|filtered", "no answer"),
                          closed: ("udp", "closed", "icmp 3/3 (port unreachable)")})
        self.assertEqual((summary["open"], summary["open|filtered"], done.code), (1, 1, 0))

    def test_silence_alone_is_3_and_refusals_alone_1(self):
        silent = self.server(lambda d: None)
        self.assertEqual(self.scan("-u", "--retries", 0, "--probe-timeout", "100ms", "-p", silent, LOOPBACK).code, 3)
        self.assertEqual(self.scan("-u", "-p", self.closed_udp(), LOOPBACK).code, 1)

    def test_ipv6(self):
        need_ipv6()
        done = self.scan("-u", "--all-states", "-p", "1", "::1")
        self.assertIn("icmpv6 1/4 (port unreachable)", done.text)

    def test_both_transports_of_one_port(self):
        port = self.open_port()
        done = self.scan("--all-states", "-p", f"T:{port},U:{port}", LOOPBACK)
        self.assertEqual({line.split("\t")[1]: line.split("\t")[2] for line in done.lines},
                         {f"{port}/tcp": "open", f"{port}/udp": "closed"})

    def test_the_default_ports_are_the_common_ones_of_udp(self):
        lines = self.scan("-u", "--dry-run", LOOPBACK).lines
        self.assertTrue(lines and all(line.endswith("/udp") for line in lines))
        self.assertIn(f"{LOOPBACK}\t53/udp", lines)

    def test_a_silent_server_gets_the_datagram_again(self):
        asked = []
        port = self.server(lambda d: b"late" if asked.append(d) or len(asked) == 2 else None)
        done = self.scan("-u", "--json", "-p", port, "--probe-timeout", "200ms", LOOPBACK)
        [record] = self.records(done)[1]
        self.assertEqual((record["state"], record["tries"], asked), ("open", 2, [b"\r\n", b"\r\n"]))

    def test_explain_says_what_there_is_instead_of_a_connection(self):
        port = self.server(lambda d: b"hello")
        err = self.scan("-u", "--explain", "-p", port, LOOPBACK).err
        self.assertEqual([line.split()[0] for line in err.splitlines()][1:6],
                         ["socket", "connect", "send", "recv", "close"], err)
        self.assertIn("UDP has no connection", err)


class Order(ScanTestCase):
    def test_a_dry_run_prints_the_pairs_of_the_scan_in_its_order(self):
        words = ["-p", "1-50", LOOPBACK, "--seed", "5"]
        planned = self.scan("--dry-run", *words).lines
        self.assertEqual(len(set(planned)), 50)
        done = self.scan(*words, "--all-states", "--window", "1")
        self.assertEqual(["\t".join(line.split("\t")[:2]) for line in done.lines], planned)

    def test_a_seed_is_an_order_and_is_told(self):
        def pairs(*words):
            start, records, _ = self.records(self.scan("--dry-run", "--json", "-p", "1-100", "10.0.0.0/29", *words))
            return start["seed"], [(r["type"], r["proto"], r["addr"], r["port"]) for r in records]
        seed, order = pairs()
        self.assertEqual(pairs("--seed", seed), (seed, order))
        self.assertNotEqual(pairs("--seed", seed + 1)[1], order)
        self.assertEqual({p[:2] for p in order}, {("probe", "tcp")})

    def test_shards_are_disjoint_and_complete(self):
        for seed in ([], ["--seed", "9"]):
            words = ["--dry-run", "-p", "1-33", "10.0.0.0/29", *seed]
            whole = self.scan(*words).lines
            parts = [self.scan(*words, "--shard", f"{i}/3").lines for i in (1, 2, 3)]
            self.assertEqual(sorted(sum(parts, [])), sorted(whole))
            self.assertLessEqual(max(map(len, parts)) - min(map(len, parts)), 1)

    def test_both_transports_are_planned(self):
        done = self.scan("--dry-run", "-p", "T:80,U:53", "10.0.0.1")
        self.assertEqual(sorted(done.lines), ["10.0.0.1\t53/udp", "10.0.0.1\t80/tcp"])

    def test_a_huge_plan_costs_nothing(self):
        for words in (["10.0.0.0/8", "-p", "-"], ["2001:db8::/65", "-p", "443"], ["::/0", "-p", "1", "--exclude", "::/1"],
                      ["0-255.0-255.0-255.0-255", "-p", "-"]):
            if "::/0" in words:
                self.assert_usage_error(self.scan("--dry-run", *words), "2^64")
                continue
            with self.subTest(words=words):
                reader, writer = os.pipe()
                program = self.spawn_scan("--dry-run", *words, stdout=writer)
                os.close(writer)
                with os.fdopen(reader, "rb") as pairs:
                    first = [pairs.readline() for _ in range(100)]
                self.assertEqual(len(set(first)), 100)
                self.assertEqual(program.wait().code, 141)

    def test_a_dry_run_of_addresses_opens_no_socket(self):
        strace = need_program("strace")
        trace = self.tmp() / "trace"
        words = ["-p", "80", "10.0.0.0/30", "2001:db8::1", "--exclude", "10.0.0.1", "--dry-run"]
        done = run([strace, "-f", "-e", "trace=socket,connect", "-o", trace, harness.binary("pier-scan"), *words],
                   env={"ASAN_OPTIONS": f"detect_leaks=0:exitcode={harness.SANITIZER_EXIT}"})
        if "ptrace" in done.err.lower():
            self.skipTest(f"strace does not work here: {done.err.strip()}")
        self.assertEqual((done.code, len(done.lines)), (0, 4), done)
        self.assertNotIn("(", trace.read_text().replace("+++", ""), "a socket call was made")


class Ends(ScanTestCase):
    SLOW = ["--json", "--all-states", "--rate", "200", "-p", "1-20000", LOOPBACK]

    def interrupted(self, number):
        program = self.spawn_scan(*self.SLOW)
        program.wait_out(rb'"type":"port".*\n')
        program.signal(number)
        done = program.wait()
        self.assertEqual(done.code, 128 + number, done)
        _, ports, summary = self.records(done)
        self.assertIs(summary["complete"], False)
        self.assertEqual(len(ports), summary["open"] + summary["closed"] + summary["filtered"] + summary["error"])
        self.assertIn("incomplete", done.err)

    def test_sigint(self):
        self.interrupted(2)

    def test_sigterm(self):
        self.interrupted(15)

    def test_an_ignored_sigint_stays_ignored(self):
        import signal
        program = self.spawn_scan(*self.SLOW, "--limit-time", "1s",
                                  preexec=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
        program.wait_out(rb'"type":"port".*\n')
        program.signal(signal.SIGINT)
        self.assertEqual(program.wait().code, 124)

    def test_limit_time_is_124_with_what_was_found(self):
        done = self.scan(*self.SLOW, "--limit-time", "300ms")
        self.assertEqual(done.code, 124, done)
        _, ports, summary = self.records(done)
        self.assertIs(summary["complete"], False)
        self.assertGreater(len(ports), 0)

    def test_a_dry_run_ends_by_a_signal_too(self):
        program = self.spawn_scan("--dry-run", "--json", "-p", "-", "10.0.0.0/8")
        program.wait_out_size(1 << 16)
        program.signal(2)
        done = program.wait()
        self.assertEqual(done.code, 130)
        self.assertIs(self.records(done)[2]["complete"], False)

    def test_a_reader_that_goes_is_141(self):
        reader, writer = os.pipe()
        program = self.spawn_scan("--all-states", "-p", "-", LOOPBACK, stdout=writer)
        os.close(writer)
        with os.fdopen(reader, "rb") as rows:
            self.assertTrue(rows.readline().startswith(b"127.0.0.1\t"))
        self.assertEqual(program.wait().code, 141)

    def test_a_full_disk_is_2(self):
        with open("/dev/full", "wb") as full:
            done = self.scan("--all-states", "-p", "1-10", LOOPBACK, stdout=full)
        self.assertEqual(done.code, 2, done)
        self.assertIn("no space left", done.err)

    def test_a_closed_stdout_is_an_empty_place(self):
        done = self.scan("-p", self.open_port(), LOOPBACK, stdout=CLOSED)
        self.assertEqual(done.code, 0, done)

    def test_results_come_as_they_are_found(self):
        port = self.open_port()
        program = self.spawn_scan("--json", "-p", f"{port},{self.silent_port()}", "--retries", "100", LOOPBACK)
        program.wait_out(rb'"port":%d,"state":"open".*\n' % port)
        self.assertTrue(program.running())


class Outputs(ScanTestCase):
    def test_a_file_appears_whole_at_the_end(self):
        target = self.tmp() / "scan.ndjson"
        target.write_text("old")
        program = self.spawn_scan(*Ends.SLOW, "-o", target)
        wait_until(lambda: [f for f in target.parent.iterdir() if f != target and f.stat().st_size > 0],
                   "records in the file beside")
        self.assertEqual(target.read_text(), "old")
        program.signal(15)
        done = program.wait()
        self.assertEqual((done.code, done.out), (143, b""))
        self.assertEqual(list(target.parent.iterdir()), [target])
        self.assertIs(json.loads(target.read_text().splitlines()[-1])["complete"], False)

    def test_a_file_keeps_its_old_self_when_the_scan_cannot_begin(self):
        target = self.tmp() / "scan.txt"
        target.write_text("old")
        self.assertEqual(self.scan("-o", target, "-p", "80", "no-such-host.invalid").code, 1)
        self.assertEqual((list(target.parent.iterdir()), target.read_text()), ([target], "old"))

    def test_a_link_stays_a_link(self):
        folder = self.tmp()
        (folder / "real").write_text("old")
        (folder / "link").symlink_to("real")
        port = self.open_port()
        self.assertEqual(self.scan("-o", folder / "link", "-p", port, LOOPBACK).code, 0)
        self.assertTrue((folder / "link").is_symlink())
        self.assertIn(f"{port}/tcp", (folder / "real").read_text())

    def test_a_fifo_is_written_to_not_replaced(self):
        fifo = self.tmp() / "fifo"
        os.mkfifo(fifo)
        port = self.open_port()
        program = self.spawn_scan("-o", fifo, "-p", port, LOOPBACK)
        self.assertIn(f"{port}/tcp", fifo.read_text())
        self.assertEqual(program.wait().code, 0)
        self.assertTrue(stat.S_ISFIFO(fifo.stat().st_mode))

    def test_a_dash_is_standard_output(self):
        port = self.open_port()
        self.assertEqual(len(self.scan("-o", "-", "-p", port, LOOPBACK).lines), 1)

    def test_the_summary_is_on_stderr_and_quiet_silences_it(self):
        port = self.open_port()
        err = self.scan("-p", port, LOOPBACK).err
        self.assertRegex(err, r"\A1 probe, 1 host \(1 up\), 1 open, 0 retransmitted: estimated missed 0\.0% of open "
                              r"ports; complete; [^\n]+\n\Z")
        self.assertEqual(self.scan("-q", "-p", port, LOOPBACK).err, "")

    def test_rows_on_a_terminal_are_aligned(self):
        ports = [self.open_port(), self.open_port()]
        program = self.spawn_scan("-p", ",".join(map(str, ports)), LOOPBACK, stdout=PTY)
        lines = program.wait().text.splitlines()
        self.assertEqual(len({line.index("open") for line in lines}), 1, lines)
        self.assertNotIn("\t", "".join(lines))

    def test_progress_is_on_stderr_and_gone_at_the_end_of_a_terminal(self):
        program = self.spawn_scan(*Ends.SLOW, "--progress", stderr=PTY)
        program.wait_err(r"scanning 1 host × 20,000 ports  ▕[█ ]{10}▏ \d+%")
        program.signal(2)
        self.assertRegex(program.wait().err, r"\r\x1b\[K\d[\d,]* probes, ")

    def test_expectations(self):
        ports = sorted([self.open_port(), self.open_port(), self.closed_port()])
        is_open = [p for p in ports if p in [int(line.split("\t")[1].split("/")[0]) for line in
                                             self.scan("-p", ",".join(map(str, ports)), LOOPBACK).lines]]
        [closed] = set(ports) - set(is_open)
        words = ["-p", ",".join(map(str, ports)), LOOPBACK, "--expect"]
        self.assertEqual(self.scan(*words, ",".join(map(str, is_open))).code, 0)
        done = self.scan(*words, f"{is_open[0]},{closed}")
        self.assertEqual(done.code, 1)
        drift = sorted(line.split("\t") for line in done.lines if line.startswith("drift"))
        self.assertEqual(drift, sorted([["drift", LOOPBACK, f"{is_open[1]}/tcp", "unexpected", "open"],
                                        ["drift", LOOPBACK, f"{closed}/tcp", "missing", "closed"]]))
        _, records, summary = self.records(self.scan("--json", *words, closed))
        self.assertEqual(sorted(r["change"] for r in records if r["type"] == "drift"),
                         ["missing", "unexpected", "unexpected"])
        self.assertEqual(summary["drift"], 3)


class Explained(ScanTestCase):
    def test_the_steps_of_each_socket_in_order(self):
        port = self.open_port()
        done = self.scan("--explain", "-p", port, LOOPBACK)
        calls = [line.split()[0] for line in done.err.splitlines()]
        self.assertEqual(calls[:5], ["roles", "socket", "connect", "connect", "close"], done.err)
        self.assertEqual(calls[5:-1].count("socket"), 2, "and those of two canaries")
        self.assertRegex(done.err, rf"connect +{LOOPBACK}:{port} from {LOOPBACK}:\d+ .*syn-ack")

    def test_as_records(self):
        port = self.open_port()
        _, records, _ = self.records(self.scan("--explain", "--json", "-p", port, "localhost"))
        steps = [r for r in records if r["type"] == "step"]
        self.assertEqual([s["call"] for s in steps][:3], ["resolve", "roles", "socket"])
        self.assertEqual(done_kinds := {r["type"] for r in records}, {"step", "port"}, done_kinds)


class Source(ScanTestCase):
    def peer_of(self, *words):
        """Who the listener saw."""
        listener = self.raw_listener()
        self.assertEqual(self.scan(*words, "-p", listener.getsockname()[1], LOOPBACK).code, 0)
        return listener.accept()[1]

    def test_the_address(self):
        self.assertEqual(self.peer_of("--source", "127.0.0.9")[0], "127.0.0.9")

    def test_the_port(self):
        port = self.closed_port("127.0.0.2")  # free on 127.0.0.1 as well, in all likelihood
        self.assertEqual(self.peer_of("--source", LOOPBACK, "--source-port", port)[1], port)

    def test_the_interface(self):
        need_root("SO_BINDTODEVICE may need root")
        self.assertEqual(self.peer_of("--interface", "lo")[0], LOOPBACK)

    def test_a_source_port_that_is_the_target_meets_itself_and_is_no_open_port(self):
        port = self.closed_port("127.0.0.2")
        done = self.scan("--json", "--all-states", "--source", LOOPBACK, "--source-port", port, "-p", port, LOOPBACK)
        _, [record], _ = self.records(done)
        self.assertEqual((record["state"], record["reason"], done.code), ("error", "would connect to itself", 3))

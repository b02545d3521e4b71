"""pier-scan --syn --banner: open ports are asked what they are by a process beside the scan, while it goes on."""

import contextlib
import json
import os
import pathlib
import re
import signal
import ssl
import threading
import time

import harness
import services
from harness import run, wait_until
from pki import Pki
from scan_lab import SynTestCase

BANNER = ("app", "product", "banner", "tls", "tls_alpn", "tls_subject", "tls_names")
SSH = b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"
AT_ONCE = 64


def banner_of(record):
    return {name: record[name] for name in BANNER if name in record}


class Held:
    """A server that says nothing to anybody until they go; how many it has at a time."""

    def __init__(self):
        self.now = self.most = self.all = 0
        self.peers = set()
        self.lock = threading.Lock()

    def __call__(self, sock):
        with self.lock:
            self.now, self.all = self.now + 1, self.all + 1
            self.most = max(self.most, self.now)
            self.peers.add(sock.getpeername()[1])
        with contextlib.suppress(OSError):
            while sock.recv(4096):
                pass
        with self.lock:
            self.now -= 1


class SynBannerTestCase(SynTestCase):
    words = ("--syn", "--banner")

    def setUp(self):
        super().setUp()
        self.pin_neighbours()

    def talk(self, address, port, talk, context=None, host=None):
        listener = self.listener(host or self.b, address, port)
        services.serve_each(self, listener, talk, context)
        return listener.getsockname()[1]

    def several(self, address, host=None):
        """{port: the protocol it should be found to speak}."""
        own = Pki(self.tmp()).self_signed("db.example", "DNS:db.example")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(own.cert, own.key)
        context.set_alpn_protocols(["http/1.1"])
        return {self.talk(address, 22, services.greeter(SSH), host=host): "ssh",
                self.talk(address, 80, services.http, host=host): "http",
                self.talk(address, 443, services.http, context, host=host): "http",
                self.talk(address, 5000, Held(), host=host): None,
                self.talk(address, 5001, harness.reset, host=host): None}

    def spawn_banners(self, *words):
        return self.spawn_syn("--banner", *words)


class Services(SynBannerTestCase):
    def check(self, address, host=None):
        """What each says is found, and it is what a connect scan finds."""
        truth = self.several(address, host)
        words = ("-p", "22,80,81,443,5000,5001", address)
        records, summary, code = self.scan(*words)
        found = {r["port"]: r for r in records}
        self.assertEqual((code, summary["complete"], summary["open"], len(records)), (0, True, 5, 6))
        self.assertEqual({port: found[port]["app"] for port in truth}, truth)
        self.assertEqual((found[443]["tls"], found[443]["tls_names"]), ("TLSv1.3", ["db.example"]))
        self.assertEqual((found[81]["state"], banner_of(found[81])), ("closed", {}))
        done = run(self.a.command(["pier-scan", "--json", "--all-states", "--banner", *words]))
        by_connect = {r["port"]: r for r in map(json.loads, done.lines) if r["type"] == "port"}
        self.assertEqual({port: banner_of(r) for port, r in found.items()},
                         {port: banner_of(r) for port, r in by_connect.items()})
        self.assertEqual({port: list(r) for port, r in found.items()}, {port: list(r) for port, r in by_connect.items()})

    def test_ipv4(self):
        self.check(self.b.ip4)

    def test_ipv6(self):
        self.check(self.b.ip6)

    def test_the_loopback(self):
        self.check("127.0.0.1", self.a)

    def test_the_loopback_by_ipv6(self):
        self.check("::1", self.a)

    def test_a_link_local_address(self):
        [link] = [line.split()[1].split("/")[0] for line in self.b.ip("-6", "addr", "show", "dev", "eth0").splitlines()
                  if "fe80::" in line]
        self.talk("::", 22, services.greeter(SSH))
        done = run(self.a.command(["pier-scan", "--syn", "--banner", "-p", "22", f"{link}%eth0"]))
        self.assertEqual((done.text.split("\t")[6:], done.code), (["ssh OpenSSH_9.2p1 Debian-2\n"], 0), done)

    def test_from_another_address_and_interface(self):
        self.a.ip("addr", "add", "10.77.0.50/24", "dev", "eth0")
        self.talk(self.b.ip4, 22, lambda sock: services.greeter(b"SSH-2.0-" + sock.getpeername()[0].encode() + b"\r\n")(sock))
        records, _, _ = self.scan("-p", "22", "--source", "10.77.0.50", "--interface", "eth0", self.b.ip4)
        self.assertEqual([r["product"] for r in records], ["10.77.0.50"])

    def test_the_name_of_the_host_is_asked_for_over_tls(self):
        names = []
        own = Pki(self.tmp()).self_signed("web.example", "DNS:web.example")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(own.cert, own.key)
        context.sni_callback = lambda sock, name, _: names.append(name)
        self.talk(self.b.ip4, 443, services.http, context)
        self.a.hosts(f"{self.b.ip4} web.example\n")
        [record], _, _ = self.scan("-p", "443", "web.example")
        self.assertEqual((record["host"], record["tls"], set(names)), ("web.example", "TLSv1.3", {"web.example"}))


class Course(SynBannerTestCase):
    def test_a_banner_is_shown_while_the_scan_goes_on(self):
        self.b.drop("tcp dport 1-20")
        self.talk(self.b.ip4, 22, services.greeter(SSH))
        scan = self.spawn_banners("-p", "1-22", "--retries", 100, self.b.ip4)
        scan.wait_out(rb"22/tcp\topen\t.*ssh OpenSSH_9.2p1")
        self.assertTrue(scan.running())
        scan.signal(signal.SIGINT)
        done = scan.finish()
        self.assertEqual((done.code, len(done.lines)), (130, 1), done)

    def test_each_of_many_hosts_is_told_with_its_own(self):
        self.route_network()
        hosts = {f"10.80.{i}.{j}" for i in range(1, 60) for j in (i, 100 + i, 200)}
        for address in hosts:
            self.talk(address, 22, services.greeter(f"SSH-2.0-{address}\r\n".encode()))
        records, summary, code = self.scan("-p", "22", "--rate", "20k", "10.80.0.0/18")
        found = [(r["addr"], r["product"]) for r in records if r["state"] == "open"]
        self.assertEqual(sorted(found), sorted((address, address) for address in hosts))
        self.assertEqual((len(records), summary["closed"], summary["complete"], code), (16384, 16384 - len(hosts), True, 0))

    def test_no_more_than_so_many_at_once_and_a_signal_tells_the_others_without(self):
        held = Held()
        ports = {self.talk(self.b.ip4, 0, held) for _ in range(AT_ONCE + 6)}
        scan = self.spawn_banners("--json", "-p", ",".join(map(str, ports)), self.b.ip4)
        wait_until(lambda: held.now == AT_ONCE, "as many as may be")
        [asker] = scan.children()
        self.assertEqual(scan.out.count(b'"type":"port"'), 0)
        scan.signal(signal.SIGTERM)
        done = scan.finish()
        records = [json.loads(line) for line in done.lines]
        self.assertEqual({r["port"] for r in records[1:-1]}, ports)
        self.assertEqual(len(records), len(ports) + 2)
        self.assertTrue(all(r["state"] == "open" and r["app"] is None for r in records[1:-1]), records)
        self.assertEqual((records[-1]["complete"], done.code, held.most), (False, 143, AT_ONCE))
        self.assertFalse(os.path.exists(f"/proc/{asker}"))

    def test_a_deadline_tells_it_without(self):
        port = self.talk(self.b.ip4, 0, Held())
        done = run(self.a.command(["pier-scan", "--syn", "--banner", "--json", "--limit-time", "1s", "-p", str(port), self.b.ip4]))
        _, record, summary = map(json.loads, done.lines)
        self.assertEqual((record["port"], record["app"], summary["complete"], done.code), (port, None, False, 124))

    def test_it_ends_with_the_scan_however_that_ends(self):
        held = Held()
        port = self.talk(self.b.ip4, 0, held)
        scan = self.spawn_banners("-p", port, self.b.ip4)
        wait_until(lambda: held.now == 1, "the port to be asked")
        [asker] = scan.children()
        scan.signal(signal.SIGKILL)
        scan.wait()
        wait_until(lambda: not os.path.exists(f"/proc/{asker}"), "the end of the process beside it")

    def test_when_it_dies_the_scan_goes_on_and_is_incomplete(self):
        held = Held()
        port = self.talk(self.b.ip4, 22, held)
        self.serve(self.b, self.b.ip4, 23)
        self.b.drop("tcp dport 1-20")
        scan = self.spawn_banners("--json", "-p", "1-22,24", "--retries", 6, self.b.ip4)
        wait_until(lambda: held.now == 1, "the port to be asked")
        [asker] = scan.children()
        os.kill(asker, signal.SIGKILL)
        scan.wait_err("--banner: the process that asks has ended")
        scan.wait_out(b'"port":22,')
        before, ticks = time.monotonic(), scan.cpu_ticks()
        scan.wait_out(b'"type":"summary"')
        used = (scan.cpu_ticks() - ticks) / os.sysconf("SC_CLK_TCK")
        self.assertLess(used, (time.monotonic() - before) / 2, "it should sleep, not look at a dead end again and again")
        done = scan.finish()
        _, record, summary = map(json.loads, done.lines)
        self.assertEqual((record["port"], record["app"]), (port, None))
        self.assertEqual((summary["filtered"], summary["complete"], done.code), (20, False, 2))

    def test_who_reads_no_more_ends_it(self):
        read, write = os.pipe()
        for port in range(200, 240):
            self.talk(self.b.ip4, port, services.greeter(SSH))
        os.close(read)
        scan = self.spawn(self.a.command(["pier-scan", "--syn", "--banner", "--json", "-p", "1-1000", self.b.ip4]), stdout=write)
        os.close(write)
        self.assertEqual(scan.wait().code, 141)

    def test_results_in_files(self):
        folder = pathlib.Path(self.tmp())
        self.talk(self.b.ip4, 22, services.greeter(SSH))
        done = run(self.a.command(["pier-scan", "--syn", "--banner", "-p", "22", "-o", folder / "out", "--xml", folder / "xml",
                                   self.b.ip4]))
        self.assertEqual(done.code, 0, done)
        self.assertEqual((folder / "out").read_text().split("\t")[6:], ["ssh OpenSSH_9.2p1 Debian-2\n"])
        self.assertIn('state="open"', (folder / "xml").read_text())

    def test_states_that_are_not_shown_are_not_asked(self):
        held = Held()
        port = self.talk(self.b.ip4, 0, held)
        done = run(self.a.command(["pier-scan", "--syn", "--banner", "--state", "closed", "-p", str(port), self.b.ip4]))
        self.assertEqual((done.out, done.code, held.all), (b"", 0, 0))

    def test_the_steps_tell_of_it(self):
        self.talk(self.b.ip4, 22, services.greeter(SSH))
        done = run(self.a.command(["pier-scan", "--syn", "--banner", "--json", "--explain", "-p", "22", self.b.ip4]))
        steps = [r["call"] for r in map(json.loads, done.lines) if r["type"] == "step"]
        self.assertLess(steps.index("fork"), steps.index("socket"))

    def test_no_checkpoint_can_be_kept_of_it(self):
        self.assert_usage_error(run(["pier-scan", "--syn", "--banner", "--checkpoint", "x", "127.0.0.1"]), "--checkpoint")


class BesideTheScan(SynBannerTestCase):
    """Two that use the same hosts' ports at the same time."""

    def test_connections_come_from_other_ports_than_probes(self):
        """Of twelve ports that the kernel may give, eight are the scan's."""
        self.a.sysctl("net/ipv4/ip_local_port_range", '"40000 40011"')
        held = Held()
        ports = {self.talk(self.b.ip4, 0, lambda sock: (held.peers.add(sock.getpeername()[1]), services.greeter(SSH)(sock)))
                 for _ in range(30)}
        done = run(self.a.command(["pier-scan", "--syn", "--banner", "--json", "--explain", "-p", ",".join(map(str, ports)),
                                   self.b.ip4]))
        records = [json.loads(line) for line in done.lines]
        [text] = [r["text"] for r in records if r["type"] == "step" and "source ports kept" in r["text"]]
        kept = set(map(int, re.findall(r"\b\d{5}\b", text)))
        self.assertEqual(len(kept), 8)
        self.assertEqual([r["app"] for r in records if r["type"] == "port"], ["ssh"] * 30, done)
        self.assertFalse(held.peers & kept)
        summary = records[-1]
        self.assertEqual((summary["answers"], summary["probes"], summary["late_answers"]), (30, 30, 0), "no more than were asked")

    def test_a_tarpit_is_suspect_and_not_asked(self):
        held = Held()
        port = self.talk(self.b.ip4, 0, held)
        self.b.nft("add table ip tarpit\nadd chain ip tarpit incoming { type nat hook prerouting priority -100; }\n"
                   f"add rule ip tarpit incoming tcp dport 1-65535 redirect to :{port}\n")
        records, summary, code = self.scan("-p", "22,80,443", self.b.ip4)
        self.assertEqual([(r["state"], banner_of(r)) for r in records], [("suspect", {})] * 3)
        self.assertEqual((summary["hosts_suspect"], code, held.all), (1, 3, 0))

    def test_of_a_crowd_only_the_number_is_told(self):
        held = Held()
        self.talk(self.b.ip4, 22, services.greeter(SSH))
        for port in (80, 81):
            self.talk(self.b.ip6, port, held)
        done = run(self.a.command(["pier-scan", "--syn", "--banner", "--json", "--max-open", "1", "-p", "22,80,81",
                                   self.b.ip4, self.b.ip6]))
        records = {r["type"]: r for r in map(json.loads, done.lines)}
        self.assertEqual((records["host"]["addr"], records["host"]["open"], held.all), (self.b.ip6, 2, 0))
        self.assertEqual((records["port"]["addr"], records["port"]["app"]), (self.b.ip4, "ssh"))


class Rights(SynBannerTestCase):
    def test_both_processes_are_nobody_without_capabilities_behind_a_filter(self):
        self.b.drop("tcp dport 1-20")
        held = Held()
        self.talk(self.b.ip4, 22, held)
        scan = self.spawn_banners("-p", "1-22", "--retries", 100, self.b.ip4)
        wait_until(lambda: held.now == 1, "the port to be asked")
        [asker] = scan.children()
        tasks = [task for pid in (scan.pid, asker) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()]
        self.assertGreaterEqual(len(tasks), 2)
        for task in tasks:
            status = dict(line.split(":", 1) for line in (task / "status").read_text().splitlines())
            for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                self.assertEqual(status[name].split(), ["0" * 16], (task, name))
            for name in ("Uid", "Gid"):
                self.assertEqual(status[name].split(), ["65534"] * 4, (task, name))
            self.assertEqual((status["Seccomp"].split(), status["NoNewPrivs"].split()), (["2"], ["1"]), task)
        scan.signal(signal.SIGINT)
        scan.finish()

    def test_it_holds_nothing_of_the_scan(self):
        held = Held()
        folder = pathlib.Path(self.tmp())
        port = self.talk(self.b.ip4, 0, held)
        scan = self.spawn_banners("-p", port, "-o", folder / "out", self.b.ip4)
        wait_until(lambda: held.now == 1, "the port to be asked")
        [asker] = scan.children()
        fds = {int(entry.name): os.readlink(entry) for entry in pathlib.Path(f"/proc/{asker}/fd").iterdir()}
        self.assertEqual((fds.pop(0), fds.pop(1)), ("/dev/null", "/dev/null"))
        self.assertIn(2, fds)
        del fds[2]
        # The way to the scan, the loop, and one connection.
        self.assertEqual(sorted(re.sub(r"\[\d+\]", "", what) for what in fds.values()),
                         ["anon_inode:[eventpoll]", "socket:", "socket:"], fds)
        sockets = {what for what in fds.values() if what.startswith("socket:")}
        self.assertFalse(sockets & set(scan.fds().values()))
        scan.signal(signal.SIGINT)
        scan.finish()

    def test_that_right_alone_is_enough(self):
        self.talk(self.b.ip4, 22, services.greeter(SSH))
        done = run(self.a.command(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all,+net_raw",
                                   "--ambient-caps=-all,+net_raw", "--bounding-set=-all,+net_raw",
                                   harness.binary("pier-scan"), "--syn", "--banner", "-p", "22", self.b.ip4]))
        self.assertEqual((done.text.split("\t")[6:], done.code), (["ssh OpenSSH_9.2p1 Debian-2\n"], 0), done)

    def test_without_it_one_line_says_so(self):
        done = run(self.a.command(["setpriv", "--bounding-set=-net_raw", harness.binary("pier-scan"), "--syn", "--banner", "-p",
                                   "80", self.b.ip4]))
        self.assertEqual((done.out, done.code), (b"", 2))
        self.assertRegex(done.err, r"^pier-scan: --syn: needs CAP_NET_RAW: [^\n]*\n$")

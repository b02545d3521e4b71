"""pier-scan --syn and what the network answers: the states of a connect scan, and what is of raw packets only."""

import json
import pathlib
import socket
import subprocess

import harness
from harness import run
from scan_lab import NETWORK, SynTestCase

class Answers(SynTestCase):
    def test_open_and_closed(self):
        for address in (self.b.ip4, self.b.ip6):
            self.serve(self.b, address, 80)
            self.assertEqual(self.verdict(address), ("open", "syn-ack", 0))
            self.assertEqual(self.verdict(address, 81), ("closed", "reset", 1))

    def test_before_anything_is_known_of_the_neighbour(self):
        for address in (self.b.ip4, self.b.ip6):
            self.serve(self.b, address, 80)
            self.a.ip("neigh", "flush", "all")
            self.assertEqual(self.verdict(address), ("open", "syn-ack", 0))

    def test_the_round_trip_is_timed(self):
        self.serve(self.b, self.b.ip4, 80)
        records, summary, _ = self.scan("-p", "80,81", self.b.ip4)
        for record in records:
            self.assertTrue(0 <= record["rtt_us"] < 1_000_000, record)
            self.assertEqual(record["tries"], 1)
        self.assertEqual((summary["probes"], summary["answers"], summary["hosts_up"]), (2, 2, 1))

    def test_every_second_syn_lost_is_made_up_for(self):
        ports = {self.serve(self.b, self.b.ip4, 0) for _ in range(40)}
        self.b.nft("add table inet lossy\nadd chain inet lossy incoming { type filter hook input priority 0; }\n"
                   "add rule inet lossy incoming tcp flags & (syn | ack) == syn numgen inc mod 2 == 0 drop\n")
        records, summary, code = self.scan("-p", ",".join(map(str, ports)), "--probe-timeout", "300ms",
                                           "--retries", 10, self.b.ip4)
        self.assertEqual(({r["port"] for r in records if r["state"] == "open"}, code), (ports, 0))
        self.assertGreater(summary["late_answers"], 0)

    def test_many_hosts_behind_a_router(self):
        self.route_network()
        is_open = {f"10.80.{i}.{i}" for i in range(1, 40)}
        for address in is_open:
            self.serve(self.b, address, 443)
        records, summary, code = self.scan("-p", 443, "--rate", "20k", "10.80.0.0/18")
        self.assertEqual({r["addr"] for r in records if r["state"] == "open"}, is_open)
        self.assertEqual((len(records), len({r["addr"] for r in records})), (16384, 16384))
        self.assertEqual((summary["closed"], summary["complete"], code), (16384 - len(is_open), True, 0))

    def test_a_limit_of_syns_is_kept_to(self):
        """Without going slower, seven of eight would be lost, round after round."""
        self.route_network()
        is_open = {f"10.80.{i}.1" for i in range(60)}
        for address in is_open:
            self.serve(self.b, address, 443)
        self.b.nft("add table inet limited\nadd chain inet limited incoming { type filter hook input priority 0; }\n"
                   "add rule inet limited incoming tcp flags syn / syn,ack limit rate over 1000/second burst 20 packets drop\n")
        done = run(self.a.command(["pier-scan", "--syn", "--json", "--rate", "8k", "-p", "443", "10.80.0.0/20",
                                   "10.80.16.0-10.80.59.5"]))
        records = [json.loads(line) for line in done.lines]
        found = {r["addr"] for r in records if r["type"] == "port"}
        self.assertGreaterEqual(len(found & is_open), 59, done.err)
        self.assertIn("the network takes no more", done.err)

    def test_at_a_limit_only_what_was_lost_is_asked_again(self):
        self.route_network()
        is_open = {f"10.80.{i % 64}.{i}" for i in range(1, 250)}
        for address in is_open:
            self.serve(self.b, address, 443)
        # Who is not open is silent.
        self.b.nft("add table inet limited\nadd chain inet limited incoming { type filter hook input priority 0; }\n"
                   "add rule inet limited incoming tcp flags syn / syn,ack limit rate over 3000/second burst 60 packets drop\n"
                   "add chain inet limited outgoing { type filter hook output priority 0; }\n"
                   "add rule inet limited outgoing ip saddr 10.80.0.0/16 tcp flags & rst == rst drop\n")
        records, summary, _ = self.scan("-p", 443, "--rate", "30k", "10.80.0.0/18")
        found = {r["addr"] for r in records if r["state"] == "open"}
        self.assertGreaterEqual(len(found & is_open), 246)
        tries = [r["tries"] for r in records if r["state"] == "filtered"]
        # Else each round asks all that is silent, and all of that has as many.
        self.assertLess(min(tries), max(tries), "what was asked without a loss is left out")
        self.assertEqual(summary["probes"], sum(r["tries"] for r in records), "each probe is told")


class Ring(SynTestCase):
    """Frames by AF_XDP, or else by a packet socket."""

    def explained(self, *words):
        done = run(self.a.command([*words, harness.binary("pier-scan"), "--syn", "--explain", "--all-states",
                                   "-p", "80,81", self.b.ip4]))
        self.assertEqual((done.code, "80/tcp\topen" in done.text, "81/tcp\tclosed" in done.text), (0, True, True), done)
        return done.err

    def test_where_there_is_one(self):
        self.serve(self.b, self.b.ip4, 80)
        try:
            socket.socket(44, socket.SOCK_RAW).close()  # AF_XDP, which Python does not name
        except OSError as error:
            self.skipTest(f"this kernel has no AF_XDP: {error}")
        self.assertIn("AF_XDP in copy mode: frames by eth0", self.explained())

    def test_without_locked_memory_a_packet_socket_does_it(self):
        self.serve(self.b, self.b.ip4, 80)
        harness.need_program("setpriv")
        err = self.explained("sh", "-c", 'ulimit -l 0; exec setpriv --bounding-set=-ipc_lock "$@"', "sh")
        self.assertIn("the packet socket does it", err)


class ElsewhereThanEthernet(SynTestCase):
    def test_the_loopback(self):
        for address in ("127.0.0.1", "::1"):
            truth = {self.serve(self.a, address, 0) for _ in range(20)}
            records, summary, code = self.scan("-p", "-", "--rate", "50k", address)
            self.assertEqual({r["port"] for r in records if r["state"] == "open"}, truth)
            self.assertEqual({r["port"] for r in records if r["state"] == "closed"}, set(range(1, 65536)) - truth)
            self.assertEqual((summary["complete"], code), (True, 0))

    def test_this_hosts_own_address(self):
        for address in (self.a.ip4, self.a.ip6):
            self.serve(self.a, address, 80)
            self.assertEqual(self.verdict(address), ("open", "syn-ack", 0))
            self.assertEqual(self.verdict(address, 81), ("closed", "reset", 1))

    def test_a_vlan(self):
        for host, address in ((self.a, "10.79.0.1/24"), (self.b, "10.79.0.2/24")):
            try:
                host.ip("link", "add", "link", "eth0", "name", "eth0.5", "type", "vlan", "id", "5")
            except AssertionError as error:
                self.skipTest(f"this kernel makes no VLAN: {error}")
            host.ip("addr", "add", address, "dev", "eth0.5")
            host.ip("link", "set", "eth0.5", "up")
        self.serve(self.b, "10.79.0.2", 80)
        for _ in range(2):  # by the kernel, then as frames
            self.assertEqual(self.verdict("10.79.0.2"), ("open", "syn-ack", 0))

    def test_a_link_of_two_addresses(self):
        for here, there, length in (("10.78.0.0", "10.78.0.1", 31), ("fd78::", "fd78::1", 127)):
            for host, address in ((self.a, here), (self.b, there)):
                host.ip("addr", "add", f"{address}/{length}", *(("nodad",) if ":" in address else ()), "dev", "eth0")
            self.serve(self.b, there, 80)
            self.assertEqual(self.verdict(f"{here}/{length}", 80, "--exclude", here), ("open", "syn-ack", 0))

    def test_a_link_local_address(self):
        [link] = [line.split()[1].split("/")[0] for line in self.b.ip("-6", "addr", "show", "dev", "eth0").splitlines()
                  if "fe80::" in line]
        done = run(self.a.command(["sh", "-c", f"exec {harness.binary('pier-scan')} --syn --all-states -p 81 {link}%eth0"]))
        self.assertEqual((done.text.split("\t")[:4], done.code), ([f"{link}%eth0", "81/tcp", "closed", "-"], 1))

    def test_another_source_address_and_port(self):
        self.a.ip("addr", "add", "10.77.0.50/24", "dev", "eth0")
        self.serve(self.b, self.b.ip4, 80)
        self.b.drop("ip saddr 10.77.0.50 tcp sport 5555 tcp dport 81")
        for port, state in ((80, "open"), (81, "filtered"), (82, "closed")):
            with self.subTest(port=port):
                self.assertEqual(self.verdict(self.b.ip4, port, "--source", "10.77.0.50", "--source-port", 5555)[0], state)


class LocalFaults(SynTestCase):
    def test_no_route_is_an_error(self):
        for address in ("192.0.2.1", "2001:db8::1"):
            state, reason, code = self.verdict(address)
            self.assertEqual((state, code), ("error", 3))
            self.assertIn("no route from this host", reason)

    def test_a_prohibiting_route_is_an_error(self):
        for network, address in (("198.51.100.0/24", "198.51.100.1"), ("2001:db8:9::/48", "2001:db8:9::1")):
            for kind in ("unreachable", "prohibit", "blackhole"):
                self.a.ip("route", "add", kind, network)
                self.assertEqual(self.verdict(address)[0], "error", (kind, network))
                self.a.ip("route", "del", kind, network)

    def test_an_interface_that_goes_down_is_told_and_what_it_left_is_an_error(self):
        self.route_network()
        self.serve(self.b, "10.80.0.1", 443)
        scan = self.spawn_syn("--json", "--state", "error", "-p", 443, "--rate", 500, "10.80.0.0/20")
        scan.wait_err("SYNs a second")
        before = self.b.received()
        harness.wait_until(lambda: self.b.received() > before + 20, "some probes")
        self.a.ip("link", "set", "eth0", "down")
        done = scan.finish()
        records = [json.loads(line) for line in done.lines]
        self.assertRegex(done.err, "interface eth0: (is down|has no carrier)")
        self.assertEqual((records[-1]["type"], records[-1]["complete"], done.code), ("summary", False, 2))
        self.assertGreater(records[-1]["error"], 0)
        self.assertEqual(records[-1]["filtered"], 0, "nothing is known of them")

    def test_a_cable_that_is_pulled_is_told(self):
        self.route_network()
        scan = self.spawn_syn("--json", "-p", 443, "--rate", 500, "10.80.0.0/20")
        scan.wait_err("SYNs a second")
        before = self.b.received()
        harness.wait_until(lambda: self.b.received() > before + 20, "some probes")
        self.b.ip("link", "set", "eth0", "down")
        done = scan.finish()
        self.assertIn("interface eth0: has no carrier", done.err)
        self.assertEqual((json.loads(done.lines[-1])["complete"], done.code), (False, 2))

    def test_a_route_that_changes_is_followed(self):
        """The network moves behind another address of b, with another MAC address."""
        self.route_network()
        for host, address in ((self.a, "10.79.0.1/24"), (self.b, "10.79.0.2/24")):
            host.ip("link", "add", "link", "eth0", "name", "side", "type", "macvlan", "mode", "bridge")
            host.ip("addr", "add", address, "dev", "side")
            host.ip("link", "set", "side", "up")
            host.sysctl("net/ipv4/conf/all/arp_ignore", 1)  # or eth0 answers for both
        self.b.drop("iifname eth0 tcp dport 443")
        self.serve(self.b, "10.80.0.77", 443)
        scan = self.spawn_syn("--json", "-p", 443, "--rate", 300, "--retries", 6, "10.80.0.0/24")
        scan.wait_err("SYNs a second")
        self.a.ip("route", "replace", NETWORK, "via", "10.79.0.2")
        done = scan.finish()
        self.assertIn('"addr":"10.80.0.77"', done.text)


class Rights(SynTestCase):
    def test_without_the_right_one_line_says_what_to_do(self):
        done = run(self.a.command(["setpriv", "--bounding-set=-net_raw", harness.binary("pier-scan"), "--syn", "-p", "80",
                                   self.b.ip4]))
        self.assertEqual((done.out, done.code), (b"", 2))
        self.assertRegex(done.err, r"^pier-scan: --syn: needs CAP_NET_RAW: setcap cap_net_raw\+ep /\S+, or use --connect\n$")

    def test_that_right_alone_is_enough(self):
        self.serve(self.b, self.b.ip4, 80)
        done = run(self.a.command(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all,+net_raw",
                                   "--ambient-caps=-all,+net_raw", "--bounding-set=-all,+net_raw",
                                   harness.binary("pier-scan"), "--syn", "-p", "80", self.b.ip4]))
        self.assertEqual((done.text.split("\t")[:3], done.code), ([self.b.ip4, "80/tcp", "open"], 0), done)

    def status(self, *words):
        self.b.drop("tcp dport 80")
        scan = self.spawn_syn("-p", 80, "--retries", 100, *words, self.b.ip4)
        scan.wait_err("SYNs a second")
        lines = pathlib.Path(f"/proc/{scan.pid}/status").read_text().splitlines()
        scan.signal(2)
        scan.finish()
        return {name: value.split() for name, value in (line.split(":", 1) for line in lines)}

    def test_while_it_runs_it_is_nobody_without_capabilities_behind_a_filter(self):
        status = self.status()
        for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(status[name], ["0" * 16], name)
        self.assertEqual((status["Uid"], status["Seccomp"], status["NoNewPrivs"]), (["65534"] * 4, ["2"], ["1"]))

    def test_it_is_the_user_that_is_asked_for(self):
        status = self.status("--user", "daemon")
        self.assertEqual((status["Uid"], status["Gid"], status["CapEff"]), (["1"] * 4, ["1"] * 4, ["0" * 16]))

    def test_results_are_put_in_place_by_the_owner_of_the_folder(self):
        folder = pathlib.Path(self.tmp())
        self.serve(self.b, self.b.ip4, 80)
        done = run(self.a.command(["pier-scan", "--syn", "-p", "80", "-o", folder / "out", "--xml", folder / "xml", self.b.ip4]))
        self.assertEqual(done.code, 0, done)
        self.assertIn("80/tcp\topen", (folder / "out").read_text())
        self.assertIn('state="open"', (folder / "xml").read_text())

    def test_a_user_who_could_not_put_them_there_is_told_before(self):
        folder = pathlib.Path(self.tmp())
        folder.chmod(0o755)
        done = run(self.a.command(["pier-scan", "--syn", "-p", "80", "-o", folder / "out", "--user", "daemon", self.b.ip4]))
        self.assertEqual(done.code, 2, done)
        self.assertIn("permission denied", done.err)
        self.assertEqual(list(folder.iterdir()), [])


class Course(SynTestCase):
    def test_signals_double_and_halve_the_rate(self):
        self.b.drop("tcp dport 1-65535")
        scan = self.spawn_syn("-p", "-", "--rate", 100, self.b.ip4)
        scan.wait_err("at most 100 SYNs a second")
        scan.signal(10)
        scan.wait_err("at most 200 probes a second from now on")
        scan.signal(12)
        scan.wait_err("at most 100 probes a second from now on")
        scan.signal(2)
        self.assertEqual(scan.finish().code, 130)

    def test_a_signal_or_a_deadline_ends_it_with_what_was_found(self):
        self.b.drop("tcp dport 1-100")
        self.serve(self.b, self.b.ip4, 101)
        words = ("--json", "-p", "1-101", "--retries", 100, self.b.ip4)
        scan = self.spawn_syn(*words)
        scan.wait_out(b'"port":101')
        scan.signal(15)
        for done, code in ((scan.finish(), 143),
                           (run(self.a.command(["pier-scan", "--syn", "--limit-time", "2s", *map(str, words)])), 124)):
            records = [json.loads(line) for line in done.lines]
            self.assertEqual([r["port"] for r in records if r["type"] == "port"], [101])
            self.assertEqual((records[-1]["complete"], done.code), (False, code))

    def test_no_more_than_the_rate_leaves(self):
        self.route_network()
        before = self.b.received()
        done = run(self.a.command(["pier-scan", "--syn", "--retries", "0", "--limit-time", "2s", "--rate", "1000", "-p", "80",
                                   NETWORK]))
        self.assertEqual(done.code, 124, done)
        self.assertLess(self.b.received() - before, 2100)

    def test_shards_are_disjoint_and_together_all(self):
        found = []
        for i in (1, 2, 3):
            records, summary, _ = self.scan("-p", "1-1000", "--shard", f"{i}/3", self.b.ip4)
            found += [r["port"] for r in records]
        self.assertEqual(sorted(found), list(range(1, 1001)))

    def test_an_interface_that_is_gone_is_told_by_its_name(self):
        self.route_network()
        scan = self.spawn_syn("--json", "--all-states", "--rate", 1000, "-p", 443, "10.80.0.0/20")
        scan.wait_out(b'"state":"closed"')
        self.a.ip("link", "delete", "eth0")
        done = scan.finish()
        self.assertEqual(done.code, 2, done)
        self.assertIn("interface eth0: is gone", done.err)

    def test_a_probe_in_a_capture_is_without_fault(self):
        harness.need_program("tcpdump")
        file = pathlib.Path(self.tmp()) / "life.pcap"
        for address in (self.b.ip4, self.b.ip6):
            self.serve(self.b, address, 80)
        dump = self.spawn(self.b.command(["tcpdump", "-U", "-i", "eth0", "-w", file, "tcp"]))
        dump.wait_err("listening on")
        self.scan("-p", "80,81", self.b.ip4, self.b.ip6)
        harness.wait_until(lambda: self._packets(file) >= 10, "the packets in the file")
        dump.signal(2)
        dump.finish()
        text = subprocess.run(["tcpdump", "-nn", "-vv", "-r", file], capture_output=True, text=True, check=True).stdout
        syns = [line for line in text.splitlines() if "Flags [S]" in line and "cksum" in line]
        self.assertGreaterEqual(len(syns), 4)
        for line in syns:
            self.assertIn("(correct)", line)
            self.assertIn("[mss 14", line)
        self.assertNotRegex(text.lower(), r"\b(bad|invalid|truncated|trailing)\b")  # 0x0bad is a checksum
        self.assertNotIn("ts val 0 ", text)
        # SYN, SYN-ACK, and the kernel's reset, which frees the other end.
        self.assertIn("Flags [S.]", text)
        self.assertIn("Flags [R]", text)
        # A reset is a warning of its own to it; checksums of what the kernel sends are left to the interface.
        probes = "tcp.flags.syn == 1 && tcp.flags.ack == 0"
        checked = ("-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE")
        self.assertGreaterEqual(len(self.dissected(file, probes, *checked)), 4)
        warned = "_ws.expert.severity >= 6291456"  # "warning"
        self.assertEqual(self.dissected(file, f"{probes} && {warned}", *checked), [])
        self.assertEqual(self.dissected(file, f"{warned} && !tcp.connection.rst"), [])
        self.assertTrue(self.dissected(file, f"{warned} && tcp.connection.rst"), "or warnings are not seen at all")

    def dissected(self, file, condition, *options):
        """The packets for which Wireshark's dissectors hold that true."""
        harness.need_program("tshark")
        done = subprocess.run(["tshark", "-n", "-r", file, *options, "-Y", condition], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.splitlines()

    @staticmethod
    def _packets(file):
        done = subprocess.run(["tcpdump", "-nn", "-r", file], capture_output=True, text=True)
        return len(done.stdout.splitlines())


class EverywhereOpen(SynTestCase):
    """A tarpit or SYN proxy: one listener behind every port of the host."""

    def setUp(self):
        super().setUp()
        port = self.serve(self.b, self.b.ip4, 0)
        self.b.nft("add table ip tarpit\nadd chain ip tarpit incoming { type nat hook prerouting priority -100; }\n"
                   f"add rule ip tarpit incoming tcp dport 1-65535 redirect to :{port}\n")

    def test_is_suspect_and_no_port_of_it_is_called_open(self):
        records, summary, code = self.scan("-p", "22,80,443", self.b.ip4)
        self.assertEqual({r["state"] for r in records}, {"suspect"}, records)
        self.assertEqual((summary["open"], summary["suspect"], summary["hosts_suspect"], code), (0, 3, 1, 3))

    def test_is_one_record_under_max_open(self):
        done = run(self.a.command(["pier-scan", "--syn", "--json", "--state", "open,suspect", "--max-open", "20", "-p",
                                   "1-50", self.b.ip4]))
        [host] = [r for r in map(json.loads, done.lines[1:-1])]
        self.assertEqual((host["type"], host["state"], host["open"], host["addr"]),
                         ("host", "suspect", 50, self.b.ip4))

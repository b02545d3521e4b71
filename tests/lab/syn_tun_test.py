"""pier-scan --syn through a device whose other end is this test: tun (raw IP sockets) and tap (frames)."""

import ctypes
import fcntl
import json
import os
import re
import select
import struct
import subprocess
import threading

import harness
from harness import wait_until
from scan_lab import ScanLabTestCase

_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_TAP, _IFF_NO_PI = 1, 2, 0x1000
_CLONE_NEWNET = 0x40000000


def _checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def _ip(source, target, protocol, payload):
    if len(source) == 16:
        return struct.pack("!IHBB", 0x60000000, len(payload), protocol, 64) + source + target + payload
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0) + source + target
    return header[:10] + struct.pack("!H", _checksum(header)) + header[12:] + payload


def _with_checksum(source, target, protocol, payload, at):
    pseudo = source + target + struct.pack("!II", len(payload), protocol)
    value = _checksum(payload if protocol == 1 else pseudo + payload)
    return payload[:at] + struct.pack("!H", value) + payload[at + 2:]


def answer(packet):
    """To a SYN: port 80 is open, 81 closed, 82 behind a filter that says so; any other silent."""
    v6 = packet[0] >> 4 == 6
    source, target = (packet[8:24], packet[24:40]) if v6 else (packet[12:16], packet[16:20])
    protocol, segment = (packet[6], packet[40:]) if v6 else (packet[9], packet[20:])
    if protocol != 6 or segment[13] & 0x12 != 2:  # a SYN alone
        return None
    local, port, sequence = struct.unpack_from("!HHI", segment)
    if port == 82:
        head = struct.pack("!BBHI", *((1, 1) if v6 else (3, 13)), 0, 0)
        icmp = 58 if v6 else 1
        return _ip(target, source, icmp, _with_checksum(target, source, icmp, head + packet, 2))
    if port not in (80, 81):
        return None
    flags = 0x12 if port == 80 else 0x14
    reply = struct.pack("!HHIIBBHHH", port, local, 7, (sequence + 1) & 0xFFFFFFFF, 5 << 4, flags, 1000, 0, 0)
    return _ip(target, source, 6, _with_checksum(target, source, 6, reply, 16))


class DeviceTestCase(ScanLabTestCase):
    """tun0 of host a, with 10.88.0.0/24 and fd88::/64 behind it."""

    words = ("--syn",)
    kind = _IFF_TUN

    def setUp(self):
        super().setUp()
        self.fd = self._open_tun()
        self.addCleanup(os.close, self.fd)
        for words in (("10.88.0.1/24",), ("fd88::1/64", "nodad")):
            self.a.ip("addr", "add", *words, "dev", "tun0")
        self.a.ip("link", "set", "tun0", "up")
        wait_until(lambda: "tentative" not in self.a.ip("-6", "addr", "show", "dev", "tun0"), "tun0's addresses")
        self.ended, ends = os.pipe()
        thread = threading.Thread(target=self._respond)

        def end():
            os.close(ends)
            thread.join()
            os.close(self.ended)

        self.addCleanup(end)
        thread.start()

    def _open_tun(self):
        made = []

        def make():  # in a thread: a namespace belongs to one
            space = os.open(f"/run/netns/{self.a.name}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                if ctypes.CDLL(None, use_errno=True).setns(space, _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
                fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
                made.append(fd)
                fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", b"tun0", self.kind | _IFF_NO_PI))
            except OSError as error:
                made.append(error)
            finally:
                os.close(space)

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        if isinstance(made[-1], OSError):
            for fd in made[:-1]:
                os.close(fd)
            self.skipTest(f"/dev/net/tun makes no device: {made[-1]}")
        return made[0]

    def _respond(self):
        while True:
            readable, _, _ = select.select([self.fd, self.ended], [], [])
            if self.ended in readable:
                return
            reply = self.reply_to(os.read(self.fd, 65536))
            if reply is not None:
                os.write(self.fd, reply)

    def reply_to(self, packet):
        return answer(packet)

    def assert_nothing_was_lost(self, summary):
        """What a queue had no room for was sent later, and is no loss of the network."""
        self.assertEqual((summary["checks_lost"], summary["estimated_loss"], summary["error"]), (0, 0, 0), summary)


class Tun(DeviceTestCase):
    def test_open_closed_refused_and_silent(self):
        for address in ("10.88.0.7", "fd88::7"):
            records, summary, code = self.scan("-p", "80-83", "--probe-timeout", "300ms", address)
            self.assertEqual({r["port"]: r["state"] for r in records},
                             {80: "open", 81: "closed", 82: "filtered", 83: "filtered"}, address)
            reasons = {r["port"]: r["reason"] for r in records}
            self.assertEqual((reasons[80], reasons[81]), ("syn-ack", "reset"))
            self.assertIn("prohibited", reasons[82])
            self.assertEqual((reasons[83], summary["complete"], code), ("no answer", True, 0))

    def test_many_hosts(self):
        for network in ("10.88.0.0/24", "fd88::/120"):
            records, _, code = self.scan("-p", "80", "--exclude", "10.88.0.1,10.88.0.0,10.88.0.255,fd88::,fd88::1",
                                         network)
            self.assertEqual({r["state"] for r in records}, {"open"}, network)
            self.assertEqual((len(records), code), (253 if "." in network else 254, 0))

    def test_a_queue_that_is_full_is_waited_for(self):
        """One that the user has shaped, behind the raw sockets."""
        self.shape("1mbit")
        for network in ("10.88.0.0/25", "fd88::/121"):
            before = self.shaped_away()
            records, summary, code = self.scan("-p", "80,1000-1009", "--rate", "50k", "--exclude",
                                               "10.88.0.1,10.88.0.0,fd88::,fd88::1", network)
            self.assertGreater(self.shaped_away(), before, "it was full")
            self.assert_nothing_was_lost(summary)
            self.assertEqual(sum(r["state"] == "open" for r in records), 126)
            self.assertEqual((summary["complete"], code), (True, 0))

    def test_a_queue_that_takes_nothing_ends_it(self):
        self.shape("8bit")
        scan = ["pier-scan", "--syn", "--json", "--all-states", "-p", "1000-1200", "10.88.0.7"]
        done = harness.run(self.a.command(scan))
        *records, summary = [json.loads(line) for line in done.lines]
        self.assertEqual([r["state"] for r in records if r["type"] == "port"], ["error"] * 201)
        self.assertIn("send tun0: its transmit queue has been full for 10 s\n", done.err)
        self.assertEqual((summary["complete"], done.code), (False, 2))

    def shape(self, rate):
        """What leaves by tun0; little of it waits."""
        harness.need_program("tc")
        done = self.tc("qdisc", "replace", "dev", "tun0", "root", "tbf", "rate", rate, "burst", "2kb", "limit", "3kb")
        if done.returncode != 0:
            self.skipTest(f"this kernel shapes nothing: {done.stderr.strip()}")

    def shaped_away(self):
        return int(re.search(r"dropped (\d+)", self.tc("-s", "qdisc", "show", "dev", "tun0").stdout)[1])

    def tc(self, *words):
        return subprocess.run(["tc", "-n", self.a.name, *words], capture_output=True, text=True)


class Tap(DeviceTestCase):
    """Frames to a device whose driver throws away what it has no room for, and says so."""

    kind = _IFF_TAP
    # Without locked memory there is no ring, and the packet socket does it.
    ways = ((), ("sh", "-c", 'ulimit -l 0; exec setpriv --bounding-set=-ipc_lock "$@"', "sh"))

    def setUp(self):
        super().setUp()
        self.syns = 0  # to port 80
        self.a.ip("link", "set", "tun0", "txqueuelen", "20")
        for gateway, network in (("10.88.0.7", "10.99.0.0/16"), ("fd88::7", "fd99::/64")):
            self.a.ip("neigh", "replace", gateway, "lladdr", "02:00:00:00:00:07", "dev", "tun0", "nud", "permanent")
            self.a.ip("route", "add", network, "via", gateway)

    def reply_to(self, frame):
        packet = frame[14:]
        if packet[0] >> 4 == 6 and packet[6] != 6:  # Neighbor Discovery
            return None
        reply = answer(packet)
        if reply is None:
            return None
        self.syns += 1
        return frame[6:12] + frame[:6] + frame[12:14] + reply

    def test_a_queue_that_is_full_is_waited_for(self):
        harness.need_program("setpriv")
        for way in self.ways:
            for network in ("10.99.0.0/21", "fd99::/117"):
                before, self.syns = self.dropped(), 0
                scan = [harness.binary("pier-scan"), "--syn", "--json", "-p", "80", "--rate", "200k", network]
                done = harness.run(self.a.command([*way, *scan]))
                *records, summary = [json.loads(line) for line in done.lines]
                found = [r["addr"] for r in records if r["type"] == "port"]
                self.assertGreater(self.dropped(), before, "it was full")
                self.assert_nothing_was_lost(summary)
                self.assertEqual((len(found), len(set(found)), summary["complete"], done.code), (2048, 2048, True, 0))
                sent = summary["probes"] + summary["checks"]
                wait_until(lambda: self.syns >= sent, "every frame")
                self.assertEqual(self.syns, sent, "what the device took is not sent again")

    def dropped(self):
        """How many packets the device had no room for."""
        return json.loads(self.a.ip("-j", "-s", "link", "show", "tun0"))[0]["stats64"]["tx"]["dropped"]

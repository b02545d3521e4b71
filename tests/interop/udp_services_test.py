"""pier-scan's questions to UDP ports, and the servers they are meant for: each must answer, and be recognised."""

import subprocess

from harness import Lab, TestCase, need_program, run, wait_until


class Servers(TestCase):
    def setUp(self):
        self.lab = self.enterContext(Lab())

    def reason(self, port, *words):
        """What the scan says of a port of host b, asked until the server is up."""
        def ask():
            done = run(self.lab.a.command(["pier-scan", "-u", "-q", *words, "-p", str(port), self.lab.b.ip4]))
            return done.lines and done.lines[0].split("\t")[5]
        return wait_until(ask, f"an answer of port {port}")

    def start(self, program, *words):
        self.spawn(self.lab.b.command([need_program(program), *words]))

    def test_dns_and_tftp_of_dnsmasq(self):
        root = self.tmp()
        (root / "file").write_text("x")
        self.start("dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root",
                   "--enable-tftp", f"--tftp-root={root}", "--pid-file=")
        self.assertEqual(self.reason(53), "reply (dns)")
        self.assertEqual(self.reason(69), "reply (tftp)")

    def test_snmp_of_snmpd(self):
        folder = self.tmp()
        (folder / "conf").write_text("rocommunity public\n")
        self.start("snmpd", "-f", "-Lo", "-C", "-c", folder / "conf", "-p", folder / "pid", "udp:161")
        self.assertEqual(self.reason(161), "reply (snmp)")

    def test_snmp_3_of_an_snmpd_that_knows_no_community(self):
        folder = self.tmp()
        (folder / "conf").write_text("rouser nobody\n")
        self.start("snmpd", "-f", "-Lo", "-C", "-c", folder / "conf", "-p", folder / "pid", "udp:161")
        self.assertEqual(self.reason(161), "reply (snmp)")

    def test_memcached(self):
        self.start("memcached", "-U", "11211", "-p", "0", "-l", "0.0.0.0", "-u", "root")
        self.assertEqual(self.reason(11211), "reply (memcached)")

    def test_rpcbind(self):
        need_program("rpcbind")
        # Its socket and lock have fixed places.
        inside = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /run && exec rpcbind -f -w"]
        if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode != 0:
            self.skipTest("no mount namespaces here")
        self.spawn(self.lab.b.command(inside))
        self.assertEqual(self.reason(111), "reply (rpcbind)")

    def test_ntp_of_chrony(self):
        folder = self.tmp()
        folder.chmod(0o755)
        (folder / "conf").write_text(f"allow all\nlocal stratum 8\ncmdport 0\npidfile {folder}/pid\nport 123\n")
        self.start("chronyd", "-x", "-d", "-u", "root", "-f", folder / "conf")
        self.assertEqual(self.reason(123), "reply (ntp)")

    def test_dtls_of_openssl(self):
        openssl = need_program("openssl")
        folder = self.tmp()
        subprocess.run([openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-subj", "/CN=pier", "-keyout", folder / "key", "-out", folder / "cert"],
                       check=True, capture_output=True)
        self.start("openssl", "s_server", "-dtls", "-listen", "-accept", "5684", "-key", folder / "key", "-cert",
                   folder / "cert", "-quiet")
        self.assertEqual(self.reason(5684), "reply (dtls)")

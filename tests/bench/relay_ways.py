"""The table of `scripts/bench relay`: which paths are measured, who takes part, and what is to be reached.

In a command line {port} is the port, {size} the number of bytes, {file} what is sent, {out} where it goes, {cert}
and {key} PEM files, {cipher} OpenSSL's name of the cipher. Every command reads stdin and writes stdout unless it says
otherwise. Add yours here.
"""

import dataclasses
import json


def iperf3_received(text):
    """What iperf3 -J says arrived, and how long it took without its set-up: (bytes, seconds)."""
    end = json.loads(text)["end"]["sum_received"]
    return end["bytes"], end["seconds"]


@dataclasses.dataclass(frozen=True)
class Contender:
    name: str
    listen: str = ""  # the receiver
    connect: str = ""  # the sender; the way's own where empty
    alone: str = ""  # in place of both: one program that copies a file
    meter: object = None  # reads the sender's output: it makes its own data, and counts it

    def needs(self, way):
        """Every command that must be there."""
        return [c for c in (self.alone, self.listen, self.connect or way.sender, "openssl" if way.tls else "") if c]


@dataclasses.dataclass(frozen=True)
class Reach:
    of: str  # the contender compared with, or "" for an absolute bound
    what: str  # "throughput", "time" or "CPU", as a ratio of medians
    least: float | None = None
    most: float | None = None


@dataclasses.dataclass(frozen=True)
class Way:
    key: str
    title: str
    source: str  # file, pipe: what the sender reads
    sink: str  # null, file, pipe: where the receiver writes
    base: str  # whom the columns compare with
    contenders: tuple
    reach: tuple = ()
    sender: str = ""  # one sender for all
    tls: bool = False


# The one protocol and cipher of all. Not TLS 1.3: after its handshake the server still writes (session tickets), and
# `ncat --ssl --send-only`, which never reads, then resets the connection at its end and loses bytes.
TLS_PROTOCOL = "TLSv1.2"
TLS_CIPHER = "ECDHE-RSA-AES128-GCM-SHA256"
TLS_AGREED = f"TLS 1.2 {TLS_CIPHER}"

PEAK_MIB = 8  # resident memory of each end of ours, below this whatever the size

PIER = Contender("pier", "pier-listen 127.0.0.1 {port}", "pier-connect 127.0.0.1 {port}")
NC_OPENBSD = Contender("nc.openbsd", "nc.openbsd -d -l 127.0.0.1 {port}", "nc.openbsd -N 127.0.0.1 {port}")
NC_TRADITIONAL = Contender("nc.traditional", "nc.traditional -l -s 127.0.0.1 -p {port}",
                           "nc.traditional -q 0 127.0.0.1 {port}")
NCAT = Contender("ncat", "ncat -l --recv-only 127.0.0.1 {port}", "ncat --send-only 127.0.0.1 {port}")
SOCAT = Contender("socat", "socat -u TCP-LISTEN:{port},bind=127.0.0.1 STDOUT", "socat -u STDIN TCP:127.0.0.1:{port}")
SOCAT_1M = Contender("socat -b 1M", "socat -b 1048576 -u TCP-LISTEN:{port},bind=127.0.0.1 STDOUT",
                     "socat -b 1048576 -u STDIN TCP:127.0.0.1:{port}")
NETCATS = (NC_OPENBSD, NC_TRADITIONAL, NCAT, SOCAT, SOCAT_1M)

SOCAT_TLS_SERVER = "OPENSSL-LISTEN:{port},bind=127.0.0.1,cert={cert},key={key},verify=0,cipher={cipher}"
SOCAT_TLS_CLIENT = "OPENSSL:127.0.0.1:{port},verify=0,cipher={cipher}"

IPERF3_SERVER = "iperf3 -s -1 -B 127.0.0.1 -p {port}"
IPERF3_CLIENT = "iperf3 -c 127.0.0.1 -p {port} -n {size} -J"


def bare(name, recv, send):
    return Contender(f"bare loop: {name}", f"bench_bare_relay {recv} {{port}}", f"bench_bare_relay {send} {{port}}")


WAYS = (
    Way("file-null", "file → net → null", "file", "null", "nc.openbsd",
        (PIER,
         Contender("pier --send", PIER.listen, "pier-connect 127.0.0.1 {port} --send {file}"),
         *NETCATS,
         Contender("iperf3", IPERF3_SERVER, IPERF3_CLIENT, meter=iperf3_received),
         Contender("iperf3 -Z", IPERF3_SERVER, IPERF3_CLIENT + " -Z", meter=iperf3_received),
         bare("sendfile, splice", "recv-splice", "send-file"),
         bare("sendfile, read", "recv-read", "send-file")),
        (Reach("nc.openbsd", "throughput", least=2.5), Reach("nc.openbsd", "CPU", most=0.35),
         Reach("iperf3 -Z", "throughput", least=0.95), Reach("iperf3 -Z", "CPU", most=1))),
    Way("file-file", "file → net → file", "file", "file", "nc.openbsd",
        (PIER,
         Contender("pier --send, --recv", "pier-listen 127.0.0.1 {port} --recv {out}",
                   "pier-connect 127.0.0.1 {port} --send {file}"),
         *NETCATS,
         Contender("cp", alone="cp {file} {out}"),
         bare("sendfile, splice", "recv-splice", "send-file")),
        (Reach("nc.openbsd", "throughput", least=2.0), Reach("cp", "time", most=1.15))),
    Way("pipe-pipe", "pipe → net → pipe", "pipe", "pipe", "nc.openbsd",
        (PIER, *NETCATS, bare("splice", "recv-pipe", "send-pipe")),
        (Reach("nc.openbsd", "throughput", least=1.65), Reach("nc.openbsd", "CPU", most=1 / 1.7))),
    Way("discard", "net → discard, from one sender (sendfile)", "file", "null", "nc.openbsd",
        (Contender("pier", PIER.listen),
         Contender("pier --discard", "pier-listen 127.0.0.1 {port} --discard --summary"),
         *(Contender(peer.name, peer.listen) for peer in NETCATS),
         Contender("bare loop: splice", "bench_bare_relay recv-splice {port}"),
         Contender("bare loop: read", "bench_bare_relay recv-read {port}")),
        sender="bench_bare_relay send-file {port}"),
    Way("tls", "TLS, file → net → null", "file", "null", "ncat --ssl",
        (Contender("pier --tls", "pier-listen 127.0.0.1 {port} --tls --cert {cert} --key {key}",
                   "pier-connect 127.0.0.1 {port} --tls --insecure"),
         Contender("ncat --ssl",
                   "ncat -l --recv-only 127.0.0.1 {port} --ssl --ssl-ciphers {cipher} --ssl-cert {cert} --ssl-key {key}",
                   "ncat --send-only 127.0.0.1 {port} --ssl --ssl-ciphers {cipher}"),
         Contender("socat OPENSSL", f"socat -u {SOCAT_TLS_SERVER} STDOUT", f"socat -u STDIN {SOCAT_TLS_CLIENT}"),
         Contender("socat OPENSSL -b 1M", f"socat -b 1048576 -u {SOCAT_TLS_SERVER} STDOUT",
                   f"socat -b 1048576 -u STDIN {SOCAT_TLS_CLIENT}"),
         Contender("openssl s_server",
                   "openssl s_server -quiet -naccept 1 -accept 127.0.0.1:{port} -cert {cert} -key {key}",
                   "openssl s_client -quiet -no_ign_eof -connect 127.0.0.1:{port}"),
         Contender("bare loop: SSL_write, SSL_read", "bench_bare_tls recv {port} {cert} {key}",
                   "bench_bare_tls send {port}")),
        (Reach("ncat --ssl", "throughput", least=1.9), Reach("socat OPENSSL -b 1M", "throughput", least=1.1)),
        tls=True),
)

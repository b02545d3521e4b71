"""The rows of the differential test with OpenBSD's nc, by group. Add yours here; nc_stage.py has the verbs."""

from harness import DEVNULL, PIPE, pattern
from nc_stage import Row

HOST = "127.0.0.1"
CLOSED_PORT = "1"  # tcpmux: nobody has it
BIG = pattern(1 << 20, 7)


def alone(name, *words, stdin=DEVNULL):
    return Row(name, words, (), stdin, "alone")


def client(name, words, *steps, stdin=DEVNULL):
    return Row(name, (*words, HOST, "{port}"), steps, stdin, "client")


def server(name, words, *steps, stdin=DEVNULL, host=HOST):
    return Row(name, (*words, host, "0"), steps, stdin, "server")


USAGE = [
    alone("nothing"),
    alone("host without a port", "localhost"),
    alone("listen without a port", "-l"),
    alone("unknown option", "-Y", "localhost", "1"),
    alone("long option", "--help"),
    alone("long option of pier", "--listen", "localhost", "1"),
    alone("option without its value", "-x"),
    alone("option without its value, combined", "-lp"),
    alone("-k without -l", "-k", "localhost", "1"),
    alone("-l and -z", "-lz", "1"),
    alone("-l and -x", "-l", "-x", "a:1", "1"),
    alone("-u and -x", "-u", "-x", "a:1", "localhost", "1"),
    alone("-U and -x", "-U", "-x", "a:1", "/x"),
    alone("-s and -x", "-s", HOST, "-x", "a:1", "localhost", "1"),
    alone("-F and -U", "-FU", "/x"),
    alone("too many words for -l", "-l", "1", "2", "3"),
    alone("-l -p with a port", "-l", "-p", "1", "2"),
    alone("-l -p with host and port", "-l", "-p", "1", HOST, "2"),
    alone("-U with a port", "-U", "a", "b"),
    alone("-q is no number", "-q", "x", "localhost", "1"),
    alone("-w is no number", "-w", "x", "localhost", "1"),
    alone("-w is negative", "-w", "-1", "localhost", "1"),
    alone("-i is no number", "-i", "x", "localhost", "1"),
    alone("-I is no number", "-I", "x", "localhost", "1"),
    alone("-O is negative", "-O", "-5", "localhost", "1"),
    alone("-M too large", "-M", "300", "localhost", "1"),
    alone("-m too large", "-m", "300", "localhost", "1"),
    alone("-T is no keyword", "-T", "bogus", "localhost", "1"),
    alone("-T too large", "-T", "300", "localhost", "1"),
    alone("-W is 0", "-W", "0", "localhost", "1"),
    alone("-W is no number", "-W", "x", "localhost", "1"),
    alone("-X is no protocol", "-X", "9", "localhost", "1"),
    alone("-V", "-V", "0", HOST, "1"),
    alone("port is no name", "-v", HOST, "nosuchservice"),
    alone("port too large", "-v", HOST, "99999"),
    alone("port 0", "-v", HOST, "0"),
    alone("range without a number", "-zv", HOST, "1-x"),
    alone("range of words", "-zv", HOST, "x-y"),
    alone("range too large", "-zv", HOST, "1-70000"),
    alone("listen: port is no number", "-l", HOST, "1x"),
    alone("listen: a range", "-l", "1-5"),
    alone("source port is no number", "-p", "x", HOST, "1"),
]

CLOSED_PORTS = [
    alone("refused", HOST, CLOSED_PORT),
    alone("refused -v", "-v", HOST, CLOSED_PORT),
    alone("refused by name", "-v", "localhost", CLOSED_PORT),
    alone("refused, options last", HOST, CLOSED_PORT, "-v"),
    alone("refused, after --", "-v", "--", HOST, CLOSED_PORT),
    alone("refused, by a service's name", "-v", HOST, "tcpmux"),
    alone("refused, by an old address form", "-v", "127.1", CLOSED_PORT),
    alone("refused -n, by an old address form", "-vn", "127.1", CLOSED_PORT),
    alone("refused over IPv6", "-v", "::1", CLOSED_PORT),
    alone("refused range", "-zv", HOST, "1-4"),
    alone("refused range backwards", "-zv", HOST, "4-1"),
    alone("refused range in silence", "-z", HOST, "1-4"),
    alone("refused list", "-zv", HOST, "1", "2", "5-6"),
    alone("refused -4", "-4v", "localhost", CLOSED_PORT),
    alone("refused with a timeout", "-vw", "2", HOST, CLOSED_PORT),
    alone("refused -d", "-dv", HOST, CLOSED_PORT),
    alone("refused with many options", "-vNCdn", "-w3", "-q1", "-I", "4096", "-O", "4096", "-T", "lowdelay", HOST, "1"),
    alone("refused with -T in hex", "-v", "-T", "0x10", HOST, "1"),
    alone("refused with -T cs1", "-v", "-T", "cs1", HOST, "1"),
    alone("refused with -M and -m", "-v", "-M", "5", "-m", "1", HOST, "1"),
    alone("-4 and an IPv6 address", "-4v", "::1", "1"),
    alone("-6 and an IPv4 address", "-6v", HOST, "1"),
    alone("unknown name", "-v", "nosuch.invalid", "1"),
    alone("unknown name without -v", "nosuch.invalid", "1"),
    alone("-n and a name", "-nv", "localhost", "1"),
    alone("brackets are no address", "-v", "[::1]", "1"),
    alone("source address of somebody else", "-v", "-s", "192.0.2.1", HOST, "1"),
    alone("source address of the other family", "-v", "-s", "::1", HOST, "1"),
    alone("source name unknown", "-v", "-s", "nosuch.invalid", HOST, "1"),
    alone("listen: address of somebody else", "-l", "192.0.2.1", "1234"),
    alone("listen: unknown name", "-l", "nosuch.invalid", "1234"),
    alone("listen: -n and a name", "-ln", "localhost", "1234"),
    alone("Unix path that is not there", "-U", "/nonexistent/x"),
    alone("Unix path that is not there, -z", "-zvU", "/nonexistent/x"),
    alone("Unix datagrams, path that is not there", "-uU", "/nonexistent/x"),
    alone("listen: Unix path in no folder", "-lU", "/nonexistent/x"),
    alone("proxy refused", "-v", "-X5", "-x", f"{HOST}:1", HOST, "9"),
    alone("proxy refused over IPv6", "-v", "-x", "[::1]:1", HOST, "9"),
    alone("proxy unknown", "-v", "-x", "nosuch.invalid", HOST, "9"),
]

ASK = (("accept",), ("recv", 5), ("send", b"world"), ("close",))
CLIENT = [
    client("asks, is answered", (), *ASK, stdin=b"hello"),
    client("asks, is answered -v", ("-v",), *ASK, stdin=b"hello"),
    client("asks, is answered -vn", ("-vn",), *ASK, stdin=b"hello"),
    client("asks with -N, server waits for the end", ("-N",), ("accept",), ("eof",), ("send", b"late"), ("close",),
           stdin=b"hello"),
    client("-N with an empty stdin", ("-N",), ("accept",), ("eof",), ("send", b"x"), ("close",)),
    client("without -N the end of stdin is not seen", (), ("accept",), ("recv", 2), ("send", b"ok"), ("close",),
           stdin=b"hi"),
    client("-q -1 is as nothing", ("-q", "-1"), ("accept",), ("recv", 2), ("send", b"ok"), ("close",), stdin=b"hi"),
    client("-d does not send", ("-d",), ("accept",), ("send", b"yes"), ("close",), stdin=b"no"),
    client("-d -N", ("-dN",), ("accept",), ("send", b"yes"), ("close",), stdin=b"no"),
    client("a file as stdin", ("-N",), ("file", b"abc" * 1000), ("accept",), ("eof",), ("close",)),
    client("a megabyte up", ("-N",), ("accept",), ("eof",), ("close",), stdin=BIG),
    client("a megabyte of a file up", ("-N",), ("file", BIG), ("accept",), ("eof",), ("close",)),
    client("a megabyte down", (), ("accept",), ("send", BIG), ("close",)),
    client("a megabyte down, a word up", ("-N",), ("accept",), ("recv", 3), ("send", BIG), ("shut",), ("eof",),
           stdin=b"get"),
    client("server ends first, stdin goes on", (), ("accept",), ("send", b"bye"), ("shut",), ("out", 3),
           ("type", b"more\n"), ("recv", 5), ("type", b"last\n"), ("recv", 5), ("type_end",), stdin=PIPE),
    client("server ends first, -N", ("-N",), ("accept",), ("send", b"bye"), ("shut",), ("out", 3),
           ("type", b"more\n"), ("type_end",), ("eof",), stdin=PIPE),
    client("server ends first, stdin is at its end", (), ("accept",), ("send", b"bye"), ("close",)),
    client("a dialogue", (), ("accept",), ("type", b"one\n"), ("recv", 4), ("send", b"1\n"), ("out", 2),
           ("type", b"two\n"), ("recv", 4), ("send", b"2\n"), ("out", 4), ("type_end",), ("close",), stdin=PIPE),
    client("-C", ("-CN",), ("accept",), ("eof",), ("send", b"x\ny"), ("close",), stdin=b"a\nb\r\nc\n\nd"),
    client("-C with nothing to change", ("-CN",), ("accept",), ("eof",), ("close",), stdin=b"abc"),
    client("-w ends a silence", ("-w", "1"), ("accept",), ("send", b"x"), ("end",), ("lost",)),
    client("-w and stdin open", ("-w1",), ("accept",), ("type", b"hi"), ("recv", 2), ("end",), ("lost",), stdin=PIPE),
    client("-w is not reached", ("-w", "30"), *ASK, stdin=b"hello"),
    client("-w 0 ends at once", ("-vw0",), ("accept",), ("end",), ("lost",), stdin=PIPE),
    client("the reader of stdout has gone, stdin goes on", (), ("broken_stdout",), ("accept",), ("send", b"unread"),
           ("type", b"a"), ("recv", 1), ("type", b"b"), ("recv", 1), ("type_end",), ("end",), stdin=PIPE),
    client("the reader of stdout has gone, stdin is at its end", ("-N",), ("broken_stdout",), ("accept",),
           ("send", b"unread"), ("eof",)),
    client("the reader of stdout has gone -d", ("-d",), ("broken_stdout",), ("accept",), ("send", b"unread"), ("end",)),
    client("-W 1", ("-W1",), ("accept",), ("send", b"one"), ("end",), ("lost",), stdin=PIPE),
    client("-W 2", ("-W", "2"), ("accept",), ("send", b"one"), ("out", 3), ("send", b"two"), ("end",), stdin=PIPE),
    client("-W 5 with an end before", ("-W5",), ("accept",), ("send", b"one"), ("close",)),
    client("-z", ("-z",), ("accept",), ("eof",)),
    client("-zv", ("-zv",), ("accept",), ("eof",)),
    client("-zvn", ("-zvn",), ("accept",), ("eof",)),
    client("-zN reads no stdin", ("-zN",), ("accept",), ("eof",), stdin=b"unread"),
    client("-vvv", ("-vvv",), *ASK, stdin=b"hello"),
    client("buffers", ("-I", "8192", "-O", "8192", "-N"), ("accept",), ("eof",), ("close",), stdin=BIG[:100000]),
    client("-4", ("-4v",), *ASK, stdin=b"hello"),
    client("-b on TCP", ("-bv",), *ASK, stdin=b"hello"),
    client("-s", ("-v", "-s", HOST), *ASK, stdin=b"hello"),
    client("-s 127.0.0.9", ("-v", "-s", "127.0.0.9"), *ASK, stdin=b"hello"),
    client("-p 0", ("-v", "-p", "0"), *ASK, stdin=b"hello"),
    client("-i paces lines", ("-N", "-i1"), ("accept",), ("recv", 2), ("recv", 2), ("eof",), ("send", b"z"),
           ("close",), stdin=b"a\nb\nc"),
    client("-i and one line", ("-Ni", "1"), ("accept",), ("eof",), ("send", b"z"), ("close",), stdin=b"only\n"),
    client("-F", ("-F",), ("own_stdout",), ("accept",), ("descriptor",), ("eof",)),
    client("-Fv", ("-Fv",), ("own_stdout",), ("accept",), ("descriptor",), ("eof",)),
    client("-F to a pipe", ("-F",), ("accept",), ("eof",)),
    client("-Fz passes it too", ("-Fz",), ("own_stdout",), ("accept",), ("descriptor",), ("eof",)),
    client("-N -q 1 with a server that ends", ("-Nq1",), ("accept",), ("eof",), ("send", b"z"), ("close",),
           stdin=b"x"),
    client("-t and plain text", ("-t",), *ASK, stdin=b"hello"),
    client("bytes of all kinds", ("-N",), ("accept",), ("eof",), ("send", bytes(range(256))), ("close",),
           stdin=bytes(range(256))),
    Row("over IPv6", ("-vN", "::1", "{port}"), (("accept",), ("eof",), ("send", b"v6"), ("close",)), b"six", "client"),
    Row("by name", ("-vN", "localhost", "{port}"), (("accept",), ("eof",), ("send", b"x"), ("close",)), b"y", "client"),
    Row("two ports", ("-v", HOST, "{port}", "{port2}"),
        (("accept", 0), ("send", b"1"), ("close",), ("accept", 1), ("send", b"2"), ("close",)), DEVNULL, "client"),
    Row("an open and a closed port", ("-v", HOST, "{port}", "1"), (("accept",), ("send", b"1"), ("close",)), DEVNULL,
        "client"),
    Row("-z a closed and an open port", ("-zv", HOST, "1", "{port}"), (("accept",), ("eof",)), DEVNULL, "client"),
    Row("-z an open and a closed port", ("-zv", HOST, "{port}", "1"), (("accept",), ("eof",)), DEVNULL, "client"),
    Row("-z two open ports", ("-zv", HOST, "{port}", "{port2}"), (("accept", 0), ("eof",), ("accept", 1), ("eof",)),
        DEVNULL, "client"),
    Row("-z -i", ("-zv", "-i1", HOST, "{port}", "1"), (("accept",), ("eof",)), DEVNULL, "client"),
]

SERVER = [
    server("takes what a client sends", ("-l",), ("connect",), ("send", b"hello"), ("close",)),
    server("takes what a client sends -v", ("-lv",), ("connect",), ("send", b"hello"), ("close",)),
    server("takes what a client sends -vn", ("-lvn",), ("connect",), ("send", b"hello"), ("close",)),
    server("by name", ("-lv",), ("connect",), ("send", b"hello"), ("close",), host="localhost"),
    server("hands out stdin with -N", ("-lN",), ("connect",), ("eof",), ("close",), stdin=b"file"),
    server("hands out a file with -N", ("-lN",), ("file", BIG), ("connect",), ("eof",), ("close",)),
    server("hands out stdin without -N", ("-l",), ("connect",), ("recv", 4), ("close",), stdin=b"file"),
    server("stdin at its end does not end it", ("-l",), ("connect",), ("send", b"abc"), ("out", 3), ("send", b"def"),
           ("close",)),
    server("the client's half-close ends it, stdin open", ("-l",), ("connect",), ("send", b"abc"), ("shut",), ("eof",),
           stdin=PIPE),
    server("-d", ("-ld",), ("connect",), ("send", b"abc"), ("shut",), ("eof",), stdin=b"not sent"),
    server("a dialogue", ("-l",), ("connect",), ("send", b"one\n"), ("out", 4), ("type", b"1\n"), ("recv", 2),
           ("send", b"two\n"), ("out", 8), ("type", b"2\n"), ("recv", 2), ("close",), stdin=PIPE),
    server("a megabyte in", ("-l",), ("connect",), ("send", BIG), ("close",)),
    server("the reader of stdout has gone", ("-l",), ("broken_stdout",), ("connect",), ("send", b"unread"), ("end",)),
    server("-C", ("-lCN",), ("connect",), ("eof",), ("close",), stdin=b"a\nb\n"),
    server("-w counts from the connection", ("-lvw1",), ("connect",), ("end",), ("lost",)),
    server("-W 1", ("-lW1",), ("connect",), ("send", b"one"), ("end",)),
    server("-i paces lines", ("-lNi1",), ("connect",), ("recv", 2), ("eof",), ("close",), stdin=b"a\nb\n"),
    server("-I, -O, -T, -M, -m", ("-lv", "-I", "8192", "-O", "8192", "-T", "lowdelay", "-M", "9", "-m", "1"),
           ("connect",), ("send", b"abc"), ("close",)),
    server("-k, three clients", ("-lkv",), ("connect",), ("send", b"1"), ("close",), ("out", 1), ("connect",),
           ("send", b"2"), ("close",), ("out", 2), ("connect",), ("send", b"3"), ("close",), ("out", 3), ("kill",)),
    server("-k, one waits for the other", ("-lk",), ("connect",), ("send", b"1"), ("out", 1), ("connect",),
           ("send", b"2"), ("use", 0), ("send", b"1"), ("out", 2), ("close",), ("out", 3), ("kill",)),
    server("-k -N gives each an end", ("-lkN",), ("connect",), ("eof",), ("send", b"1"), ("close",), ("out", 1),
           ("connect",), ("eof",), ("close",), ("kill",)),
    server("-k -w1, the next client", ("-lkw1",), ("connect",), ("send", b"1"), ("lost",), ("connect",),
           ("send", b"2"), ("close",), ("out", 2), ("kill",)),
    server("-k, a client that resets", ("-lk",), ("connect",), ("send", b"1"), ("out", 1), ("reset",), ("connect",),
           ("send", b"2"), ("close",), ("out", 2), ("kill",)),
    Row("-l -p", ("-lv", "-p", "0"), (("connect",), ("send", b"x"), ("close",)), DEVNULL, "server"),
    Row("-l -s -p", ("-lv", "-s", HOST, "-p", "0"), (("connect",), ("send", b"x"), ("close",)), DEVNULL, "server"),
    Row("-l PORT", ("-lv", "0"), (("connect",), ("send", b"x"), ("close",)), DEVNULL, "server"),
    Row("-lp", ("-vlp", "0"), (("connect",), ("send", b"x"), ("close",)), DEVNULL, "server"),
    Row("-l ::1", ("-lv", "::1", "0"), (("connect",), ("send", b"x"), ("close",)), DEVNULL, "server"),
    Row("-l -6 ::1", ("-6lvn", "::1", "0"), (("connect",), ("send", b"x"), ("close",)), DEVNULL, "server"),
]

UDP = [
    client("sends a datagram", ("-u", "-w1"), ("accept",), ("recv", 0), stdin=b"hi\n"),
    client("is answered, -W1", ("-uW1",), ("accept",), ("recv", 0), ("send", b"reply"), stdin=b"hi\n"),
    client("is answered twice, -W2", ("-u", "-W", "2"), ("accept",), ("recv", 0), ("send", b"re"), ("send", b"ply"),
           stdin=b"hi\n"),
    client("-w1 ends a silence", ("-uw1",), ("accept",), ("recv", 0), ("send", b"reply"), stdin=b"hi\n"),
    client("two datagrams", ("-u", "-W1"), ("accept",), ("type", b"a\n"), ("recv", 0), ("type", b"b\n"), ("recv", 0),
           ("send", b"end"), stdin=PIPE),
    client("a large input is cut", ("-uN", "-W1"), ("accept",), ("file", b"z" * 40000), ("recv", 0), ("recv", 0),
           ("recv", 0), ("send", b"end")),
    client("-d", ("-udvW1",), ("accept",), ("recv", 0), ("recv", 0), ("send", b"end"), stdin=b"hi\n"),
    client("-s", ("-us", "127.0.0.9", "-W1"), ("accept",), ("recv", 0), ("send", b"end"), stdin=b"hi\n"),
    client("-i", ("-ui1", "-W1"), ("accept",), ("recv", 0), ("recv", 0), ("send", b"end"), stdin=b"a\nb\n"),
    client("-b", ("-ubW1",), ("accept",), ("recv", 0), ("send", b"end"), stdin=b"hi\n"),
    server("hears a datagram", ("-luvW1",), ("connect",), ("send", b"one\n")),
    server("hears a datagram -n", ("-luvnW1",), ("connect",), ("send", b"one\n")),
    server("hears two", ("-luvW2",), ("connect",), ("send", b"one\n"), ("send", b"two\n")),
    server("answers", ("-luvW2",), ("connect",), ("send", b"one\n"), ("out", 4), ("type", b"reply\n"), ("recv", 0),
           ("send", b"two\n"), stdin=PIPE),
    server("-w1", ("-luvw1",), ("connect",), ("send", b"one\n")),
    server("stdin at its end", ("-luW2",), ("connect",), ("send", b"one\n"), ("out", 4), ("send", b"two\n")),
    server("-k hears several", ("-lukv",), ("connect",), ("send", b"1\n"), ("out", 2), ("connect",), ("send", b"2\n"),
           ("out", 4), ("use", 0), ("send", b"3\n"), ("out", 6), ("kill",)),
    Row("-lu -p", ("-luvW1", "-p", "0"), (("connect",), ("send", b"x"),), DEVNULL, "server"),
    Row("-lu ::1", ("-luvW1", "::1", "0"), (("connect",), ("send", b"x"),), DEVNULL, "server"),
]

UNIX = [
    Row("client", ("-UN", "{path}"), (("accept",), ("eof",), ("send", b"x"), ("close",)), b"hi", "client"),
    Row("client -v", ("-UNv", "{path}"), (("accept",), ("eof",), ("send", b"x"), ("close",)), b"hi", "client"),
    Row("client, abstract", ("-UN", "{abstract}"), (("accept",), ("eof",), ("send", b"x"), ("close",)), b"hi", "client"),
    Row("client -zv", ("-Uzv", "{path}"), (("accept",), ("eof",)), DEVNULL, "client"),
    Row("client -w1", ("-Uw1", "{path}"), (("accept",), ("end",)), DEVNULL, "client"),
    Row("client, a megabyte", ("-UN", "{path}"), (("accept",), ("eof",), ("send", BIG), ("close",)), BIG, "client"),
    Row("server -v", ("-lUv", "{path}"), (("connect",), ("send", b"hi"), ("close",)), DEVNULL, "server"),
    Row("server -N", ("-lUN", "{path}"), (("connect",), ("eof",), ("close",)), b"file", "server"),
    Row("server, abstract", ("-lUv", "{abstract}"), (("connect",), ("send", b"hi"), ("close",)), DEVNULL, "server"),
    Row("server -k", ("-lUk", "{path}"), (("connect",), ("send", b"1"), ("close",), ("out", 1), ("connect",),
                                          ("send", b"2"), ("close",), ("out", 2), ("kill",)), DEVNULL, "server"),
    Row("datagram server -k", ("-luUkv", "{path}"), (("connect",), ("send", b"1"), ("out", 1), ("connect",),
                                                     ("send", b"2"), ("out", 2), ("kill",)), DEVNULL, "server"),
    Row("datagram client -s", ("-uUv", "-W1", "-s", "{own}", "{path}"), (("accept",), ("recv", 0), ("send", b"re")),
        b"hi", "client"),
    Row("datagram client", ("-uUW1", "{path}"), (("accept",), ("recv", 0), ("send", b"re")), b"hi", "client"),
]

THROUGH = (("send", b"world"), ("close",))
ACCEPTED5 = b"\5\0\0\1\0\0\0\0\0\0"


def socks5(name, words, target, reply, *steps, version="-X5"):
    """`reply` is to the request, which has 10 bytes for an IPv4 address and 7 more than the name for a name."""
    size = {"192.0.2.9": 10, "2001:db8::9": 22}.get(target, 7 + len(target))
    return Row(name, (*words, version, "-x", HOST + ":{port}", target, "5432"),
               (("accept",), ("recv", 3), ("send", b"\5\0"), ("recv", size), ("send", reply), *steps), b"hello", "client")


def socks4(name, words, target, reply, *steps):
    return Row(name, (*words, "-X4", "-x", HOST + ":{port}", target, "5432"),
               (("accept",), ("recv", 9), ("send", reply), *steps), b"hello", "client")


def http(name, words, target, reply, *steps):
    return Row(name, (*words, "-Xconnect", "-x", HOST + ":{port}", target, "5432"),
               (("accept",), ("head",), ("send", reply), *steps), b"hello", "client")


PROXIES = [
    socks5("SOCKS 5", ("-v",), "192.0.2.9", ACCEPTED5, ("recv", 5), *THROUGH),
    socks5("SOCKS 5 is the default", ("-v",), "192.0.2.9", ACCEPTED5, ("recv", 5), *THROUGH, version="-v"),
    socks5("SOCKS 5, a name", ("-v",), "db.example", ACCEPTED5, ("recv", 5), *THROUGH),
    socks5("SOCKS 5, IPv6", ("-v",), "2001:db8::9", ACCEPTED5, ("recv", 5), *THROUGH),
    socks5("SOCKS 5, the peer speaks first", ("-v",), "192.0.2.9", ACCEPTED5 + b"banner", ("recv", 5), *THROUGH),
    socks5("SOCKS 5 -N", ("-N",), "192.0.2.9", ACCEPTED5, ("eof",), *THROUGH),
    socks5("SOCKS 5 -z", ("-zv",), "192.0.2.9", ACCEPTED5, ("eof",)),
    socks5("SOCKS 5, refused", ("-v",), "192.0.2.9", b"\5\5\0\1\0\0\0\0\0\0", ("end",)),
    socks5("SOCKS 5, refused in silence", (), "192.0.2.9", b"\5\5\0\1\0\0\0\0\0\0", ("end",)),
    socks5("SOCKS 5, network unreachable", (), "192.0.2.9", b"\5\3\0\1\0\0\0\0\0\0", ("end",)),
    socks5("SOCKS 5, host unreachable", (), "192.0.2.9", b"\5\4\0\1\0\0\0\0\0\0", ("end",)),
    socks4("SOCKS 4", ("-v",), "192.0.2.9", b"\0\x5a\0\0\0\0\0\0", ("recv", 5), *THROUGH),
    socks4("SOCKS 4, a name", ("-v",), "localhost", b"\0\x5a\0\0\0\0\0\0", ("recv", 5), *THROUGH),
    socks4("SOCKS 4, rejected", (), "192.0.2.9", b"\0\x5b\0\0\0\0\0\0", ("end",)),
    http("HTTP", ("-v",), "192.0.2.9", b"HTTP/1.0 200 Fine\r\n\r\n", ("recv", 5), *THROUGH),
    http("HTTP, a name", ("-v",), "db.example", b"HTTP/1.1 200 Fine\r\nVia: x\r\n\r\n", ("recv", 5), *THROUGH),
    http("HTTP, IPv6", ("-v",), "2001:db8::9", b"HTTP/1.0 200 Fine\r\n\r\n", ("recv", 5), *THROUGH),
    http("HTTP, the peer speaks first", ("-v",), "192.0.2.9", b"HTTP/1.0 200 Fine\r\n\r\nbanner", ("recv", 5), *THROUGH),
    http("HTTP, forbidden", ("-v",), "192.0.2.9", b"HTTP/1.0 403 Forbidden\r\n\r\n", ("end",)),
    http("HTTP, bad gateway", (), "192.0.2.9", b"HTTP/1.1 502 Bad Gateway\r\n\r\n", ("end",)),
    http("HTTP, wants a password", (), "192.0.2.9", b"HTTP/1.0 407 Who\r\nProxy-Authenticate: Basic realm=x\r\n\r\n",
         ("end",)),
]

GROUPS = {"usage": USAGE, "proxies": PROXIES, "closed": CLOSED_PORTS, "client": CLIENT, "server": SERVER, "udp": UDP, "unix": UNIX}

"""Where pier-nc differs from OpenBSD's nc, and why: the same list as in pier-nc(1). Each row shows one of them, and its
check says what is right of ours.
"""

import typing

from harness import CLOSED, DEVNULL, PIPE
from nc_rows import HOST, alone, client, http, server, socks5
from nc_stage import Row


class Difference(typing.NamedTuple):
    title: str
    reason: str
    rows: tuple  # (row, what must be true of our outcome)


def fails(text=""):
    return lambda o: o.code == 1 and text in o.err


def ends(out=b"", seen=None):
    return lambda o: o.code == 0 and o.out == out and (seen is None or o.seen == seen)


REFUSED_WORDS = [
    (("-X", "5", HOST, "1"), "-x"),
    (("-P", "me", HOST, "1"), "-X connect"),
    (("-lF", "0"), "-F and -l"),
    (("-uF", HOST, "1"), "-F and -u"),
    (("-ut", HOST, "1"), "-t and -u"),
    (("-l", "70000"), "too large"),
    (("-p", "70000", "-v", HOST, "1"), "too large"),
    (("-T", "0x1z", "-v", HOST, "1"), "illegal tos"),
    (("-Z", HOST, "1"), "DCCP"),
]
TRADITIONAL = [
    (("-e", "/bin/sh", HOST, "1"), "pier connect --exec"),
    (("-c", "date", "-l", "1"), "pier listen PORT --sh-exec"),
    (("-o", "file", HOST, "1"), "--hex-dump"),
    (("-g", "192.0.2.1", HOST, "1"), "--proxy"),
    (("-G", "4", HOST, "1"), "--proxy"),
]

DIFFERENCES = [
    Difference("a reset is a failure", "a transfer that was cut off must not look whole", (
        (client("reset by the server", (), ("accept",), ("send", b"part"), ("out", 4), ("reset",)), fails("reset")),
        (server("reset by the client", ("-l",), ("connect",), ("send", b"part"), ("out", 4), ("reset",)),
         fails("reset")),
        (client("stdin is a folder", (), ("folder_as_stdin",), ("accept",), ("ends_within", 3), ("close",)),
         fails("read")),
        (client("stdout is full", (), ("full_stdout",), ("accept",), ("send", b"abc"), ("close",)),
         fails("no space")),
    )),
    Difference("-q ends it also after the half-close", "its man page says so", (
        (client("-q 0", ("-q0",), ("accept",), ("eof",), ("ends_within", 6), ("close",), stdin=b"x"),
         lambda o: o.code == 0 and o.seen == (b"x", "ended")),
        (client("-q 1", ("-q1",), ("accept",), ("eof",), ("ends_within", 6), ("close",), stdin=b"x"),
         lambda o: o.code == 0 and o.seen == (b"x", "ended")),
    )),
    Difference("-uz tells closed ports", "a port known to be closed is not open", (
        (alone("-uz, closed", "-uz", HOST, "1"), fails()),
        (alone("-uzv, closed", "-uzv", HOST, "1"), fails("failed: Connection refused")),
        (alone("-uv, closed", "-uv", HOST, "1"), fails("failed: Connection refused")),
        (client("-uzv, silence", ("-uzvw1",)), lambda o: o.code == 0 and "No answer came" in o.err),
    )),
    Difference("-uv begins at once", "nc sends its X for three seconds before it reads stdin", (
        (client("-uv", ("-uvW1",), ("accept",), ("recv", 0), ("recv", 0), ("recv", 0), ("send", b"end"),
                stdin=b"hi\n"), ends(b"end", (b"X", b"X", b"hi\n"))),
    )),
    Difference("datagrams that are refused are told", "what was sent is lost", (
        (alone("a refused datagram", "-u", HOST, "1", stdin=b"x"), fails("connection refused")),
    )),
    Difference("an empty datagram is a message", "UDP has no end", (
        (server("an empty datagram", ("-luW3",), ("connect",), ("send", b"a"), ("out", 1), ("send", b""),
                ("send", b"b")), ends(b"ab")),
    )),
    Difference("-C leaves a read one datagram", "nc sends each piece between line ends as a datagram", (
        (client("-uC", ("-uCW1",), ("accept",), ("recv", 0), ("send", b"end"), stdin=b"a\nb\n"),
         ends(b"end", (b"a\r\nb\r\n",))),
    )),
    Difference("no port is shared by accident", "the kernel would give clients to either server", (
        (server("a second server", ("-l",), ("second",), ("connect",), ("close",)),
         lambda o: o.seen == ("1 nc: Address already in use\n",)),
    )),
    Difference("one client means one", "another one would wait for nothing", (
        (server("a second client", ("-l",), ("connect",), ("send", b"1"), ("out", 1), ("refused",), ("close",)),
         ends(b"1", ("refused",))),
    )),
    Difference("-6 is IPv6 alone", "its man page says so", (
        (Row("-6 and an IPv4 client", ("-6l", "0"), (("find6",), ("refused",), ("kill",)), DEVNULL, "alone"),
         lambda o: o.seen == ("refused",)),
    )),
    Difference("a Unix socket that is in use is left alone", "nc takes the path from a server that runs, or a file", (
        (Row("a path in use", ("-lU", "{path}"), (("second",), ("kill",)), DEVNULL, "server"),
         lambda o: o.seen == ("1 nc: Address already in use\n",)),
        (Row("a file that is no socket", ("-lU", "{path}"), (("ends_within", 2), ("kept",), ("kill",)), DEVNULL,
             "over a file"), lambda o: o.seen == ("ended", "a file") and o.code == 1),
        (Row("the path afterwards", ("-lU", "{path}"), (("connect",), ("close",), ("end",), ("exists",)), DEVNULL,
             "server"), ends(seen=("path is gone",))),
        (Row("the path of -s afterwards", ("-uUW1", "-s", "{own}", "{path}"),
             (("accept",), ("recv", 0), ("send", b"re"), ("end",), ("exists", "own")), b"hi", "client"),
         ends(b"re", (b"hi", "own is gone"))),
    )),
    Difference("Unix datagrams need no name", "nc leaves files in /tmp, and fails on clients without a name", (
        (Row("a datagram client's name", ("-uUvW1", "{path}"), (("accept",), ("recv", 0), ("send", b"re")), b"hi",
             "client"), lambda o: o.code == 0 and o.err.startswith("Bound on @")),
        (Row("a client without a name", ("-luUW1", "{path}"), (("connect_nameless",), ("send", b"hi")), DEVNULL,
             "server"), ends(b"hi")),
        (Row("the end of a datagram server", ("-luUW2", "{path}"), (("connect",), ("send", b"1"), ("send", b"2")),
             DEVNULL, "server"), ends(b"12")),
    )),
    Difference("-C looks over the borders of reads", "a line end stays one", (
        (client("-C, CR and LF apart", ("-CN",), ("accept",), ("type", b"a\r"), ("recv", 2), ("type", b"\nb"),
                ("type_end",), ("eof",), ("close",), stdin=PIPE), lambda o: o.seen == (b"a\r", b"\nb")),
    )),
    Difference("-t takes the commands out", "so that the data is data", (
        (client("-t", ("-t",), ("accept",), ("send", b"A\xff\xfd\x01B\xff\xfb\x03C"), ("recv", 6), ("close",)),
         ends(b"ABC", (b"\xff\xfc\x01\xff\xfe\x03",))),
        (client("-t and a byte of 255", ("-tN",), ("accept",), ("eof",), ("close",), stdin=b"\xff"),
         ends(seen=(b"\xff\xff",))),
        (server("-t as a server", ("-lt",), ("connect",), ("send", b"\xff\xfd\x01x"), ("recv", 3), ("close",)),
         ends(b"x", (b"\xff\xfc\x01",))),
    )),
    Difference("closed descriptors are safe", "nc loses what it receives", (
        (client("stdin closed", (), ("accept",), ("send", b"yes"), ("close",), stdin=CLOSED), ends(b"yes")),
    )),
    Difference("options that would do nothing are refused", "a script is to know", tuple(
        (Row("refused: " + " ".join(words), words, (("ends_within", 2), ("kill",)), DEVNULL), fails(text))
        for words, text in REFUSED_WORDS)),
    Difference("traditional netcat's options name what to use", "nc only says that they are wrong", tuple(
        (alone("traditional: " + " ".join(words), *words), fails(text)) for words, text in TRADITIONAL)),
    Difference("its own words", "help and usage are ours, and what is said of a proxy that breaks off", (
        (socks5("SOCKS 5, closed", (), "192.0.2.9", b"", ("close",)), fails("connection failed, SOCKSv5 error: ")),
        (http("HTTP, closed", (), "192.0.2.9", b"", ("close",)), fails("proxy read: ")),
        (alone("-h", "-h"), lambda o: o.code == 0 and o.err.startswith("pier-nc: ")),
    )),
]

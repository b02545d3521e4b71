"""The tables of `scripts/bench serve`: who serves, and what is to be reached. Add yours here.

In a command line {port} is the port to listen on, {to} that of the server behind it.
"""

import dataclasses
import os


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    serve: str
    sink: bool = False  # it sends nothing back
    most: int = 10**9  # idle clients that are not asked too much of it and of the machine: a process for each costs


NCAT_EXEC = Row("ncat -k -e /bin/cat", "ncat -l -k -m 20000 -e /bin/cat 127.0.0.1 {port}", most=1000)
SOCAT_PIPE = Row("socat fork PIPE", "socat TCP-LISTEN:{port},bind=127.0.0.1,fork,backlog=4096 PIPE", most=1000)
SOCAT_EXEC = Row("socat fork EXEC:/bin/cat", "socat TCP-LISTEN:{port},bind=127.0.0.1,fork,backlog=4096 EXEC:/bin/cat",
                 most=1000)
PIER_ECHO = Row("pier -k --echo", "pier-listen -q -k 127.0.0.1 {port} --echo")
PIER_EXEC = Row("pier -k --exec /bin/cat", "pier-listen -q -k 127.0.0.1 {port} --exec -- /bin/cat", most=1000)
PIER_PLAIN = Row("pier -k", "pier-listen -q -k 127.0.0.1 {port}", sink=True)
NCAT_PLAIN = Row("ncat -k", "ncat -l -k -m 20000 127.0.0.1 {port}", sink=True)
NC_PLAIN = Row("nc.openbsd -k", "nc.openbsd -d -l -k 127.0.0.1 {port}", sink=True)
BARE = Row("bare epoll echo", "bench_bare_echo {port}")

ECHO = (PIER_ECHO,
        Row("pier -k --echo, with its messages", "pier-listen -k 127.0.0.1 {port} --echo"),
        PIER_EXEC, NCAT_EXEC, SOCAT_PIPE, SOCAT_EXEC, BARE)
SINK = (PIER_PLAIN, NCAT_PLAIN, NC_PLAIN)
IDLE = (PIER_ECHO, PIER_PLAIN, PIER_EXEC, NCAT_EXEC, NCAT_PLAIN, NC_PLAIN, SOCAT_PIPE, SOCAT_EXEC, BARE)

AT_ONCE = (1, 50, 500)

# (row, those compared with, of whom the fastest counts, clients at once, at least so many times its rate)
RATE_REACH = (
    (PIER_ECHO, (NCAT_EXEC,), (1,), 20),
    (PIER_ECHO, (NCAT_EXEC,), (50,), 35),
    (PIER_ECHO, (SOCAT_PIPE,), AT_ONCE, 7),
    (PIER_ECHO, (BARE,), AT_ONCE, 0.85),
    (PIER_EXEC, (NCAT_EXEC, SOCAT_EXEC), AT_ONCE, 1.5),
)

IDLE_KIB = 1.5  # at most, of our memory for each of 10,000 idle clients of --echo

THROUGH = (Row("pier --to", "pier-listen -q -k 127.0.0.1 {port} --to 127.0.0.1:{to}"),
           Row("socat", "socat TCP-LISTEN:{port},bind=127.0.0.1,fork TCP:127.0.0.1:{to}"),
           Row("socat -b 1M", "socat -b 1048576 TCP-LISTEN:{port},bind=127.0.0.1,fork TCP:127.0.0.1:{to}"))
# Of the rate without it: three processes share two processors, or have one each.
THROUGH_LEAST = 0.6 if (os.cpu_count() or 1) <= 2 else 0.8

BROKERS = (Row("pier --broker", "pier-listen -q -k 127.0.0.1 {port} --broker"),
           Row("ncat --broker", "ncat -l --broker -m 20000 127.0.0.1 {port}"))
JOIN_LEAST = 100  # times ncat's rate of joining

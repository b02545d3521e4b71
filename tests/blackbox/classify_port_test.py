"""pier-classify-port: its answers against the registry's own file, its rows and records, its errors."""

import csv
import collections
import json
import os
import re
import signal
import subprocess

import harness
from harness import CLOSED, PTY, ROOT, TestCase, binary, clean_env, run

CMD = "pier-classify-port"
REGISTRY = ROOT / "data" / "iana-service-names-port-numbers.csv"


def one_line(text):
    return " ".join(re.split(r"[ \t\r\n]+", text)).strip(" ")


def read_registry():
    """{(port, proto): [rows]} of the file, read without any help of the program's code."""
    ports = collections.defaultdict(list)
    with open(REGISTRY, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if not row["Port Number"]:
                continue
            low, _, high = row["Port Number"].partition("-")
            for proto in [row["Transport Protocol"]] if row["Transport Protocol"] else ["tcp", "udp"]:
                for port in range(int(low), int(high or low) + 1):
                    ports[port, proto].append(row)
    return ports


def expected(rows):
    """(service, aliases, description) of a port: the first row with a name, else the first one."""
    named = [row for row in rows if row["Service Name"]]
    if not rows:
        return "-", "-", "-"
    first = (named or rows)[0]
    names = list(dict.fromkeys(row["Service Name"] for row in named))
    return names[0] if names else "-", ",".join(names[1:]) or "-", one_line(first["Description"]) or "-"


def class_of(port):
    return "well-known" if port < 1024 else "registered" if port < 49152 else "dynamic"


def rows_of(done):
    return [line.split("\t") for line in done.lines]


class Registry(TestCase):
    def check_every_port(self, operand, protos):
        registry = read_registry()
        rows = rows_of(run([CMD, operand]))
        self.assertEqual([(int(r[0]), r[1]) for r in rows], [(p, proto) for p in range(65536) for proto in protos])
        for row in rows:
            port, proto = int(row[0]), row[1]
            want = (class_of(port), *expected(registry[port, proto]))
            self.assertEqual((row[2], row[3], row[4], row[6]), want, row)

    def test_every_port_of_tcp_and_udp_is_as_in_the_file(self):
        self.check_every_port("0-65535", ["tcp", "udp"])

    def test_every_port_of_sctp_is_as_in_the_file(self):
        self.check_every_port("0-65535/sctp", ["sctp"])

    def test_every_port_of_dccp_is_as_in_the_file(self):
        self.check_every_port("0-65535/dccp", ["dccp"])

    def test_every_name_leads_to_all_its_ports(self):
        places = collections.defaultdict(set)
        for (port, proto), rows in read_registry().items():
            for row in rows:
                if row["Service Name"]:
                    places[row["Service Name"]].add((str(port), proto))
        names = sorted(places)
        self.assertGreater(len(names), 6000)
        done = run([CMD, "--json"], stdin="\n".join(names))
        self.assertEqual((done.code, done.err), (0, ""))
        got = collections.defaultdict(set)
        for record in map(json.loads, done.lines):
            if record["type"] == "port":
                for name in [record["service"], *record["aliases"]]:
                    got[name].add((str(record["port"]), record["proto"]))
        for name in names:
            self.assertLessEqual(places[name], got[name], name)

    def test_names_are_taken_in_any_case(self):
        self.assertEqual(run([CMD, "HTTPS"]).out, run([CMD, "https"]).out)

    def test_unauthorized_use_is_flagged_where_it_was_reported(self):
        registry = read_registry()
        for row in rows_of(run([CMD, "0-65535"])):
            notes = [r for r in registry[int(row[0]), row[1]] if r["Unauthorized Use Reported"]]
            flagged = "unauthorized-use" in row[5].split(",")
            if not notes:
                self.assertFalse(flagged, row)
            elif all("-" not in r["Port Number"] for r in notes):
                self.assertTrue(flagged, row)

    def test_unauthorized_use_on_a_range_is_for_the_ports_it_names(self):
        flagged = {row[0] for row in rows_of(run([CMD, "x11/tcp", "6000-6063/tcp"])) if "unauthorized" in row[5]}
        self.assertEqual(flagged, {"6003"})

    def test_registry_tells_date_source_and_counts(self):
        facts = dict(rows_of(run([CMD, "--registry"])))
        with open(REGISTRY, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(facts["rows"], str(len(rows)))
        self.assertEqual(facts["names"], str(len({r["Service Name"] for r in rows} - {""})))
        dates = [r[c] for r in rows for c in ("Registration Date", "Modification Date")]
        self.assertEqual(facts["newest-entry"], max(d for d in dates if re.fullmatch(r"\d{4}-\d\d-\d\d", d)))
        assigned = sum(any(r["Service Name"] for r in v) for (_, proto), v in read_registry().items() if proto == "tcp")
        self.assertEqual(facts["assigned-tcp"], str(assigned))
        self.assertIn("IANA", facts["source"])

    def test_registry_as_records(self):
        start, record, summary = map(json.loads, run([CMD, "--registry", "--json"]).lines)
        self.assertEqual((start["type"], start["schema"]), ("start", 1))
        self.assertEqual(record["type"], "registry")
        self.assertEqual(record["newest_entry"], start["registry"])
        self.assertEqual(set(record["assigned"]), {"tcp", "udp", "sctp", "dccp"})
        self.assertEqual(summary, {"type": "summary", "complete": True})


class Rows(TestCase):
    def pairs(self, *operands, **options):
        done = run([CMD, *operands], **options)
        self.assertEqual(done.err, "")
        return [tuple(row[:2]) for row in rows_of(done)]

    def test_a_bare_number_answers_for_tcp_and_udp(self):
        self.assertEqual(self.pairs("22"), [("22", "tcp"), ("22", "udp")])
        self.assertEqual(self.pairs("51820"), [("51820", "tcp"), ("51820", "udp")])

    def test_one_transport(self):
        self.assertEqual(self.pairs("53/udp", "9/dccp"), [("53", "udp"), ("9", "dccp")])

    def test_a_range_is_a_row_a_port(self):
        self.assertEqual(self.pairs("80-81/tcp"), [("80", "tcp"), ("81", "tcp")])
        self.assertEqual(self.pairs("-2"), [("1", "tcp"), ("1", "udp"), ("2", "tcp"), ("2", "udp")])

    def test_port_sets(self):
        self.assertEqual(self.pairs("T:80,U:53"), [("53", "udp"), ("80", "tcp")])
        self.assertEqual(self.pairs("20-22,!21,!22/udp"), [("20", "tcp"), ("20", "udp"), ("22", "tcp")])
        self.assertEqual(len(self.pairs("dynamic")), 2 * 16384)
        self.assertEqual(self.pairs("http,https/tcp")[0], ("80", "tcp"))

    def test_a_service_answers_where_it_is_assigned(self):
        self.assertEqual(self.pairs("redis"), [("6379", "tcp")])
        self.assertEqual(self.pairs("ssh"), [("22", "tcp"), ("22", "udp"), ("22", "sctp")])

    def test_order_is_the_order_given(self):
        self.assertEqual([p for p, _ in self.pairs("443/tcp", "22/tcp", "80/tcp")], ["443", "22", "80"])

    def test_the_row_has_seven_fields_and_a_dash_for_an_empty_one(self):
        self.assertEqual(rows_of(run([CMD, "80/tcp"]))[0][:5], ["80", "tcp", "well-known", "http", "www,www-http"])
        self.assertEqual(rows_of(run([CMD, "65535/tcp"])), [["65535", "tcp", "dynamic", "-", "-", "-", "-"]])

    def test_classes_at_their_borders(self):
        rows = rows_of(run([CMD, "0/tcp", "1023/tcp", "1024/tcp", "49151/tcp", "49152/tcp"]))
        self.assertEqual([r[2] for r in rows], ["well-known"] * 2 + ["registered"] * 2 + ["dynamic"])

    def test_exit_1_when_nothing_given_is_assigned(self):
        self.assertEqual(run([CMD, "51820"]).code, 1)
        self.assertEqual(run([CMD, "4"]).code, 1, "unassigned in the registry")
        self.assertEqual(run([CMD, "0"]).code, 1, "reserved")
        self.assertEqual(run([CMD, "51820", "22"]).code, 0)
        self.assertEqual(run([CMD, "22", "--class", "dynamic"]).code, 1)

    def test_class_filters(self):
        done = run([CMD, "1020-1030/tcp", "--class", "registered"])
        self.assertEqual([r[0] for r in rows_of(done)], [str(p) for p in range(1024, 1031)])
        self.assertEqual(run([CMD, "22", "--class=registered"]).out, b"")

    def test_service_filters_by_name_and_alias(self):
        services = {r[3] for r in rows_of(run([CMD, "1-65535/tcp", "--service", "^imaps?$"]))}
        self.assertEqual(services, {"imap", "imaps"})
        self.assertEqual({r[0] for r in rows_of(run([CMD, "1-1023/tcp", "--service", "^WWW-HTTP$"]))}, {"80"})

    def test_compress_says_the_same_in_fewer_rows(self):
        plain = [tuple(r) for r in rows_of(run([CMD, "0-65535"]))]
        expanded, last = [], {}
        rows = rows_of(run([CMD, "0-65535", "--compress"]))
        self.assertLess(len(rows), len(plain) / 5)
        for row in rows:
            low, _, high = row[0].partition("-")
            expanded += [(str(port), *row[1:]) for port in range(int(low), int(high or low) + 1)]
            # Neighbours of one transport that are left apart must differ.
            if row[1] in last and int(last[row[1]][0].partition("-")[2] or last[row[1]][0]) + 1 == int(low):
                self.assertTrue(last[row[1]][1:] != row[1:] or "unauthorized-use" in row[5], row)
            last[row[1]] = row
        self.assertEqual(sorted(expanded), sorted(plain))
        firsts = [int(row[0].partition("-")[0]) for row in rows]
        self.assertEqual(firsts, sorted(firsts))

    def test_common_use_is_a_column_of_its_own(self):
        rows = rows_of(run([CMD, "6443/tcp", "22/tcp", "--common-use"]))
        self.assertEqual(rows[0][3:4] + rows[0][7:], ["sun-sr-https", "Kubernetes API server", "Kubernetes: Ports and Protocols"])
        self.assertEqual(rows[1][7:], ["-", "-"])
        self.assertEqual(len(rows_of(run([CMD, "6443/tcp"]))[0]), 7)

    def test_each_common_use_has_its_source(self):
        row = rows_of(run([CMD, "3000/tcp", "--common-use"]))[0]
        self.assertEqual(row[7].split("; "), ["Grafana", "Rails, Next.js and other dev servers"])
        self.assertEqual(row[8].split("; "), ["Grafana: Configure Grafana, http_port (unconfirmed)",
                                              "Rails guides: The Rails command line (unconfirmed)"])

    def test_common_use_does_not_make_a_port_assigned(self):
        self.assertEqual(run([CMD, "51820", "--common-use"]).code, 1)

    def test_compress_does_not_hide_a_common_use(self):
        rows = rows_of(run([CMD, "51810-51830/udp", "--compress", "--common-use"]))
        self.assertEqual([r[0] for r in rows if r[7] == "WireGuard"], ["51820"])

    def test_on_a_terminal_columns_line_up_without_tabs(self):
        done = run([CMD, "22/tcp", "51820/tcp"], stdout=PTY)
        lines = done.text.replace("\r\n", "\n").splitlines()
        self.assertNotIn("\t", done.text)
        self.assertEqual(lines[0].index("tcp"), lines[1].index("tcp"))
        self.assertEqual(lines[0].index("well-known"), lines[1].index("dynamic"))

    def test_verbose_tells_notes_and_sources_on_stderr(self):
        done = run([CMD, "-v", "6003/tcp", "6443/tcp", "--common-use"])
        self.assertIn("6003/tcp: unauthorized use: Known Unauthorized Use on port 6003\n", done.err)
        self.assertIn("6443/tcp: often Kubernetes API server, according to Kubernetes", done.err)
        self.assertEqual(done.out, run([CMD, "6003/tcp", "6443/tcp", "--common-use"]).out)


class ThisHost(TestCase):
    def facts(self, name):
        with open(f"/proc/sys/net/ipv4/{name}", encoding="ascii") as file:
            return file.read().split()

    def test_ephemeral_range_of_this_host(self):
        low, high = map(int, self.facts("ip_local_port_range"))
        flagged = [int(r[0]) for r in rows_of(run([CMD, "0-65535/tcp"])) if "ephemeral-here" in r[5].split(",")]
        self.assertEqual(flagged, list(range(low, high + 1)))

    def test_privileged_on_this_host(self):
        start = int(self.facts("ip_unprivileged_port_start")[0])
        flagged = [int(r[0]) for r in rows_of(run([CMD, "0-65535/tcp"])) if "privileged" in r[5].split(",")]
        self.assertEqual(flagged, list(range(1, start)))

    def test_settings_of_another_network_namespace(self):
        harness.need_namespaces()
        script = ("cd /proc/sys/net/ipv4 && echo 0 > ip_unprivileged_port_start && "
                  "echo '20000 20010' > ip_local_port_range && "
                  "echo 80,20005-20006 > ip_local_reserved_ports && exec \"$@\"")
        done = subprocess.run(["unshare", "--net", "sh", "-c", script, "sh", binary(CMD), "0-65535/tcp"],
                              env=clean_env(), capture_output=True, text=True, check=False)
        rows = [line.split("\t") for line in done.stdout.splitlines()]
        flags = {int(r[0]): r[5].replace("unauthorized-use", "").strip(",") for r in rows}
        self.assertEqual({p for p, f in flags.items() if "privileged" in f}, set())
        self.assertEqual(flags[80], "reserved-here")
        self.assertEqual(flags[20000], "ephemeral-here")
        self.assertEqual(flags[20005], "ephemeral-here,reserved-here")
        self.assertEqual(flags[20011], "-")


class Stdin(TestCase):
    def test_lines_are_answered_in_order_and_the_last_needs_no_newline(self):
        for operands in ([], ["-"]):
            done = run([CMD, *operands], stdin="443/tcp\nssh\n80/udp")
            self.assertEqual([r[0] for r in rows_of(done)], ["443", "22", "22", "22", "80"])
            self.assertEqual(done.code, 0)

    def test_stdin_stands_where_the_dash_stands(self):
        done = run([CMD, "80/tcp", "-", "443/tcp"], stdin="22/tcp\n")
        self.assertEqual([r[0] for r in rows_of(done)], ["80", "22", "443"])

    def test_a_row_comes_before_the_next_line_is_typed(self):
        program = self.spawn([CMD])
        program.write("22/tcp\n")
        program.wait_out(rb"^22\ttcp\t.*\n")
        program.write("80/tcp\n")
        program.wait_out(rb"\n80\ttcp\t.*\n")
        self.assertEqual(program.finish().code, 0)

    def test_a_bad_line_is_told_and_the_others_are_answered(self):
        done = run([CMD], stdin="22/tcp\nfoo bar\n\n80/tcp\n0x50\n")
        self.assertEqual([r[0] for r in rows_of(done)], ["22", "80"])
        self.assertEqual(done.code, 2)
        errors = done.err.splitlines()
        self.assertEqual(len(errors), 3)
        self.assertRegex(errors[0], r"^pier-classify-port: line 2: port 'foo bar': ")
        self.assertRegex(errors[1], r"^pier-classify-port: line 3: port '': ")
        self.assertRegex(errors[2], r"^pier-classify-port: line 5: port '0x50': ")

    def test_errors_are_told_under_quiet_too(self):
        self.assertRegex(run([CMD, "-q"], stdin="foo\n").err, "'foo'")

    def test_nothing_at_all_is_not_assigned(self):
        for stdin in (b"", CLOSED):
            done = run([CMD], stdin=stdin)
            self.assertEqual((done.code, done.out, done.err), (1, b"", ""))

    def test_a_line_without_end_is_refused(self):
        done = run([CMD], stdin=b"1" * (2 << 20))
        self.assertEqual((done.code, done.out), (2, b""))
        self.assertRegex(done.err, r"\Apier-classify-port: line '1{40}': longer than 1 MiB\n\Z")

    def test_a_folder_cannot_be_read(self):
        folder = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
        try:
            done = run([CMD], stdin=folder)
        finally:
            os.close(folder)
        self.assertEqual((done.code, done.err), (2, "pier-classify-port: read standard input: is a directory\n"))

    def test_many_lines_across_blocks_are_all_answered(self):
        ports = [(7 * i) % 65536 for i in range(60000)]
        done = run([CMD, "--class", "dynamic"], stdin="".join(f"{p}/tcp\n" for p in ports))
        self.assertEqual([int(r[0]) for r in rows_of(done)], [p for p in ports if p >= 49152])

    def test_a_terminal_gets_a_hint(self):
        program = self.spawn([CMD], stdin=PTY)
        program.wait_err(r"^pier-classify-port: reading ports from this terminal.*\^D")
        program.write("22/tcp\n\x04")
        self.assertEqual(program.wait().code, 0)

    def test_no_hint_under_quiet(self):
        program = self.spawn([CMD, "-q"], stdin=PTY)
        program.write("22/tcp\n\x04")
        self.assertEqual(program.wait().err, "")


class Records(TestCase):
    def records(self, *words, **options):
        done = run([CMD, "--json", *words], **options)
        return done, [json.loads(line) for line in done.lines]

    def test_the_record_of_a_port(self):
        done, (start, port, summary) = self.records("80/tcp")
        self.assertEqual((start["type"], start["schema"], start["program"]), ("start", 1, CMD))
        self.assertEqual(list(port), ["type", "port", "proto", "class", "service", "aliases", "flags", "description"])
        self.assertEqual((port["type"], port["port"], port["proto"], port["class"]), ("port", 80, "tcp", "well-known"))
        self.assertEqual((port["service"], port["aliases"]), ("http", ["www", "www-http"]))
        self.assertEqual(port["description"], "World Wide Web HTTP")
        self.assertEqual(summary, {"type": "summary", "complete": True, "inputs": 1, "bad": 0, "rows": 1, "assigned": 1})
        self.assertEqual(done.code, 0)

    def test_what_is_empty_is_null_or_an_empty_list(self):
        done, (_, port, _) = self.records("65535/udp")
        self.assertEqual((port["service"], port["description"], port["aliases"], port["flags"]), (None, None, [], []))
        self.assertEqual(done.code, 1)

    def test_unauthorized_use_comes_with_its_note(self):
        _, (_, port, _) = self.records("6003/tcp")
        self.assertIn("unauthorized-use", port["flags"])
        self.assertEqual(port["unauthorized_use"], "Known Unauthorized Use on port 6003")

    def test_common_use_comes_with_its_source(self):
        _, (_, port, _) = self.records("6443/tcp", "--common-use")
        self.assertEqual(port["common_use"],
                         [{"what": "Kubernetes API server", "source": "Kubernetes: Ports and Protocols", "confirmed": True}])
        _, (_, port, _) = self.records("51820/udp", "--common-use")
        self.assertIs(port["common_use"][0]["confirmed"], False)

    def test_compressed_records_have_both_ends(self):
        _, (_, first, second, third, _) = self.records("6000-6063/tcp", "--compress")
        ends = [(r["port"], r["last_port"]) for r in (first, second, third)]
        self.assertEqual(ends, [(6000, 6002), (6003, 6003), (6004, 6063)])

    def test_a_bad_line_is_counted(self):
        done, records = self.records(stdin="80/tcp\nfoo\n")
        self.assertEqual(done.code, 2)
        self.assertEqual((records[-1]["complete"], records[-1]["inputs"], records[-1]["bad"]), (True, 2, 1))

    def test_a_signal_still_gets_its_summary(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            program = self.spawn([CMD, "--json"])
            program.write("80/tcp\n")
            program.wait_out(rb'"port":80')
            program.signal(number)
            done = program.wait()
            self.assertEqual(done.code, code)
            summary = json.loads(done.lines[-1])
            self.assertEqual((summary["type"], summary["complete"], summary["rows"]), ("summary", False, 1))

    def test_text_ends_by_the_signal_itself(self):
        program = self.spawn([CMD])
        program.write("80/tcp\n")
        program.wait_out(rb"^80")
        program.signal(signal.SIGTERM)
        self.assertEqual(program.wait().code, 143)


class Output(TestCase):
    def test_a_reader_that_has_gone_is_141(self):
        for words in ([], ["--json"]):
            read, write = os.pipe()
            os.close(read)
            try:
                done = run([CMD, "0-65535", *words], stdout=write)
            finally:
                os.close(write)
            self.assertEqual((done.code, done.err), (141, ""))

    def test_a_full_disk_is_2(self):
        with open("/dev/full", "wb") as full:
            done = run([CMD, "80"], stdout=full)
        self.assertEqual(done.code, 2)
        self.assertRegex(done.err, r"\Apier-classify-port: write standard output: no space left on device\n\Z")

    def test_a_closed_stdout_is_as_dev_null(self):
        self.assertEqual(run([CMD, "80"], stdout=CLOSED).code, 0)

    def test_help_begins_with_examples_and_has_every_flag(self):
        done = run([CMD, "--help"])
        self.assertEqual((done.code, done.err), (0, ""))
        for flag in ("--class", "--service", "--compress", "--common-use", "--json", "--registry", "--version"):
            self.assertIn(flag, done.text)
        self.assertLess(done.text.index("pier classify-port 22 6443"), done.text.index("--class"))

    def test_version(self):
        done = run([CMD, "--version"])
        self.assertEqual(done.code, 0)
        self.assertRegex(done.lines[0], r"^pier-classify-port \d+\.\d+\.\d+$")


class BadInput(TestCase):
    """Each is one line on stderr that quotes the text, and exit 2."""

    def check(self, words, *texts):
        self.assert_usage_error(run([CMD, *words]), *texts)

    def test_a_number_must_be_a_port(self):
        for bad in ("65536", "99999999999999999999", "1-65536", "70000-80000"):
            self.check([bad], f"'{bad}'", "not a number from 0 to 65535")

    def test_text_around_a_number(self):
        for bad in ("0x50", "+80", " 80abc", "80abc", " 80", "80 ", "80.5", "1e3", "８０"):
            self.check(["--", bad], f"'{bad}'", "not a port")

    def test_backwards_range(self):
        self.check(["5-1"], "'5-1'", "did you mean 1-5")
        self.check(["80,5-1"], "'5-1'", "did you mean 1-5")

    def test_empty_items(self):
        for bad in ("1,,2", "1,", ",1", ","):
            self.check([bad], f"'{bad}'", "empty item")
        self.check([""], "''", "empty")

    def test_unknown_services_get_the_nearest(self):
        self.check(["htps"], "'htps'", "did you mean https")
        self.check(["smpt"], "'smpt'", "did you mean smtp")
        self.check(["etcd"], "'etcd'", "did you mean etcd-")
        self.check(["qqqqqqqqqq"], "'qqqqqqqqqq'", "not a port")

    def test_unknown_transports(self):
        for bad in ("80/icmp", "80/TCP", "80/", "/tcp", "X:80"):
            self.check([bad], f"'{bad}'")

    def test_sets_without_a_port(self):
        self.check(["!80"], "'!80'", "-,!80")
        self.check(["80,!80"], "'80,!80'", "no port")

    def test_names_without_a_port(self):
        self.check(["arp"], "'arp'", "without a port")

    def test_bytes_that_are_not_text(self):
        self.check([os.fsdecode(b"\xff\n")], r"'\xff\x0a'")

    def test_one_bad_operand_refuses_all_of_them(self):
        self.check(["22", "80", "foo!"], "'foo!'")

    def test_flags(self):
        self.check(["--class", "reserved", "80"], "--class 'reserved'", "well-known, registered, dynamic")
        self.check(["--class"], "--class", "needs a value")
        self.check(["--service", "(", "80"], "--service '('", "not a regular expression")
        self.check(["--servce", "x"], "'--servce'", "--service")
        self.check(["--registry", "80"], "'80'", "takes no port")
        for other in ("--compress", "--common-use", "--class=dynamic", "--service=x"):
            self.check(["--registry", other], "--registry", "cannot be used together")

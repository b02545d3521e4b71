"""pier-classify-port: names that are cut short or mistyped, where only one can be meant."""

import json

from harness import TestCase, run

CMD = "pier-classify-port"


class MeantNames(TestCase):
    def check(self, word, name):
        done = run([CMD, word])
        self.assertEqual((done.code, done.err),
                         (0, f"pier-classify-port: port '{word}': no such service, taken as {name}\n"))
        self.assertEqual(done.out, run([CMD, name]).out)

    def test_the_only_name_that_begins_so_is_taken(self):
        self.check("postgre", "postgresql")
        self.check("Postgre", "postgresql")
        self.check("postgre/tcp", "postgresql/tcp")
        self.check("mongo", "mongodb")

    def test_the_name_that_is_clearly_nearest_is_taken(self):
        self.check("postgrsql", "postgresql")

    def test_quiet_and_records_have_the_answer_alone(self):
        done = run([CMD, "-q", "--json", "postgre/tcp"])
        self.assertEqual((done.code, done.err), (0, ""))
        self.assertEqual(json.loads(done.lines[1])["service"], "postgresql")

    def test_a_refused_command_line_has_one_line(self):
        self.assert_usage_error(run([CMD, "postgre", "qqqqqqqqqq"]), "'qqqqqqqqqq'")

    def test_a_service_without_that_transport_is_still_refused(self):
        self.assert_usage_error(run([CMD, "redi/udp"]), "'redi/udp'", "did you mean redis")

    def test_lists_and_standard_input_are_not_guessed_at(self):
        self.assert_usage_error(run([CMD, "postgre,80"]), "'postgre'", "did you mean postgresql")
        done = run([CMD], stdin="postgre\n80/tcp\n")
        self.assertEqual((done.code, len(done.lines)), (2, 1))
        self.assertIn("line 1: port 'postgre': no such service: did you mean postgresql", done.err)

    def test_endpoints_and_scans_stay_strict(self):
        for words in (["pier-connect", "127.0.0.1:postgre"], ["pier-listen", "127.0.0.1:postgre"],
                      ["pier-scan", "127.0.0.1", "-p", "postgre"]):
            with self.subTest(words=words):
                self.assert_usage_error(run(words), "postgre", "did you mean")

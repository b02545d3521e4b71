#include <gtest/gtest.h>

#include <initializer_list>

#include "cli/flags.h"

namespace pier {
namespace {

using namespace std::chrono_literals;
using Words = std::vector<std::string>;

constexpr Flag kFlags[] = {
    {.name = "keep-open", .letter = 'k', .group = "G", .brief = "switch"},
    {.name = "udp", .letter = 'u', .group = "G", .brief = "switch"},
    {.name = "tls", .group = "G", .brief = "switch"},
    {.name = "ipv4", .letter = '4', .group = "G", .brief = "switch"},
    {.name = "ports", .letter = 'p', .value = "SET", .kind = ValueKind::text, .group = "G", .brief = "a set"},
    {.name = "retries", .value = "N", .kind = ValueKind::number, .group = "G", .min = 1, .max = 10},
    {.name = "source-port", .value = "P", .kind = ValueKind::port, .group = "G"},
    {.name = "timeout", .value = "D", .kind = ValueKind::duration, .group = "G"},
    {.name = "sndbuf", .value = "S", .kind = ValueKind::size, .group = "G"},
    {.name = "rate", .value = "R", .kind = ValueKind::rate, .group = "G"},
    {.name = "progress",
     .value = "WHEN",
     .kind = ValueKind::choice,
     .group = "G",
     .choices = "auto|always",
     .implied = "auto"},
    {.name = "exclude", .value = "SET", .kind = ValueKind::text, .group = "G", .repeats = true},
};
constexpr std::string_view kConflicts[] = {"udp tls"};
constexpr std::string_view kForms[] = {"[OPTIONS] WORD"};
constexpr Command kPlain{.name = "pier-test",
                         .brief = "test",
                         .forms = kForms,
                         .examples = {},
                         .flags = kFlags,
                         .conflicts = kConflicts};
constexpr Command kRuns{.name = "pier-test",
                        .brief = "test",
                        .forms = kForms,
                        .examples = {},
                        .flags = kFlags,
                        .runs_command = true};
constexpr Command kDashed{.name = "pier-test",
                          .brief = "test",
                          .forms = kForms,
                          .examples = {},
                          .flags = kFlags,
                          .dashed_operands = true};

Result<Parsed> parse_words(std::initializer_list<const char*> words, const Command& command = kPlain) {
  return parse(command, std::span<const char* const>(words.begin(), words.size()));
}

std::string error_of(std::initializer_list<const char*> words, const Command& command = kPlain) {
  const auto parsed = parse_words(words, command);
  if (parsed) return "accepted";
  EXPECT_EQ(parsed.error().kind, ErrorKind::usage);
  return parsed.error().message();
}

TEST(Parse, EveryWayToWriteAValueGivesTheSame) {
  for (const auto words : {std::initializer_list<const char*>{"-p", "80"},
                           {"-p80"},
                           {"--ports", "80"},
                           {"--ports=80"},
                           {"-kp80"},
                           {"-kp", "80"}}) {
    const auto parsed = parse_words(words);
    ASSERT_TRUE(parsed) << *words.begin();
    EXPECT_EQ(parsed->text("ports"), "80") << *words.begin();
    EXPECT_TRUE(parsed->operands.empty());
  }
}

TEST(Parse, AFlagMayImplyItsValue) {
  const auto alone = parse_words({"--progress", "always"});
  ASSERT_TRUE(alone);
  EXPECT_EQ(alone->text("progress"), "auto");
  EXPECT_EQ(alone->operands, Words{"always"});
  EXPECT_EQ(parse_words({"x", "--progress=always"})->text("progress"), "always");
  EXPECT_EQ(parse_words({"--progress=always", "--progress"})->text("progress"), "auto");
  EXPECT_EQ(error_of({"--progress="}), "--progress '': not one of auto, always");
  EXPECT_EQ(error_of({"--progress=no"}), "--progress 'no': not one of auto, always");
  EXPECT_EQ(error_of({"--progress", "-p"}), "-p: needs a value: SET");
}

TEST(Parse, OptionsAndOperandsMixInAnyOrder) {
  const auto parsed = parse_words({"db", "-k", "5432", "--ports", "1", "-vv", "last"});
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->operands, (Words{"db", "5432", "last"}));
  EXPECT_TRUE(parsed->has("keep-open"));
  EXPECT_EQ(parsed->count("verbose"), 2);
  EXPECT_FALSE(parsed->has("quiet"));
}

TEST(Parse, TheLastValueCountsAndRepeatedOnesKeepTheirOrder) {
  const auto parsed = parse_words({"-p", "1", "--exclude=a", "-p2", "--exclude", "b"});
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->text("ports"), "2");
  EXPECT_EQ(parsed->texts("exclude"), (Words{"a", "b"}));
  Words order;
  for (const auto& given : parsed->given) order.push_back(std::string(given.flag->name) + given.value);
  EXPECT_EQ(order, (Words{"ports1", "excludea", "ports2", "excludeb"}));
}

// Regression: the library underneath takes some of these for lists, escapes or switches' values.
TEST(Parse, WordsComeOutExactlyAsTheyWentIn) {
  for (const char* word : {"[::1]:80", "[::1]", "[a,b]", "a,b", "", " ", " 80 ", "\"q\"", "'q'", "{}", "{x}",
                           "%1", "++", "/s", "a=b", "=", "\xff\xfe", "a\nb", "-"}) {
    const auto operand = parse_words({word});
    ASSERT_TRUE(operand) << word;
    EXPECT_EQ(operand->operands, Words{word});
    const auto value = parse_words({"--ports", word, "x"});
    ASSERT_TRUE(value) << word;
    EXPECT_EQ(value->text("ports"), word);
    EXPECT_EQ(value->operands, Words{"x"}) << word;
    const std::string joined = std::string("--ports=") + word;
    const auto same = parse_words({joined.c_str(), "x"});
    ASSERT_TRUE(same) << word;
    EXPECT_EQ(same->text("ports"), word);
    EXPECT_EQ(same->operands, Words{"x"}) << word;
    const auto repeated = parse_words({"--exclude", word, "--exclude", word});
    ASSERT_TRUE(repeated) << word;
    EXPECT_EQ(repeated->texts("exclude"), (Words{word, word}));
  }
  EXPECT_EQ(parse_words({"-p", ""})->text("ports"), "");
  EXPECT_EQ(parse_words({"-p[1,2]"})->text("ports"), "[1,2]");
}

TEST(Parse, ValuesMayBeginWithADash) {
  EXPECT_EQ(parse_words({"-p", "-100"})->text("ports"), "-100");
  EXPECT_EQ(parse_words({"-p", "-"})->text("ports"), "-");
  EXPECT_EQ(parse_words({"-p", "-k"})->text("ports"), "-k");
  EXPECT_EQ(parse_words({"--ports", "--"})->text("ports"), "--");
  EXPECT_EQ(parse_words({"--ports", "--tls=x=y"})->text("ports"), "--tls=x=y");
  EXPECT_FALSE(parse_words({"-p", "-k"})->has("keep-open"));
}

TEST(Parse, DashDashEndsOptions) {
  const auto parsed = parse_words({"-k", "--", "-x", "--tls", "--", "y"});
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->operands, (Words{"-x", "--tls", "--", "y"}));
  EXPECT_FALSE(parsed->has("tls"));
  EXPECT_FALSE(parsed->command_given);
}

TEST(Parse, DashDashBeginsTheCommandWhereThereIsOne) {
  const auto parsed = parse_words({"9000", "--", "wc", "-c", "--help", "--x=", "--", "[a,b]"}, kRuns);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->operands, Words{"9000"});
  EXPECT_EQ(parsed->command, (Words{"wc", "-c", "--help", "--x=", "--", "[a,b]"}));
  EXPECT_TRUE(parsed->command_given);
  EXPECT_FALSE(parsed->has("help"));
  const auto nothing = parse_words({"9000", "--"}, kRuns);
  EXPECT_TRUE(nothing->command_given);
  EXPECT_TRUE(nothing->command.empty());
  EXPECT_FALSE(parse_words({"9000"}, kRuns)->command_given);
}

TEST(Parse, DashedOperandsAreOperandsOnlyWhereAsked) {
  const auto parsed = parse_words({"-100", "-", "65000-", "-k", "-100,!22"}, kDashed);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->operands, (Words{"-100", "-", "65000-", "-100,!22"}));
  EXPECT_TRUE(parse_words({"-4"}, kDashed)->has("ipv4"));
  EXPECT_EQ(error_of({"-1"}), "unknown option '-1': see pier-test --help");
  EXPECT_EQ(error_of({"-k1"}, kDashed), "unknown option '-1': see pier-test --help");
  EXPECT_EQ(error_of({"-x"}, kDashed), "unknown option '-x': see pier-test --help");
}

TEST(Parse, UnknownOptionsAreQuotedWithTheNearest) {
  EXPECT_EQ(error_of({"--kep-open"}), "unknown option '--kep-open': did you mean --keep-open?");
  EXPECT_EQ(error_of({"--porst=80"}), "unknown option '--porst': did you mean --ports?");
  EXPECT_EQ(error_of({"--keep"}), "unknown option '--keep': did you mean --keep-open?");
  EXPECT_EQ(error_of({"--zzz"}), "unknown option '--zzz': see pier-test --help");
  EXPECT_EQ(error_of({"---x"}), "unknown option '---x': see pier-test --help");
  EXPECT_EQ(error_of({"-kz"}), "unknown option '-z': see pier-test --help");
  EXPECT_EQ(error_of({"--a\nb"}), "unknown option '--a\\x0ab': see pier-test --help");
  EXPECT_EQ(error_of({"-!"}), "unknown option '-!': see pier-test --help");
}

TEST(Parse, MissingValuesAndValuesTooMany) {
  EXPECT_EQ(error_of({"x", "--ports"}), "--ports: needs a value: SET");
  EXPECT_EQ(error_of({"-p"}), "-p: needs a value: SET");
  EXPECT_EQ(error_of({"-kp"}), "-kp: needs a value: SET");
  EXPECT_EQ(error_of({"--keep-open=yes"}), "--keep-open: takes no value");
  EXPECT_EQ(error_of({"--keep-open=true"}), "--keep-open: takes no value");
  EXPECT_EQ(error_of({"--keep-open="}), "--keep-open: takes no value");
  EXPECT_EQ(error_of({"--keep-open={}"}), "--keep-open: takes no value");
}

TEST(Parse, ValuesAreCheckedByKind) {
  EXPECT_EQ(error_of({"--retries", "0x5"}), "--retries '0x5': not a number from 1 to 10");
  EXPECT_EQ(error_of({"--retries", "11"}), "--retries '11': not a number from 1 to 10");
  EXPECT_EQ(error_of({"--retries="}), "--retries '': not a number from 1 to 10");
  EXPECT_EQ(error_of({"--source-port", "65536"}), "--source-port '65536': not a number from 0 to 65535");
  EXPECT_EQ(error_of({"--color", "yes"}), "--color 'yes': not one of auto, always, never");
  EXPECT_NE(error_of({"--timeout", "5x"}).find("--timeout '5x': not a duration"), std::string::npos);
  EXPECT_NE(error_of({"--sndbuf", "-1"}).find("--sndbuf '-1': not a size"), std::string::npos);
  EXPECT_NE(error_of({"--rate", "0"}).find("--rate '0': not a rate"), std::string::npos);
  // Also where a later one would have been right.
  EXPECT_NE(error_of({"--retries", "x", "--retries", "3"}), "accepted");
}

TEST(Parse, TypedGettersGiveTheLastValue) {
  const auto parsed = parse_words({"--retries", "3", "--retries=4", "--source-port", "80", "--timeout",
                                   "1.5s", "--sndbuf", "64k", "--rate", "10k"});
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->number("retries"), 4u);
  EXPECT_EQ(parsed->number("source-port"), 80u);
  EXPECT_EQ(parsed->duration("timeout"), 1500ms);
  EXPECT_EQ(parsed->number("sndbuf"), 65536u);
  EXPECT_EQ(parsed->number("rate"), 10000u);
  EXPECT_EQ(parsed->number("ports"), std::nullopt);
  EXPECT_EQ(parsed->duration("none"), std::nullopt);
}

TEST(Parse, ConflictsAreOneSentence) {
  EXPECT_EQ(error_of({"--tls", "-u"}), "--udp and --tls: cannot be used together");
  EXPECT_TRUE(parse_words({"--tls", "--tls", "-k"}));
}

TEST(Parse, HelpAndVersionCheckNothingElse) {
  EXPECT_TRUE(parse_words({"--bogus", "--help"})->has("help"));
  EXPECT_TRUE(parse_words({"--udp", "--tls", "--version", "--retries=x"})->has("version"));
  EXPECT_TRUE(parse_words({"-h", "--ports"})->has("help"));
  EXPECT_EQ(parse_words({"--ports", "--help"})->text("ports"), "--help");
  EXPECT_FALSE(parse_words({"--ports", "--help"})->has("help"));
}

constexpr Flag kOwn[] = {
    {.name = "quit-after", .letter = 'q', .value = "D", .kind = ValueKind::duration, .group = "G"},
    {.name = "verbose", .letter = 'v', .group = "G", .brief = "own words"},
};
constexpr Command kTakesOver{
    .name = "pier-own", .brief = "test", .forms = kForms, .examples = {}, .flags = kOwn};

TEST(Parse, ACommandsOwnFlagTakesACommonOnesPlace) {
  const auto parsed = parse_words({"-q", "3", "-v", "--quiet"}, kTakesOver);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->duration("quit-after"), 3s);
  EXPECT_TRUE(parsed->has("quiet"));
  EXPECT_EQ(parsed->given[1].flag, &kOwn[1]);
  const std::string help = help_text(kTakesOver);
  EXPECT_NE(help.find("      --quiet"), std::string::npos) << help;
  EXPECT_EQ(help.find("-q, --quiet"), std::string::npos);
}

}  // namespace
}  // namespace pier

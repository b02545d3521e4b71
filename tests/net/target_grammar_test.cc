#include "net/target_grammar.h"

#include <gtest/gtest.h>

namespace pier {
namespace {

// "10.0.0.1-10.0.0.5 db": the ranges, merged, then the names.
std::string shown(const TargetSpec& spec) {
  std::string text;
  const AddressSet set(spec.ranges);
  for (const AddressRange& range : set.ranges()) {
    text += (text.empty() ? "" : " ") + from_number(range.family, range.first, range.zone).to_string();
    if (range.last != range.first)
      text += "-" + from_number(range.family, range.last, range.zone).to_string();
  }
  for (const std::string& name : spec.names) text += (text.empty() ? "" : " ") + name;
  return text;
}

TEST(TargetGrammar, ReadsEveryForm) {
  const struct {
    const char* text;
    const char* means;
  } kRows[] = {
      {"10.0.0.1", "10.0.0.1"},
      {"10.0.0.1-5", "10.0.0.1-10.0.0.5"},
      {"10.0.0.9-10.0.1.20", "10.0.0.9-10.0.1.20"},
      {"10.0.0-1.1-2", "10.0.0.1-10.0.0.2 10.0.1.1-10.0.1.2"},
      {"10.0.0-3.0-255", "10.0.0.0-10.0.3.255"},
      {"0-255.0-255.0-255.0-255", "0.0.0.0-255.255.255.255"},
      {"1-2.0-255.0-255.0-255", "1.0.0.0-2.255.255.255"},
      {"10.0.0.0/30", "10.0.0.0-10.0.0.3"},
      {"10.0.0.77/24", "10.0.0.0-10.0.0.255"},
      {"0.0.0.0/0", "0.0.0.0-255.255.255.255"},
      {"2001:db8::7", "2001:db8::7"},
      {"[2001:db8::7]", "2001:db8::7"},
      {"2001:db8::/126", "2001:db8::-2001:db8::3"},
      {"[2001:db8::]/126", "2001:db8::-2001:db8::3"},
      {"[2001:db8::1]-[2001:db8::ff]", "2001:db8::1-2001:db8::ff"},
      {"2001:db8::1-2001:db8::ff", "2001:db8::1-2001:db8::ff"},
      {"fe80::1%lo", "fe80::1%lo"},
      {"[fe80::1%lo]", "fe80::1%lo"},
      {"db", "db"},
      {"db-1.example.test.", "db-1.example.test."},
      {"10.0.0.1,10.0.0.3 10.0.0.4, db", "10.0.0.1 10.0.0.3-10.0.0.4 db"},
      {"10.0.0.1,10.0.0.1,10.0.0.0/31", "10.0.0.0-10.0.0.1"},
      {" 10.0.0.1\t10.0.0.2\n", "10.0.0.1-10.0.0.2"},
  };
  for (const auto& row : kRows) {
    TargetSpec spec;
    const auto parsed = parse_target_words(row.text, spec);
    ASSERT_TRUE(parsed) << row.text << ": " << parsed.error().message();
    EXPECT_EQ(shown(spec), row.means) << row.text;
  }
}

TEST(TargetGrammar, RefusesTheRestAndQuotesIt) {
  const struct {
    const char* text;
    const char* says;  // part of the message
  } kRows[] = {
      {"", "empty item"},
      {",", "empty item"},
      {"10.0.0.1,", "empty item"},
      {",10.0.0.1", "empty item"},
      {"10.0.0.1,,10.0.0.2", "empty item"},
      {"1.2.3", "'1.2.3': looks like an IPv4 address"},
      {"75.748.86.91", "'75.748.86.91': looks like an IPv4 address"},
      {"300", "looks like an IPv4 address"},
      {"0x7f.1", "looks like an IPv4 address"},
      {"1.2.3.4.5", "looks like an IPv4 address"},
      {"1.2.3.", "looks like an IPv4 address"},
      {".1.2.3", "looks like an IPv4 address"},
      {"1.2.3.04", "looks like an IPv4 address"},
      {"1.2.3.4-256", "looks like an IPv4 address"},
      {"1.2.3.4-", "looks like an IPv4 address"},
      {"1.2.3.-4", "looks like an IPv4 address"},
      {"1.2.3.1-2-3", "looks like an IPv4 address"},
      {"-1", "looks like an IPv4 address"},
      {"10.0.0.5-1", "did you mean 10.0.0.1-5?"},
      {"10.0.3-0.1-254", "did you mean 10.0.0-3.1-254?"},
      {"10.0.0.5-10.0.0.1", "did you mean 10.0.0.1-10.0.0.5?"},
      {"[::5]-[::1]", "did you mean [::1]-[::5]?"},
      {"10.0.0.1-[::5]", "not an IPv6 address"},
      {"[::1]-10.0.0.1", "brackets hold an IPv6 address"},
      {"10.0.0.1-::5", "one family"},
      {"10.0.0.0/33", "0 to 32"},
      {"10.0.0.0/", "0 to 32"},
      {"10.0.0.0/24/24", "0 to 32"},
      {"db/24", "a prefix follows an address"},
      {"10.0.0-1.0/24", "a prefix follows an address"},
      {"::/129", "0 to 128"},
      {"10.0.0.1:80", "ports are given by -p"},
      {"[::1]:80", "ports are given by -p"},
      {"db:80", "ports are given by -p"},
      {"https://db/", "-p"},
      {"::1::2", "not an IPv6 address"},
      {"[::1", "brackets"},
      {"[10.0.0.1]", "brackets"},
      {"[db]", "brackets"},
      {"::1]", "not an IPv6 address"},
      {"fe80::1%nosuchif0", "not an IPv6 address"},
      {"10.0.0.*", "'*'"},
      {"a..b", "empty part"},
      {"-db", "begin with '-'"},
      {"@file", "cannot name another list"},
      {"-", "cannot name another list"},
      {"1-254.1-254.1-254.1-254", "runs of addresses"},
  };
  for (const auto& row : kRows) {
    TargetSpec spec;
    const auto parsed = parse_target_words(row.text, spec);
    ASSERT_FALSE(parsed) << row.text << " was taken as " << shown(spec);
    EXPECT_EQ(parsed.error().kind, ErrorKind::usage) << row.text;
    EXPECT_NE(parsed.error().message().find(row.says), std::string::npos) << parsed.error().message();
  }
}

TEST(TargetGrammar, NotesMaskedHostBitsOnly) {
  TargetSpec spec;
  ASSERT_TRUE(parse_target_words("10.1.2.3/8,10.0.0.0/8,10.1.2.3", spec));
  ASSERT_EQ(spec.notes.size(), 1U);
  EXPECT_NE(spec.notes[0].find("10.1.2.3/8 is taken as 10.0.0.0/8"), std::string::npos);
}

TEST(TargetGrammar, FilesHaveCommentsAndLines) {
  TargetSpec spec;
  const auto parsed = parse_target_file(
      "\xef\xbb\xbf# the lab\r\n10.0.0.1, 10.0.0.2\r\n\r\n  db   # the big one\n\n10.0.0.3", "hosts", spec);
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(shown(spec), "10.0.0.1-10.0.0.3 db");
  TargetSpec empty;
  EXPECT_TRUE(parse_target_file("# nothing\n\n", "hosts", empty));
  EXPECT_EQ(shown(empty), "");
}

TEST(TargetGrammar, ABadLineIsNamedByFileAndNumber) {
  TargetSpec spec;
  const auto parsed = parse_target_file("10.0.0.1\n# x\n10.0.0.2\n1.2.3 # y\n", "hosts.txt", spec);
  ASSERT_FALSE(parsed);
  EXPECT_TRUE(parsed.error().message().starts_with("hosts.txt:4: target '1.2.3': "))
      << parsed.error().message();
}

}  // namespace
}  // namespace pier

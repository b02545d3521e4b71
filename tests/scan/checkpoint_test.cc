#include "scan/checkpoint.h"

#include <gtest/gtest.h>

#include <random>

#include "scan/bits_text.h"

namespace pier {
namespace {

using Words = std::vector<std::uint64_t>;

Words random_words(std::uint64_t size, std::uint64_t one_in, unsigned seed) {
  std::mt19937_64 chance(seed);
  Words words((size + 63) / 64, 0);
  for (std::uint64_t i = 0; i < size; ++i)
    if (chance() % one_in == 0) words[i / 64] |= std::uint64_t{1} << i % 64;
  return words;
}

TEST(BitsText, ComesBackAsItWas) {
  for (const std::uint64_t size : {1U, 7U, 8U, 63U, 64U, 65U, 127U, 1000U, 4096U, 100'001U})
    for (const std::uint64_t one_in : {1U, 2U, 3U, 50U, 5000U}) {
      const Words words = random_words(size, one_in, static_cast<unsigned>(size + one_in));
      const std::string text = bits_text(words, size);
      const bool none = words == Words(words.size(), 0);
      EXPECT_EQ(text.empty(), none);
      EXPECT_EQ(parse_bits(text, size), none ? Words{} : words) << size << " " << one_in << " " << text;
    }
}

TEST(BitsText, IsShortWhereBitsAreAlike) {
  const std::uint64_t size = std::uint64_t{1} << 20;
  const auto length = [&](std::uint64_t one_in) {
    return bits_text(random_words(size, one_in, 1), size).size();
  };
  EXPECT_EQ(bits_text({}, size), "");
  EXPECT_EQ(bits_text(Words(size / 64, ~std::uint64_t{0}), size).size(), 9U);
  EXPECT_LE(length(2), size / 6 + 8);
  EXPECT_LE(length(100), size / 30);
  EXPECT_LE(length(4096), size / 900);
}

TEST(BitsText, BitsBeyondTheSizeAreNotWritten) {
  EXPECT_EQ(bits_text(Words{~std::uint64_t{0}, 5}, 3), bits_text(Words{7}, 3));
  EXPECT_EQ(bits_text(Words{0, 5}, 64), "");
}

TEST(BitsText, WhatIsNoSuchTextIsRefused) {
  const std::string whole = bits_text(Words{0xff00ff00f0f0f0f1}, 64);
  EXPECT_TRUE(parse_bits(whole, 64));
  for (const auto& [text, size] : std::vector<std::pair<std::string, std::uint64_t>>{
           {"x", 8},                  // no kind
           {"b/", 8},                 // no base64
           {"b////", 16},             // 24 bits
           {"b/w==", 7},              // 8 bits
           {"rAAk=", 8},              // 9 ones
           {"rAA==", 8},              // zeros without ones
           {"rAQA=", 8},              // no ones
           {"rAAEAAQ==", 8},          // no zeros between
           {"rgICAgICAgICAgIA=", 8},  // a number without an end
           {"r//////////8B", 8},
           {whole, 63}}) {
    EXPECT_FALSE(parse_bits(text, size)) << text << " " << size;
  }
}

Checkpoint sample() {
  Checkpoint checkpoint;
  checkpoint.run_id = "0123456789abcdef";
  checkpoint.words = {"--syn", "--", "192.0.2.0/24"};
  checkpoint.targets = {"192.0.2.0-192.0.2.255"};
  checkpoint.progress.next = 5000;
  checkpoint.progress.crowds = {{.host = 3, .open = 17}};
  checkpoint.progress.up = {{.index = 3, .suspect = true, .clear = false}};
  SynProgress& syn = checkpoint.progress.syn.emplace();
  syn.size = 1000;
  syn.round = 2;
  syn.cursor = 77;
  syn.found = 12;
  syn.settled = random_words(1000, 3, 1);
  syn.calm = {1, 0, 2, 1};
  syn.distrusted = 2;
  syn.hosts = 256;
  syn.up = random_words(256, 2, 2);
  syn.known = {{.index = 4, .open = true}, {.index = 5, .open = false}};
  syn.held = {{.index = 5999, .tries = 2, .rtt = Duration(12345)}, {.index = 1, .tries = 1, .rtt = {}}};
  return checkpoint;
}

TEST(Checkpoint, OfAScanBySynsComesBackAsItWas) {
  const Checkpoint written = sample();
  const auto read = Checkpoint::parse(written.to_text(), "f");
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->to_text(), written.to_text());
  const SynProgress& was = *written.progress.syn;
  const SynProgress& is = *read->progress.syn;
  EXPECT_EQ(std::tuple(is.size, is.round, is.cursor, is.found, is.hosts),
            std::tuple(was.size, was.round, was.cursor, was.found, was.hosts));
  EXPECT_EQ(is.settled, was.settled);
  EXPECT_EQ(is.up, was.up);
  EXPECT_EQ(is.calm, was.calm);
  EXPECT_EQ(is.distrusted, was.distrusted);
  ASSERT_EQ(is.held.size(), 2U);
  EXPECT_EQ(is.held[0].rtt, Duration(12345));
  EXPECT_FALSE(is.held[1].rtt);
  ASSERT_EQ(is.known.size(), 2U);
  EXPECT_TRUE(is.known[0].open);
  ASSERT_EQ(read->progress.crowds.size(), 1U);
  EXPECT_EQ(read->progress.crowds[0].open, 17U);
}

// As an earlier version wrote it: neither `syn` nor `crowds`.
TEST(Checkpoint, OfAConnectScanHasNothingOfSyns) {
  Checkpoint old = sample();
  old.progress.syn.reset();
  old.progress.crowds.clear();
  const std::string text = old.to_text();
  EXPECT_EQ(text.find("syn\":"), std::string::npos);
  EXPECT_EQ(text.find("crowds"), std::string::npos);
  const auto read = Checkpoint::parse(text, "f");
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->progress.syn);
}

TEST(Checkpoint, WhatIsDamagedIsRefusedByName) {
  const std::string good = sample().to_text();
  for (const auto& [from, to] :
       std::vector<std::pair<std::string, std::string>>{{"\"round\":2", "\"round\":0"},
                                                        {"\"round\":2", "\"round\":102"},
                                                        {"\"round\":2", "\"round\":\"2\""},
                                                        {"\"round\":2", "\"rounds\":2"},
                                                        {"\"cursor\":77", "\"cursor\":1001"},
                                                        {"\"cursor\":77", "\"cursor\":-1"},
                                                        {"\"size\":1000", "\"size\":16777217"},
                                                        {"\"size\":1000", "\"size\":100"},
                                                        {"\"hosts\":256", "\"hosts\":16777217"},
                                                        {"\"hosts\":256", "\"hosts\":100"},
                                                        {"\"next\":5000", "\"next\":18446744073709551615"},
                                                        {"\"settled\":\"b", "\"settled\":\"c"},
                                                        {"\"up\":\"b", "\"up\":\"b="},
                                                        {"\"held\":[5999", "\"held\":[6000"},
                                                        {"\"held\":[5999,2", "\"held\":[5999,0"},
                                                        {"\"held\":[5999,", "\"held\":["},
                                                        {"\"distrusted\":2", "\"distrusted\":102"},
                                                        {"\"calm\":[\"", "\"calm\":[\"x"},
                                                        {"\"calm\":[\"", "\"calm\":[1,\""},
                                                        {"\"known\":[9", "\"known\":[\"9\""},
                                                        {"\"crowds\":[3", "\"crowds\":[3,3"},
                                                        {"\"syn\":{", "\"syn\":[],\"x\":{"}}) {
    std::string text = good;
    const std::size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    const auto read = Checkpoint::parse(text, "the file");
    ASSERT_FALSE(read) << to;
    EXPECT_EQ(read.error().kind, ErrorKind::usage);
    EXPECT_NE(read.error().message().find("--resume 'the file': a damaged checkpoint"), std::string::npos)
        << read.error().message();
  }
}

}  // namespace
}  // namespace pier

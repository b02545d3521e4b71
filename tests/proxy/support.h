// What the tests of all negotiations share: every way to cut the same bytes must come to the same.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/negotiation.h"

namespace pier {

// What a dialogue came to after some bytes.
struct Outcome {
  bool done = false;
  std::size_t consumed = 0;  // of all
  std::string error = {};
  std::string sent = {};

  friend bool operator==(const Outcome&, const Outcome&) = default;
  friend void PrintTo(const Outcome& outcome, std::ostream* out) {
    *out << (outcome.done ? "done" : "more") << ", consumed " << outcome.consumed << ", error \""
         << outcome.error << "\", sent " << ::testing::PrintToString(outcome.sent);
  }
};

// Gives `bytes` in pieces that end at each of `cuts`.
inline Outcome converse(Negotiation& negotiation, std::string_view bytes,
                        std::vector<std::size_t> cuts = {}) {
  Outcome outcome{.sent = negotiation.take_output()};
  cuts.push_back(bytes.size());
  for (std::size_t at = 0; const std::size_t cut : cuts) {
    const auto fed = negotiation.receive(bytes.substr(at, cut - at));
    outcome.sent += negotiation.take_output();
    if (!fed) {
      outcome.error = fed.error().message();
      outcome.consumed = 0;  // where in it an error was found is no matter
      return outcome;
    }
    EXPECT_LE(fed->consumed, cut - at);
    EXPECT_TRUE(fed->done || fed->consumed == cut - at) << "only a dialogue that is over leaves bytes";
    outcome.consumed += fed->consumed;
    outcome.done = fed->done;
    if (fed->done) return outcome;
    at = cut;
  }
  return outcome;
}

using MakeNegotiation = std::function<std::unique_ptr<Negotiation>()>;

// Whole, cut at every place, byte by byte: always the same. Returns it.
inline Outcome converse_in_every_way(const MakeNegotiation& make, std::string_view bytes) {
  const Outcome whole = converse(*make(), bytes);
  std::vector<std::size_t> every;
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    every.push_back(cut);
    EXPECT_EQ(converse(*make(), bytes, {cut}), whole) << "cut at " << cut;
  }
  EXPECT_EQ(converse(*make(), bytes, every), whole) << "byte by byte";
  return whole;
}

// No beginning of a dialogue that ends well is taken for the whole, and none is an error.
inline void expect_more_at_every_truncation(const MakeNegotiation& make, std::string_view bytes) {
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const Outcome outcome = converse(*make(), bytes.substr(0, size));
    EXPECT_FALSE(outcome.done) << "after " << size << " bytes";
    EXPECT_EQ(outcome.error, "") << "after " << size << " bytes";
  }
}

}  // namespace pier

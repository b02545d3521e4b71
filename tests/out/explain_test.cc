#include "out/explain.h"

#include <gtest/gtest.h>

namespace pier {
namespace {

TEST(Explain, ALineNamesTheCallWhatHappenedAndThePortsClass) {
  std::string heard;
  Explain explain([&](std::string_view line) { heard = line; },
                  [](std::uint16_t) { return std::string("registered"); }, nullptr);
  explain.step(
      {.call = "bind", .fd = 3, .text = "127.0.0.1:8080", .result = "ok", .fields = {{"port", "8080"}}});
  EXPECT_EQ(heard, "bind       127.0.0.1:8080 (port 8080: registered)");
  explain.step(
      {.call = "connect", .fd = 3, .text = "[::1]:80", .result = "connection refused", .fields = {}});
  EXPECT_EQ(heard, "connect    [::1]:80: connection refused");
}

TEST(Explain, ARecordCarriesTheSameStep) {
  EXPECT_EQ(
      step_record({.call = "bind", .fd = 3, .text = "x", .result = "ok", .fields = {{"port", "80"}}}).str(),
      R"({"type":"step","call":"bind","fd":3,"text":"x","result":"ok","port":"80"})");
}

}  // namespace
}  // namespace pier

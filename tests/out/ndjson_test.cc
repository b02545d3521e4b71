#include "out/ndjson.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

namespace pier {
namespace {

TEST(Ndjson, KeepsTheOrderAndTheTypes) {
  const std::vector<std::string> aliases{"www", "www-http"};
  JsonObject object("port");
  object.text("proto", "tcp").number("port", 80).boolean("open", true).null("unit").real("rtt_ms", 0.3125, 3);
  object.texts("aliases", aliases).raw("nested", JsonObject().number("n", -1).str());
  EXPECT_EQ(object.str(), R"({"type":"port","proto":"tcp","port":80,"open":true,"unit":null,"rtt_ms":0.312,)"
                          R"("aliases":["www","www-http"],"nested":{"n":-1}})");
  EXPECT_EQ(JsonObject().str(), "{}");
}

TEST(Ndjson, NumbersAreWholeOrFiniteOrNull) {
  EXPECT_EQ(JsonObject().number("n", UINT64_MAX).str(), R"({"n":18446744073709551615})");
  EXPECT_EQ(JsonObject().real("x", std::nan("")).real("y", INFINITY).str(), R"({"x":null,"y":null})");
  EXPECT_EQ(JsonObject().real("x", 1e6, 1).str(), R"({"x":1000000.0})");
}

TEST(Ndjson, EveryByteReadsBackAsOneLineOfJson) {
  std::string all;
  for (int c = 0; c < 128; ++c) all += static_cast<char>(c);
  all += "ä€😀\u0085";
  const std::string json = json_quoted(all);
  EXPECT_EQ(nlohmann::json::parse(json).get<std::string>(), all);
  for (const char c : json) EXPECT_GE(static_cast<unsigned char>(c), 0x20);
}

TEST(Ndjson, BytesThatAreNotUtf8BecomeReplacementCharacters) {
  EXPECT_EQ(json_quoted("a\xff\xe2\x82z"), "\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\"");
}

}  // namespace
}  // namespace pier

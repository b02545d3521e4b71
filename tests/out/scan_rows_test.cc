#include "out/scan_rows.h"

#include <gtest/gtest.h>

namespace pier {
namespace {

PortResult sample() {
  return {.host = "db",
          .address = IpAddress::parse("10.0.0.5").value(),
          .port = 5432,
          .protocol = PortProtocol::tcp,
          .state = PortState::open,
          .reason = "syn-ack",
          .rtt = std::chrono::microseconds(312),
          .tries = 1};
}

TEST(ScanRows, TheRecordOfTheContract) {
  EXPECT_EQ(port_record(sample(), "postgresql", "registered").str(),
            R"({"type":"port","proto":"tcp","host":"db","addr":"10.0.0.5","port":5432,"state":"open",)"
            R"("reason":"syn-ack","service":"postgresql","class":"registered","rtt_us":312,"tries":1})");
}

TEST(ScanRows, WhatIsNotKnownIsNull) {
  PortResult result = sample();
  result.rtt.reset();
  const std::string record = port_record(result, "", "dynamic").str();
  EXPECT_NE(record.find(R"("service":null)"), std::string::npos);
  EXPECT_NE(record.find(R"("rtt_us":null)"), std::string::npos);
}

TEST(ScanRows, TheRowOfTheContract) {
  EXPECT_EQ(
      port_cells(sample(), "postgresql", "registered"),
      (std::vector<std::string>{"10.0.0.5", "5432/tcp", "open", "postgresql", "registered", "syn-ack"}));
}

ScanStats stats() {
  ScanStats s;
  s.pairs = 30480;
  s.probes = 30592;
  s.retries = 112;
  s.answers = 1000;
  s.probes_of_answered = 1100;
  s.hosts = 254;
  s.hosts_up = 61;
  s.states[static_cast<std::size_t>(PortState::open)] = 43;
  s.states[static_cast<std::size_t>(PortState::closed)] = 957;
  s.elapsed = std::chrono::milliseconds(4800);
  return s;
}

TEST(ScanRows, TheClosingLine) {
  EXPECT_EQ(
      summary_line(stats(), 2, "complete"),
      "30,592 probes, 254 hosts (61 up), 43 open, 112 retransmitted: estimated missed 0.08% of open ports; "
      "complete; 4.80 s");
  ScanStats silent = stats();
  silent.answers = silent.probes_of_answered = 0;
  EXPECT_EQ(summary_line(silent, 2, "complete").find("estimated"), std::string::npos)
      << "without an answer there is nothing to estimate from";
}

TEST(ScanRows, ProgressOfAPlanWithoutEndHasNoAbsurdTime) {
  ScanStats s = stats();
  s.pairs = UINT64_MAX;
  EXPECT_NE(progress_line(s, 2).find("ETA over 100 years"), std::string::npos) << progress_line(s, 2);
  s.states = {};
  EXPECT_NE(progress_line(s, 2).find("ETA ?"), std::string::npos);
}

TEST(ScanStats, LossIsEstimatedFromThePortsThatAnswered) {
  EXPECT_NEAR(stats().estimated_loss(), 100.0 / 1100, 1e-12);
  EXPECT_NEAR(stats().estimated_missed(2), 1.0 / (11 * 11 * 11), 1e-12);
  EXPECT_EQ(ScanStats().estimated_loss(), 0.0);
}

}  // namespace
}  // namespace pier

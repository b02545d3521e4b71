#include "out/scan_rows.h"

#include <gtest/gtest.h>

#include <cmath>

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
  s.answers_at = {900, 90, 10};
  s.late_answers = 100;
  s.silent = 29000;
  s.least_tries = 3;
  s.hosts = 254;
  s.hosts_up = 61;
  s.states[static_cast<std::size_t>(PortState::open)] = 43;
  s.states[static_cast<std::size_t>(PortState::closed)] = 957;
  s.elapsed = std::chrono::milliseconds(4800);
  return s;
}

TEST(ScanRows, TheClosingLine) {
  EXPECT_EQ(summary_line(stats(), stats().estimated_missed(), "complete"),
            "30,592 probes, 254 hosts (61 up), 43 open, 112 retransmitted, 100 answered late: "
            "estimated missed 0.10% of open ports; complete; 4.80 s");
  ScanStats silent = stats();
  silent.answers = 0;
  EXPECT_EQ(summary_line(silent, silent.estimated_missed(), "complete").find("estimated"), std::string::npos)
      << "without an answer there is nothing to estimate from";
}

TEST(ScanRows, ProgressOfAPlanWithoutEndHasNoAbsurdTime) {
  ScanStats s = stats();
  s.pairs = UINT64_MAX;
  EXPECT_NE(progress_line(s).find("ETA over 100 years"), std::string::npos) << progress_line(s);
  s.states = {};
  EXPECT_NE(progress_line(s).find("ETA ?"), std::string::npos);
}

TEST(ScanRows, AHostWithTooManyOpenPortsIsOneRecord) {
  const CrowdedHost host{IpAddress::parse("10.0.0.5").value(), PortProtocol::tcp, 65000, true};
  EXPECT_EQ(
      crowded_record(host, "tarpit").str(),
      R"({"type":"host","host":"tarpit","addr":"10.0.0.5","proto":"tcp","state":"suspect","open":65000,)"
      R"("reason":"65,000 ports are open, those where nobody should listen too"})");
  EXPECT_EQ(crowded_cells(host).size(), 6U);
}

// A tenth is lost each time: 90 of 900, then 10 of about 100. What answers the last probe of three has no
// next one to be compared with.
TEST(ScanStats, LossIsEstimatedFromThePortsThatAnswered) {
  EXPECT_NEAR(stats().estimated_loss().value(), 100.0 / 990, 1e-12);
  EXPECT_NEAR(stats().estimated_missed().value(), std::pow(100.0 / 990, 3), 1e-12);
}

TEST(ScanStats, PortsThatAreCheckedTellWhatGetsLostWithoutARetry) {
  ScanStats s;
  s.answers = s.answers_at[0] = 900;
  s.silent = 100;
  s.least_tries = 1;
  EXPECT_FALSE(s.estimated_loss()) << "silence after one probe may be anything";
  EXPECT_FALSE(s.estimated_missed());
  s.checks = 50;
  s.checks_lost = 5;
  EXPECT_NEAR(s.estimated_loss().value(), 0.1, 1e-12);
  EXPECT_NEAR(s.estimated_missed().value(), 0.1, 1e-12);
}

TEST(ScanStats, NothingIsMissedWhereEveryPortAnswered) {
  ScanStats s = stats();
  s.silent = 0;
  EXPECT_EQ(s.estimated_missed(), 0.0);
  s.silent = 1;
  EXPECT_LE(s.estimated_missed().value(), 1.0 / 1001) << "no more can be missed than were silent";
}

}  // namespace
}  // namespace pier

#include "ports/classify.h"

#include <gtest/gtest.h>

#include <string>

namespace pier {
namespace {

constexpr auto kTcp = PortProtocol::tcp;
constexpr auto kUdp = PortProtocol::udp;
using Texts = std::vector<std::string_view>;

HostPorts host() {
  HostPorts settings;
  settings.ephemeral = {6000, 6001};
  settings.reserved = {{8080, 8080}};
  settings.unprivileged_start = 80;
  return settings;
}

TEST(Classify, FlagsAreThisHostsAndTheRegistrys) {
  EXPECT_EQ(classify(kTcp, 22, host()).flags(), Texts{"privileged"});
  EXPECT_EQ(classify(kTcp, 80, host()).flags(), Texts());
  EXPECT_EQ(classify(kTcp, 6000, host()).flags(), Texts{"ephemeral-here"});
  EXPECT_EQ(classify(kTcp, 8080, host()).flags(), Texts{"reserved-here"});
  EXPECT_EQ(classify(kTcp, 6003, host()).flags(), Texts{"unauthorized-use"});
}

TEST(Classify, FactsOfAPort) {
  const PortFacts facts = classify(kTcp, 80, host());
  EXPECT_EQ(facts.service, "http");
  EXPECT_EQ(facts.alias_names(), (Texts{"www", "www-http"}));
  EXPECT_EQ(facts.port_class, PortClass::well_known);
  EXPECT_EQ(facts.ports, (PortRange{80, 80}));
  EXPECT_EQ(classify(kUdp, 65535, host()).service, "");
}

// What PortRuns makes of these ports, as text.
std::string runs_of(const std::vector<std::pair<PortProtocol, std::uint16_t>>& ports,
                    std::uint16_t alone = 0) {
  std::string text;
  PortRuns runs([&](const PortFacts& facts) {
    text += to_string(facts.ports) + "/" + std::string(to_string(facts.protocol)) + " ";
  });
  for (const auto& [protocol, port] : ports)
    runs.add(classify(protocol, port, host()), alone != 0 && port == alone);
  runs.finish();
  return text;
}

TEST(PortRuns, NeighboursThatAgreeAreOneRun) {
  EXPECT_EQ(runs_of({{kTcp, 50000}, {kTcp, 50001}, {kTcp, 50002}}), "50000-50002/tcp ");
  EXPECT_EQ(runs_of({{kTcp, 50000}, {kTcp, 50002}}), "50000/tcp 50002/tcp ");
}

TEST(PortRuns, TransportsInTurnsMakeTheirOwnRuns) {
  EXPECT_EQ(runs_of({{kTcp, 50000}, {kUdp, 50000}, {kTcp, 50001}, {kUdp, 50001}}),
            "50000-50001/tcp 50000-50001/udp ");
}

TEST(PortRuns, DifferentFactsEndARun) {
  EXPECT_EQ(runs_of({{kTcp, 5999}, {kTcp, 6000}, {kTcp, 6001}, {kTcp, 6002}, {kTcp, 6003}, {kTcp, 6004}}),
            "5999/tcp 6000-6001/tcp 6002/tcp 6003/tcp 6004/tcp ");
}

TEST(PortRuns, RunsComeOutByTheirFirstPort) {
  // udp goes on while tcp has three services: udp, which began second, still comes second.
  EXPECT_EQ(runs_of({{kTcp, 22}, {kUdp, 50000}, {kTcp, 23}, {kUdp, 50001}, {kTcp, 25}, {kUdp, 50002}}),
            "22/tcp 50000-50002/udp 23/tcp 25/tcp ");
}

TEST(PortRuns, APortLeftAloneJoinsNothing) {
  EXPECT_EQ(runs_of({{kTcp, 50000}, {kTcp, 50001}, {kTcp, 50002}, {kTcp, 50003}}, 50001),
            "50000/tcp 50001/tcp 50002-50003/tcp ");
}

TEST(PortRuns, BackwardsOrTheSamePortIsANewRun) {
  EXPECT_EQ(runs_of({{kTcp, 50001}, {kTcp, 50000}, {kTcp, 50000}}), "50001/tcp 50000/tcp 50000/tcp ");
}

}  // namespace
}  // namespace pier

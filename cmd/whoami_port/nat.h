// How the NAT between us and a server behaves, by RFC 5780.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cmd/whoami_port/stun_client.h"

namespace pier::whoami {

// What was found. An empty word with a reason in `why`: it could not be told.
struct NatFound {
  Family family = Family::ipv4;
  std::optional<StunAnswer> answer;  // to the first question
  // RFC 4787, section 4.1: "none" where the world sees our own address and port.
  std::string mapping;
  std::string mapping_why;
  std::string filtering;  // RFC 4787, section 5
  std::string filtering_why;
  std::optional<bool> hairpin;  // RFC 4787, section 6: we reach ourselves by our outer address
  std::string hairpin_why;
};

// Asks from several sockets at once, so that what takes the longest, an answer that does not come, is waited
// for twice at most. Destroying it calls nobody back.
class NatProbe {
 public:
  using Done = std::function<void(Result<NatFound>)>;

  // `source`: our address on the way to the server. ErrorKind::unknown when the server does not answer at
  // all.
  NatProbe(Loop& loop, const SocketAddress& server, const IpAddress& source, std::optional<Duration> longest,
           StepSink* steps, Done done);

 private:
  using Filled = std::function<void(const StunAnswer&)>;
  StunPort* open();
  // Asks; what is no answer is handed on as nullopt and its reason.
  void ask(StunPort* port, const SocketAddress& to, StunRequest request,
           std::function<void(std::optional<StunAnswer>, std::string)> then);
  void begin_mapping();
  void go_on_mapping();
  void begin_filtering(bool address, bool port);
  void begin_hairpin();
  void filtering_told();
  void part_done();

  Loop& loop_;
  SocketAddress server_;
  IpAddress source_;
  std::optional<Duration> longest_;
  StepSink* steps_;
  Done done_;
  NatFound found_;
  std::optional<Error> fault_;
  std::vector<std::unique_ptr<StunPort>> ports_;
  // Whether an answer came from the other address and port, and from the other port.
  std::optional<bool> from_other_address_;
  std::optional<bool> from_other_port_;
  Timer hairpin_end_;
  int parts_ = 0;  // still to end
};

}  // namespace pier::whoami

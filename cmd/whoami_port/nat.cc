#include "cmd/whoami_port/nat.h"

namespace pier::whoami {
namespace {

constexpr std::string_view kNoOther =
    "the server has no other address to ask from (OTHER-ADDRESS of RFC 5780)";

bool same(const SocketAddress& a, const SocketAddress& b) {
  return a.port() == b.port() && a.ip().unmapped() == b.ip().unmapped();
}

}  // namespace

NatProbe::NatProbe(Loop& loop, const SocketAddress& server, const IpAddress& source,
                   std::optional<Duration> longest, StepSink* steps, Done done)
    : loop_(loop),
      server_(server),
      source_(source),
      longest_(longest),
      steps_(steps),
      done_(std::move(done)) {
  found_.family = source.family();
  // One more part than there are, so that none ends the whole before all have begun.
  parts_ = 1;
  begin_mapping();
  loop_.post([this] { part_done(); });
}

StunPort* NatProbe::open() {
  auto port = StunPort::open(loop_, source_, std::nullopt, steps_);
  if (!port) {
    fault_ = port.error();
    return nullptr;
  }
  ports_.push_back(*std::move(port));
  return ports_.back().get();
}

void NatProbe::ask(StunPort* port, const SocketAddress& to, StunRequest request,
                   std::function<void(std::optional<StunAnswer>, std::string)> then) {
  request.id = new_stun_id();
  ++parts_;
  port->ask(request, to, longest_, [this, then = std::move(then)](Result<StunAnswer> answer) {
    if (answer)
      then(std::move(*answer), {});
    else
      then(std::nullopt, answer.error().why);
    part_done();
  });
}

// Section 4.3, test I; the others need to know from its answer where the server's other address is.
void NatProbe::begin_mapping() {
  StunPort* port = open();
  if (port == nullptr) return;
  ask(port, server_, {}, [this](std::optional<StunAnswer> answer, const std::string& why) {
    if (!answer) {
      fault_ = fail(ErrorKind::unknown, "stun", server_.to_string(), why).error();
      return;
    }
    found_.answer = std::move(answer);
    begin_hairpin();
    if (!found_.answer->message.other) {
      const bool untouched = same(*found_.answer->message.mapped, found_.answer->local);
      found_.mapping = untouched ? "none" : "";
      found_.mapping_why = untouched ? "" : kNoOther;
      found_.filtering_why = kNoOther;
      return;
    }
    begin_filtering(true, true);
    begin_filtering(false, true);
    go_on_mapping();
  });
}

// Tests II and III: what the server's other address, and its other port there, see of the same socket.
void NatProbe::go_on_mapping() {
  const SocketAddress first = *found_.answer->message.mapped;
  const SocketAddress other = *found_.answer->message.other;
  if (same(first, found_.answer->local)) {
    found_.mapping = "none";
    return;
  }
  StunPort* port = ports_.front().get();
  ask(port, {other.ip(), server_.port()}, {},
      [this, first, other, port](const std::optional<StunAnswer>& second, const std::string& why) {
        if (!second) {
          found_.mapping_why = "of the server's other address: " + why;
          return;
        }
        const SocketAddress mapped = *second->message.mapped;
        if (same(mapped, first)) {
          found_.mapping = "endpoint-independent";
          return;
        }
        ask(port, other, {},
            [this, mapped](const std::optional<StunAnswer>& third, const std::string& reason) {
              if (!third)
                found_.mapping_why = "of the server's other port: " + reason;
              else
                found_.mapping =
                    same(*third->message.mapped, mapped) ? "address-dependent" : "address-and-port-dependent";
            });
      });
}

// Section 4.4, test II or III, from a socket that has spoken to the server's first address alone: does an
// answer from another one come through?
void NatProbe::begin_filtering(bool address, bool port) {
  StunPort* from = open();
  if (from == nullptr) return;
  ask(from, server_, {},
      [this, from, address, port](const std::optional<StunAnswer>& first, const std::string&) {
        if (!first) {
          found_.filtering_why = "the server stopped answering";
          return;
        }
        const StunRequest change{.id = {}, .change_address = address, .change_port = port};
        ask(from, server_, change,
            [this, address](const std::optional<StunAnswer>& answer, const std::string&) {
              // From where it was asked, it tells nothing: the server does not do as told.
              if (answer && same(answer->from, server_)) {
                found_.filtering_why = "the server does not answer from its other address (CHANGE-REQUEST)";
                return;
              }
              (address ? from_other_address_ : from_other_port_) = answer.has_value();
              filtering_told();
            });
      });
}

void NatProbe::filtering_told() {
  if (from_other_address_ == true) {
    found_.filtering = "endpoint-independent";
  } else if (from_other_address_ && from_other_port_) {
    found_.filtering = *from_other_port_ ? "address-dependent" : "address-and-port-dependent";
  }
}

// Section 4.5: a request from a second socket to the first one's outer address.
void NatProbe::begin_hairpin() {
  StunPort* inner = open();
  StunPort* outer = open();
  if (inner == nullptr || outer == nullptr) return;
  ask(inner, server_, {}, [this, inner, outer](const std::optional<StunAnswer>& answer, const std::string&) {
    if (!answer) {
      found_.hairpin_why = "the server stopped answering";
      return;
    }
    const StunRequest request{.id = new_stun_id(), .change_address = false, .change_port = false};
    const SocketAddress mapped = *answer->message.mapped;
    ++parts_;
    const auto told = [this](bool came) {
      if (found_.hairpin) return;
      found_.hairpin = came;
      hairpin_end_.cancel();
      loop_.post([this] { part_done(); });
    };
    inner->on_request([id = request.id, told](const StunMessage& message) {
      if (message.id == id) told(true);
    });
    hairpin_end_ =
        loop_.timer(Deadline::after(longest_.value_or(StunSchedule::kWhole)), [told] { told(false); });
    // Nobody answers it: whether it arrives is the question.
    outer->ask(request, mapped, longest_, [](const Result<StunAnswer>&) {});
  });
}

void NatProbe::part_done() {
  if (--parts_ > 0) return;
  const auto done = std::move(done_);
  if (fault_) return done(std::unexpected(*fault_));
  done(std::move(found_));
}

}  // namespace pier::whoami

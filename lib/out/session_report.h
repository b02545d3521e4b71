// What a person or a program is told of sessions: lines on stderr, --summary, and records for --events.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "net/step.h"
#include "out/event_log.h"
#include "relay/result.h"

namespace pier {

struct SessionReportOptions {
  bool announce = false;  // a line when somebody connects and another when it ends
  bool summary = false;   // one line for each session in the fixed form of --summary, in place of the latter
  std::string_view role;  // what the peer is to us: "client" or "server"
  EventLog* events = nullptr;                    // not owned
  StepSink* steps = nullptr;                     // not owned: told of the roles, and of each close
  std::function<void(std::string_view)> say;     // puts one line on stderr, unless -q
  std::function<void(std::string_view)> detail;  // the same, only with -v
  std::function<std::string(std::uint16_t)>
      port_word;  // "ephemeral", "registered": the class of a peer's port
};

class SessionReport final : public SessionObserver {
 public:
  explicit SessionReport(SessionReportOptions options) : options_(std::move(options)) {}

  void connected(const Session& session) override;
  void closed(const Session& session, const RelayResult& result) override;
  void datagram(const Session& session, const SocketAddress& sender, std::size_t size) override;
  void refused(const SocketAddress& peer, std::string_view why) override;
  void note(std::string_view text) override;

  [[nodiscard]] std::uint64_t refusals() const { return refusals_; }
  // Of the session that was closed last.
  [[nodiscard]] const std::optional<RelayResult>& last() const { return last_; }
  [[nodiscard]] std::uint64_t sessions() const { return sessions_; }
  [[nodiscard]] std::uint64_t received() const { return received_; }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }

 private:
  void tell_roles(const Session& session);
  void tell_close(const Session& session, const RelayResult& result);

  SessionReportOptions options_;
  std::uint64_t sessions_ = 0;
  std::uint64_t refusals_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t sent_ = 0;
  std::optional<RelayResult> last_;
};

// "192.0.2.7:80: 10 B in, 0 B out, 0.04 s, closed first: peer"
[[nodiscard]] std::string summary_line(const Session& session, const RelayResult& result);

}  // namespace pier

// One run of pier-nc: what its two roles share.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "cmd/nc/options.h"
#include "relay/datagram.h"
#include "relay/relay.h"
#include "relay/result.h"

namespace pier::nc {

inline constexpr int kFailed = 1;  // nc's one code for whatever did not work

// What is said on stderr, one line at a time.
class Voice {
 public:
  Voice(std::string_view program, bool verbose) : program_(program), verbose_(verbose) {}

  // "nc: TEXT".
  void warn(std::string_view text) const;
  // TEXT, with -v.
  void tell(std::string_view text) const;
  [[nodiscard]] bool verbose() const { return verbose_; }

 private:
  std::string program_;
  bool verbose_;
};

// The rules that a relay has of -d, -C, -N, -q, -w and -W.
[[nodiscard]] RelayRules rules_of(const Options& options);

[[nodiscard]] DatagramPlan datagram_plan_of(const Options& options);

// Tells what went wrong in a session, if anything; the exit code.
[[nodiscard]] int fail(const Error& error, const Voice& voice);
[[nodiscard]] int end_of(const RelayResult& result, const Voice& voice);

// The roles, from the first socket to the exit code.
int run_client(const Options& options, const Voice& voice);
int run_server(const Options& options, const Voice& voice);

}  // namespace pier::nc

// TLS in a run of pier-connect: what each dial does after it has connected.
#pragma once

#include <memory>
#include <vector>

#include "cmd/connect/options.h"
#include "cmd/tls_options.h"
#include "stream/handshake.h"

namespace pier::client {

struct Run;

class Tls {
 public:
  // Reads the files and gives each dial of `plan` that wants TLS its handshake. Its stream is left in
  // run.stream where `keep`, and closed at once otherwise. Both must outlive this. ErrorKind::local for a
  // file.
  [[nodiscard]] static Result<std::unique_ptr<Tls>> prepare(Run& run, Plan& plan, bool keep);

 private:
  explicit Tls(Run& run);
  void add(DialPlan& dial, const std::string& server_name, bool keep);

  Run& run_;
  TlsSteps steps_;
  std::shared_ptr<const TlsContext> context_;
  std::vector<std::unique_ptr<Handshaker>> handshakers_;
};

}  // namespace pier::client

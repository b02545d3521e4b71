// What a server can answer by itself, without a program: the same bytes (--echo, RFC 862) or nothing
// (--discard, RFC 863).
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "event/loop.h"
#include "relay/relay.h"
#include "relay/service.h"

namespace pier {

enum class Reply { echo, discard };

// Every client is served as its bytes come, by one buffer that all share: an idle one costs a few hundred
// bytes. One that does not read what is echoed is not read from until it does. Its end ends the session once
// all is echoed; our side is closed then, and the kernel delivers what it has.
class ReplyService final : public Service {
 public:
  // Of `rules`: taps, idle_timeout (of each client, which is reset).
  ReplyService(Loop& loop, Reply reply, const RelayRules& rules);
  ~ReplyService() override;
  ReplyService(const ReplyService&) = delete;
  ReplyService& operator=(const ReplyService&) = delete;

  using Service::serve;
  void serve(const Session& session, std::unique_ptr<Stream> stream) override;
  void end_all() override;

 private:
  struct Client;

  void on_client(Client& client, Ready ready);
  [[nodiscard]] bool read_once(Client& client);
  [[nodiscard]] Io receive(Client& client);
  [[nodiscard]] bool flush(Client& client);
  [[nodiscard]] bool write(Client& client, std::span<const std::byte> bytes);
  void arm_idle(Client& client);
  void close(Client& client, std::optional<Error> error);

  // What one read takes at most; what a client has not taken of it is kept.
  static constexpr std::size_t kRead = 64 * 1024;

  Loop& loop_;
  Reply reply_;
  RelayRules rules_;
  std::vector<std::byte> buffer_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Client>> clients_;
};

}  // namespace pier

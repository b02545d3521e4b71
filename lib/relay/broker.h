// Clients who talk to each other: what one sends goes to all others, and so does this process's input. What
// `ncat --broker` and `ncat --chat` do.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "event/loop.h"
#include "relay/chat_lines.h"
#include "relay/relay.h"
#include "relay/service.h"
#include "stream/filters.h"

namespace pier {

// A client gets everything that is sent after it has come, nothing of its own, and each sender's bytes in
// their order; where lines are written in one go they stay whole. A client that ends its side is closed once
// it has what waits for it.
//
// Nothing is thrown away while a client is served: as long as kBound bytes wait for one, nobody is read. But
// it may hold up the others no longer than kPatience: then it is reset, and told as an error with the bytes
// that it did not get.
class Broker final : public Service {
 public:
  static constexpr std::size_t kBound = 256 * 1024;
  static constexpr Duration kPatience = std::chrono::seconds(1);

  // Of `rules`: send (whether the input is read), crlf (of the input), taps, idle_timeout. `chat`: each line
  // is passed on whole, with its sender's number (the input's is 0). `input` is not owned. `input_failed` is
  // called once where it can't be read.
  Broker(Loop& loop, Stream& input, const RelayRules& rules, bool chat,
         std::function<void(const Error&)> input_failed);
  ~Broker() override;
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  using Service::serve;
  void serve(const Session& session, std::unique_ptr<Stream> stream) override;
  void end_all() override;

  // How many were reset because they did not take what others sent.
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  struct Client;
  using Bytes = std::span<const std::byte>;

  void on_client(Client& client, Ready ready);
  // False where the client is no more.
  [[nodiscard]] bool read_once(Client& client);
  [[nodiscard]] bool write_waiting(Client& client);
  void on_input();
  void pass_on(std::uint64_t sender, Bytes bytes);
  void pass_on_last_line(Client& client);
  void pass_on_lines(std::uint64_t sender, const std::string& lines);
  void write_all();
  void judge_crowding(Client& client);
  void leave(Client& client);
  void close(Client& client, std::optional<Error> error);
  void update(Client& client);
  void update_everybody();
  void arm_idle(Client& client);

  // One read; in chat a short one, as each line grows by its number.
  static constexpr std::size_t kRead = 64 * 1024;
  static constexpr std::size_t kChatRead = 4 * 1024;

  Loop& loop_;
  Stream& input_;
  RelayRules rules_;
  bool chat_;
  std::function<void(const Error&)> input_failed_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Client>> clients_;
  std::vector<std::byte> buffer_;
  Watch input_watch_;
  CrlfFilter crlf_;
  ChatLines input_lines_{0};
  Timer writing_;             // of what has been passed on, once for all that came together
  std::size_t crowded_ = 0;   // clients for whom kBound bytes wait
  bool was_crowded_ = false;  // as everybody's watch has it
  bool input_ended_ = false;
  std::uint64_t dropped_ = 0;
};

}  // namespace pier

// Many clients at once on one input and output: what `listen -k` does. Row 21 of the close table.
//
// Each chunk of the input goes to every client connected at that moment, and what clients send is written to
// the output in the order it came. A client's end, reset or stall touches no other client but by
// back-pressure: the input is read only while every client has room, and clients only while the output takes
// what they send.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "event/loop.h"
#include "relay/relay.h"
#include "stream/filters.h"
#include "stream/stream.h"

namespace pier {

class Hub {
 public:
  using ClientId = std::uint64_t;
  struct Events {
    // A client has ended, well or with an error; its stream is closed when this returns.
    std::function<void(ClientId, const RelayResult&)> closed;
    // The output has no reader any more (output_closed), or can't be written, or the input can't be read
    // (error): the server is over, once, and has no clients left.
    std::function<void(const RelayResult&)> failed;
    // Nobody is connected and the output has everything.
    std::function<void()> quiet;
  };

  // Of `rules`: send, receive, crlf, taps, input_is_terminal, idle_input and idle_timeout (of each client).
  // `local` is not owned.
  Hub(Loop& loop, Stream& local, const RelayRules& rules, Events events);
  ~Hub();
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  // What each client is sent from its beginning to its end, in place of the input; `rules.send` is then to be
  // false. An error ends the client that it was opened for. To be set before the first client.
  using Source = std::function<Result<std::unique_ptr<Stream>>()>;
  void send_each(Source source) { source_ = std::move(source); }

  // Takes the client; session.id must be new.
  void add(const Session& session, std::unique_ptr<Stream> stream);
  [[nodiscard]] std::size_t size() const { return clients_.size(); }
  [[nodiscard]] bool is_quiet() const { return clients_.empty() && output_.empty(); }
  // Ends every client (by a reset where `reset`) and reports each; what is in hand goes out as far as it does
  // not block.
  void end_all(bool reset);

 private:
  struct Client;

  void on_client(Client& client, Ready ready);
  void on_input();
  void on_output(Ready ready);
  void receive(Client& client);
  void drain(Client& client);
  [[nodiscard]] bool start_feed(Client& client);
  void advance_feed(Client& client);
  void wait_for_acknowledgement(Client& client);
  void leave_when_idle(Client& client);
  void say_goodbye(Client& client);
  void let_ended_clients_go();
  void drain_output();
  void close_client(Client& client, std::optional<Error> error, bool reset);
  void fail(const RelayResult& result);
  void arm_idle(Client& client);
  void update_interest();
  void update_client(Client& client);
  [[nodiscard]] bool input_wanted() const;
  [[nodiscard]] bool output_full() const { return output_.free() == 0; }

  // A slow client holds up the others' input once this much waits for it.
  static constexpr std::size_t kClientQueue = 256 * 1024;
  static constexpr std::size_t kOutputQueue = 256 * 1024;
  static constexpr std::size_t kChunk = 64 * 1024;  // one read of the input; twice as much after CR LF

  Loop& loop_;
  Stream& local_;
  RelayRules rules_;
  Events events_;
  Source source_;
  std::map<ClientId, std::unique_ptr<Client>> clients_;
  ByteQueue output_{kOutputQueue};
  Watch input_watch_, output_watch_;
  CrlfFilter crlf_;
  std::size_t crowded_ = 0;      // clients without room for another chunk of input
  bool clients_paused_ = false;  // because the output was full
  TimePoint last_input_{};
  bool input_ended_ = false;
  bool failed_ = false;
};

}  // namespace pier

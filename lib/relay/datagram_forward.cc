#include "relay/datagram_forward.h"

#include <sys/socket.h>

#include <cerrno>
#include <deque>
#include <optional>
#include <vector>

#include "net/socket.h"

namespace pier {
namespace {

constexpr std::size_t kLargest = 65536;
// What waits for the target to be looked up; further datagrams are lost.
constexpr std::size_t kMostQueued = 64;

}  // namespace

class DatagramForward::Handler final : public DatagramHandler {
 public:
  Handler(DatagramForward& service, DatagramLine& line) : service_(service), line_(line) {}

  Result<void> start() override {
    connector_ = std::make_unique<Connector>(
        service_.loop_, service_.connect_,
        [this](Result<Connected> result, const std::vector<Attempt>&) { reached(std::move(result)); });
    return {};
  }
  bool has_room() const override { return queue_.size() < kMostQueued; }
  void received(std::span<const std::byte> datagram) override {
    if (target_)
      (void)carry_on(datagram);
    else
      queue_.emplace_back(datagram.begin(), datagram.end());
  }

 private:
  void reached(Result<Connected> result) {
    if (!result) return line_.close(result.error());
    target_peer_ = result->peer;
    file_ = std::move(result->file);
    // To a group or a broadcast address the socket is not connected: whoever answers is heard.
    if (result->many) to_many_ = DatagramPath{result->peer, {}};
    target_.emplace(std::move(result->fd), false);
    auto watch =
        service_.loop_.watch(target_->fd().get(), Interest::read, [this](Ready ready) { on_target(ready); });
    if (!watch) return line_.close(watch.error());
    watch_ = std::move(*watch);
    for (const std::vector<std::byte>& datagram : queue_)
      if (!carry_on(datagram)) return;
    queue_.clear();
  }

  // False when the line is no more.
  bool carry_on(std::span<const std::byte> datagram) {
    const int code = target_->send(datagram, to_many_ ? &*to_many_ : nullptr);
    return code == 0 || !is_end(code) || !end("send", code);
  }
  void on_target(Ready ready) {
    if (ready.error)
      if (const int code = take_socket_error(target_->fd().get()); is_end(code))
        return (void)end("recv", code);
    std::byte buffer[kLargest];
    for (int round = 0; round < 64 && ready.readable; ++round) {
      const auto arrival = target_->receive(buffer);
      if (!arrival) {
        if (is_end(errno)) (void)end("recv", errno);
        return;
      }
      const int code = line_.send(std::span(buffer).first(arrival->size));
      if (end_if_unreachable(line_, code)) return;
    }
  }
  // What no later datagram can mend.
  static bool is_end(int code) {
    return code != 0 && code != EAGAIN && code != EWOULDBLOCK && code != ENOBUFS && code != EMSGSIZE;
  }
  bool end(std::string_view call, int code) {
    line_.close(Error{ErrorKind::failed, std::string(call), target_peer_.to_string(), code, {}});
    return true;
  }

  DatagramForward& service_;
  DatagramLine& line_;
  std::unique_ptr<Connector> connector_;
  SocketAddress target_peer_;
  SocketFile file_;
  std::optional<DatagramPath> to_many_;
  std::optional<DatagramSocket> target_;
  Watch watch_;
  std::deque<std::vector<std::byte>> queue_;
};

std::unique_ptr<DatagramHandler> DatagramForward::serve(DatagramLine& line) {
  return std::make_unique<Handler>(*this, line);
}

}  // namespace pier

#include "scan/probe_udp.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "net/socket.h"
#include "scan/udp_service.h"

namespace pier {
namespace {

using How = ConnectEnd::How;

// Longer answers are cut: the beginning is enough to know whose it is.
constexpr std::size_t kMostRead = 2048;

bool answers_elsewhere(const SocketAddress& target) {
  const UdpService* service = udp_service_at(target.port());
  return service != nullptr && service->from_another_port;
}

DatagramEnd failed(How how, int code, int fd, const SocketAddress& target) {
  return {.how = how, .code = code, .icmp = take_icmp_error(fd, target)};
}

}  // namespace

std::optional<DatagramEnd> begin_udp(const Fd& fd, const SocketAddress& target) {
  const bool elsewhere = answers_elsewhere(target);
  if (!elsewhere && ::connect(fd.get(), target.data(), target.size()) != 0)
    return failed(How::at_once, errno, fd.get(), target);
  for (const std::string& message : udp_messages(target.port())) {
    const ssize_t sent = elsewhere ? ::sendto(fd.get(), message.data(), message.size(), MSG_NOSIGNAL,
                                              target.data(), target.size())
                                   : ::send(fd.get(), message.data(), message.size(), MSG_NOSIGNAL);
    if (sent >= 0) continue;
    // An error for the message before is told by the next call: the kernel's answer to this one it is not.
    const int code = errno;
    const auto icmp = take_icmp_error(fd.get(), target);
    return DatagramEnd{.how = icmp ? How::later : How::at_once, .code = code, .icmp = icmp};
  }
  return std::nullopt;
}

std::optional<DatagramEnd> udp_outcome(int fd, const SocketAddress& target) {
  std::array<char, kMostRead> data{};
  sockaddr_storage from{};
  socklen_t from_size = sizeof from;
  const ssize_t size =
      ::recvfrom(fd, data.data(), data.size(), MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&from), &from_size);
  if (size >= 0) {
    const SocketAddress sender = SocketAddress::from(from, from_size);
    if (sender.is_ip() && sender.ip().unmapped() != target.ip().unmapped()) return std::nullopt;
    const std::string_view datagram(data.data(), static_cast<std::size_t>(size));
    return DatagramEnd{
        .how = How::later, .answered = true, .service = recognise_udp(target.port(), datagram)};
  }
  const int code = errno;
  const auto icmp = take_icmp_error(fd, target);
  if (code == EAGAIN && !icmp) return std::nullopt;
  return DatagramEnd{.how = How::later, .code = code == EAGAIN ? ECONNREFUSED : code, .icmp = icmp};
}

}  // namespace pier

// Sends forged answers to SYNs that it has not seen, at a rate, and says how many:
//   bench_forge INTERFACE MAC FIRST-SOURCE SOURCES SOURCE-PORT DESTINATION PORT SECONDS RATE
// Until SIGTERM, or SECONDS have passed. Seven of ten are SYN-ACKs with right checksums and a number by
// chance, one a reset, one an ICMP error that quotes such a SYN, and one noise: bytes by chance behind a
// right IP header.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <span>
#include <thread>

namespace {

constexpr std::size_t kBatch = 64;
constexpr std::size_t kEthernet = 14;
constexpr std::size_t kIp = 20;
using Frame = std::array<std::uint8_t, 128>;

volatile std::sig_atomic_t stopped = 0;

void put16(std::uint8_t* at, std::uint32_t value) {
  at[0] = static_cast<std::uint8_t>(value >> 8);
  at[1] = static_cast<std::uint8_t>(value);
}
void put32(std::uint8_t* at, std::uint32_t value) {
  put16(at, value >> 16);
  put16(at + 2, value & 0xffff);
}

std::uint32_t checksum(std::span<const std::uint8_t> bytes, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2)
    sum += static_cast<std::uint32_t>(bytes[i] << 8 | bytes[i + 1]);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

void write_ip(std::uint8_t* at, std::uint32_t from, std::uint32_t to, std::uint8_t protocol,
              std::size_t payload) {
  std::memset(at, 0, kIp);
  at[0] = 0x45;
  put16(at + 2, static_cast<std::uint32_t>(kIp + payload));
  at[8] = 64;
  at[9] = protocol;
  put32(at + 12, from);
  put32(at + 16, to);
  put16(at + 10, checksum({at, kIp}));
}

struct Forger {
  std::uint32_t first = 0;
  std::uint32_t sources = 1;
  std::uint32_t destination = 0;
  std::uint16_t source_port = 0;
  std::uint16_t port = 0;
  std::minstd_rand chance{1};

  std::uint32_t any() {
    return static_cast<std::uint32_t>(chance()) << 8 ^ static_cast<std::uint32_t>(chance());
  }

  // How long the frame has become.
  std::size_t write(Frame& frame) {
    const std::uint32_t from = first + any() % sources;
    std::uint8_t* const ip = frame.data() + kEthernet;
    std::uint8_t* const body = ip + kIp;
    const std::uint32_t kind = any() % 10;
    std::size_t size = 20;
    if (kind < 8) {
      std::memset(body, 0, size);
      put16(body, source_port);
      put16(body + 2, port);
      put32(body + 4, any());
      put32(body + 8, any());
      body[12] = 0x50;
      body[13] = kind < 7 ? 0x12 : 0x14;
      put16(body + 14, 64240);
      write_ip(ip, from, destination, IPPROTO_TCP, size);
      const std::uint32_t pseudo = IPPROTO_TCP + static_cast<std::uint32_t>(size) + (from >> 16) +
                                   (from & 0xffff) + (destination >> 16) + (destination & 0xffff);
      put16(body + 16, checksum({body, size}, pseudo));
    } else if (kind == 8) {
      size = 8 + kIp + 8;
      std::memset(body, 0, size);
      body[0] = 3;
      body[1] = 13;
      write_ip(body + 8, destination, from, IPPROTO_TCP, 24);
      put16(body + 8 + kIp, port);
      put16(body + 10 + kIp, source_port);
      put32(body + 12 + kIp, any());
      put16(body + 2, checksum({body, size}));
      write_ip(ip, from, destination, IPPROTO_ICMP, size);
    } else {
      size = any() % 64;
      for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<std::uint8_t>(any() >> 8);
      write_ip(ip, from, destination, any() % 2 == 0 ? IPPROTO_TCP : IPPROTO_ICMP, size);
      if (size >= 4) put16(body + 2, port);
    }
    return kEthernet + kIp + size;
  }
};

int fail(const char* what) {
  std::fprintf(stderr, "bench_forge: %s: %s\n", what, std::strerror(errno));
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  in_addr first{};
  in_addr destination{};
  std::array<unsigned, 6> mac{};
  if (argc != 10 ||
      std::sscanf(argv[2], "%x:%x:%x:%x:%x:%x", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]) != 6 ||
      inet_pton(AF_INET, argv[3], &first) != 1 || inet_pton(AF_INET, argv[6], &destination) != 1 ||
      std::atoi(argv[4]) < 1 || std::atoi(argv[9]) < 1) {
    std::fputs(
        "usage: bench_forge INTERFACE MAC FIRST-SOURCE SOURCES SOURCE-PORT DESTINATION PORT SECONDS RATE\n",
        stderr);
    return 2;
  }
  Forger forger{.first = ntohl(first.s_addr),
                .sources = static_cast<std::uint32_t>(std::atoi(argv[4])),
                .destination = ntohl(destination.s_addr),
                .source_port = static_cast<std::uint16_t>(std::atoi(argv[5])),
                .port = static_cast<std::uint16_t>(std::atoi(argv[7]))};
  const int fd = socket(AF_PACKET, SOCK_RAW, 0);
  sockaddr_ll link{};
  link.sll_family = AF_PACKET;
  link.sll_ifindex = static_cast<int>(if_nametoindex(argv[1]));
  if (fd < 0 || bind(fd, reinterpret_cast<const sockaddr*>(&link), sizeof link) != 0) return fail(argv[1]);
  const int one = 1;
  setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);
  std::signal(SIGTERM, [](int) { stopped = 1; });

  std::array<Frame, kBatch> frames{};
  std::array<iovec, kBatch> parts{};
  std::array<mmsghdr, kBatch> messages{};
  for (std::size_t i = 0; i < kBatch; ++i) {
    std::ranges::copy(mac, frames[i].begin());
    frames[i][6] = 2;  // a locally administered address
    put16(frames[i].data() + 12, ETHERTYPE_IP);
    parts[i].iov_base = frames[i].data();
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::seconds(std::atoi(argv[8]));
  const auto pause = std::chrono::nanoseconds(std::int64_t{1'000'000'000} * kBatch / std::atoi(argv[9]));
  unsigned long long sent = 0;
  for (auto next = Clock::now(); stopped == 0 && Clock::now() < end; next += pause) {
    std::this_thread::sleep_until(next);
    for (std::size_t i = 0; i < kBatch; ++i) parts[i].iov_len = forger.write(frames[i]);
    const int done = sendmmsg(fd, messages.data(), kBatch, 0);
    if (done < 0 && errno != EINTR && errno != ENOBUFS && errno != EAGAIN) return fail("sendmmsg");
    if (done > 0) sent += static_cast<unsigned long long>(done);
  }
  std::printf("%llu\n", sent);
  return 0;
}

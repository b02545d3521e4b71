#include "packet/syn_packet.h"

#include <netinet/in.h>

#include <algorithm>

#include "packet/checksum.h"

namespace pier {
namespace {

constexpr std::size_t kIp4 = 20;
constexpr std::size_t kIp6 = 40;
constexpr std::size_t kTcp = 40;
constexpr std::uint8_t kHops = 64;         // what RFC 1700 and Linux begin with
constexpr std::uint16_t kWindow = 64240;   // 44 segments of Ethernet, as Linux offers
constexpr std::uint16_t kEthernet = 1500;  // bytes in a frame
constexpr std::uint8_t kWindowScale = 7;   // Linux's, with its default buffers
constexpr std::uint8_t kSyn = 0x02;

class Writer {
 public:
  explicit Writer(std::span<std::uint8_t> bytes) : bytes_(bytes) {}
  void u8(std::uint8_t value) { bytes_[at_++] = value; }
  void u16(std::uint16_t value) {
    u8(static_cast<std::uint8_t>(value >> 8));
    u8(static_cast<std::uint8_t>(value));
  }
  void u32(std::uint32_t value) {
    u16(static_cast<std::uint16_t>(value >> 16));
    u16(static_cast<std::uint16_t>(value));
  }
  void address(const IpAddress& ip) {
    for (const std::uint8_t byte : ip.bytes()) u8(byte);
  }

 private:
  std::span<std::uint8_t> bytes_;
  std::size_t at_ = 0;
};

void put(std::span<std::uint8_t> bytes, std::size_t at, std::uint16_t value) {
  bytes[at] = static_cast<std::uint8_t>(value >> 8);
  bytes[at + 1] = static_cast<std::uint8_t>(value);
}

void write_ip4(std::span<std::uint8_t> header, const Flow& flow, std::uint16_t id) {
  Writer out(header);
  out.u8(0x45);  // version 4, five words
  out.u8(0);
  out.u16(kIp4 + kTcp);
  out.u16(id);
  out.u16(0x4000);  // do not fragment
  out.u8(kHops);
  out.u8(IPPROTO_TCP);
  out.u16(0);
  out.address(flow.local);
  out.address(flow.remote);
  ChecksumSum sum;
  sum.add(header);
  put(header, 10, sum.value());
}

void write_ip6(std::span<std::uint8_t> header, const Flow& flow) {
  Writer out(header);
  out.u32(0x60000000);  // version 6
  out.u16(kTcp);
  out.u8(IPPROTO_TCP);
  out.u8(kHops);
  out.address(flow.local);
  out.address(flow.remote);
}

void write_tcp(std::span<std::uint8_t> segment, const Flow& flow, std::uint32_t sequence, std::uint32_t clock,
               std::size_t ip_header) {
  Writer out(segment);
  out.u16(flow.local_port);
  out.u16(flow.remote_port);
  out.u32(sequence);
  out.u32(0);
  out.u8(kTcp / 4 << 4);
  out.u8(kSyn);
  out.u16(kWindow);
  out.u32(0);  // checksum, and no urgent data
  out.u16(0x0204);
  out.u16(static_cast<std::uint16_t>(kEthernet - ip_header - 20));
  out.u16(0x0402);  // SACK permitted
  out.u16(0x080a);
  out.u32(clock);
  out.u32(0);
  out.u8(1);  // no operation
  out.u16(0x0303);
  out.u8(kWindowScale);
  ChecksumSum sum;
  sum.add_pseudo_header(flow.local, flow.remote, IPPROTO_TCP, kTcp);
  sum.add(segment);
  put(segment, 16, sum.value());
}

}  // namespace

std::size_t write_syn(SynPacket& packet, const Flow& flow, std::uint32_t sequence, std::uint32_t clock) {
  const bool v4 = flow.remote.family() == Family::ipv4;
  const std::size_t header = v4 ? kIp4 : kIp6;
  const std::span<std::uint8_t> bytes(packet);
  if (v4)
    write_ip4(bytes.first(header), flow, static_cast<std::uint16_t>(sequence ^ sequence >> 16));
  else
    write_ip6(bytes.first(header), flow);
  write_tcp(bytes.subspan(header, kTcp), flow, sequence, clock, header);
  return header + kTcp;
}

}  // namespace pier

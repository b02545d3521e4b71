// What to say to a UDP port so that the service which is likely there answers, and how to know its answer.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pier {

// One protocol. Every message was written from the document in `source`.
struct UdpService {
  std::string_view name;    // "dns"
  std::string_view source;  // "RFC 1035"
  std::vector<std::uint16_t> ports;
  std::vector<std::string> messages;  // one datagram each, all sent by a probe
  bool (*is_reply)(std::string_view datagram);
  bool from_another_port = false;  // it answers from a port of its own (TFTP)
};

// All of them. Add yours where it belongs: udp_names.cc, udp_access.cc or udp_other.cc.
[[nodiscard]] std::span<const UdpService> udp_services();

// The protocol that is usual on this port, or nullptr.
[[nodiscard]] const UdpService* udp_service_at(std::uint16_t port);

// What a probe of this port sends: the messages of its service, or else a line end, which many servers answer
// and which no server has a use for. At least one.
[[nodiscard]] std::span<const std::string> udp_messages(std::uint16_t port);

// Whose answer this is: the name of the service usual on the port when it looks like that one's, else of any
// other that it looks like, else empty.
[[nodiscard]] std::string_view recognise_udp(std::uint16_t port, std::string_view datagram);

// The parts of the table.
[[nodiscard]] std::vector<UdpService> udp_name_services();    // names, time, discovery
[[nodiscard]] std::vector<UdpService> udp_access_services();  // tickets, directories, tunnels, security
[[nodiscard]] std::vector<UdpService> udp_other_services();

}  // namespace pier

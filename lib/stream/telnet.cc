#include "stream/telnet.h"

namespace pier {
namespace {

// RFC 854, "TELNET COMMAND STRUCTURE".
constexpr unsigned char kSe = 240;
constexpr unsigned char kSb = 250;
constexpr unsigned char kWill = 251;
constexpr unsigned char kWont = 252;
constexpr unsigned char kDo = 253;
constexpr unsigned char kDont = 254;
constexpr unsigned char kIac = 255;

void refuse(std::string& replies, unsigned char verb, unsigned char option) {
  // WONT and DONT are the answers to ours, or to what was never agreed on.
  if (verb != kWill && verb != kDo) return;
  replies += static_cast<char>(kIac);
  replies += static_cast<char>(verb == kWill ? kDont : kWont);
  replies += static_cast<char>(option);
}

}  // namespace

std::size_t TelnetFilter::take(std::span<std::byte> bytes, std::string& replies) {
  std::size_t kept = 0;
  for (const std::byte byte : bytes) {
    const auto c = std::to_integer<unsigned char>(byte);
    switch (state_) {
      case State::data:
      case State::after_cr: {
        const bool padding = state_ == State::after_cr && c == 0;
        state_ = c == kIac ? State::command : c == '\r' ? State::after_cr : State::data;
        if (c != kIac && !padding) bytes[kept++] = byte;
        break;
      }
      case State::command:
        state_ = c == kSb ? State::sub : c >= kWill && c <= kDont ? State::option : State::data;
        verb_ = c;
        if (c == kIac) bytes[kept++] = byte;
        break;
      case State::option:
        refuse(replies, verb_, c);
        state_ = State::data;
        break;
      case State::sub:
        if (c == kIac) state_ = State::sub_command;
        break;
      case State::sub_command:
        state_ = c == kSe ? State::data : State::sub;
        break;
    }
  }
  return kept;
}

void TelnetFilter::put(std::string& out, std::span<const std::byte> bytes) {
  for (const std::byte byte : bytes) {
    out += std::to_integer<char>(byte);
    if (byte == std::byte{kIac}) out += static_cast<char>(kIac);
  }
}

}  // namespace pier

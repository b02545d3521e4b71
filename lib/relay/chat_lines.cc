#include "relay/chat_lines.h"

namespace pier {

void ChatLines::add(std::span<const std::byte> bytes, std::string& out) {
  for (const std::byte byte : bytes) {
    const char c = static_cast<char>(byte);
    if (c != '\n') held_ += c;
    if (c != '\n' && held_.size() < kMostLine) continue;
    pass_on(held_, out);
    held_.clear();
  }
}

void ChatLines::end(std::string& out) {
  if (!held_.empty()) pass_on(held_, out);
  held_.clear();
}

void ChatLines::pass_on(std::string_view line, std::string& out) const {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const bool cr = line.ends_with('\r');
  if (cr) line.remove_suffix(1);
  out += prefix_;
  for (const char c : line) {
    const auto code = static_cast<unsigned char>(c);
    if ((code >= 0x20 && code != 0x7f) || c == '\t') {
      out += c;
    } else {
      out += "\\x";
      out += kDigits[code >> 4U];
      out += kDigits[code & 0xfU];
    }
  }
  out += cr ? "\r\n" : "\n";
}

}  // namespace pier

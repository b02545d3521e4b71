#include "out/ndjson.h"

#include <fmt/core.h>

#include <cmath>

#include "base/utf8.h"

namespace pier {
namespace {

// The escapes of RFC 8259, section 7; DEL and the C1 controls, which it leaves alone, are for a terminal's
// sake not sent as they are.
void append_escaped(std::string& out, std::string_view sequence) {
  const auto byte = static_cast<unsigned char>(sequence[0]);
  if (byte == '"' || byte == '\\') {
    out += '\\';
    out += sequence;
  } else if (byte == '\n') {
    out += "\\n";
  } else if (byte == '\r') {
    out += "\\r";
  } else if (byte == '\t') {
    out += "\\t";
  } else if (byte < 0x20 || byte == 0x7f) {
    out += fmt::format("\\u{:04x}", byte);
  } else if (byte == 0xc2 && static_cast<unsigned char>(sequence[1]) < 0xa0) {
    out += fmt::format("\\u{:04x}", static_cast<unsigned char>(sequence[1]));
  } else {
    out += sequence;
  }
}

template <class Text>
std::string array_of(std::span<const Text> values) {
  std::string json = "[";
  for (const Text& value : values) {
    if (json.size() > 1) json += ',';
    json += json_quoted(value);
  }
  return json + "]";
}

}  // namespace

std::string json_quoted(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0)
      out += "\xef\xbf\xbd";  // U+FFFD, one for each byte that fits nowhere
    else
      append_escaped(out, text.substr(0, length));
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out + '"';
}

JsonObject& JsonObject::raw(std::string_view name, std::string_view json) {
  body_ += body_.empty() ? "{\"" : ",\"";
  body_ += name;
  body_ += "\":";
  body_ += json;
  return *this;
}

JsonObject& JsonObject::text(std::string_view name, std::string_view value) {
  return raw(name, json_quoted(value));
}

JsonObject& JsonObject::real(std::string_view name, double value, int digits) {
  return std::isfinite(value) ? raw(name, fmt::format("{:.{}f}", value, digits)) : null(name);
}

JsonObject& JsonObject::texts(std::string_view name, std::span<const std::string> values) {
  return raw(name, array_of(values));
}

JsonObject& JsonObject::texts(std::string_view name, std::span<const std::string_view> values) {
  return raw(name, array_of(values));
}

}  // namespace pier

// NDJSON records: one JSON object a line (RFC 8259; UTF-8, no line end inside).
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace pier {

// Builds one object, keys in the order they are added. Bytes that are not UTF-8 become U+FFFD. Names are the
// schema's own and are not escaped. Distinct names for the value types: a text literal must not turn into a
// bool.
class JsonObject {
 public:
  JsonObject() = default;
  explicit JsonObject(std::string_view type) { text("type", type); }

  JsonObject& text(std::string_view name, std::string_view value);
  JsonObject& number(std::string_view name, std::integral auto value) {
    return raw(name, std::to_string(value));
  }
  JsonObject& real(std::string_view name, double value,
                   int digits = 6);  // fixed point; NaN and infinities are null
  JsonObject& boolean(std::string_view name, bool value) { return raw(name, value ? "true" : "false"); }
  JsonObject& null(std::string_view name) { return raw(name, "null"); }
  JsonObject& texts(std::string_view name, std::span<const std::string> values);
  JsonObject& texts(std::string_view name, std::span<const std::string_view> values);
  // `json` must be valid JSON by itself: a nested object's str(), an array.
  JsonObject& raw(std::string_view name, std::string_view json);

  [[nodiscard]] std::string str() const { return body_.empty() ? "{}" : body_ + "}"; }

 private:
  std::string body_;
};

// A JSON string with its quotes.
[[nodiscard]] std::string json_quoted(std::string_view text);

}  // namespace pier

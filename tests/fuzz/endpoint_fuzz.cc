// The endpoint grammar: whatever is typed, the answer is an endpoint whose text parses back to the same
// value, or a usage error of one line. The first byte chooses the rules; line ends part the words.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "net/endpoint.h"
#include "net/host_name.h"
#include "tests/net/service_table.h"

namespace {

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    words.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

bool is_one_line(std::string_view message) {
  for (const char c : message)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  return !message.empty();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pier;
  if (size == 0) return 0;
  // ASCII digits are the first choices, so that seeds can be read: '0' is TCP, '5' is TCP with port 0.
  const unsigned choice = data[0] - unsigned{'0'};
  EndpointRules rules;
  rules.transport = static_cast<Transport>(choice % 5);
  rules.port_zero = choice / 5 % 2 != 0;
  rules.services = test_services();

  const std::vector<std::string> words = words_of({reinterpret_cast<const char*>(data) + 1, size - 1});
  const auto endpoint = parse_endpoint(words, rules);
  if (!endpoint) {
    if (endpoint.error().kind != ErrorKind::usage || !is_one_line(endpoint.error().message())) std::abort();
    return 0;
  }
  if (!endpoint->host.empty() && !check_host(endpoint->host)) std::abort();
  if (endpoint->port == 0 && !rules.port_zero && endpoint->path.empty()) std::abort();
  const std::vector<std::string> again{endpoint->to_string()};
  const auto parsed = parse_endpoint(again, rules);
  if (!parsed || *parsed != *endpoint) std::abort();
  return 0;
}

#include "host/cgroup.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace pier {
namespace {

constexpr std::size_t kIdLength = 64;  // SHA-256 in hexadecimal, as every OCI runtime's id is

// How a runtime names the scope of a container under systemd: PREFIX-ID.scope. Add yours here.
constexpr std::array<std::string_view, 5> kScopePrefixes{"docker-", "libpod-", "cri-containerd-", "crio-",
                                                         "containerd-"};
// Where the next part of a path is a container's name, not an id. Add yours here.
constexpr std::array<std::string_view, 1> kNamedUnder{"lxc"};
// What comes before a container's name in one part.
constexpr std::array<std::string_view, 2> kNamedPrefixes{"lxc.payload.", "systemd-nspawn@"};

bool is_id(std::string_view text) {
  return text.size() == kIdLength && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// What is left of `text` without `prefix` and `suffix`; empty when it has not both.
std::string_view between(std::string_view text, std::string_view prefix, std::string_view suffix) {
  if (text.size() < prefix.size() + suffix.size()) return {};
  if (!text.starts_with(prefix) || !text.ends_with(suffix)) return {};
  return text.substr(prefix.size(), text.size() - prefix.size() - suffix.size());
}

// systemd escapes as unit files do ("\x2d" for "-"); the names here are rarely more than that.
std::string unescaped(std::string_view text) {
  std::string name;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text.substr(at).starts_with("\\x2d")) {
      name += '-';
      at += 3;
    } else {
      name += text[at];
    }
  }
  return name;
}

// The container that one part of a path names, or empty. `before` is the part above it.
std::string container_of(std::string_view part, std::string_view before) {
  if (is_id(part)) return std::string(part);
  for (const std::string_view prefix : kScopePrefixes) {
    if (const auto id = between(part, prefix, ".scope"); is_id(id)) return std::string(id);
  }
  // containerd below systemd: "kubepods-burstable-podX.slice:cri-containerd:ID".
  if (const std::size_t colon = part.rfind(':'); colon != std::string_view::npos) {
    if (const auto id = part.substr(colon + 1); is_id(id)) return std::string(id);
  }
  if (std::ranges::find(kNamedUnder, before) != kNamedUnder.end()) return std::string(part);
  for (const std::string_view prefix : kNamedPrefixes) {
    if (!part.starts_with(prefix)) continue;
    const std::string_view service = between(part, prefix, ".service");
    return unescaped(service.empty() ? part.substr(prefix.size()) : service);
  }
  if (before == "machine.slice") {
    if (const auto machine = between(part, "machine-", ".scope"); !machine.empty()) return unescaped(machine);
  }
  return {};
}

// "kubepods-burstable-pod11fa_22.slice" or, without systemd, "pod11fa-22" below "kubepods".
std::string pod_of(std::string_view part) {
  std::string_view uid;
  if (part.starts_with("kubepods-")) {
    part = part.substr(0, part.find(':'));
    const std::size_t at = part.find("-pod");
    if (at == std::string_view::npos) return {};
    uid = between(part.substr(at), "-pod", ".slice");
  } else if (part.starts_with("pod")) {
    uid = part.substr(3);
  }
  std::string text(uid);
  std::ranges::replace(text, '_', '-');
  return text;
}

CgroupNames read_path(std::string_view path) {
  CgroupNames names;
  std::string_view before;
  const bool kubernetes = path.find("kubepods") != std::string_view::npos;
  while (!path.empty()) {
    path.remove_prefix(1);  // the '/'
    const std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(part.size());
    if (part.ends_with(".service") || part.ends_with(".scope")) names.unit = part;
    // The innermost one: containers are run inside containers.
    if (auto container = container_of(part, before); !container.empty())
      names.container = std::move(container);
    if (kubernetes)
      if (auto pod = pod_of(part); !pod.empty()) names.pod = std::move(pod);
    before = part;
  }
  return names;
}

// How much a line's path is worth listening to; 0 is the most.
std::size_t rank(std::string_view id, std::string_view controllers) {
  if (id == "0" && controllers.empty()) return 0;
  return controllers == "name=systemd" ? 1 : 2;
}

}  // namespace

CgroupNames parse_cgroup(std::string_view text) {
  std::array<CgroupNames, 3> by_rank;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view path = line.substr(second + 1);
    if (!path.starts_with('/')) continue;
    CgroupNames found = read_path(path);
    CgroupNames& kept = by_rank[rank(line.substr(0, first), line.substr(first + 1, second - first - 1))];
    if (kept.unit.empty()) kept.unit = std::move(found.unit);
    if (kept.container.empty()) kept.container = std::move(found.container);
    if (kept.pod.empty()) kept.pod = std::move(found.pod);
  }
  CgroupNames names;
  for (CgroupNames& candidate : by_rank) {
    if (names.unit.empty()) names.unit = std::move(candidate.unit);
    if (names.container.empty()) names.container = std::move(candidate.container);
    if (names.pod.empty()) names.pod = std::move(candidate.pod);
  }
  return names;
}

}  // namespace pier

#include "relay/way.h"

#include <fmt/core.h>

namespace pier {
namespace {

std::string named(std::string_view name, FdKind kind) {
  switch (kind) {
    case FdKind::regular:
      return fmt::format("{} (a file)", name);
    case FdKind::null_device:
      return fmt::format("{} (/dev/null)", name);
    case FdKind::terminal:
      return fmt::format("{} (a terminal)", name);
    case FdKind::pipe:
      return fmt::format("{} (a pipe)", name);
    case FdKind::socket:
    case FdKind::other:
      break;
  }
  return std::string(name);
}

std::string_view how(Way way) {
  switch (way) {
    case Way::sendfile:
    case Way::splice:
      return "moved by the kernel";
    case Way::splice_through:
      return "moved by the kernel, through a pipe of ours";
    case Way::copy:
      break;
  }
  return "copied through a buffer of ours";
}

}  // namespace

std::string describe(Way way, std::string_view from, FdKind from_kind, std::string_view to, FdKind to_kind) {
  return fmt::format("{} to {}: {}", named(from, from_kind), named(to, to_kind), how(way));
}

}  // namespace pier

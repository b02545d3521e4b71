#include "net/endpoint.h"

namespace pier {

std::string_view to_string(Transport transport) {
  switch (transport) {
    case Transport::tcp:
      return "tcp";
    case Transport::udp:
      return "udp";
    case Transport::unix_stream:
      return "unix";
    case Transport::unix_dgram:
      return "unix-dgram";
    case Transport::vsock:
      return "vsock";
  }
  return "tcp";
}

}  // namespace pier

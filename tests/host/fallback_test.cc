#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cstddef>
#include <iterator>

#include "host/owner.h"
#include "tests/host/support.h"

namespace pier {
namespace {

// As in many a sandbox: socket(AF_NETLINK, …) is refused with EPERM from now on.
bool forbid_netlink() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{static_cast<unsigned short>(std::size(program)), program};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

TEST(Fallback, WithoutNetlinkProcNetTellsTheOwner) {
  const Fd fd = test::listener(test::loopback(Family::ipv4));
  const std::uint16_t port = test::name_of(fd).port();
  const test::Child child([&]() -> std::string {
    if (!forbid_netlink()) return "no seccomp";
    auto found = owned_sockets({.udp = false, .local_port = port});
    if (!found) return found.error().message();
    std::erase_if(found->sockets, [](const OwnedSocket& s) { return s.socket.local.ip() != test::own_ip(); });
    if (found->sockets.size() != 1) return std::to_string(found->sockets.size()) + " sockets";
    return found->fallback + "; " + std::to_string(found->sockets[0].owners.size()) + " owners; " +
           std::string(state_name(found->sockets[0].socket));
  });
  if (child.text() == "no seccomp") GTEST_SKIP() << "this kernel has no seccomp filters";
  EXPECT_EQ(child.text(), "socket sock_diag: operation not permitted; 2 owners; listen");
}

}  // namespace
}  // namespace pier

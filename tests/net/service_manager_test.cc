#include "net/service_manager.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>

namespace pier {
namespace {

void set(const char* fds, const std::string& pid, const char* names = nullptr) {
  ::setenv("LISTEN_FDS", fds, 1);
  ::setenv("LISTEN_PID", pid.c_str(), 1);
  names != nullptr ? ::setenv("LISTEN_FDNAMES", names, 1) : ::unsetenv("LISTEN_FDNAMES");
}

const std::string kUs = std::to_string(::getpid());

TEST(ServiceManager, WhatIsAnothersIsLeftAlone) {
  set("1", std::to_string(::getpid() + 1));
  EXPECT_FALSE(sockets_were_passed());
  EXPECT_TRUE(take_passed_sockets().value().empty());
  set("", kUs);
  EXPECT_FALSE(sockets_were_passed());
  ::unsetenv("LISTEN_FDS");
  EXPECT_FALSE(sockets_were_passed());
}

TEST(ServiceManager, NonsenseIsAFault) {
  for (const char* const fds : {"0", "-1", "x", "1 ", "99999"}) {
    set(fds, kUs);
    const auto taken = take_passed_sockets();
    ASSERT_FALSE(taken) << fds;
    EXPECT_EQ(taken.error().kind, ErrorKind::local);
    EXPECT_EQ(std::getenv("LISTEN_FDS"), nullptr);
  }
}

TEST(ServiceManager, TellsItWhereItListens) {
  const std::string name = "pier-test-" + kUs;
  const Fd listener(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address),
                   static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size())),
            0);
  ::setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
  tell_service_manager("READY=1");
  char text[64];
  EXPECT_EQ(std::string(text, static_cast<std::size_t>(::recv(listener.get(), text, sizeof text, 0))),
            "READY=1");
  ::setenv("NOTIFY_SOCKET", "/no/such/socket", 1);
  tell_service_manager("READY=1");
  ::unsetenv("NOTIFY_SOCKET");
  tell_service_manager("READY=1");
}

}  // namespace
}  // namespace pier

#include "relay/child.h"

#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>

#include "relay/environment.h"
#include "tests/relay/fixture.h"

namespace pier {
namespace {

Program shell(const std::string& command) {
  return shell_program(command).value();
}

// Both ends block, as a child expects of its own.
FdPair blocking_pair() {
  FdPair pair = make_socketpair();
  for (const int fd : {pair.first.get(), pair.second.get()}) ::fcntl(fd, F_SETFL, 0);
  return pair;
}

// A loop with one child at the end of a socket.
class ChildTest : public ::testing::Test {
 protected:
  void start(const std::string& command, std::vector<std::string> environment = {"PATH=/usr/bin:/bin"}) {
    auto started =
        children_.start(shell(command), environment, theirs_.get(), theirs_.get(), [this](int code) {
          code_ = code;
          loop_.stop();
        });
    ASSERT_TRUE(started) << started.error().message();
    child_ = std::move(*started);
    theirs_.reset();
  }
  std::string line() {
    std::string text;
    for (char c = 0; ::read(ours_.get(), &c, 1) == 1 && c != '\n';) text += c;
    return text;
  }

  Loop loop_;
  FdPair pair_ = blocking_pair();
  Fd ours_ = std::move(pair_.first), theirs_ = std::move(pair_.second);
  std::optional<int> code_;
  Children children_{loop_};
  Child child_;
};

TEST_F(ChildTest, ItsExitCodeIsTold) {
  start("exit 7");
  run_guarded(loop_);
  EXPECT_EQ(code_, 7);
  EXPECT_EQ(children_.size(), 0U);
  EXPECT_FALSE(child_.running());
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);  // nothing is left to reap
  EXPECT_EQ(errno, ECHILD);
}

TEST_F(ChildTest, TheSignalThatEndedItIsTold) {
  start("kill -KILL $$");
  run_guarded(loop_);
  EXPECT_EQ(code_, 128 + SIGKILL);
}

TEST_F(ChildTest, ItReadsAndWritesTheDescriptorsItWasGiven) {
  start("tr a-z A-Z");
  put(ours_, "hello");
  ::shutdown(ours_.get(), SHUT_WR);
  EXPECT_EQ(take_all(ours_), "HELLO");
  run_guarded(loop_);
  EXPECT_EQ(code_, 0);
}

TEST_F(ChildTest, ItHasNoOtherDescriptors) {
  const Fd inherited(::open("/dev/null", O_RDONLY));  // without O_CLOEXEC, as one from our own parent
  start("ls /proc/self/fd");
  EXPECT_EQ(take_all(ours_), "0\n1\n2\n3\n");  // 3 is the folder that ls reads
  run_guarded(loop_);
}

TEST_F(ChildTest, NoSignalIsBlockedOrIgnored) {
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGUSR1, SIG_IGN);
  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &set, &old);
  start("exec sed -n 's/^SigBlk:.//p; s/^SigIgn:.//p' /proc/self/status");
  ::sigprocmask(SIG_SETMASK, &old, nullptr);
  ::signal(SIGUSR1, SIG_DFL);
  EXPECT_EQ(line(), "0000000000000000");
  // posix_spawn(3) of glibc 2.36 ignores the two signals that the C library itself uses, 32 and 33.
  EXPECT_EQ(std::stoull(line(), nullptr, 16) & ~0x180000000ULL, 0U);
  run_guarded(loop_);
}

TEST_F(ChildTest, ItLeadsAGroupOfItsOwn) {
  start("echo $$; exec cut -d' ' -f5 /proc/self/stat");
  const std::string pid = line();
  EXPECT_EQ(line(), pid);
  run_guarded(loop_);
}

TEST_F(ChildTest, TheEnvironmentIsTheOneGiven) {
  start("exec /usr/bin/env", {"A=1", "B=two words"});
  std::string seen = take_all(ours_);
  EXPECT_NE(seen.find("A=1\n"), std::string::npos);
  EXPECT_NE(seen.find("B=two words\n"), std::string::npos);
  EXPECT_EQ(seen.find("HOME="), std::string::npos);
  run_guarded(loop_);
}

TEST_F(ChildTest, AHungUpOneGetsSighup) {
  start("trap 'echo hup; exit 3' HUP; echo ready; while :; do sleep 0.01; done");
  EXPECT_EQ(line(), "ready");
  child_.hang_up();
  EXPECT_EQ(line(), "hup");
  run_guarded(loop_);
  EXPECT_EQ(code_, 3);
}

TEST_F(ChildTest, OneThatIgnoresSighupGetsSigtermAfterTheGrace) {
  start("trap '' HUP; trap 'exit 4' TERM; echo ready; while :; do sleep 0.01; done");
  EXPECT_EQ(line(), "ready");
  const TimePoint before = now();
  child_.hang_up();
  run_guarded(loop_);
  EXPECT_EQ(code_, 4);
  EXPECT_GE(now() - before, Children::kHangUpGrace);
}

TEST_F(ChildTest, AStoppedOneIsHungUpToo) {
  start("echo $$; exec sleep 60");
  ::kill(std::stoi(line()), SIGSTOP);
  child_.hang_up();
  run_guarded(loop_);
  EXPECT_EQ(code_, 128 + SIGHUP);
}

TEST_F(ChildTest, WhatItLeavesInItsGroupIsHungUp) {
  start("(trap 'echo gone; exit' HUP; echo ready; while :; do sleep 0.01; done) & read line; exit 0");
  EXPECT_EQ(line(), "ready");
  put(ours_, "end\n");
  run_guarded(loop_);
  EXPECT_EQ(code_, 0);
  EXPECT_EQ(line(), "gone");
}

TEST_F(ChildTest, DestroyingTheHandleHangsUpAndReapsWithoutACall) {
  start("echo ready; exec sleep 60");
  EXPECT_EQ(line(), "ready");
  child_ = Child();
  EXPECT_EQ(children_.size(), 1U);  // nothing waited
  const auto until_reaped = [&](auto& again) -> void {
    if (children_.size() == 0)
      loop_.stop();
    else
      loop_.post([&] { again(again); });
  };
  loop_.post([&] { until_reaped(until_reaped); });
  run_guarded(loop_);
  EXPECT_EQ(code_, std::nullopt);
}

TEST_F(ChildTest, AnOldHandleDoesNotTouchAnotherProgram) {
  start("exit 0");
  run_guarded(loop_);
  child_.hang_up();
  child_ = Child();
}

TEST_F(ChildTest, EndingAllLeavesNone) {
  start("trap '' HUP TERM; echo ready; while :; do sleep 0.01; done");
  EXPECT_EQ(line(), "ready");
  children_.end_all();
  EXPECT_EQ(children_.size(), 0U);
  EXPECT_EQ(line(), "");  // the end: nobody holds the other side
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST(Program, IsFoundAlongPath) {
  const auto found = find_program({"sh", "-c", "exit 0"});
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->path.ends_with("/sh"));
  EXPECT_EQ(found->arguments, (std::vector<std::string>{"sh", "-c", "exit 0"}));
}

TEST(Program, ThatIsNotThereIsToldApartFromOneThatCannotBeRun) {
  char folder[] = "/tmp/pier.XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  const std::string file = std::string(folder) + "/plain";
  std::ofstream(file) << "no program\n";
  for (const std::string name : {"no-such-program-here", "/no/such/program", "", "/etc/passwd/x"}) {
    const auto found = find_program({name});
    ASSERT_FALSE(found) << name;
    EXPECT_EQ(found.error().kind, ErrorKind::not_found) << name;
  }
  for (const std::string& name : {file, std::string(folder)}) {
    const auto found = find_program({name});
    ASSERT_FALSE(found) << name;
    EXPECT_EQ(found.error().kind, ErrorKind::cannot_run) << name;
  }
  std::filesystem::remove_all(folder);
}

TEST(Program, AScriptWithoutAnInterpreterLineIsRunByTheShell) {
  char folder[] = "/tmp/pier.XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  const std::string file = std::string(folder) + "/script";
  std::ofstream(file) << "exit $1\n";
  std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  Loop loop;
  Children children(loop);
  int code = -1;
  const FdPair pair = blocking_pair();
  const auto child = children.start(find_program({file, "5"}).value(), {}, pair.first.get(), pair.first.get(),
                                    [&](int ended) {
                                      code = ended;
                                      loop.stop();
                                    });
  ASSERT_TRUE(child) << child.error().message();
  run_guarded(loop);
  EXPECT_EQ(code, 5);
  std::filesystem::remove_all(folder);
}

bool has(const std::vector<std::string>& variables, const std::string& wanted) {
  return std::ranges::find(variables, wanted) != variables.end();
}

TEST(Environment, NamesBothEndsOfAConnection) {
  const Session session{1, SocketAddress(IpAddress::parse("192.0.2.7").value(), 40000),
                        SocketAddress(IpAddress::parse("::1").value(), 9000)};
  const auto variables = peer_environment(session);
  for (const char* const wanted :
       {"PIER_PROTO=tcp", "PIER_REMOTE_ADDR=192.0.2.7", "PIER_REMOTE_PORT=40000", "PIER_LOCAL_ADDR=::1",
        "PIER_LOCAL_PORT=9000", "PROTO=TCP", "TCPREMOTEIP=192.0.2.7", "TCPREMOTEPORT=40000", "TCPLOCALIP=::1",
        "TCPLOCALPORT=9000"})
    EXPECT_TRUE(has(variables, wanted)) << wanted;
}

TEST(Environment, ReplacesWhatAnOuterServerHasSetAndKeepsTheRest) {
  ::setenv("PIER_REMOTE_ADDR", "10.0.0.1", 1);
  ::setenv("TCPREMOTEHOST", "outer", 1);
  ::setenv("LISTEN_FDS", "1", 1);
  ::setenv("PIER_KEPT", "yes", 1);
  const Session session{1, SocketAddress::unix_path("/tmp/client").value(),
                        SocketAddress::unix_path("@server").value(), true};
  const auto variables = peer_environment(session);
  for (const char* const name : {"PIER_REMOTE_ADDR", "TCPREMOTEHOST", "LISTEN_FDS", "PIER_KEPT"})
    ::unsetenv(name);
  for (const char* const wanted : {"PIER_PROTO=unix-dgram", "PROTO=UNIX", "PIER_REMOTE_ADDR=/tmp/client",
                                   "PIER_LOCAL_ADDR=@server", "PIER_KEPT=yes"})
    EXPECT_TRUE(has(variables, wanted)) << wanted;
  for (const std::string& variable : variables) {
    EXPECT_FALSE(variable.starts_with("TCP") && variable.find("REMOTE") != std::string::npos) << variable;
    EXPECT_FALSE(variable.starts_with("LISTEN_FDS")) << variable;
    EXPECT_FALSE(variable.starts_with("PIER_REMOTE_PORT")) << variable;
  }
}

}  // namespace
}  // namespace pier

#include "event/loop.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/event/support.h"

namespace pier {
namespace {

using namespace std::chrono_literals;

struct Pipe {
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) std::abort();
    reader = Fd(ends[0]);
    writer = Fd(ends[1]);
  }
  void put() const { EXPECT_EQ(::write(writer.get(), "x", 1), 1); }
  Fd reader;
  Fd writer;
};

TEST(Loop, TellsWhatIsReady) {
  Loop loop;
  Pipe pipe;
  pipe.put();
  std::vector<std::string> seen;
  Watch reader, writer;
  writer = loop.watch(pipe.writer.get(), Interest::write,
                      [&](Ready ready) {
                        EXPECT_TRUE(ready.writable);
                        EXPECT_FALSE(ready.readable);
                        writer.cancel();
                        if (!reader.active()) loop.stop();
                      })
               .value();
  reader = loop.watch(pipe.reader.get(), Interest::read,
                      [&](Ready ready) {
                        EXPECT_TRUE(ready.readable);
                        EXPECT_FALSE(ready.hangup);
                        reader.cancel();
                        if (!writer.active()) loop.stop();
                      })
               .value();
  loop.run();
  EXPECT_FALSE(reader.active());
  EXPECT_FALSE(writer.active());
}

TEST(Loop, HangUpsAndErrorsAreToldWithoutBeingAskedFor) {
  Loop loop;
  Pipe gone_writer, gone_reader;
  gone_writer.writer.reset();
  gone_reader.reader.reset();
  int told = 0;
  Watch first, second;
  first = loop.watch(gone_writer.reader.get(), Interest::none,
                     [&](Ready ready) {
                       EXPECT_TRUE(ready.hangup);
                       first.cancel();
                       if (++told == 2) loop.stop();
                     })
              .value();
  second = loop.watch(gone_reader.writer.get(), Interest::none,
                      [&](Ready ready) {
                        EXPECT_TRUE(ready.error);
                        second.cancel();
                        if (++told == 2) loop.stop();
                      })
               .value();
  loop.run();
  EXPECT_EQ(told, 2);
}

// Two descriptors ready in the same round: what the first callback does to the other one counts at once.
void first_callback_of_two(void (*does)(Watch& other), bool other_may_run) {
  Loop loop;
  Pipe pipes[2];
  Watch watches[2];
  int calls = 0;
  for (int i = 0; i < 2; ++i) {
    pipes[i].put();
    watches[i] = loop.watch(pipes[i].reader.get(), Interest::read,
                            [&, i](Ready) {
                              ++calls;
                              does(watches[1 - i]);
                              watches[i].cancel();
                              loop.post([&] { loop.stop(); });
                            })
                     .value();
  }
  loop.run();
  EXPECT_EQ(calls, other_may_run ? 2 : 1);
}

TEST(Loop, ACancelledWatchIsNotToldEvenOfWhatWasWaiting) {
  first_callback_of_two([](Watch& other) { other.cancel(); }, false);
}

TEST(Loop, APausedWatchIsNotToldEvenOfWhatWasWaiting) {
  first_callback_of_two([](Watch& other) { other.pause(); }, false);
}

TEST(Loop, AWatchThatNoLongerAsksIsNotToldOfWhatWasWaiting) {
  first_callback_of_two([](Watch& other) { other.set(Interest::none); }, false);
}

TEST(Loop, AWatchThatIsLeftAloneIsTold) {
  first_callback_of_two([](Watch&) {}, true);
}

TEST(Loop, ACallbackMayDestroyItsOwnWatchAndGoOn) {
  Loop loop;
  Pipe pipe;
  pipe.put();
  Watch watch;
  const std::string captured(100, 'c');  // on the heap, so that a destroyed callback would show
  watch = loop.watch(pipe.reader.get(), Interest::read,
                     [&, captured](Ready) {
                       watch = Watch();
                       EXPECT_EQ(captured.size(), 100u);
                       loop.stop();
                     })
              .value();
  loop.run();
}

TEST(Loop, PauseSilencesEvenHangUpsUntilSet) {
  Loop loop;
  Pipe pipe;
  pipe.writer.reset();
  bool resumed = false;
  Watch watch = loop.watch(pipe.reader.get(), Interest::read,
                           [&](Ready) {
                             EXPECT_TRUE(resumed);
                             loop.stop();
                           })
                    .value();
  watch.pause();
  EXPECT_TRUE(watch.active());
  // Several rounds of the loop pass before it is set again.
  int rounds = 0;
  std::function<void()> round = [&] {
    if (++rounds < 5) {
      loop.post(round);
    } else {
      resumed = true;
      watch.set(Interest::read);
    }
  };
  loop.post(round);
  loop.run();
  EXPECT_TRUE(resumed);
}

TEST(Loop, AWatchCanBeMoved) {
  Loop loop;
  Pipe pipe;
  pipe.put();
  Watch first = loop.watch(pipe.reader.get(), Interest::read, [&](Ready) { loop.stop(); }).value();
  Watch second = std::move(first);
  EXPECT_TRUE(second.active());
  loop.run();
}

TEST(Loop, RegularFilesAreAlwaysReady) {
  const TempDir dir;
  std::ofstream(dir.path("f")) << "text";
  const Fd file(::open(dir.path("f").c_str(), O_RDWR | O_CLOEXEC));
  Loop loop;
  int calls = 0;
  Watch watch;
  watch = loop.watch(file.get(), Interest::none,
                     [&](Ready ready) {
                       EXPECT_TRUE(ready.readable);
                       EXPECT_FALSE(ready.writable);
                       if (++calls == 3) {
                         watch.set(Interest::none);  // not asked for, it says nothing
                         loop.post([&] { loop.post([&] { loop.stop(); }); });
                       }
                     })
              .value();
  loop.post([&] {
    EXPECT_EQ(calls, 0);
    watch.set(Interest::read);
  });
  loop.run();
  EXPECT_EQ(calls, 3);
}

TEST(Loop, AnAlwaysReadyFileCanBeCancelledInItsCallback) {
  const TempDir dir;
  std::ofstream(dir.path("f")) << "text";
  const Fd one(::open(dir.path("f").c_str(), O_RDONLY | O_CLOEXEC));
  const Fd two(::open(dir.path("f").c_str(), O_RDONLY | O_CLOEXEC));
  Loop loop;
  int calls = 0;
  Watch first, second;
  const auto callback = [&](Ready) {
    ++calls;
    first.cancel();
    second.cancel();
    loop.post([&] { loop.stop(); });
  };
  first = loop.watch(one.get(), Interest::read, callback).value();
  second = loop.watch(two.get(), Interest::read, callback).value();
  loop.run();
  EXPECT_EQ(calls, 1);
}

TEST(Loop, ADescriptorThatIsNotOpenIsAFaultOfThisHost) {
  Loop loop;
  const auto watch = loop.watch(-1, Interest::read, [](Ready) {});
  ASSERT_FALSE(watch);
  EXPECT_EQ(watch.error().kind, ErrorKind::local);
  EXPECT_EQ(watch.error().message(), "epoll_ctl descriptor -1: bad file descriptor");
}

TEST(Loop, TimersFireInTheOrderOfTheirDeadlines) {
  Loop loop;
  const TimePoint start = now();
  std::string order;
  const Timer c = loop.timer(Deadline(start + 3ms), [&] {
    order += 'c';
    loop.stop();
  });
  const Timer a = loop.timer(Deadline(start + 1ms), [&] { order += 'a'; });
  const Timer b1 = loop.timer(Deadline(start + 2ms), [&] { order += '1'; });
  const Timer b2 = loop.timer(Deadline(start + 2ms), [&] { order += '2'; });
  EXPECT_TRUE(a.active());
  loop.run();
  EXPECT_EQ(order, "a12c");
  EXPECT_GE(now(), start + 3ms) << "none fires early";
  EXPECT_FALSE(a.active());
}

TEST(Loop, ACancelledTimerDoesNotFireThoughItIsDue) {
  Loop loop;
  const TimePoint due = now();
  bool fired = false;
  Timer second;
  const Timer first = loop.timer(Deadline(due), [&] { second.cancel(); });
  second = loop.timer(Deadline(due + 1ns), [&] { fired = true; });
  const Timer end = loop.timer(Deadline(due + 2ns), [&] { loop.stop(); });
  loop.run();
  EXPECT_FALSE(fired);
}

TEST(Loop, ATimerMayBeSetAgainInItsCallback) {
  Loop loop;
  int fired = 0;
  Timer timer;
  std::function<void()> again = [&] {
    if (++fired == 3)
      loop.stop();
    else
      timer = loop.timer(Deadline::after(1us), again);
  };
  timer = loop.timer(Deadline::after(1us), again);
  loop.run();
  EXPECT_EQ(fired, 3);
}

TEST(Loop, ADeadlineThatNeverComesSetsNoTimer) {
  Loop loop;
  EXPECT_FALSE(loop.timer(Deadline(), [] {}).active());
}

TEST(Loop, PostedCallbacksRunInOrderAfterTheOneThatPostedThem) {
  Loop loop;
  std::string order;
  loop.post([&] {
    loop.post([&] {
      order += 'c';
      loop.stop();
    });
    order += 'a';
  });
  loop.post([&] { order += 'b'; });
  loop.run();
  EXPECT_EQ(order, "abc");
}

TEST(Loop, StoppedBeforeItRunsItDoesNothing) {
  Loop loop;
  loop.post([] { ADD_FAILURE(); });
  loop.stop();
  loop.run();
}

TEST(Loop, SignalsArriveByNumber) {
  sigset_t before;
  ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, nullptr, &before), 0);
  {
    Loop loop;
    std::vector<int> seen;
    const auto watch = loop.signals({SIGUSR1, SIGUSR2}, [&](int number) {
      seen.push_back(number);
      if (seen.size() == 2) loop.stop();
    });
    ASSERT_TRUE(watch);
    ::raise(SIGUSR1);
    ::raise(SIGUSR2);
    loop.run();
    EXPECT_EQ(seen, (std::vector{SIGUSR1, SIGUSR2}));
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// The descriptors that the epoll instances of this process watch.
std::string watched_by_epoll() {
  std::string all;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (std::filesystem::read_symlink(entry.path(), gone) != "anon_inode:[eventpoll]") continue;
    std::ifstream info("/proc/self/fdinfo/" + entry.path().filename().string());
    for (std::string line; std::getline(info, line);)
      if (line.starts_with("tfd:")) all += line + "\n";
  }
  return all;
}

TEST(Loop, AChildIsReapedAndItsStatusTold) {
  Loop loop;
  const pid_t pid = ::fork();
  ASSERT_NE(pid, -1);
  if (pid == 0) ::_exit(7);
  int calls = 0, status = 0;
  const auto watch = loop.child(pid, [&](int ended) {
    ++calls;
    status = ended;
    loop.post([&] { loop.post([&] { loop.stop(); }); });
  });
  ASSERT_TRUE(watch) << watch.error().message();
  loop.run();
  EXPECT_EQ(calls, 1);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 7);
  EXPECT_EQ(::waitpid(pid, nullptr, WNOHANG), -1) << "it was to be reaped";
  EXPECT_EQ(watched_by_epoll(), "") << "the end of a process stays readable: the loop would spin";
}

TEST(Loop, AChildKilledByASignalIsToldSo) {
  Loop loop;
  const pid_t pid = ::fork();
  ASSERT_NE(pid, -1);
  if (pid == 0) {
    for (;;) ::pause();
  }
  int status = 0;
  const auto watch = loop.child(pid, [&](int ended) {
    status = ended;
    loop.stop();
  });
  ASSERT_TRUE(watch);
  ::kill(pid, SIGKILL);
  loop.run();
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

TEST(Loop, DestroyingTheHandleOfAChildLeavesIt) {
  Loop loop;
  const pid_t pid = ::fork();
  ASSERT_NE(pid, -1);
  if (pid == 0) ::_exit(0);
  {
    const auto watch = loop.child(pid, [](int) { ADD_FAILURE(); });
    ASSERT_TRUE(watch);
  }
  loop.post([&] { loop.stop(); });
  loop.run();
  EXPECT_EQ(retry_eintr([&] { return ::waitpid(pid, nullptr, 0); }), pid) << "nobody else reaped it";
}

}  // namespace
}  // namespace pier

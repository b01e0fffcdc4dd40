#pragma once

#include <memory>
#include <string>

namespace occam {

// What loads kernels on a GPU, as everything does that is done for the first time in a process,
// waits until nothing runs there; beside trainings, which always have work queued, for up to half a
// minute. So they pause for it: while a Pause exists, no other training queues any more than it has
// (some tenths of a second), for half a minute at most. Any thread may make one, several at once,
// and must need no training's progress meanwhile.
class Pause {
 public:
  Pause();
  ~Pause();
  Pause(const Pause&) = delete;

  // Of the trainings, now and then: returns when there is no Pause, or those that are have been
  // there for too long.
  static void wait_for_end();
};

// A Pause for what is done for the first time in this process, which the words say; then none.
std::unique_ptr<Pause> pause_at_first(const std::string& what);

}  // namespace occam

#pragma once

#include <torch/types.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "experiments/error.h"
#include "experiments/message.h"

namespace occam {

// The gang has come apart: a member has gone or was sent away, or was not heard of in time.
class GroupBroken : public Error {
 public:
  using Error::Error;
};

// One member's side of the workers that train one trial together. All members make the same calls
// in the same order, each from one thread at a time. On a GPU the operations go on the current
// stream, return at once and may be captured in a graph; on a CPU they return when they are done.
// Every one throws GroupBroken once the group is broken, and then always.
class Group {
 public:
  virtual ~Group() = default;
  Group(const Group&) = delete;

  std::int64_t rank() const { return rank_; }
  std::int64_t size() const { return size_; }

  // Meets the others; before everything else. Rank 0 makes the ticket and hands it to `on_ticket`
  // first, which is how the others get theirs.
  virtual void join(const std::function<void(const std::string& ticket)>& on_ticket) = 0;

  // The sum over the members of one tensor or of several, in place, with the same bits on every
  // member. Each is dense, in the same order of its dimensions everywhere.
  virtual void all_reduce(torch::TensorList values) = 0;
  // The members' rows in the order of their ranks: size x rows.size(0) rows. All give as many.
  virtual torch::Tensor all_gather(const torch::Tensor& rows) = 0;
  // Rank 0's values everywhere, in place. Contiguous, of one size on all members.
  virtual void broadcast(const torch::Tensor& values) = 0;
  // Memory on every member's GPU, zeroed, which the kernels of all can write to. It lives as long
  // as the group. Nothing where they cannot reach each other's, on all members alike.
  struct SharedMemory {
    std::vector<void*> of_rank;  // as this member's GPU reaches it
    const std::int32_t* broken;  // for kernels that wait for others: not 0 once the group is broken
  };
  virtual std::optional<SharedMemory> share_memory(std::int64_t bytes);
  // Returns when every member has come here.
  virtual void barrier() = 0;
  // Whether any member said so, the same answer on all of them: of this call or, on a GPU, whose
  // queue nobody should wait for, of the one before.
  virtual bool any(bool mine) = 0;

  // Parts from the others in order, when all has been done that was to be; all members do so. After
  // it there is only the destructor, which ends a group that was not left as abort() does. Never
  // throws.
  virtual void leave() = 0;

  // Ends the group for all members, from any thread, joined or not; of several reasons the first
  // counts. Waiting members hear it within about a second where the group can tell them (a CPU's
  // can); where it cannot (NCCL), theirs must be ended too.
  void abort(const std::string& reason);

  // Throws GroupBroken if it is.
  void check();
  // Returns once done() is true, asking it every now and then. Throws GroupBroken when the group
  // breaks or done() has been false for the whole timeout.
  void wait(const std::function<bool()>& done);

 protected:
  Group(const Gang& gang, std::chrono::duration<double> timeout);

  bool is_broken() const { return broken_; }
  std::string reason() const;
  // For what the transport itself finds wrong.
  [[noreturn]] void fail(const std::string& reason);

  // Breaks off what is under way; called once, without a lock, maybe by another thread.
  virtual void on_abort() = 0;
  // Looks whether the transport has met an error, and calls abort() then.
  virtual void poll() = 0;

  const std::int64_t rank_, size_;
  const std::string ticket_;
  const std::chrono::duration<double> timeout_;

 private:
  std::atomic<bool> broken_{false};
  mutable std::mutex mutex_;  // of reason_
  std::string reason_;
};

// A member as the start message places it, not joined yet: over NCCL on a GPU, and else over c10d's
// TCPStore. A member that waits longer than `timeout` for the others gives the group up.
std::unique_ptr<Group> make_group(torch::Device device, const Gang& gang,
                                  std::chrono::duration<double> timeout);

// Sums come in the order of the ranks, so every run gives the same bits. Rank 0 holds the store; a
// member that is not heard of for the timeout has left the group: whoever started it and knows that
// it is dead need not wait for that, and aborts the group.
std::unique_ptr<Group> make_store_group(const Gang& gang, std::chrono::duration<double> timeout);
#ifdef OCCAM_CUDA
// A dead member on the same host is not noticed before the timeout: whoever started it must abort
// the group. Graphs that hold the group's operations must be destroyed before the group.
std::unique_ptr<Group> make_nccl_group(const Gang& gang, std::chrono::duration<double> timeout);
#endif

}  // namespace occam

#pragma once

#include <torch/types.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "worker/cuda/batch_norm.h"
#include "worker/cuda/side_copies.h"
#include "worker/cuda/update.h"
#include "worker/distributed/group.h"

namespace occam {

// How the steps of a gang's members on GPUs come to each other's sums. Where these reach each
// other's memory, in their own kernels: a norm's exchange its sums, gradients are copied to the
// others as soon as they are made, and the update adds them up as it reads them. Elsewhere NCCL
// adds up both between the kernels. All on one stream; in a step the members make the same calls.
class Members {
 public:
  // Of a group of at least two, with norms of so many channels in all. Says in the segments where
  // the others' gradients will lie. Throws GroupBroken and Error.
  Members(Group& group, std::int64_t channels, std::vector<cuda::UpdateSegment>& segments,
          cuda::Stream stream);

  // One step of this member's, during which the rest is called. However it ends, no copy is left
  // beside the stream.
  class Step {
   public:
    explicit Step(Members& members);
    ~Step();
    Step(const Step&) = delete;

   private:
    Members& members_;
  };

  // How the sums of the next norm, of so many channels, become those of all members' rows. Where
  // own_sums is set, add_up_norm() makes them so, between the two halves of the norm.
  cuda::NormMembers next_norm(std::int64_t channels);
  void add_up_norm(std::int64_t channels);

  // The gradients made until now, by segment, undefined those that are not.
  void send(const std::vector<torch::Tensor>& gradients);
  // Sends what is left; before the update, that gets sent_gradients().
  void finish(const std::vector<torch::Tensor>& gradients);
  const cuda::SentGradients* sent_gradients() const { return sent_ ? &*sent_ : nullptr; }

 private:
  struct Parcel {
    cuda::GradientOf of;
    std::int64_t place, bytes;
    bool is_sent;
  };

  void share(std::int64_t inbox_bytes);
  void add_up(const std::vector<torch::Tensor>& gradients);

  Group& group_;
  const cuda::Stream stream_;
  std::vector<Parcel> parcels_;      // by segment
  cuda::Exchange exchange_;          // with the other members, and the next norm's place in it
  torch::Tensor norm_sums_;          // or what the group adds up
  std::vector<std::byte*> inboxes_;  // by member: where it finds what this one sends
  std::optional<cuda::SentGradients> sent_;
  std::unique_ptr<cuda::SideCopies> copies_;
};

}  // namespace occam

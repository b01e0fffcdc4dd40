#pragma once

#include <torch/types.h>

#include "worker/distributed/group.h"

// What a step does across the members of a group that share its batch, with the right gradients:
// those of one device that had the whole batch.

namespace occam {

// A member's share of a batch: `rows` source rows from `first`. Throws Error when the batch does
// not go into as many equal parts.
struct BatchShare {
  std::int64_t first, rows;
};
BatchShare share_of(std::int64_t batch_size, const Group* group);

// Batch norm in training over the images of all members: x is n x channels or n x channels x height
// x width, n the same on all. Statistics are combined in double precision; the running ones (as
// at::batch_norm updates them) end with the same bits everywhere. The gradients of gamma and beta
// are this member's part, whose sum over the members is the whole.
torch::Tensor batch_norm_across(const torch::Tensor& x, const torch::Tensor& gamma,
                                const torch::Tensor& beta, const torch::Tensor& running_mean,
                                const torch::Tensor& running_variance, double momentum,
                                double epsilon, Group& group);

// The whole batch's rows out of every member's: rows come as `views` blocks, a view of the share
// after the other, and leave as `views` blocks of the whole batch. Its gradient is the slice of
// this member's rows and needs no words with the others, because every member computes the whole
// loss.
torch::Tensor gather_views(const torch::Tensor& rows, std::int64_t views, Group& group);

// The same two without autograd, forward and backward.
torch::Tensor whole_batch(const torch::Tensor& rows, std::int64_t views, Group& group);
torch::Tensor own_rows(const torch::Tensor& whole, std::int64_t views, const Group& group);

}  // namespace occam

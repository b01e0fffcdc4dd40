#ifdef OCCAM_CUDA
#include "worker/train/members.h"

#include <ATen/ATen.h>

#include <stdexcept>

namespace occam {
namespace {

using torch::Tensor;

std::int64_t rounded_up(std::int64_t bytes, std::int64_t to) { return (bytes + to - 1) / to * to; }

}  // namespace

Members::Members(Group& group, std::int64_t channels, std::vector<cuda::UpdateSegment>& segments,
                 cuda::Stream stream)
    : group_(group), stream_(stream) {
  constexpr std::int64_t kPlace = 16;  // bytes that are read at once
  std::int64_t end = 0;
  for (cuda::UpdateSegment& segment : segments) {
    const std::int64_t bytes = segment.count / segment.inner * segment.gradient_padded *
                               cuda::bytes(segment.gradient_element);
    parcels_.push_back({segment.of, end, bytes, false});
    segment.place = end;
    if (segment.of != cuda::GradientOf::own) end += rounded_up(bytes, kPlace);
  }
  exchange_.rank = static_cast<int>(group.rank());
  exchange_.size = static_cast<int>(group.size());
  exchange_.values = 4 * channels + 1;  // of the norms forward and backward, and of the update
  if (exchange_.size <= cuda::kMostMembers) share(end);
  if (!sent_)
    norm_sums_ = torch::zeros({2 * channels}, torch::dtype(torch::kFloat32).device(torch::kCUDA));
}

// Each member's memory: what the kernels exchange, then what each member sends, by its rank.
void Members::share(std::int64_t inbox_bytes) {
  constexpr std::int64_t kLine = 256;
  const std::int64_t exchanged = rounded_up(cuda::exchange_bytes(exchange_), kLine);
  const std::int64_t inbox = rounded_up(inbox_bytes, kLine);
  const auto shared = group_.share_memory(exchanged + exchange_.size * inbox);
  if (!shared) return;
  const auto at = [&](int of, int from) {
    return static_cast<std::byte*>(shared->of_rank[static_cast<std::size_t>(of)]) + exchanged +
           from * inbox;
  };
  exchange_.broken = shared->broken;
  sent_.emplace();
  for (int rank = 0; rank < exchange_.size; ++rank) {
    exchange_.of_rank[rank] =
        static_cast<std::uint64_t*>(shared->of_rank[static_cast<std::size_t>(rank)]);
    sent_->of_rank[rank] = at(exchange_.rank, rank);
    inboxes_.push_back(at(rank, exchange_.rank));
  }
  sent_->exchange = exchange_;
  sent_->exchange.first = exchange_.values - 1;
  copies_ = std::make_unique<cuda::SideCopies>(stream_);
}

Members::Step::Step(Members& members) : members_(members) {
  for (Parcel& parcel : members.parcels_) parcel.is_sent = parcel.of == cuda::GradientOf::own;
  members.exchange_.first = 0;
  if (members.sent_) cuda::next_round(members.exchange_, members.stream_);
}

Members::Step::~Step() {
  try {
    if (members_.copies_) members_.copies_->end();
  } catch (const Error&) {  // of a device that is lost; whoever uses it next hears of that
  }
}

cuda::NormMembers Members::next_norm(std::int64_t channels) {
  if (!sent_) return {{}, norm_sums_.data_ptr<float>()};
  const cuda::NormMembers all{exchange_, nullptr};
  exchange_.first += 2 * channels;
  return all;
}

void Members::add_up_norm(std::int64_t channels) {
  group_.all_reduce(norm_sums_.narrow(0, 0, 2 * channels));
}

void Members::send(const std::vector<Tensor>& gradients) {
  if (!sent_) return;
  bool is_begun = false;
  for (std::size_t i = 0; i < parcels_.size(); ++i) {
    Parcel& parcel = parcels_[i];
    if (!gradients[i].defined() || parcel.is_sent) continue;
    parcel.is_sent = true;
    if (static_cast<std::int64_t>(gradients[i].nbytes()) != parcel.bytes)
      throw std::logic_error("a gradient of another size than its parameter");
    if (!is_begun) copies_->begin();
    is_begun = true;
    // Each to its own next one first, so that not all are sent to the same.
    for (int k = 1; k < exchange_.size; ++k)
      copies_->copy(
          inboxes_[static_cast<std::size_t>((exchange_.rank + k) % exchange_.size)] + parcel.place,
          gradients[i].data_ptr(), parcel.bytes);
  }
}

void Members::finish(const std::vector<Tensor>& gradients) {
  if (!sent_) return add_up(gradients);
  send(gradients);
  copies_->end();
}

void Members::add_up(const std::vector<Tensor>& gradients) {
  std::vector<Tensor> parts;
  for (std::size_t i = 0; i < gradients.size(); ++i)
    if (parcels_[i].of != cuda::GradientOf::own) parts.push_back(gradients[i]);
  group_.all_reduce(parts);
}

}  // namespace occam
#endif

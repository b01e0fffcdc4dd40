#ifdef OCCAM_CUDA
#include "worker/train/written_out_loss.h"

#include <ATen/ATen.h>

#include "worker/cuda/loss.h"
#include "worker/train/losses.h"

namespace occam {
namespace {

using torch::Tensor;

cuda::Element element_of(const Tensor& x) {
  return x.scalar_type() == torch::kBFloat16 ? cuda::Element::bfloat16 : cuda::Element::float32;
}

WrittenOutLoss of_rotations(const Tensor& logits, cuda::Stream stream) {
  const std::int64_t rows = logits.size(0);
  const auto floats = logits.options().dtype(torch::kFloat32);
  WrittenOutLoss made{torch::empty({rows}, floats), torch::empty({rows}, floats),
                      torch::empty_like(logits)};
  cuda::rotation_prediction(rows, element_of(logits), logits.data_ptr(), made.gradient.data_ptr(),
                            made.losses.data_ptr<float>(), made.hits.data_ptr<float>(), stream);
  return made;
}

void compare_many(const cuda::InfoNce& shape, const Tensor& embeddings, const WrittenOutLoss& made,
                  cuda::Stream stream) {
  const std::int64_t rows = 2 * shape.rows;
  const auto floats = embeddings.options().dtype(torch::kFloat32);
  const Tensor units =
      torch::empty({2, shape.rows / shape.group, shape.group, shape.width}, floats);
  const Tensor of_units = torch::empty_like(units), inverse = torch::empty({rows}, floats);
  cuda::unit_rows(rows, shape.width, shape.element, embeddings.data_ptr(), units.data_ptr<float>(),
                  inverse.data_ptr<float>(), stream);
  const Tensor cosines = at::bmm(units[0], units[1].transpose(1, 2));
  cuda::info_nce_slopes(shape, cosines.data_ptr<float>(), made.losses.data_ptr<float>(),
                        made.hits.data_ptr<float>(), stream);
  Tensor of_anchors = of_units[0], of_others = of_units[1];
  at::bmm_out(of_anchors, cosines, units[1]);
  at::bmm_out(of_others, cosines.transpose(1, 2), units[0]);
  cuda::through_units(rows, shape.width, shape.element, units.data_ptr<float>(),
                      inverse.data_ptr<float>(), of_units.data_ptr<float>(),
                      made.gradient.data_ptr(), stream);
}

WrittenOutLoss of_pairs(const Trial& trial, const Tensor& embeddings, cuda::Stream stream) {
  const std::int64_t rows = embeddings.size(0) / 2;
  const cuda::InfoNce shape{rows, embeddings.size(1),
                            trial.negatives > 0 ? trial.negatives + 1 : rows,
                            static_cast<float>(trial.temperature), element_of(embeddings)};
  const auto floats = embeddings.options().dtype(torch::kFloat32);
  WrittenOutLoss made{torch::empty({rows}, floats), torch::empty({rows}, floats),
                      torch::empty_like(embeddings)};
  if (rows > cuda::kInfoNceMostRows || shape.width > cuda::kInfoNceMostWidth) {
    compare_many(shape, embeddings, made, stream);
    return made;
  }
  const Tensor scratch = torch::empty({cuda::info_nce_scratch(shape)}, floats);
  cuda::info_nce(shape, embeddings.data_ptr(), scratch.data_ptr<float>(), made.gradient.data_ptr(),
                 made.losses.data_ptr<float>(), made.hits.data_ptr<float>(), stream);
  return made;
}

WrittenOutLoss by_autograd(const Trial& trial, const Tensor& embeddings) {
  NetworkOutput seen;
  seen.embed = embeddings.to(torch::kFloat32).detach().requires_grad_(true);
  const at::AutoGradMode with_gradient(true);
  const LossValue value = step_loss(trial, seen);
  value.loss.backward();
  return {value.loss.detach(), value.accuracy, seen.embed.grad().to(embeddings.scalar_type())};
}

}  // namespace

WrittenOutLoss written_out_loss(const Trial& trial, const Tensor& outputs, cuda::Stream stream) {
  switch (trial.loss) {
    case Loss::rotation:
      return of_rotations(outputs, stream);
    case Loss::contrastive:
      return of_pairs(trial, outputs, stream);
    case Loss::contrastive_symmetric:
      return by_autograd(trial, outputs);
  }
  throw std::logic_error("unknown loss");
}

}  // namespace occam
#endif

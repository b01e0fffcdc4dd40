#include "worker/distributed/across.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include <cmath>

namespace occam {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// All dimensions but the channels'.
std::vector<std::int64_t> over(const Tensor& x) {
  if (x.dim() == 2) return {0};
  return {0, 2, 3};
}

Tensor of_channels(const Tensor& values, const Tensor& x) {
  const Tensor same = values.to(x.scalar_type());
  return x.dim() == 2 ? same : same.view({-1, 1, 1});
}

class NormAcross : public torch::autograd::Function<NormAcross> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& gamma,
                        const Tensor& beta, const Tensor& running_mean,
                        const Tensor& running_variance, double momentum, double epsilon,
                        Group* group) {
    const std::int64_t channels = gamma.numel();
    const auto here = static_cast<double>(x.numel() / channels);
    const auto everywhere = here * static_cast<double>(group->size());
    // Each member's mean and squares about it; Chan's formula for as many values on each.
    const auto [variance, mean] = at::var_mean(x, over(x), false);
    const Tensor all =
        group->all_gather(at::stack({mean, variance}).to(torch::kFloat64).unsqueeze(0));
    const Tensor means = all.select(1, 0), variances = all.select(1, 1);
    const Tensor whole_mean = means.mean(0);
    const Tensor whole_variance = variances.mean(0) + (means - whole_mean).square().mean(0);
    const Tensor inverse = (whole_variance + epsilon).rsqrt();
    const Tensor scale = gamma * inverse;
    const Tensor y =
        at::addcmul(of_channels(beta - whole_mean * scale, x), x, of_channels(scale, x));

    const double unbiased = everywhere > 1 ? everywhere / (everywhere - 1) : 1;
    running_mean.copy_(running_mean * (1 - momentum) + whole_mean * momentum);
    running_variance.copy_(running_variance * (1 - momentum) +
                           whole_variance * (momentum * unbiased));

    context->save_for_backward({x, gamma, whole_mean, inverse});
    context->saved_data["rows"] = everywhere;
    context->saved_data["group"] =
        static_cast<std::int64_t>(reinterpret_cast<std::intptr_t>(group));
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &x = saved[0], &gamma = saved[1], &mean = saved[2], &inverse = saved[3];
    const double rows = context->saved_data["rows"].toDouble();
    auto* group =
        reinterpret_cast<Group*>(static_cast<std::intptr_t>(context->saved_data["group"].toInt()));
    const Tensor& g = gradients[0];
    const Tensor centred = x - of_channels(mean, x);
    const Tensor sum = g.sum(over(x), false, torch::kFloat64);
    const Tensor product = (g * centred).sum(over(x), false, torch::kFloat64);
    const Tensor whole = at::stack({sum, product});
    group->all_reduce(whole);
    const Tensor scale = gamma * inverse;
    const Tensor slope = scale * inverse.square() * whole[1] / rows;
    const Tensor of_x = (g - of_channels(whole[0] / rows, x)) * of_channels(scale, x) -
                        centred * of_channels(slope, x);
    return {of_x,
            (product * inverse).to(gamma.scalar_type()),
            sum.to(gamma.scalar_type()),
            {},
            {},
            {},
            {},
            {}};
  }
};

class GatherViews : public torch::autograd::Function<GatherViews> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& rows, std::int64_t views,
                        Group* group) {
    context->saved_data["views"] = views;
    context->saved_data["group"] =
        static_cast<std::int64_t>(reinterpret_cast<std::intptr_t>(group));
    return whole_batch(rows, views, *group);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto* group = reinterpret_cast<const Group*>(
        static_cast<std::intptr_t>(context->saved_data["group"].toInt()));
    return {own_rows(gradients[0], context->saved_data["views"].toInt(), *group), {}, {}};
  }
};

}  // namespace

BatchShare share_of(std::int64_t batch_size, const Group* group) {
  if (!group) return {0, batch_size};
  if (batch_size % group->size() != 0)
    throw Error("batch_size " + std::to_string(batch_size) + " does not go into " +
                std::to_string(group->size()) + " equal parts, one for each GPU of the gang");
  const std::int64_t rows = batch_size / group->size();
  return {group->rank() * rows, rows};
}

Tensor batch_norm_across(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                         const Tensor& running_mean, const Tensor& running_variance,
                         double momentum, double epsilon, Group& group) {
  return NormAcross::apply(x, gamma, beta, running_mean, running_variance, momentum, epsilon,
                           &group);
}

Tensor gather_views(const Tensor& rows, std::int64_t views, Group& group) {
  return GatherViews::apply(rows, views, &group);
}

Tensor whole_batch(const Tensor& rows, std::int64_t views, Group& group) {
  const std::int64_t share = rows.size(0) / views;
  return group.all_gather(rows)
      .view({group.size(), views, share, -1})
      .transpose(0, 1)
      .reshape({views * group.size() * share, -1})
      .contiguous();
}

Tensor own_rows(const Tensor& whole, std::int64_t views, const Group& group) {
  const std::int64_t share = whole.size(0) / views / group.size();
  return whole.view({views, group.size(), share, -1})
      .select(1, group.rank())
      .reshape({views * share, -1})
      .contiguous();
}

}  // namespace occam

#include "worker/train/augment_plan.h"

#include "experiments/error.h"
#include "worker/data/augment.h"

namespace occam {

cuda::AugmentPlan augment_plan(const Trial& trial, int side, int channels,
                               const BatchShare& share) {
  using Kind = AugmentationOperation::Kind;
  cuda::AugmentPlan plan{};
  plan.side = side;
  plan.channels = channels;
  plan.batch = static_cast<int>(share.rows);
  plan.step_rows = static_cast<int>(trial.batch_size);
  plan.first = static_cast<int>(share.first);
  plan.views = static_cast<int>(images_per_step(trial) / trial.batch_size);
  plan.turns = trial.loss == Loss::rotation;
  for (const AugmentationOperation& operation : trial.augmentations.operations()) {
    if (plan.operation_count == cuda::AugmentPlan::kMostOperations)
      throw Error("a GPU makes at most " + std::to_string(cuda::AugmentPlan::kMostOperations) +
                  " augmentations in a row");
    auto& made = plan.operations[plan.operation_count++];
    static_assert(static_cast<int>(Kind::rotate) ==
                  static_cast<int>(cuda::AugmentPlan::Operation::Kind::rotate));
    made.kind = static_cast<cuda::AugmentPlan::Operation::Kind>(operation.kind);
    made.least_side = least_crop_side(operation.amount, side);
    made.most_shift = most_shift(side);
    made.quarters = static_cast<std::int32_t>(operation.amount);
    made.order_per_image = operation.order_per_image;
    made.amount = static_cast<float>(operation.amount);
    made.brightness = static_cast<float>(operation.brightness);
    made.contrast = static_cast<float>(operation.contrast);
    made.saturation = static_cast<float>(operation.saturation);
    made.hue = static_cast<float>(operation.hue);
  }
  for (const SquareTransform& transform : distribution_transforms(trial.distribution_augmentation))
    plan.transforms[plan.transform_count++] = transform;
  return plan;
}

}  // namespace occam

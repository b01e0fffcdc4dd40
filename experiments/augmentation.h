#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace occam {

// One operation of the released augmentation grammar (deep_representation_one_class,
// data/augment.py:24-39), but for those that change an image's size (base, crop, resize), which the
// data set decides here, and each kind once. Formulas: data/augment_ops.py:62-90, 210-401.
struct AugmentationOperation {
  enum class Kind { crop, hflip, jitter, gray, blur, vflip, shift, rotate };
  Kind kind;
  // crop: smallest side as a share of the image's; gray, blur: probability; rotate: quarters of a
  // turn, counter-clockwise. A shift is by an eighth of the image's side at most.
  double amount = 0;
  // jitter alone: largest brightness, contrast, saturation and hue changes.
  double brightness = 0, contrast = 0, saturation = 0, hue = 0;
  // jitter alone, "_shuffled": the order of its changes is drawn anew for every image and view. As
  // released it is one order a view for the whole training (augment_ops.py:319-376).
  bool order_per_image = false;
};

// An ordered list of operations as text, e.g. "cnr0.5+hflip+jitter_b0.4_c0.4_s0.4_h0.4+gray0.2";
// "none" for no augmentation. cnr, gray and blur without an amount have the released one; an amount
// that a jitter leaves out is 0, where the released code puts b0.125, c0.4 and s0.4. Always held in
// its canonical spelling ("jitter_b.4" is "jitter_b0.4"), so equal sets compare equal.
class AugmentationSet {
 public:
  // The released scripts' set without blur, which their code never applies
  // (augment_ops.py:391-401).
  AugmentationSet() : text_("cnr0.5+hflip+jitter_b0.4_c0.4_s0.4_h0.4+gray0.2") {}
  // Throws UsageError naming the operation that it does not understand.
  explicit AugmentationSet(std::string_view text);

  const std::string& text() const { return text_; }
  std::vector<AugmentationOperation> operations() const;
  bool operator==(const AugmentationSet&) const = default;

 private:
  std::string text_;
};

}  // namespace occam

#include "experiments/augmentation.h"

#include <cctype>

#include "experiments/error.h"
#include "experiments/number.h"

namespace occam {
namespace {

using Kind = AugmentationOperation::Kind;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

double amount_in(std::string_view word, std::string_view digits, double low, double high) {
  double amount = 0;
  if (!read_number(digits, amount) || !(amount >= low && amount <= high))
    throw UsageError("augmentation '" + std::string(word) + "': '" + std::string(digits) +
                     "' is not a number from " + spelled(low) + " to " + spelled(high) +
                     (digits.find(',') == std::string_view::npos
                          ? ""
                          : "; '+' joins augmentations, and all views have the same"));
  return amount + 0.0;  // no -0
}

constexpr std::string_view kJitter = "jitter";
constexpr std::string_view kShuffled = "shuffled";

AugmentationOperation parse_jitter(std::string_view word) {
  AugmentationOperation jitter{Kind::jitter};
  std::string seen;
  for (std::string_view part : split(word.substr(std::min(word.size(), kJitter.size() + 1)), '_')) {
    if (word == kJitter) break;
    if (part.starts_with("sh")) {
      if (part != kShuffled || jitter.order_per_image)
        throw UsageError("augmentation '" + std::string(word) + "': '" + std::string(part) +
                         (part == kShuffled ? "' stands twice"
                                            : "' is no amount; an order for "
                                              "every image is '_shuffled'"));
      jitter.order_per_image = true;
      continue;
    }
    if (!part.empty() && seen.find(part.front()) != std::string::npos)
      throw UsageError("augmentation '" + std::string(word) + "': '" + part.front() +
                       "' stands twice");
    seen += part.substr(0, 1);
    const std::string_view digits = part.substr(std::min<std::size_t>(1, part.size()));
    switch (part.empty() ? '\0' : part.front()) {
      case 'b':
        jitter.brightness = amount_in(word, digits, 0, 1);
        break;
      case 'c':
        jitter.contrast = amount_in(word, digits, 0, 1);
        break;
      case 's':
        jitter.saturation = amount_in(word, digits, 0, 1);
        break;
      case 'h':
        jitter.hue = amount_in(word, digits, 0, 0.5);
        break;
      default:
        throw UsageError(
            "augmentation '" + std::string(word) + "': '" + std::string(part) +
            "' is none of b, c, s, h with an amount, as in jitter_b0.4_c0.4_s0.4_h0.4");
    }
  }
  if (jitter.brightness + jitter.contrast + jitter.saturation + jitter.hue == 0)
    throw UsageError("augmentation '" + std::string(word) +
                     "' changes nothing: an amount that is left out is 0 here (the released code "
                     "takes jitter_b0.125_c0.4_s0.4)");
  return jitter;
}

// With the released amount where there is none (data/augment.py:88-121).
AugmentationOperation parse_amount(Kind kind, std::string_view word, std::string_view name,
                                   double released, double low) {
  const std::string_view digits = word.substr(name.size());
  return {kind, digits.empty() ? released : amount_in(word, digits, low, 1)};
}

const std::vector<std::string>& names() {
  static const std::vector<std::string> all{"cnr0.5",   "hflip",    "jitter_b0.4_c0.4_s0.4_h0.4",
                                            "gray0.2",  "blur0.5",  "vflip",
                                            "shift",    "rotate90", "rotate180",
                                            "rotate270"};
  return all;
}

AugmentationOperation parse_operation(std::string_view word) {
  if (word == "hflip") return {Kind::hflip};
  if (word == "vflip") return {Kind::vflip};
  if (word == "shift") return {Kind::shift};
  for (const int quarters : {1, 2, 3})
    if (word == "rotate" + std::to_string(90 * quarters))
      return {Kind::rotate, static_cast<double>(quarters)};
  if (word == "x" || word.starts_with("resize"))
    throw UsageError("augmentation '" + std::string(word) +
                     "' does nothing here, where images have the data set's size; leave it out");
  if (word == "base" || (word.starts_with("crop") && !word.starts_with("crop_and_resize")))
    throw UsageError("augmentation '" + std::string(word) +
                     "' would change the image's size, which is the data set's; cnr0.5 crops and "
                     "makes it as large again");
  for (const std::string_view name : {"cnr", "crop_and_resize"})
    if (word.starts_with(name)) return parse_amount(Kind::crop, word, name, 0.5, 0.05);
  if (word.starts_with("gray")) return parse_amount(Kind::gray, word, "gray", 0.2, 0);
  if (word.starts_with("blur")) return parse_amount(Kind::blur, word, "blur", 0.5, 0);
  if (word == kJitter || word.starts_with("jitter_")) return parse_jitter(word);
  if (word.empty()) throw UsageError("nothing stands before or behind a '+'");
  if (word == "none") throw UsageError("'none' stands alone");
  for (const std::string_view name : {"hflip", "vflip", "shift"})
    if (word.starts_with(name) && std::isdigit(static_cast<unsigned char>(word[name.size()])))
      throw UsageError("augmentation '" + std::string(word) + "': " + std::string(name) +
                       " takes no amount");
  std::vector<std::string> meant = names();
  meant.emplace_back("none");
  throw UsageError("'" + std::string(word) + "' is no augmentation" + did_you_mean(word, meant) +
                   "; these are: " + joined(names()) +
                   " (jitter_..._shuffled draws its order for every image), joined by '+', or "
                   "none");
}

std::vector<AugmentationOperation> parse(std::string_view text) {
  std::vector<AugmentationOperation> operations;
  if (text == "none") return operations;
  if (text.empty()) throw UsageError("no augmentation is written 'none'");
  for (std::string_view word : split(text, '+')) {
    operations.push_back(parse_operation(word));
    for (std::size_t i = 0; i + 1 < operations.size(); ++i)
      if (operations[i].kind == operations.back().kind)
        throw UsageError("'" + std::string(word) +
                         "' is a second of its kind; each kind may stand once");
  }
  return operations;
}

std::string spelled(const AugmentationOperation& operation) {
  switch (operation.kind) {
    case Kind::crop:
      return "cnr" + shortest(operation.amount);
    case Kind::hflip:
      return "hflip";
    case Kind::vflip:
      return "vflip";
    case Kind::shift:
      return "shift";
    case Kind::rotate:
      return "rotate" + shortest(90 * operation.amount);
    case Kind::gray:
      return "gray" + shortest(operation.amount);
    case Kind::blur:
      return "blur" + shortest(operation.amount);
    case Kind::jitter: {
      std::string text = "jitter";
      if (operation.brightness > 0) text += "_b" + shortest(operation.brightness);
      if (operation.contrast > 0) text += "_c" + shortest(operation.contrast);
      if (operation.saturation > 0) text += "_s" + shortest(operation.saturation);
      if (operation.hue > 0) text += "_h" + shortest(operation.hue);
      if (operation.order_per_image) text += "_" + std::string(kShuffled);
      return text;
    }
  }
  throw std::logic_error("unknown augmentation");
}

}  // namespace

AugmentationSet::AugmentationSet(std::string_view text) {
  std::vector<std::string> words;
  for (const AugmentationOperation& operation : parse(text)) words.push_back(spelled(operation));
  text_ = words.empty() ? "none" : joined(words, "+");
}

std::vector<AugmentationOperation> AugmentationSet::operations() const { return parse(text_); }

}  // namespace occam

#include "experiments/dataset.h"

#include <algorithm>
#include <iterator>
#include <sstream>

namespace occam {

template <>
std::span<const std::string_view> names_of<Dataset>() {
  static constexpr std::string_view names[] = {"fashion-mnist", "synthetic", "cifar10",
                                               "cifar20",       "cifar100",  "cats-vs-dogs",
                                               "celeba",        "folder"};
  return names;
}

namespace {

// In the order of their labels, as the data sets' own files name them (fine_label_names.txt,
// coarse_label_names.txt, the header of list_attr_celeba.txt).
const char* const kCifar10 = "airplane automobile bird cat deer dog frog horse ship truck";

const char* const kCifar20 =
    "aquatic_mammals fish flowers food_containers fruit_and_vegetables "
    "household_electrical_devices household_furniture insects large_carnivores "
    "large_man-made_outdoor_things large_natural_outdoor_scenes "
    "large_omnivores_and_herbivores medium_mammals non-insect_invertebrates people "
    "reptiles small_mammals trees vehicles_1 vehicles_2";

const char* const kCifar100 =
    "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge "
    "bus butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud "
    "cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish forest fox "
    "girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man "
    "maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree "
    "pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray "
    "road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel "
    "streetcar sunflower sweet_pepper table tank telephone television tiger tractor train "
    "trout tulip turtle wardrobe whale willow_tree wolf woman worm";

const char* const kCelebaAttributes =
    "5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips "
    "Big_Nose Black_Hair Blond_Hair Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin "
    "Eyeglasses Goatee Gray_Hair Heavy_Makeup High_Cheekbones Male Mouth_Slightly_Open "
    "Mustache Narrow_Eyes No_Beard Oval_Face Pale_Skin Pointy_Nose Receding_Hairline "
    "Rosy_Cheeks Sideburns Smiling Straight_Hair Wavy_Hair Wearing_Earrings Wearing_Hat "
    "Wearing_Lipstick Wearing_Necklace Wearing_Necktie Young";

std::vector<std::string> words_of(const char* text) {
  std::istringstream words(text);
  return {std::istream_iterator<std::string>(words), {}};
}

}  // namespace

const DatasetFacts& facts(Dataset dataset) {
  static const DatasetFacts fashion_mnist{{"t-shirt", "trouser", "pullover", "dress", "coat",
                                           "sandal", "shirt", "sneaker", "bag", "ankle-boot"},
                                          6000,
                                          10000,
                                          32};
  static const DatasetFacts synthetic{{"upright", "left", "upside-down", "right"}, 1024, 1024, 32};
  static const DatasetFacts cifar10{words_of(kCifar10), 5000, 10000, 32};
  static const DatasetFacts cifar20{words_of(kCifar20), 2500, 10000, 32};
  static const DatasetFacts cifar100{words_of(kCifar100), 500, 10000, 32};
  static const DatasetFacts cats_vs_dogs{{"cat", "dog"}, 10000, 5000, 64};
  static const DatasetFacts celeba{words_of(kCelebaAttributes), 0, 0, 64};
  static const DatasetFacts folder{{"good"}, 0, 0, 0};
  switch (dataset) {
    case Dataset::fashion_mnist:
      return fashion_mnist;
    case Dataset::synthetic:
      return synthetic;
    case Dataset::cifar10:
      return cifar10;
    case Dataset::cifar20:
      return cifar20;
    case Dataset::cifar100:
      return cifar100;
    case Dataset::cats_vs_dogs:
      return cats_vs_dogs;
    case Dataset::celeba:
      return celeba;
    case Dataset::folder:
      return folder;
  }
  throw std::logic_error("unknown dataset");
}

bool is_read_first(Dataset dataset) { return facts(dataset).train_rows_per_class == 0; }

bool is_inlier(Dataset dataset, std::int64_t label, std::int64_t inlier) {
  return dataset == Dataset::celeba ? (label >> inlier & 1) == 0 : label == inlier;
}

std::optional<std::int64_t> find_class(Dataset dataset, const InlierClass& inlier) {
  const std::vector<std::string>& classes = facts(dataset).classes;
  const auto count = static_cast<std::int64_t>(classes.size());
  if (const auto* index = std::get_if<std::int64_t>(&inlier))
    return *index >= 0 && *index < count ? std::optional(*index) : std::nullopt;
  const auto found = std::find(classes.begin(), classes.end(), std::get<std::string>(inlier));
  return found != classes.end() ? std::optional(found - classes.begin()) : std::nullopt;
}

std::int64_t class_index(Dataset dataset, const InlierClass& inlier) {
  if (const auto found = find_class(dataset, inlier)) return *found;
  const std::vector<std::string>& classes = facts(dataset).classes;
  if (const auto* index = std::get_if<std::int64_t>(&inlier))
    throw UsageError("class " + std::to_string(*index) + " is not in 0.." +
                     std::to_string(classes.size() - 1) + ", the classes of " + to_string(dataset));
  const std::string& name = std::get<std::string>(inlier);
  throw UsageError("'" + name + "' is no class of " + to_string(dataset) +
                   ", which has: " + joined(classes) + did_you_mean(name, classes));
}

}  // namespace occam

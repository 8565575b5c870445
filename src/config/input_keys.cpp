// Settings of what is learned from. Files are known by their content (hashes in every record), so
// that their paths may change.
#include "palimpsest/config/keys.h"

namespace palimpsest {
namespace {

constexpr std::string_view kFiles = "Input and output";
constexpr std::string_view kStream = "The stream of tasks";
constexpr std::string_view kImages = "Images (vision backbones)";

const StructKinds<ImageSettings>& image_transforms() {
  using S = ImageSettings;
  static const StructKinds<S> kinds(
      "image transform",
      {{"The short side is resized, the centre cut out, as in timm.",
        {"size", "crop", "interpolation", "normalisation", "squash"}}},
      {struct_key(&S::size, {.name = "size",
                             .minimum = 1,
                             .maximum = 1 << 16,
                             .help = "Side of the images that the backbone sees, in pixels; a "
                                     "multiple of its patch. Paper: 224."}),
       struct_key(&S::crop, {.name = "crop",
                             .minimum = 0,
                             .maximum = 1,
                             .help = "Side of the centre over the short side (224 of 256 is "
                                     "0.875); 0: as the backbone says."}),
       struct_key(&S::interpolation, {.name = "interpolation",
                                      .help = "Always antialiased. auto: as the backbone says."}),
       struct_key(&S::normalisation,
                  {.name = "normalisation",
                   .help = "backbone: mean and deviation of the colours as in pretraining. none: "
                           "pixels in [0, 1], as most published code of continual learning "
                           "feeds."}),
       struct_key(&S::squash, {.name = "squash",
                               .help = "Both sides are resized, whatever the image's shape, as "
                                       "timm's crop_mode squash."})});
  return kinds;
}

const StructKinds<Augmentation>& augmentations() {
  using S = Augmentation;
  static const StructKinds<S> kinds(
      "augmentation",
      {{"The test view."},
       {"Random resized crop and mirror image.", {"min-scale"}},
       {"The colours vary, too.", {"min-scale", "jitter"}},
       {"Crop, mirror image, RandAugment.", {"min-scale", "operations", "magnitude"}},
       {"AutoAugment, then a random resized crop; no mirror image.", {"policy", "min-scale"}}},
      {struct_key(&S::min_scale,
                  {.name = "min-scale",
                   .minimum = 0,
                   .maximum = 1,
                   .above_minimum = true,
                   .help = "Smallest share of an image's area that a random crop keeps."}),
       struct_key(&S::jitter, {.name = "jitter",
                               .minimum = 0,
                               .maximum = 1,
                               .help = "By which share brightness, contrast and saturation vary."}),
       struct_key(
           &S::operations,
           {.name = "operations", .minimum = 0, .maximum = 14, .help = "Operations per image."}),
       struct_key(&S::magnitude, {.name = "magnitude",
                                  .minimum = 0,
                                  .maximum = 30,
                                  .help = "Strength, in 31 bins from 0 to 30."}),
       struct_key(&S::policy,
                  {.name = "policy", .help = "AutoAugment's, found on ImageNet or on CIFAR-10."})});
  return kinds;
}

}  // namespace

std::vector<Key> input_keys() {
  using C = RunConfig;
  using enum Effect;
  return {
      key(kFiles, &C::pack,
          {.name = "pack",
           .help = "The samples of the stream: a file that palimpsest pack has written.",
           .effect = kOperational},
          kEverywhere),
      key(kFiles, &C::protocol,
          {.name = "protocol",
           .help = "Which classes make which task: a .json file, as in configs/protocols/.",
           .effect = kOperational},
          kEverywhere),
      key(kFiles, &C::backbone,
          {.name = "backbone",
           .help = "The pretrained transformer: a folder with model.safetensors and\n"
                   "config.json. It is read, never written.",
           .effect = kOperational},
          kEverywhere),
      key(kFiles, &C::out,
          {.name = "out",
           .help = "The run folder: records, state, logs and manifest.",
           .effect = kOperational},
          {"doctor"}),
      key(kStream, &C::seed,
          {.name = "seed",
           .minimum = 0,
           .maximum = kUnbounded,
           .help = "Every random number of the run follows from it."}),
      key(kStream, &C::tasks,
          {.name = "tasks",
           .minimum = 0,
           .maximum = kMost,
           .help = "How many of the protocol's tasks to learn; 0: all of them.",
           .effect = kOperational}),
      key(kStream, &C::scenario,
          {.name = "scenario",
           .help = "class-incremental: choose among all tasks' classes, as in the paper.\n"
                   "Not in the paper: task-incremental, each sample comes with its task;\n"
                   "domain-incremental, every task has the same labels, and they share a head."}),
      key(kStream, &C::joint,
          {.name = "joint",
           .help = "Learn all tasks at once, as one: the bound that no stream can reach. With\n"
                   "merge and perturbation none. Not in the paper."}),
      key(kStream, &C::validation,
          {.name = "validation",
           .minimum = 0,
           .maximum = 0.9,
           .help = "Share of the training samples that is kept out of training, to choose by\n"
                   "with palimpsest eval; a sample's hash decides. Not in the paper."}),
      key(kStream, &C::general,
          {.name = "general",
           .help = "Of a decoder: a pack of sequences that belongs to no task. The loss on its\n"
                   "test samples is measured before the stream and with every evaluation: what\n"
                   "general ability loses. Not in the paper.",
           .effect = kOperational},
          {"eval", "plan"}),
      key(kImages, &C::image_transform, image_transforms(),
          {.name = "image-transform",
           .help = "How an image becomes what the backbone sees: in tests, and in training\n"
                   "where nothing is augmented."},
          kEverywhere),
      key(kImages, &C::pooling,
          {.name = "pooling",
           .help = "What of the last block is the feature of an image or of a decoder's text:\n"
                   "the class token (of a text its last token), or the mean over patches or\n"
                   "tokens. auto: of images as the backbone was pretrained, of texts the last\n"
                   "token. An encoder's text always has the mean."},
          kEverywhere),
      key(kImages, &C::augmentation, augmentations(),
          {.name = "augmentation",
           .help = "Of training images, newly drawn in each pass. With adapter = none images\n"
                   "are never augmented, and the last three are refused."}),
  };
}

}  // namespace palimpsest

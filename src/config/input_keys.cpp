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
      {{"Resize the short side and crop the centre, as timm does.",
        {"size", "crop", "interpolation", "normalisation", "squash"}}},
      {struct_key(&S::size, {.name = "size",
                             .minimum = 1,
                             .maximum = 1 << 16,
                             .help = "Side of the images that the backbone sees, in pixels; a "
                                     "multiple of its patch. Paper: 224."}),
       struct_key(&S::crop, {.name = "crop",
                             .minimum = 0,
                             .maximum = 1,
                             .help = "Crop over resized short side (224 of 256 is 0.875). 0: as "
                                     "the backbone's configuration says."}),
       struct_key(&S::interpolation,
                  {.name = "interpolation",
                   .help = "Always antialiased. auto: as the backbone's configuration says."}),
       struct_key(&S::normalisation,
                  {.name = "normalisation",
                   .help = "backbone: mean and standard deviation as in pretraining. none: pixels "
                           "in [0, 1], as in most published code for continual learning."}),
       struct_key(&S::squash, {.name = "squash",
                               .help = "Resize both sides, whatever the image's shape, as timm's "
                                       "crop_mode squash does."})});
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
       {"AutoAugment, then a random resized crop, without a flip.", {"policy", "min-scale"}}},
      {struct_key(&S::min_scale,
                  {.name = "min-scale",
                   .minimum = 0,
                   .maximum = 1,
                   .above_minimum = true,
                   .help = "Smallest share of an image's area that a random crop keeps."}),
       struct_key(
           &S::jitter,
           {.name = "jitter",
            .minimum = 0,
            .maximum = 1,
            .help =
                "Range of brightness, contrast and saturation, as in torchvision's ColorJitter."}),
       struct_key(
           &S::operations,
           {.name = "operations", .minimum = 0, .maximum = 14, .help = "Operations per image."}),
       struct_key(&S::magnitude, {.name = "magnitude",
                                  .minimum = 0,
                                  .maximum = 30,
                                  .help = "Strength, in 31 bins from 0 to 30."}),
       struct_key(&S::policy, {.name = "policy",
                               .help = "AutoAugment's policy for ImageNet or for CIFAR-10."})});
  return kinds;
}

}  // namespace

std::vector<Key> input_keys() {
  using C = RunConfig;
  using enum Effect;
  return {
      key(kFiles, &C::pack,
          {.name = "pack",
           .help = "The samples of the stream: a file from palimpsest pack.",
           .effect = kOperational},
          kEverywhere),
      key(kFiles, &C::protocol,
          {.name = "protocol",
           .help = "The classes of each task: a .json file from palimpsest pack protocol.",
           .effect = kOperational},
          kEverywhere),
      key(kFiles, &C::backbone,
          {.name = "backbone",
           .help = "The pretrained transformer: a folder with model.safetensors and\n"
                   "config.json. It is only read.",
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
           .help = "class-incremental, as in the paper: predict among the classes of all\n"
                   "tasks. Not in the paper: task-incremental, the task of each sample is\n"
                   "given; domain-incremental, all tasks have the same labels and share a\n"
                   "head."}),
      key(kStream, &C::joint,
          {.name = "joint",
           .help = "Learn all tasks at once, as one task: the upper bound of a stream. Needs\n"
                   "merge and perturbation none. Not in the paper."}),
      key(kStream, &C::validation,
          {.name = "validation",
           .minimum = 0,
           .maximum = 0.9,
           .help = "Share of the training samples to keep out of training, for validation by\n"
                   "palimpsest eval. The hash of a sample decides. Not in the paper."}),
      key(kStream, &C::general,
          {.name = "general",
           .help = "For decoders: a pack of sequences that belongs to no task. Its test loss\n"
                   "is measured before the stream and at every evaluation, to see what general\n"
                   "ability is lost. Not in the paper.",
           .effect = kOperational},
          {"eval", "plan"}),
      key(kImages, &C::image_transform, image_transforms(),
          {.name = "image-transform",
           .help = "How images are prepared in evaluation, and in training without\n"
                   "augmentation."},
          kEverywhere),
      key(kImages, &C::pooling,
          {.name = "pooling",
           .help = "The feature of an image or of a decoder's text, from the last block.\n"
                   "class: the class token (of a text its last token). mean: the mean over\n"
                   "patches or tokens. auto: as the backbone was pretrained; of texts the last\n"
                   "token. Encoders of texts always take the mean."},
          kEverywhere),
      key(kImages, &C::augmentation, augmentations(),
          {.name = "augmentation",
           .help = "Augmentation of training images, drawn again in each pass. With adapter =\n"
                   "none images are not augmented, and the last three kinds are rejected."}),
  };
}

}  // namespace palimpsest

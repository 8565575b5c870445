// Settings of what is learned from. Files are known by their content (hashes in every record), so
// that their paths may change.
#include "palimpsest/config/keys.h"

namespace palimpsest {
namespace {

constexpr std::string_view kFiles = "Input and output";
constexpr std::string_view kStream = "The stream of tasks";
constexpr std::string_view kImages = "Images (vision backbones)";

}  // namespace

std::vector<Key> keys_of_input() {
  using C = RunConfig;
  using enum Effect;
  return {
      {.name = "pack",
       .group = kFiles,
       .member = &C::pack,
       .help = "The samples of the stream: a file that palimpsest-pack has written.",
       .effect = kOperational,
       .verbs = {"plan", "doctor", "eval", "predict"}},
      {.name = "protocol",
       .group = kFiles,
       .member = &C::protocol,
       .help = "Which classes make which task: a .json file, as in configs/protocols/.",
       .effect = kOperational,
       .verbs = {"plan", "doctor", "eval", "predict"}},
      {.name = "backbone",
       .group = kFiles,
       .member = &C::backbone,
       .help = "The pretrained transformer: a folder with model.safetensors and\n"
               "config.json. It is read, never written.",
       .effect = kOperational,
       .verbs = {"plan", "doctor", "eval", "predict"}},
      {.name = "out",
       .group = kFiles,
       .member = &C::out,
       .help = "The run folder: records, state, logs and manifest.",
       .effect = kOperational,
       .verbs = {"doctor"}},
      {.name = "seed",
       .group = kStream,
       .member = &C::seed,
       .help = "Every random number of the run follows from it."},
      {.name = "tasks",
       .group = kStream,
       .member = &C::tasks,
       .help = "How many of the protocol's tasks to learn; 0: all of them.",
       .effect = kOperational,
       .minimum = 0,
       .maximum = kMost},
      {.name = "scenario",
       .group = kStream,
       .member = &C::scenario,
       .help = "class-incremental: tell the classes of all tasks apart, as in the paper.\n"
               "Not in the paper: task-incremental, each sample comes with its task;\n"
               "domain-incremental, every task has the same labels, and they share a head.",
       .choices = {"class-incremental", "task-incremental", "domain-incremental"}},
      {.name = "joint",
       .group = kStream,
       .member = &C::joint,
       .help = "Learn all tasks at once, as one: the bound that no stream can reach. With\n"
               "merge and perturbation none. Not in the paper."},
      {.name = "validation",
       .group = kStream,
       .member = &C::validation,
       .help = "Share of the training samples that is kept out of training, to choose by\n"
               "with palimpsest eval; a sample's hash decides. Not in the paper.",
       .minimum = 0,
       .maximum = 0.9},
      {.name = "image-size",
       .group = kImages,
       .member = &C::image_size,
       .help = "Side of the images that the backbone sees, in pixels; a multiple of its\n"
               "patch. Paper: 224.",
       .minimum = 1,
       .maximum = 1 << 16,
       .verbs = {"plan", "doctor", "eval", "predict"}},
      {.name = "pooling",
       .group = kImages,
       .member = &C::pooling,
       .help = "What of the last block is the feature: the class token, or the mean over\n"
               "patches. auto: as the backbone was pretrained.",
       .choices = {"auto", "class", "mean"},
       .verbs = {"plan", "doctor", "eval", "predict"}},
      {.name = "normalisation",
       .group = kImages,
       .member = &C::normalisation,
       .help = "backbone: mean and deviation of the colours as in pretraining. none:\n"
               "pixels in [0, 1], as most published code of continual learning feeds.",
       .choices = {"backbone", "none"},
       .verbs = {"plan", "doctor", "eval", "predict"}},
      {.name = "interpolation",
       .group = kImages,
       .member = &C::interpolation,
       .help = "Of resized images, always antialiased. auto: as the backbone says.",
       .choices = {"auto", "bilinear", "bicubic"},
       .verbs = {"plan", "doctor", "eval", "predict"}},
      {.name = "crop-share",
       .group = kImages,
       .member = &C::crop_share,
       .help = "Test images: side of the centre crop over the short side (224 of 256 is\n"
               "0.875); 0: as the backbone says.",
       .minimum = 0,
       .maximum = 1,
       .verbs = {"plan", "doctor", "eval", "predict"}},
      {.name = "augmentation",
       .group = kImages,
       .member = &C::augmentation,
       .help = "Of training images. crop-flip: random resized crop and mirror image;\n"
               "crop-flip-jitter: colours too; rand-augment: crop, flip, RandAugment. With\n"
               "adapter = none images are never augmented, and the last two are refused.",
       .choices = {"none", "crop-flip", "crop-flip-jitter", "rand-augment"}},
      {.name = "crop-scale-min",
       .group = kImages,
       .member = &C::crop_scale_min,
       .help = "Smallest share of an image's area that a random crop keeps.",
       .minimum = 0,
       .maximum = 1,
       .above_minimum = true},
      {.name = "colour-jitter",
       .group = kImages,
       .member = &C::colour_jitter,
       .help = "crop-flip-jitter: by which share brightness, contrast and saturation vary.",
       .minimum = 0,
       .maximum = 1},
      {.name = "rand-augment-operations",
       .group = kImages,
       .member = &C::rand_augment_operations,
       .help = "rand-augment: operations per image.",
       .minimum = 0,
       .maximum = 14},
      {.name = "rand-augment-magnitude",
       .group = kImages,
       .member = &C::rand_augment_magnitude,
       .help = "rand-augment: strength, in 31 bins from 0 to 30.",
       .minimum = 0,
       .maximum = 30},
  };
}

}  // namespace palimpsest

// LoRA's own: A uniform in +-1/sqrt(in) (Kaiming-uniform, a = sqrt 5); A and B learn.
#include "lora_a.h"

namespace palimpsest {
namespace {

void begin_kaiming(Session& session, const Task& task, Lora& lora) {
  lora.initialise(session.config.seed, task.index);
}

}  // namespace

LoraA kaiming_a() { return {.name = "kaiming", .learns = true, .begin = begin_kaiming}; }

}  // namespace palimpsest

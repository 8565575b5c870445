#pragma once
// The machines that a forecast is for, as a machine file (configs/machines/*.cfg) describes them:
// what a rank computes, what the network carries, how fast samples come in.
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/core/compiled_text.h"

namespace palimpsest {

// The alpha-beta model: a message of n bytes takes latency + n / bandwidth, in seconds and bytes
// per second.
struct Machine {
  std::string name;

  bool accelerator = false;             // a rank computes on a GPU
  double fp32_rate = 0, bf16_rate = 0;  // operations per second and rank; 0: to be measured
  double share = 0.5;                   // the part of a rate that a training step reaches
  double memory = 0;                    // bytes for a rank; 0: not known

  double ranks_per_node = 1;
  double node_latency = 0, node_bandwidth = 0;        // between ranks of a node; of each rank
  double network_latency = 0, network_bandwidth = 0;  // between nodes; of an adapter, one way
  bool adapter_for_each_rank = false;                 // else the ranks of a node share one
  double message_overhead = 0;                        // seconds that a rank is busy with a message
  double eager_bytes = 65536;  // a longer message needs a handshake: three latencies

  double input_rate = 0;         // samples that a rank prepares per second; 0: measured with a step
  double shared_input_rate = 0;  // the most that all ranks together are given; 0: no limit
};

// `source` names the text in messages. Throws UsageError: an unknown key (with the nearest one),
// one given twice or missing, a value that is no number or out of range.
Machine parse_machine(const std::string& text, const std::string& source);

// The machine files of this repository by name, compiled in.
std::vector<CompiledText> machine_texts();

// A name of machine_texts(), or the path of a machine file (it ends in .cfg). Throws UsageError
// with the known names.
Machine open_machine(const std::string& name_or_path);

// Every key of a machine file with its help.
std::string machine_help();

}  // namespace palimpsest

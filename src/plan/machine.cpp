#include "palimpsest/plan/machine.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>
#include <sstream>
#include <variant>

#include "palimpsest/core/cfg_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/names.h"
#include "palimpsest/core/text.h"
#include "palimpsest/kinds/setting_spec.h"

namespace palimpsest {
namespace {

struct MachineKey {
  std::string_view name, help;  // the help begins with the unit
  std::variant<bool Machine::*, double Machine::*> member;
  double minimum = 0, maximum = 1e30;
  bool required = false, whole = false;
};

const std::vector<MachineKey>& machine_keys() {
  using M = Machine;
  static const std::vector<MachineKey> keys = {
      {"accelerator", "true or false (default): a rank computes on a GPU", &M::accelerator},
      {"fp32-rate", "operations per second of a rank; left out: measured now", &M::fp32_rate, 1},
      {"bf16-rate", "the same in bf16", &M::bf16_rate, 1},
      {"share", "the part of a rate that a training step reaches, default 0.5", &M::share, 1e-3, 1},
      {"memory", "bytes for a rank; left out: not known", &M::memory, 1},
      {"ranks-per-node", "ranks that a node takes", &M::ranks_per_node, 1, 1e6, true, true},
      {"node-latency", "seconds of a message inside a node", &M::node_latency, 0, 1e3, true},
      {"node-bandwidth", "bytes per second of a rank, inside a node", &M::node_bandwidth, 1, 1e30,
       true},
      {"network-latency", "seconds of a message between nodes", &M::network_latency, 0, 1e3, true},
      {"network-bandwidth", "bytes per second of an adapter, in one direction",
       &M::network_bandwidth, 1, 1e30, true},
      {"adapter-for-each-rank", "true: each rank has its own; false (default): a node has one",
       &M::adapter_for_each_rank},
      {"message-overhead", "seconds that a rank is busy with a message, default 0",
       &M::message_overhead, 0, 1e3},
      {"eager-bytes",
       "bytes; a longer message needs a handshake, two more latencies, default 65536",
       &M::eager_bytes},
      {"input-rate", "samples per second that a rank prepares; left out: measured with the step",
       &M::input_rate, 1e-6},
      {"shared-input-rate", "samples per second for all ranks together; left out: no limit",
       &M::shared_input_rate, 1e-6}};
  return keys;
}

const MachineKey& find_key(std::string_view name, const std::string& source) {
  std::vector<std::string_view> names;
  for (const MachineKey& key : machine_keys()) {
    if (key.name == name) return key;
    names.push_back(key.name);
  }
  throw UsageError(concat(source, ": unknown key '", name, "'; ",
                          name_hint(name, names, "palimpsest plan --help lists them all")));
}

void set(Machine& machine, const MachineKey& key, std::string_view text) {
  SettingSpec parameter = {.name = key.name, .minimum = key.minimum, .maximum = key.maximum};
  if (const auto* const flag = std::get_if<bool Machine::*>(&key.member)) {
    parameter.type = Type::kSwitch;
    machine.** flag = std::get<bool>(read_value(parameter, text));
    return;
  }
  double& value = machine.*std::get<double Machine::*>(key.member);
  value = std::get<double>(read_value(parameter, text));
  if (key.whole && value != std::floor(value))
    throw UsageError(concat(key.name, " = '", text, "' is not possible: it takes a whole number"));
}

std::string read_machine_file(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf()))
    throw UsageError(concat("--machine ", path, ": no such file, or it cannot be read"));
  return text.str();
}

}  // namespace

Machine parse_machine(const std::string& text, const std::string& source) {
  Machine machine;
  std::set<std::string_view> missing;
  for (const MachineKey& key : machine_keys())
    if (key.required) missing.insert(key.name);
  for (const CfgLine& line : parse_cfg(text, source)) {
    const MachineKey& key = find_key(line.name, source);
    try {
      set(machine, key, line.value);
    } catch (const UsageError& error) {
      throw UsageError(concat(source, ": ", error.what()));
    }
    missing.erase(line.name);
  }
  if (!missing.empty())
    throw UsageError(concat(source, ": the keys ", join(missing), " are missing"));
  return machine;
}

Machine open_machine(const std::string& name_or_path) {
  const auto texts = machine_texts();
  const auto known = std::ranges::find(texts, name_or_path, &CompiledText::name);
  if (known == texts.end() && !name_or_path.ends_with(".cfg"))
    throw UsageError(concat("--machine ", name_or_path, " is not known; use one of ",
                            join(texts, ", ", &CompiledText::name),
                            ", or the path of a machine file, which ends in .cfg"));
  Machine machine =
      known == texts.end()
          ? parse_machine(read_machine_file(name_or_path), concat("machine file ", name_or_path))
          : parse_machine(std::string(known->text), concat("machine ", name_or_path));
  machine.name = name_or_path;
  return machine;
}

std::string machine_help() {
  std::ostringstream out;
  out << "A machine file has lines 'key = value'. configs/machines/ has these by name:";
  for (const CompiledText& known : machine_texts()) out << ' ' << known.name;
  out << ".\n";
  for (const MachineKey& key : machine_keys())
    out << "  " << key.name << std::string(24 - key.name.size(), ' ') << key.help
        << (key.required ? " (required)" : "") << '\n';
  return out.str();
}

}  // namespace palimpsest

#include "palimpsest/plan/machine.h"

#include <array>
#include <charconv>
#include <fstream>
#include <set>
#include <sstream>
#include <variant>

#include "palimpsest/core/cfg_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/nearest_name.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

using Member =
    std::variant<bool Machine::*, double Machine::*, std::int64_t Machine::*, double Link::*>;

struct MachineKey {
  const char* name;
  const char* help;  // begins with the unit
  Member member;
  Link Machine::*link = nullptr;  // of a double Link::*
  double minimum = 0;             // and no number is above `maximum`
  double maximum = 1e30;
  bool required = false;
};

constexpr std::array kKeys = {
    MachineKey{"accelerator", "true or false (default): a rank computes on a GPU",
               &Machine::accelerator},
    MachineKey{"fp32-rate", "operations per second of a rank; left out: measured now",
               &Machine::fp32_rate, nullptr, 1},
    MachineKey{"bf16-rate", "the same in bf16", &Machine::bf16_rate, nullptr, 1},
    MachineKey{"share", "the part of a rate that a training step reaches, default 0.5",
               &Machine::share, nullptr, 0.001, 1},
    MachineKey{"memory", "bytes for a rank; left out: not known", &Machine::memory, nullptr, 1},
    MachineKey{"ranks-per-node", "ranks that a node takes", &Machine::ranks_per_node, nullptr, 1,
               1e6, true},
    MachineKey{"node-latency", "seconds of a message inside a node", &Link::latency, &Machine::node,
               0, 1e3, true},
    MachineKey{"node-bandwidth", "bytes per second of a rank, inside a node", &Link::bandwidth,
               &Machine::node, 1, 1e30, true},
    MachineKey{"network-latency", "seconds of a message between nodes", &Link::latency,
               &Machine::network, 0, 1e3, true},
    MachineKey{"network-bandwidth", "bytes per second of an adapter, in one direction",
               &Link::bandwidth, &Machine::network, 1, 1e30, true},
    MachineKey{"adapter-for-each-rank",
               "true: each rank has its own; false (default): a node has one",
               &Machine::adapter_for_each_rank},
    MachineKey{"message-overhead", "seconds that a rank is busy with a message, default 0",
               &Machine::message_overhead, nullptr, 0, 1e3},
    MachineKey{"eager-bytes",
               "bytes; a longer message asks first, which takes two more latencies, default 65536",
               &Machine::eager_bytes},
    MachineKey{
        "input-rate",
        "samples per second that a rank reads and prepares; left out: measured with the step",
        &Machine::input_rate, nullptr, 1e-6},
    MachineKey{"shared-input-rate", "samples per second for all ranks together; left out: no limit",
               &Machine::shared_input_rate, nullptr, 1e-6},
    MachineKey{"merge-bandwidth", "bytes per second of rank 0 through its memory, default 5e9",
               &Machine::merge_bandwidth, nullptr, 1},
};

const MachineKey* find_key(std::string_view name) {
  for (const MachineKey& key : kKeys) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

[[noreturn]] void refuse_unknown(const std::string& name, const std::string& source) {
  std::vector<std::string_view> names;
  for (const MachineKey& key : kKeys) names.emplace_back(key.name);
  throw UsageError(concat(source, ": unknown key '", name, "'; ",
                          name_hint(name, names, "palimpsest plan --help lists them all")));
}

void set(Machine& machine, const MachineKey& key, const std::string& text,
         const std::string& source) {
  if (const auto* flag = std::get_if<bool Machine::*>(&key.member)) {
    if (text != "true" && text != "false") {
      throw UsageError(concat(source, ": ", key.name, " = '", text, "': expected true or false"));
    }
    machine.** flag = text == "true";
    return;
  }
  const auto read = [&](auto& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const auto number = static_cast<double>(value);
    if (error != std::errc() || end != text.data() + text.size() ||
        !(number >= key.minimum && number <= key.maximum)) {
      throw UsageError(concat(source, ": ", key.name, " = '", text, "': expected a number from ",
                              key.minimum, " to ", key.maximum));
    }
  };
  if (const auto* count = std::get_if<std::int64_t Machine::*>(&key.member)) {
    read(machine.**count);
  } else if (const auto* number = std::get_if<double Machine::*>(&key.member)) {
    read(machine.**number);
  } else {
    read(machine.*key.link.*std::get<double Link::*>(key.member));
  }
}

bool is_path(std::string_view name) { return name.ends_with(".cfg"); }

}  // namespace

Machine parse_machine(const std::string& text, const std::string& source) {
  Machine machine;
  std::set<std::string> seen;
  for (const CfgLine& line : parse_cfg(text, source)) {
    const MachineKey* const key = find_key(line.name);
    if (key == nullptr) refuse_unknown(line.name, source);
    seen.insert(line.name);
    set(machine, *key, line.value, source);
  }
  std::string missing;
  for (const MachineKey& key : kKeys) {
    if (key.required && !seen.contains(key.name)) missing += concat(' ', key.name);
  }
  if (!missing.empty()) throw UsageError(concat(source, ": missing keys:", missing));
  return machine;
}

Machine open_machine(const std::string& name_or_path) {
  Machine machine;
  if (is_path(name_or_path)) {
    std::ifstream file(name_or_path);
    std::ostringstream text;
    if (!file || !(text << file.rdbuf())) {
      throw UsageError(concat("--machine ", name_or_path,
                              ": expected a machine file that can be read, found none"));
    }
    machine = parse_machine(text.str(), concat("machine file ", name_or_path));
    machine.name = name_or_path;
    return machine;
  }
  std::string names;
  for (const NamedText& known : machine_texts()) {
    if (known.name == name_or_path) {
      machine = parse_machine(std::string(known.text), concat("machine ", known.name));
      machine.name = name_or_path;
      return machine;
    }
    names += concat(known.name, ", ");
  }
  throw UsageError(concat("--machine ", name_or_path, " is not known; use one of ", names,
                          "or the path of a machine file, which ends in .cfg"));
}

std::string machine_help() {
  std::ostringstream out;
  out << "A machine file has lines 'key = value'. configs/machines/ has these by name:";
  for (const NamedText& known : machine_texts()) out << ' ' << known.name;
  out << ".\n";
  for (const MachineKey& key : kKeys) {
    out << "  " << key.name << std::string(24 - std::string_view(key.name).size(), ' ') << key.help
        << (key.required ? " (required)" : "") << '\n';
  }
  return out.str();
}

}  // namespace palimpsest

// palimpsest doctor as a command: its options, and its lines or JSON on the standard output.

#include <ATen/Version.h>

#include <algorithm>
#include <iostream>

#include "commands.h"
#include "palimpsest/config/key_table.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "palimpsest/core/version.h"
#include "palimpsest/device/placement.h"
#include "palimpsest/doctor/doctor.h"
#include "palimpsest/kinds/options.h"
#include "palimpsest/method/settings.h"

namespace palimpsest {
namespace {

struct DoctorOptions {
  bool json = false;
  bool before_train = false;
  bool names_out = false;  // whether a folder was requested, and not just the default
  double hang_seconds = 60;
  RunConfig config;
};

Options own_options(DoctorOptions& options) {
  return {option("json", options.json, "one JSON object instead of lines"),
          option("hang-seconds S", options.hang_seconds,
                 "seconds after which a check that is still running ends the job (60); 0: never"),
          option("before-train", options.before_train,
                 "accept the whole command line of the palimpsest train that follows")};
}

DoctorOptions parse(std::span<const std::string> arguments) {
  DoctorOptions options;
  const bool before_train = std::ranges::count(arguments, "--before-train") > 0;
  const std::string_view verb = before_train ? "train" : "doctor";
  const std::vector<std::string> settings =
      take_own_options(all_settings(), own_options(options), arguments, verb);
  options.config = parse_settings(all_settings(), settings, {}, verb);
  options.names_out = options.config.out != RunConfig().out;
  for (const std::string& setting : settings) {
    options.names_out = options.names_out || setting.starts_with("--out");
  }
  if (options.names_out && options.config.out.empty()) {
    throw UsageError("--out is empty: expected the run folder; leave the option out for no folder");
  }
  return options;
}

}  // namespace

int doctor(std::span<const std::string> arguments, HostGroup& group, Watchdog& watchdog) {
  const DoctorOptions options = parse(arguments);
  const RunConfig& config = options.config;
  watchdog.set_deadline(options.hang_seconds);
  DoctorRequest request{.device = config.device.kind,
                        .share_device = config.device.share,
                        .threads = config.device.threads,
                        .allow_numerics_change = config.allow_numerics_change,
                        .out = options.names_out ? config.out : "",
                        .versions = {{"palimpsest", std::string(version())},
                                     {"LibTorch", libtorch_version()},
                                     {"processor", processor_name()},
                                     {"instruction set", at::get_cpu_capability()}}};
  {
    const Watchdog::Phase phase(watchdog, "looking for devices");
    request.cuda = look_for_cuda(request.device);
  }
  const Diagnosis diagnosis = diagnose(request, group, watchdog, [&](const Finding& finding) {
    if (!options.json) std::cout << finding_line(finding) << std::endl;
  });
  if (options.json && group.rank() == 0) std::cout << diagnosis.to_json() << std::flush;
  const bool failed = group.any(diagnosis.failed(), "agreement on the diagnosis");
  return static_cast<int>(failed ? ExitCode::kFailed : ExitCode::kDone);
}

std::string doctor_help() {
  DoctorOptions options;
  std::string text =
      "Usage: palimpsest doctor [settings of palimpsest train] [--json]\n\n"
      "Checks what a run depends on, on the ranks that it is started on, in some seconds. Each "
      "check "
      "prints\na line: ok, warn or FAIL with what to do, or skip. It leaves nothing behind.\n\n";
  for (const Check& check : checks())
    text += concat("  ", check.name, std::string(17 - check.name.size(), ' '),
                   wrap(concat(check.measures, ". Expected: ", check.expects), 100, 19, 19), '\n');
  return concat(
      text,
      "\nExamples:\n  launch/mpirun.sh -n 2 palimpsest doctor --out runs/mine\n"
      "  launch/mpirun.sh -n 4 palimpsest doctor --config configs/mine.cfg --device cuda\n\n"
      "It uses --device, --out and --allow-numerics-change. Other settings of a run are accepted "
      "and ignored;\nthose that stop or resume a run, such as --resume, are rejected on the "
      "command "
      "line, except after\n--before-train.\nExit codes: 0 nothing failed, 1 something failed, 2 "
      "usage, 5 a check never ended; 130, 143 and 129\nstopped by SIGINT, SIGTERM, SIGHUP.\n\nOf "
      "the doctor:\n",
      options_help(own_options(options)));
}

std::string doctor_completion() {
  DoctorOptions options;
  return completion_lines("palimpsest doctor", own_options(options));
}

}  // namespace palimpsest

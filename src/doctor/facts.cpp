#include "palimpsest/doctor/facts.h"

#include <nlohmann/json.hpp>

namespace palimpsest {

// With defaults: a rank of another build, which is what doctor must tell, may have other fields.
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(CudaDeviceInfo, name, uuid, pci_bus_id, memory,
                                                major, minor)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(DeviceFacts, obstacle, visible, index, free_memory,
                                                driver, runtime, nccl, kernel_driver, apart)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(RankFacts, host, node, node_rank, mpi_standard,
                                                mpi_thread_level, versions, cores, locked_memory,
                                                core_file, shared_memory, infiniband, environment,
                                                device)

std::string facts_to_json(const RankFacts& facts) {
  // Not every variable of an environment is UTF-8.
  return nlohmann::json(facts).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

RankFacts facts_from_json(std::string_view text) {
  return nlohmann::json::parse(text).get<RankFacts>();
}

bool steers_a_run(std::string_view variable) {
  // Of Open MPI's, those that choose its paths: the launcher sets many others for itself.
  for (const std::string_view prefix :
       {"NCCL_", "UCX_", "OMPI_MCA_btl", "OMPI_MCA_pml", "OMPI_MCA_mtl", "OMPI_MCA_coll"}) {
    if (variable.starts_with(prefix)) return true;
  }
  for (const std::string_view name :
       {"CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "SLURM_NTASKS", "HDF5_USE_FILE_LOCKING",
        "ATEN_CPU_CAPABILITY", "CUDA_LAUNCH_BLOCKING", "CUBLAS_WORKSPACE_CONFIG"}) {
    if (variable == name) return true;
  }
  return false;
}

}  // namespace palimpsest

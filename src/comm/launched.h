#pragma once
// What a launcher tells its processes before MPI starts.

namespace palimpsest {

// Whether mpirun or srun started this process.
bool is_launched();

// Whether this is rank 0, or the only process.
bool is_first_rank();

}  // namespace palimpsest

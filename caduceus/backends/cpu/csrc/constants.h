#pragma once

namespace caduceus {

constexpr int SCAN_TILE = 32;  // steps walked at a time, and the distance of the checkpoints
constexpr int STAGE_ROWS = 96;  // positions of a tile of a Mamba, a multiple of SCAN_TILE

}  // namespace caduceus

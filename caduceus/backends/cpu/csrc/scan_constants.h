#pragma once

namespace caduceus {

constexpr int SCAN_TILE = 32;  // steps walked at a time, and the distance of the checkpoints

}  // namespace caduceus

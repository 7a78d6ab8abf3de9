/**
 * How C tor 0.4.9 moves its congestion windows: the figures of its own tests (test_congestion_control.c), two of them
 * recorded on uploads over the public network. Times in microseconds.
 */

/** Average, sample, in slow start; then whether the clock counts as stalled, and whether the sample is doubted. */
export const clockVectors: readonly (readonly [number, number, boolean, boolean, boolean])[] = [
  [0, 1, true, false, false],
  [0, 0, true, true, true],
  [1, 1, true, true, false],
  [1, 4999, false, false, false],
  [4999, 1, false, false, false],
  [5001, 1, false, false, false],
  [5001, 0, false, true, true],
  [5001, 1, false, true, true],
  [5001, 1, true, true, false],
  [0, 5001, false, true, false],
  [1, 5001, true, true, false],
  [1, 1, false, false, false],
  [5001, 1, false, false, false],
  [1, 5001, false, false, true],
  [0, 5001, false, false, false],
  [5001, 1, true, false, false],
  [1, 1, false, false, false],
];

/** Sent, answered, window at its least, in slow start; then the average and the least round trip. */
export const roundTripVectors: readonly (readonly [number, number, boolean, boolean, number, number])[] = [
  [100000, 200000, true, true, 100000, 100000],
  [200000, 300000, true, true, 100000, 100000],
  [350000, 500000, true, true, 133333, 100000],
  [500000, 550000, true, true, 77777, 77777],
  [600000, 700000, true, true, 92592, 77777],
  [700000, 750000, true, true, 64197, 64197],
  [750000, 875000, true, false, 104732, 104732],
  [875000, 900000, true, false, 51577, 104732],
  [900000, 950000, false, false, 50525, 50525],
];

/** Sent, answered, link blocked, cells under way; then average and least round trip, window, slow start, full. */
type WindowStep = readonly [number, number, boolean, number, number, number, number, boolean, boolean];

export const windowVectors: Readonly<Record<string, readonly WindowStep[]>> = {
  'round trips that rise and fall': [
    [100000, 200000, false, 124, 100000, 100000, 155, true, false],
    [200000, 300000, false, 155, 100000, 100000, 186, true, true],
    [350000, 500000, false, 186, 133333, 100000, 217, true, true],
    [500000, 550000, false, 217, 77777, 77777, 248, true, true],
    [600000, 700000, false, 248, 92592, 77777, 279, true, true],
    [700000, 750000, false, 279, 64197, 64197, 310, true, false],
    [750000, 875000, false, 310, 104732, 64197, 341, true, true],
    [875000, 900000, false, 341, 51577, 51577, 372, true, true],
    [900000, 950000, false, 279, 50525, 50525, 403, true, true],
    [950000, 1000000, false, 279, 50175, 50175, 434, true, true],
    [1000000, 1050000, false, 279, 50058, 50058, 465, true, true],
    [1050000, 1100000, false, 279, 50019, 50019, 496, true, true],
    [1100000, 1150000, false, 279, 50006, 50006, 527, true, true],
    [1150000, 1200000, false, 279, 50002, 50002, 558, true, true],
    [1200000, 1250000, false, 550, 50000, 50000, 589, true, true],
    [1250000, 1300000, false, 550, 50000, 50000, 620, true, false],
    [1300000, 1350000, false, 550, 50000, 50000, 635, true, true],
    [1350000, 1400000, false, 550, 50000, 50000, 650, true, true],
    [1400000, 1450000, false, 150, 50000, 50000, 650, true, false],
    [1450000, 1500000, false, 150, 50000, 50000, 650, true, false],
    [1500000, 1550000, false, 550, 50000, 50000, 664, true, true],
    [1500000, 1600000, false, 550, 83333, 50000, 584, false, true],
    [1600000, 1650000, false, 550, 61111, 50000, 585, false, true],
    [1650000, 1700000, false, 550, 53703, 50000, 586, false, true],
    [1700000, 1750000, false, 100, 51234, 50000, 586, false, false],
    [1750000, 1900000, false, 100, 117078, 50000, 559, false, false],
    [1900000, 2000000, false, 100, 105692, 50000, 558, false, false],
    [2000000, 2075000, false, 500, 85230, 50000, 558, false, true],
    [2075000, 2125000, true, 500, 61743, 50000, 557, false, true],
    [2125000, 2150000, false, 500, 37247, 37247, 558, false, true],
    [2150000, 2350000, false, 500, 145749, 37247, 451, false, true],
  ],
  'a link that is blocked': [
    [100000, 200000, false, 124, 100000, 100000, 155, true, false],
    [200000, 300000, false, 155, 100000, 100000, 186, true, true],
    [350000, 500000, false, 186, 133333, 100000, 217, true, true],
    [500000, 550000, true, 217, 77777, 77777, 403, false, true],
    [600000, 700000, false, 248, 92592, 77777, 404, false, true],
    [700000, 750000, true, 404, 64197, 64197, 403, false, false],
    [750000, 875000, false, 403, 104732, 64197, 404, false, true],
  ],
  'a recorded upload': [
    [18258527, 19002938, false, 83, 744411, 744411, 155, true, false],
    [18258580, 19254257, false, 52, 911921, 744411, 186, true, true],
    [20003224, 20645298, false, 164, 732023, 732023, 217, true, true],
    [20003367, 21021444, false, 133, 922725, 732023, 248, true, true],
    [20003845, 21265508, false, 102, 1148683, 732023, 279, true, true],
    [20003975, 21429157, false, 71, 1333015, 732023, 310, true, false],
    [20004309, 21707677, false, 40, 1579917, 732023, 310, true, false],
  ],
  'another recorded upload': [
    [358297091, 358854163, false, 83, 557072, 557072, 155, true, false],
    [358297649, 359123845, false, 52, 736488, 557072, 186, true, true],
    [359492879, 359995330, false, 186, 580463, 557072, 217, true, true],
    [359493043, 360489243, false, 217, 857621, 557072, 248, true, true],
    [359493232, 360489673, false, 248, 950167, 557072, 279, true, true],
    [359493795, 360489971, false, 279, 980839, 557072, 310, true, false],
    [359493918, 360490248, false, 310, 991166, 557072, 341, true, true],
    [359494029, 360716465, false, 341, 1145346, 557072, 372, true, true],
    [359996888, 360948867, false, 372, 1016434, 557072, 403, true, true],
    [359996979, 360949330, false, 403, 973712, 557072, 434, true, true],
    [360489528, 361113615, false, 434, 740628, 557072, 465, true, true],
    [360489656, 361281604, false, 465, 774841, 557072, 496, true, true],
    [360489837, 361500461, false, 496, 932029, 557072, 482, false, true],
    [360489963, 361500631, false, 482, 984455, 557072, 482, false, true],
    [360490117, 361842481, false, 482, 1229727, 557072, 481, false, true],
  ],
};

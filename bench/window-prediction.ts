/** Of Tor's link protocol 3, as the paper counts cells. */
export const cellBytes = 512;

/** Payments that a transfer takes at one hop (paper 004, section 6). */
export function paymentsOf(bytes: number, windowCells: number): number {
  return bytes / (cellBytes * windowCells);
}

/**
 * Seconds that a transfer takes, as the paper predicts them: those of the control, and for each payment at each hop a Pay
 * and a Redeem, as if nothing else went on meanwhile.
 */
export function predictedSeconds(
  controlSeconds: number,
  payments: number,
  hops: number,
  paySeconds: number,
  redeemSeconds: number,
): number {
  return controlSeconds + payments * hops * (paySeconds + redeemSeconds);
}

/**
 * What paper 004 reports (section 6, figure 2): 105 MB over one hop on one EC2 m1.small. Its text has three points; it
 * predicts from a Pay of 5.05 ms and a Redeem of 10.72 ms, rounded to 15 ms together.
 */
export const paper = {
  bytes: 105_000_000,
  controlSeconds: 14.7,
  predictedPaymentSeconds: 0.015,
  measured: [
    { window: 1_024, seconds: 18.26 },
    { window: 65_536, seconds: 14.7 },
    { window: 1_048_576, seconds: 14.7 },
  ],
} as const;

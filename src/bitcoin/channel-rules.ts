/** When a channel acts, in blocks; heights are the only clock that both sides and the chain agree on. */
export interface ChannelRules {
  /** Confirmations before a contract is good. */
  readonly minConfirmations: number;
  /** How far ahead of the tip a payer sets T. */
  readonly refundBlocks: number;
  /** T less this: the payee takes no more payments. */
  readonly acceptMarginBlocks: number;
  /** T less this: the payee settles whatever it has. */
  readonly settleMarginBlocks: number;
  /** T less this and still not settled: a person is told. */
  readonly alarmMarginBlocks: number;
  /** A payee settles this long after the circuit of a paid channel was lost. */
  readonly graceBlocks: number;
  /** A settlement that waits this long gets a child that raises its fee. */
  readonly bumpAfterBlocks: number;
  /** The child's feerate doubles each time so many blocks passed. */
  readonly bumpDoublingBlocks: number;
  /** So deep, an ending is final and no longer watched for a reorganisation. */
  readonly finalBlocks: number;
}

/** Blocks of a private chain come when somebody mines, so that margins are small enough to be tried by hand. */
export const regtestRules: ChannelRules = {
  minConfirmations: 1,
  refundBlocks: 144,
  acceptMarginBlocks: 12,
  settleMarginBlocks: 6,
  alarmMarginBlocks: 3,
  graceBlocks: 3,
  bumpAfterBlocks: 2,
  bumpDoublingBlocks: 6,
  finalBlocks: 6,
};

/** What a person can do about a fault that a client tells, by the fault's code. */
const byCode: Readonly<Record<string, string>> = {
  CHANNEL_CLOSE_REFUSED:
    'the relay may know no such channel; what is locked up comes back by the refund after T',
  CHANNEL_IN_USE: 'end its streams first, or close it with --now',
  CHANNEL_NOT_IDLE: 'it is being opened or closed, or is over; see naulon channel ls --all',
  CIRCUIT_TIMEOUT: 'the circuit was not built and paid in time; try again, or another --path',
  CIRCUIT_DESTROYED: 'a relay ended the circuit; try again, or another --path',
  CIRCUIT_LINK: 'a relay cannot be reached; see naulon status, or try another --path',
  CIRCUIT_CHEATED: 'a relay broke the payment rules and was not paid again; choose another --path',
  NO_VIEW: 'the client has no consensus yet; is the authority running? see naulon status',
  PATH_UNKNOWN_RELAY: 'no such relay in the consensus; naulon status lists them',
  PATH_NO_EXIT: 'no exit of the network allows this address and port',
  PATH_NO_GUARD: 'too few relays for this path; see naulon status, or use fewer --hops',
  PATH_NO_MIDDLE: 'too few relays for this path; see naulon status, or use fewer --hops',
  PATH_CONFLICT: 'relays of one path must not be the same, of one family or of one network',
  PROTOCOLS_REQUIRED: "the network's authorities demand a newer program",
  PAY_LIMIT: 'the spending limit is reached; raise --max-spend, or max_spend in pay.yaml',
  PAY_NO_FUNDS: 'the wallet has no coins for a channel; see naulon wallet balance, then naulon wallet fund',
  PAY_CHAIN_UNAVAILABLE: 'bitcoind does not answer; see naulon doctor',
  PAY_REFUSED: 'the relay refused the payment; its log says why',
  PAY_CHANNEL_EXHAUSTED:
    'the relay settles the channel, or it holds too little; a new circuit opens a new one; raise channel_size in pay.yaml',
  PAY_CHANNEL_SIZE: 'choose another --size',
  PAY_BAD_TARGET: 'what the relay asks to be paid is not acceptable; choose another --path',
  PAY_BAD_REFUND_SIGNATURE:
    'the relay did not sign the refund, so nothing was locked up; choose another --path',
  PAY_STORE_WENT_BACK:
    'put the newest data directory back, or seal this one (naulon backup) and restore it into another',
  PAY_NO_SCHEME: 'the relay takes another payment scheme; choose another --path',
};

/** One line for a person: where, what, what to do; the code last, to look up in ERRORS.md. */
export function adviceOn(code: string, detail: string | undefined): string {
  const [, cause] = /\b(PAY_[A-Z_]+)/.exec(detail ?? '') ?? [];
  const known = cause ?? code;
  const advice = byCode[known];
  const where = detail?.replace(/:? ?\bPAY_[A-Z_]+/, '');
  const said = [where, advice].filter(part => part !== undefined && part !== '');
  return said.length === 0 ? code : `${said.join(': ')} [${known}]`;
}

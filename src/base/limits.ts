/** Every cap in naulon, with its unit and its reason. A queue, buffer, wait or list that is not here has no right to grow. */

// Cells and links
/** Bytes of a relay cell's body after its header. spec: tor-spec/relay-cells (509 - 11). */
export const relayBodyBytesMax = 498;
/** A variable-length cell's payload; CERTS with RSA certificates stays below 4 KB, so this bounds a hostile handshake. */
export const variableCellBytesMax = 16_384;
/**
 * Cells queued for one circuit on one link: the widest congestion window, and what is no DATA beside it. A peer within its
 * windows never holds more, however long the link stands still; at C tor's cap of 2,500 what was prepaid would be lost.
 */
export const circuitQueueCellsMax = 12_500;
/** Below this many queued cells a circuit asks its sources to go on. */
export const circuitQueueCellsLow = 50;
/**
 * Bytes handed to the socket and not yet taken by the kernel, per link, before the mux stops writing: a few circuits' windows.
 * With a quarter of it, eight busy circuits cost a tenth more CPU.
 */
export const linkWriteBytesHigh = 1_048_576;
/** Cells of one circuit that are treated at once: as many as one read of a link holds. */
export const cellsPerRunMax = 128;
/** Cells for which a layer of a circuit in use makes key stream at a time: half of the longest run. */
export const keyStreamCells = 64;
/** Pages of 64 KiB for cells under treatment: one run, and what it is made of. */
export const cellMemoryPages = 8;
/** Bytes gathered into one write: 128 cells; smaller writes cost more CPU a byte, larger ones delay circuits in turn. */
export const linkWriteBatchBytes = 65_536;
/** Cells that wait over all circuits and links of a node, unless MaxMemInQueues says otherwise: 50 MiB. Beyond it … */
export const nodeQueueCellsMax = 100_000;
/** … what has waited longest is ended until no more than this share is left, so that it is not done for each cell. As C tor. */
export const queueLowPercent = 90;
/**
 * A relay's link carries circuits of many, which are ended one by one for want of room; it goes as a whole when what it was
 * given has waited for so long: it takes less than 30 KB/s. Anybody can be a relay by keys made up for it.
 */
export const relayLinkStallMs = 10_000;
/** Of memory, that a cell in a queue takes. */
export const queuedCellBytes = 514;
/** What a relay lets wait unless MaxMemInQueues says otherwise; C tor takes a part of the machine's memory. */
export const relayQueueBytesMax = 512 * 1024 * 1024;
/** Cells of one circuit written in a turn before the next circuit's; small enough that no circuit waits long. */
export const schedulerBurstCells = 16;
/** Empty queues that a link keeps for circuits whose next cells are likely to come soon. */
export const restingQueuesMax = 16;
/** Sockets: bytes gathered into one write of a connection. */
export const socketBlockBytes = 65_536;
/** Read from one connection before the others have their turn. */
export const readBytesPerTurn = 131_072;
/**
 * What TLS is given at a time on a link of which the network has taken less than the second. For longer writes, and for those that
 * wait together, Node makes room at once, up to 280 KB, which the link then has for good, whether or not its peer ever reads.
 */
export const youngLinkWriteBytes = 16_000;
export const youngLinkBytes = 1_048_576;
/** As `linkWriteBytesHigh`, of such a link. */
export const youngLinkBytesHigh = 262_144;
/** Such blocks that a port keeps for later: 4 MiB. */
export const socketBlocksSpareMax = 64;
/** A connection that we closed may take this long to send what was written … */
export const linkLingerMsMax = 5_000;
/** … and after its last byte this long to hear the other side's end, before bytes that still come are answered by a reset. */
export const socketAnswerMsMax = 2_000;
/** Bytes written to a TCP stream and not yet taken by the kernel, before its source is held back. */
export const streamWriteBytesHigh = 131_072;
/** Connections that are still open when a node stops get this long to send their last bytes. */
export const stopLingerMsMax = 1_000;
export const circuitsPerLinkMax = 30_000;
/**
 * A relay asks each of its circuits once in so long whether it rests, a share of them each time. One that does gives its key
 * stream back: 32 KB, which is more than all else that a circuit has.
 */
export const circuitRestRoundMs = 3_000;
export const circuitRestTurnMs = 500;
/** One that has rested for so many rounds, half a minute, may have to give way itself. */
export const circuitSpareRounds = 10;
/** Circuits of a relay, over all links: 600 MB, unused. Beyond it one that serves nobody gives way, or the newcomer is refused. */
export const circuitsMax = 250_000;
/** Circuits of an authority, which are there for a few requests each: 320 MB while all of them are in use. */
export const authorityCircuitsMax = 5_000;
/** Circuits that are looked at for one that does. */
export const sparesLookedAtMax = 1_000;
export const linksMax = 4_000;
/** Addresses whose links and circuits are counted: about 30 MB. */
export const trackedAddressesMax = 100_000;
/**
 * Cells of no use that a client's link may bring a second, and at once: padding, and what was under way when a circuit ended.
 * A link that brings more is read no faster than that. A relay's link carries what many clients are sent.
 */
export const wasteCellsPerSecond = 1_000;
export const wasteCellsBurst = 10_000;
export const relayWasteFactor = 20;
/** A CREATE that is refused counts as so many of them. */
export const refusedCreateWaste = 500;
/** So does a stream beyond what a client's circuit may begin; over a relay's link come those of many clients. */
export const refusedStreamWaste = 100;
/** Links whose handshake is not done: a new one takes the place of the one that has taken longest. */
export const linksUnreadyMax = 1_000;
/** CREATE cells that wait for their handshakes, over all links: 10 MB. */
export const createsWaitingMax = 20_000;
/** How long one may be expected to wait; longer, and it is refused. C tor: MaxOnionQueueDelay. */
export const createWaitMsMax = 1_750;
/** Handshakes made in one turn of the event loop, about 0.2 ms each: cells of circuits wait no longer for them. */
export const createsPerTurn = 8;
/** Of the links of one relay to another, which carry what many clients ask for. */
export const relayCreatesPerTurn = 16;
/** A backlog that would take longer than this is worth the way to other threads and back … */
export const createsHelpedFromMs = 25;
/** … which have so many at hand, to be busy until they hear of more. */
export const createsAwayMax = 128;
/** Links that wait for BandwidthRate go on at most so often; C tor fills its buckets every 100 ms. */
export const rateTurnMs = 10;
/** Bytes that a link which goes on is taken to bring: a record of TLS. */
export const rateTurnBytes = 16_384;
export const linkHandshakeMsMax = 15_000;
/** A link without circuits is closed after this long. C tor waits about 3 minutes. */
export const linkIdleMsMax = 180_000;
/** An open link that was not written to for so long is sent PADDING. C tor: KeepalivePeriod. */
export const keepalivePeriodMs = 300_000;

// Circuits
/** RELAY_EARLY cells a client may send on one circuit. spec: tor-spec/relay-cells (8). */
export const relayEarlyCellsMax = 8;
export const hopsMax = 8;
/** Cells a relay holds for a circuit whose next link is still being opened. */
export const extendWaitMsMax = 30_000;
/** Circuits that may wait for one link that is being opened; then the one that has waited longest gives way. */
export const extendsPerLinkMax = 500;
/** Links to other relays that are being opened: what has taken longest gives way, of the relay that is looked for most. */
export const linkOpeningsMax = 1_000;

/** Control cells (BEGIN, END, RESOLVE) of one circuit that wait for payment. */
export const heldCellsMax = 2_000;
/** Cells that a client keeps at each hop for payments, so that it can always buy more. */
export const paymentReserveCells = 12;
/** How long cells of a stream that its client ended are taken to be still on their way. */
export const lingerExposureMs = 5_000;
/** Circuits of one client, of whatever purpose. */
export const circuitsPerClientMax = 1_000;
/** Streams of one client that wait for a circuit. */
export const streamWaitersMax = 1_000;
/** Hosts of which a client remembers who refused them. */
export const refusedHostsMax = 1_000;

// Streams
/** spec: tor-spec/flow-control: circuit 1000/100, stream 500/50 DATA cells. */
export const circuitWindowCells = 1_000;
export const circuitWindowStep = 100;
export const streamWindowCells = 500;
export const streamWindowStep = 50;
/**
 * A congestion window, whatever the consensus allows; also what may still come for a stream that was told to stop, or has
 * ended. 5 MB, which fills 25 MB/s at 200 ms.
 */
export const congestionCellsMax = 10_000;
export const streamsPerCircuitMax = 500;
/** Streams that a client has ended and whose far sides may still send: the oldest are forgotten, since no END need answer ours. */
export const endedStreamsMax = 2_000;
/** Cells for one of them beside its DATA: ten SENDMEs answer a full window, and CONNECTED or END may be under way. */
export const endedStreamCellsMax = 12;
/**
 * XOFF and XON that a relay takes for the directory streams of one circuit, open or just ended, as they cost nothing: a client sends one
 * for half a megabyte at most.
 */
export const freeSignalsMax = 1_000;
/** Cells on a client's circuit that say nothing (padding, later commands). Each costs as much as any other at every hop it passes. */
export const idleCellsMax = 100;
/** Bytes kept for a stream whose TCP side is full; more is a peer beyond its window, and the circuit dies. */
export const streamBufferBytesMax = (streamWindowCells + streamWindowStep) * relayBodyBytesMax;
export const streamConnectMsMax = 15_000;
export const resolveMsMax = 15_000;
/** What a client gives an exit to look a name up, to connect, and for the answer's way back. */
export const streamAnswerMsMax = resolveMsMax + streamConnectMsMax + 5_000;
/** An exit's or a program's connection whose stream has ended may take this long to send out what was written. */
export const streamLingerMsMax = 30_000;
/** Cells queued on its link at which a circuit's streams stop packaging; they go on at circuitQueueCellsLow. */
export const circuitQueueCellsHigh = 200;
/** Streams of a circuit take turns of so many cells when its window opens. */
export const streamBurstCells = 16;
export const hostNameBytesMax = 253;

// Payments
/** Free cells of a new circuit (paper 004, section 5). */
export const freeCells = 64;
/** Cells one REDEEM or RECEIPT message may span. */
export const paymentFragmentsMax = 16;
/** A message of which some fragments are missing is dropped, with its circuit, after this long. */
export const paymentAssemblyMsMax = 30_000;
/** Refused signatures on one circuit before it is destroyed: each costs the relay about 50 us. */
export const badPaymentsMax = 3;
/** REDEEMs a circuit may have waiting for the store or the chain; its payer has no more under way. */
export const pendingRedeemsMax = 8;
/**
 * How long a hop may take to answer its payer's oldest REDEEM: far more than a disk, a bitcoind that is given 30 s, or some
 * parties that are asked one after the other need. Streams stand still meanwhile.
 */
export const receiptMsMax = 120_000;
/** The same for a set-up step: the hop may have to see another block first. One in 160,000 comes after more than two hours. */
export const setUpReceiptMsMax = 7_200_000;
/** Refusals in a row after which a payer gives a hop up. */
export const refusalsMax = 4;
/** Least window that is chosen from the measured rate: 2 MiB. */
export const autoWindowCellsMin = 4_096;
/** Cells above what must stay prepaid at which the next window is bought; covers a payment's way before its time is known. */
export const topUpMarginCells = 2_048;
/**
 * A payment is expected to take no longer than this from REDEEM to RECEIPT: what passes meanwhile is paid ahead, so that a hop
 * which withholds a RECEIPT would get as many windows as it likes.
 */
export const paymentTripMsMax = 3_000;
/** Channels a relay keeps open or opening at once. */
export const channelsMax = 100_000;

// Directory
export const descriptorBytesMax = 20_000;
export const consensusBytesMax = 16 * 1024 * 1024;
/** An authority's vote: as many relays as a consensus may have, each with its two digests and key. */
export const voteBytesMax = 16 * 1024 * 1024;
/** The signatures of all authorities under one consensus: below 1 KB each. */
export const detachedSignaturesBytesMax = 64 * 1024;
/** Lines of one document: a vote on 30,000 relays, of 16 lines each. What is kept of a line is many times its shortest. */
export const documentLinesMax = 500_000;
export const directoryRequestBytesMax = 64 * 1024;
/** A request, from its connection or stream on; over a directory port the answer too, which goes to relays. */
export const directoryRequestMsMax = 30_000;
/** An answer over a circuit of which nothing is taken for so long is given up. C tor: TestingDirConnectionMaxStall. */
export const directoryStallMsMax = 300_000;
/** Answers made of documents that are kept for whoever asks for the same, compressed too: all microdescriptors are 5 MB. */
export const rememberedAnswerBytesMax = 32 * 1024 * 1024;
/**
 * Bytes of documents that are compressed for one answer, at a time and a second: 17 ms, and a seventh of a core. All
 * else goes out as it is, which every asker takes too.
 */
export const deflatedBytesMax = 1_048_576;
export const deflatedBytesBurst = 16_777_216;
export const deflatedBytesPerSecond = 8_388_608;
export const descriptorsMax = 10_000;
/** Links that an authority opens at once to see who answers: as many as are silent take a round for all descriptors. */
export const probesMax = 128;
/** Of them, at least so many are to relays that were not reachable, while there are such. */
export const newProbesMin = 32;
/** Exits looked at for one path, when no guard or middle goes with the first. */
export const exitsPerPathMax = 16;
/** Guards that a client remembers, those included that are gone or too dear now. spec: guard-spec/appendices */
export const guardsMax = 60;
/** Entries of one consensus; the public network has about 8,000. */
export const consensusRelaysMax = 30_000;
/** Bytes of a directory answer's body after decompression; the same cap bounds what zlib may make of a few bytes. */
export const directoryResponseBytesMax = 24 * 1024 * 1024;
/** Members of a packed body: each costs a call of zlib, however little is in it. */
export const packedMembersMax = 4_096;
/** What packed bytes may come to is so many times as long, once it is longer than the second. C tor: MAX_UNCOMPRESSION_FACTOR. */
export const unpackedFactorMax = 25;
export const unpackedUncheckedBytes = 65_536;
/** Lines of an HTTP request or answer before its body; the longest real one names 96 microdescriptors. */
export const httpHeadBytesMax = 16 * 1024;
/** Microdescriptors asked for in one request, as C tor does: longer paths are refused by some caches. */
export const microdescriptorsPerRequest = 92;
/** Directory requests under way at once. */
export const directoryRequestsMax = 4;
/** An uploaded descriptor with what may follow it (extra-info). */
export const directoryUploadBytesMax = 64 * 1024;
/** BEGIN_DIR streams a relay serves to one address per minute; directory cells are free, so they are rationed. */
export const directoryStreamsPerMinuteMax = 600;

// SOCKS
export const socksConnectionsMax = 1_000;
export const socksHandshakeMsMax = 15_000;
/**
 * How long a stream whose program sends no more waits for the far side, from the last byte it received. Tor's END closes
 * both directions, so it is sent only when nothing more is expected.
 */
export const halfOpenMsMax = 10_000;
/** Connections to a client's control socket. */
export const controlConnectionsMax = 100;
/** Users and passwords that each lead to one circuit, given out and not used yet; the oldest give way. */
export const circuitTicketsMax = 1_000;
/** Circuits that ended, of which a client's control socket still tells. */
export const endedReportsMax = 100;
/** One line of the control protocol. */
export const controlLineBytesMax = 65_536;
/** One command of the Tor control protocol, its data included; a torrc sent by LOADCONF is the longest. */
export const controlCommandBytesMax = 65_536;
/** Bytes from a controller that wait while it does not read its replies. */
export const controlInputBytesMax = 4 * controlCommandBytesMax;
/** Bytes to a controller that does not read; then its connection ends, as events may not be left out. */
export const controlBacklogBytesMax = 4 * 1024 * 1024;
/** How long a controller may take to authenticate; a person may be typing a password. */
export const controllerAdmitMsMax = 120_000;
/** Addresses that controllers have mapped to others. */
export const addressMapMax = 1_000;
/** Seconds whose traffic a controller is told of when it comes, as many as C tor has. */
export const bandwidthsToldMax = 300;
/** Payments that hops have credited, of which controllers are told. */
export const receiptsToldMax = 1_000;

// Bitcoin wallet and channels
/** Unused addresses that are watched beyond the last one handed out; wallets agree on 20. */
export const walletAddressGap = 20;
/** Addresses of one wallet; each is one script to look for in every block. */
export const walletAddressesMax = 1_000_000;
/** Least first payment: a P2WPKH output's dust limit (294) and the 68 virtual bytes that spend it, at 5 sat each. Less is not worth claiming. */
export const firstPaymentSatMin = 634n;
/** A contract that locks less is not worth its two transactions. */
export const channelSatMin = 5_000n;
/** Keeps all amounts, in millisatoshi too, below 2^53. */
export const channelSatMax = 9_000_000_000_000n;
/** What a payee may ask as the fixed fee of payments and refund. */
export const channelFeeSatMin = 372n;
export const channelFeeSatMax = 100_000n;
/** Blocks for which a payee's offer holds. */
export const offerBlocks = 1_000;
/** Furthest T that a payee takes; its records stay until then. */
export const refundBlocksMax = 10_000;
/** A payee that has heard nothing of the chain for so long asks it, and takes no payment while it does not answer. */
export const chainSilenceMsMax = 60_000;
/** A node that has just started lets payments wait so long for its first view of the chain. */
export const firstViewMsMax = 30_000;
/** A reorganisation of more blocks than this is told to a person. */
export const reorgBlocksExpected = 6;
/** A wallet forgets a coin so many blocks after it was spent; a reorganisation that goes deeper has it look for all anew. */
export const spentCoinBlocks = 100;
/** Refunds whose fees one child raises: a package has at most 25 transactions. spec: bitcoin/doc/policy/packages.md */
export const refundsPerChildMax = 24;
/** Channels that a session may open one after the other, when the payee forgets them. */
export const channelsPerSessionMax = 2;
/** Channels whose contract a payee has not yet seen; a payer can make them at no cost. */
export const channelsOpeningMax = 10_000;
/** So many blocks after OPEN a contract that nobody has seen gives way to others though its session lasts. */
export const unseenBlocksMax = 6;

// Other parties of payment systems
/** One request or reply between parties; the longest is a coin that has passed through many hands. */
export const partyMessageBytesMax = 65_536;
/** Requests in one, and their bytes: with those of one that is longer still a request that circuits carry. */
export const partyBatchMax = 16;
export const partyBatchBytesMax = 32_768;
/** How long the module of a scheme from outside may take to load: a start that hangs says nothing. */
export const schemeLoadMsMax = 10_000;
/** After so long, whoever was asked does not answer. */
export const partyAnswerMsMax = 5_000;
/** Requests of others that a node works on at a time, and connections that they may come over. */
export const partyRequestsMax = 1_000;
/** Questions to other parties that a node has under way. */
export const partyAsksMax = 1_000;
/** The same for a question that goes through a circuit, which may have to be built first. */
export const circuitAskMsMax = 20_000;
/** Bytes of such a question, as a relay takes it. What does not fit the free cells of a circuit must be paid for. */
export const circuitAskBytesMax = 60_000;
/** A question for which there is no circuit now looks for one again after this long. */
export const askRetryMs = 250;
/** A relay that says nothing for so long, with the circuit to it still to be built, is given up for another. */
export const circuitAskTryMsMax = 8_000;
/** Circuits that one question is tried on. */
export const circuitAskTriesMax = 4;
/** Circuits that a client keeps for questions: with as many assistants, each would get one. */
export const askCircuitsMax = 24;
/** Questions of clients that a relay passes on at a time. */
export const forwardedAsksMax = 200;
/** An errand that failed is run again after this long. */
export const errandPauseMs = 2_000;
/** A withdrawal that waits so many blocks gets a child of the broker's that raises its fee. */
export const payoutWaitBlocks = 2;
/** What a broker adds of its own to the fees of withdrawals that wait for a block, all together. */
export const payoutFeesSatMax = 100_000n;
/** Outputs that one such child spends; bitcoind takes no more than 25 unconfirmed ancestors. */
export const raisedPayoutsMax = 20;
/** Replies that a broker keeps for each account, for requests that come again. */
export const accountRepliesMax = 64;
/** Addresses that a broker keeps for change of withdrawals. */
export const changeAddressesMin = 100_000;
/**
 * How often a coin may have changed hands, as its signatures say. Each holder adds one, so nobody comes here by paying; what is
 * counted on from here by as many as one message holds stays far below 2^64.
 */
export const coinStepsMax = 1n << 48n;
/** A payee takes none beyond, so that its own holders can hand it on for ever. */
export const coinStepsTakenMax = coinStepsMax / 2n;
/** Latest time that a coin's signatures may say, in ms since 1970: the year 6429, whose epochs of a minute still fit 32 bits. */
export const coinTimeMsMax = 1n << 47n;
/** Dearest coin, 11,258 BTC: sums of as many as there can be stay below 2^64. */
export const coinMsatMax = 1n << 50n;
/**
 * What a broker keeps of one coin, and for one owner of all its coins, until that has heard of it: 110 KB, and 4.5 MB. Beyond that
 * the coin is bound by its owner alone, or handed in.
 */
export const coinNewsMax = 100;
export const ownerNewsMax = 4_096;
/** Coins that a broker forgets at a time, of those that expired long ago: their records go in one commit. */
export const coinsForgottenMax = 256;
/** What holders or the owner of one coin said twice, and are charged with: each takes 32 bytes of a record. */
export const coinSpendsMax = 2_048;
/** Holdings of one coin that an assistant leaves to others: it changes hands between changes of the ring, few in its 90 days. */
export const coinReleasesMax = 64;
/** What an assistant must have at its broker where others have it, so that a ring full of one's own keys costs 0.1 BTC. */
export const assistantBondMsat = 10_000_000n;
/** Accounts of one broker. */
export const accountsMax = 1_000_000;
/** How often a broker looks for what has expired. */
export const brokerTickMs = 1_000;
/** A store takes no more when the disk has less than this left: more than any commit writes. */
export const storeRoomBytesMin = 4 * 1024 * 1024;

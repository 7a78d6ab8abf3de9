import { type Command, Option } from 'commander';
import { bitcoindOption, controlOption, type Does, wholeNumber, withExamples } from './cli-parts.ts';
import { passphraseOption } from './passphrase.ts';

/** Commands on money: the client's wallet and channels, every node's records, the private chain. */
export function addMoney(program: Command, does: Does): void {
  program.commandsGroup('Money:');
  addWallet(program.command('wallet').description("the client's coins"), does);
  addChannel(program.command('channel').description("the client's channels at relays"), does);
  addLedger(program.command('ledger').description('what nodes have durably recorded of channels'), does);
  addBackup(program, does);
  addRegtest(program.command('regtest').description('drive the private chain'), does);
}

const satAmount = wholeNumber(1_000, 100_000_000_000);

const clientDirOption = () =>
  new Option('--dir <datadir>', "the client's data directory; client/ in --data-dir otherwise");

const chainOption = () =>
  new Option('--pay <file>', 'pay.yaml that names the bitcoind; that of --data-dir otherwise');

const nodeDirOption = () =>
  new Option('--dir <datadir>', 'one node by its data directory; all nodes in --data-dir otherwise');

function addWallet(wallet: Command, does: Does): void {
  withExamples(
    wallet
      .command('new')
      .description('make a wallet where a client is to run; one that is there is kept')
      .addOption(clientDirOption())
      .action(does(async () => (await import('./wallet-commands.ts')).create)),
    'naulon wallet new --dir ~/client',
  );
  withExamples(
    wallet
      .command('address')
      .description('a fresh address to pay into the wallet')
      .addOption(controlOption())
      .action(does(async () => (await import('./wallet-commands.ts')).address)),
    'naulon wallet address',
  );
  withExamples(
    wallet
      .command('balance')
      .description('what the wallet has, and what is locked up in channels')
      .addOption(controlOption())
      .action(does(async () => (await import('./wallet-commands.ts')).balance)),
    'naulon wallet balance --json',
  );
  withExamples(
    wallet
      .command('fund')
      .description('fill it from the faucet of the private chain; elsewhere say where to send')
      .option('--sat <amount>', 'satoshi', satAmount, 10_000_000)
      .addOption(controlOption())
      .action(does(async () => (await import('./wallet-commands.ts')).fund)),
    'naulon wallet fund --sat 5000000',
  );
  withExamples(
    wallet
      .command('descriptor')
      .description('every script that is watched, as bitcoind understands it; the client need not run')
      .option('--private', 'with the secret keys: whoever has these lines has the money')
      .addOption(clientDirOption())
      .action(does(async () => (await import('./wallet-commands.ts')).descriptor)),
    'naulon wallet descriptor',
    'bitcoin-cli importdescriptors "$(naulon wallet descriptor --json | jq .descriptors)"',
  );
}

function addChannel(channel: Command, does: Does): void {
  withExamples(
    channel
      .command('open')
      .description('open a channel at a relay and leave it open, for a circuit to come')
      .argument('<relay>', 'its nickname')
      .option('--size <sat>', 'what its contract holds', wholeNumber(5_000, 100_000_000_000), 100_000)
      .option('--psbt', 'paid for by another wallet: its signed PSBT is read from standard input')
      .addOption(controlOption())
      .action(does(async () => (await import('./channel-commands.ts')).open)),
    'naulon channel open guard1 --size 200000',
    'naulon channel open guard1 --psbt',
  );
  withExamples(
    channel
      .command('ls')
      .description('channels, what was paid and what is left, and when they end')
      .option('--all', 'also those that have ended')
      .addOption(controlOption())
      .action(does(async () => (await import('./channel-commands.ts')).ls)),
    'naulon channel ls --all',
  );
  const chosen = (command: Command) =>
    command
      .argument('[channels...]', 'relays, or transaction ids of contracts (8 digits or more)')
      .option('--all', 'every open channel')
      .addOption(controlOption());
  withExamples(
    chosen(
      channel
        .command('close')
        .description('have the relay settle what was paid; the rest returns')
        .option('--dry-run', 'show what is paid, returned and left to the miner; close nothing')
        .option('--now', 'end streams that use it, rather than wait a while for them to end'),
    ).action(does(async () => (await import('./channel-commands.ts')).close)),
    'naulon channel close guard1',
    'naulon channel close --all',
  );
  withExamples(
    chosen(
      channel
        .command('refund')
        .description('take a channel back from the height at which it ends; says how long that is'),
    ).action(does(async () => (await import('./channel-commands.ts')).refund)),
    'naulon channel refund guard1',
  );
  addTower(channel, does);
}

function addTower(channel: Command, does: Does): void {
  withExamples(
    channel
      .command('redeem')
      .description('settle now what a relay has earned, whether or not it runs; shows first what it costs')
      .argument('[channels...]', 'transaction ids of contracts (8 digits or more)')
      .option('--all', 'every channel with a payment')
      .requiredOption('--dir <datadir>', "the relay's data directory")
      .addOption(chainOption())
      .option('--dry-run', 'show what it costs, send nothing')
      .action(does(async () => (await import('./redeem-command.ts')).redeem)),
    'naulon channel redeem --all --dir /var/lib/naulon --pay pay.yaml --dry-run',
  );
  withExamples(
    channel
      .command('export')
      .description('one signed transaction for each channel, sealed, for a watchtower; no keys')
      .requiredOption('-o, --output <file>', 'where they go')
      .addOption(nodeDirOption())
      .addOption(passphraseOption())
      .action(does(async () => (await import('./tower-commands.ts')).exportOrders)),
    'naulon channel export --dir /var/lib/naulon -o relay.watch --passphrase-file pass',
  );
  withExamples(
    channel
      .command('watch')
      .description('be a watchtower: settle or refund exported channels in time when their owners do not')
      .argument('<files...>', 'as exported; read again when they are written anew')
      .addOption(chainOption())
      .addOption(passphraseOption())
      .option('--wallet <name>', "of bitcoind's: it pays when fees must be raised")
      .option(
        '--max-fees <sat>',
        'what it pays at most for all that wait',
        wholeNumber(0, 100_000_000),
        100_000,
      )
      .action(does(async () => (await import('./tower-commands.ts')).watch)),
    'naulon channel watch relay.watch client.watch --pay pay.yaml --passphrase-file pass',
  );
}

function addLedger(ledger: Command, does: Does): void {
  withExamples(
    ledger
      .command('ls')
      .description('all records of all nodes; they may be running')
      .addOption(nodeDirOption())
      .action(does(async () => (await import('./ledger-commands.ts')).ls)),
    'naulon ledger ls',
  );
  withExamples(
    ledger
      .command('check')
      .description('verify every record again, and against bitcoind to the satoshi')
      .addOption(nodeDirOption())
      .addOption(chainOption())
      .option('--offline', 'ask no bitcoind: signatures, keys and sums alone')
      .action(does(async () => (await import('./ledger-commands.ts')).check)),
    'naulon ledger check',
    'naulon ledger check --dir /var/lib/naulon --pay pay.yaml',
  );
  withExamples(
    ledger
      .command('export')
      .description('all records as CSV, amounts in whole sat and msat')
      .addOption(nodeDirOption())
      .option('-o, --output <file>', 'where it goes; standard output otherwise')
      .action(does(async () => (await import('./ledger-commands.ts')).exportCsv)),
    'naulon ledger export -o channels.csv',
  );
}

function addBackup(program: Command, does: Does): void {
  withExamples(
    program
      .command('backup')
      .description("seal a node's wallet, channels and identity into a file; the node may be running")
      .requiredOption('--dir <datadir>', "the node's data directory")
      .requiredOption('-o, --output <file>', 'where it goes; a backup that has more is never overwritten')
      .addOption(passphraseOption())
      .action(does(async () => (await import('./backup-commands.ts')).backup)),
    'naulon backup --dir /var/lib/naulon -o /mnt/usb/relay.sealed --passphrase-file pass',
  );
  withExamples(
    program
      .command('restore')
      .description('put a backup into a fresh directory, from which the node then runs')
      .argument('<file>', 'what naulon backup wrote')
      .requiredOption('--dir <datadir>', 'where no wallet is')
      .addOption(passphraseOption())
      .action(does(async () => (await import('./backup-commands.ts')).restore)),
    'naulon restore /mnt/usb/relay.sealed --dir /var/lib/naulon --passphrase-file pass',
  );
}

function addRegtest(regtest: Command, does: Does): void {
  regtest
    .command('start')
    .description('run a private chain in the foreground, mining when transactions wait')
    .addOption(bitcoindOption())
    .action(does(async () => (await import('./regtest-commands.ts')).start));
  withExamples(
    regtest
      .command('mine')
      .description('mine blocks on the running chain')
      .argument('[blocks]', 'how many', wholeNumber(1, 10_000), 1)
      .action(does(async () => (await import('./regtest-commands.ts')).mine)),
    'naulon regtest mine 6',
  );
  withExamples(
    regtest
      .command('faucet')
      .description('pay to an address from the faucet')
      .argument('<address>')
      .option('--sat <amount>', 'satoshi', satAmount, 10_000_000)
      .action(does(async () => (await import('./regtest-commands.ts')).faucet)),
    'naulon regtest faucet bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080 --sat 50000',
  );
}

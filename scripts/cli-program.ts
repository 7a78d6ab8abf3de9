import { Command, InvalidArgumentError, Option } from 'commander';
import { packageVersion } from '../src/node-io/package-version.ts';
import { addBench } from './bench-program.ts';
import { addBroker } from './broker-program.ts';
import {
  bitcoindOption,
  controlOption,
  type Does,
  schemeOption,
  type Work,
  wholeNumber,
} from './cli-parts.ts';
import { addCrashMatrix } from './crash-program.ts';
import { addFlood } from './flood-program.ts';
import { addFuzz } from './fuzz-program.ts';
import type { GlobalOptions } from './global-options.ts';
import { addMoney } from './money-program.ts';
import { addSim } from './sim-program.ts';
import { addSoak } from './soak-program.ts';
import { openTerminal } from './terminal.ts';

/**
 * All commands with their options. Each command's code is imported when it is run, so that `naulon --help` does not
 * wait for what it never uses.
 */
export function buildProgram(setExitCode: (code: number) => void): Command {
  const program = new Command('naulon')
    .description('A Tor-protocol relay network whose circuits are paid for, cell by cell.')
    .version(packageVersion(), '--version', 'print the version')
    .option('--json', 'answer with JSON: one object, or one per line')
    .option('-q, --quiet', 'say nothing but the answer')
    .option('-v, --verbose', 'say more')
    .addOption(
      new Option('--data-dir <dir>', 'where a network keeps its nodes, keys and money')
        .env('NAULON_DATA_DIR')
        .argParser(folder)
        .default('.naulon'),
    )
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: (text, write) => write(`naulon: ${usageLine(text)}\n`) })
    .showSuggestionAfterError(true)
    .exitOverride();
  const does =
    <O>(work: () => Promise<Work<O>>) =>
    async (...given: unknown[]) => {
      const command = given.at(-1) as Command;
      const options = command.optsWithGlobals() as O & GlobalOptions;
      const args = command.processedArgs.flat().map(arg => (arg === undefined ? '' : String(arg)));
      setExitCode((await (await work())(options, openTerminal(options), args)) ?? 0);
    };
  addStart(program, does);
  addNet(program, does);
  addNode(program, does);
  addUse(program, does);
  addMoney(program, does);
  addBroker(program, does);
  addBench(program, does);
  addSim(program, does);
  addFuzz(program, does);
  addSoak(program, does);
  addFlood(program, does);
  addCrashMatrix(program, does);
  return program;
}

/** What commander says of a wrong command line, as one line. */
export function usageLine(text: string): string {
  return text
    .replace(/^error: /, '')
    .trim()
    .replaceAll('\n', ' ');
}

/** An unset variable of a script must not come to mean the current folder. */
function folder(path: string): string {
  if (path === '') throw new InvalidArgumentError('a folder is needed.');
  return path;
}

function names(text: string): string[] {
  return text.split(',').map(name => name.trim());
}

function windowCells(text: string): number | 'auto' {
  return text === 'auto' ? 'auto' : wholeNumber(1, 1_048_576)(text);
}

function collected(value: string, before: string[]): string[] {
  return [...before, value];
}

function addStart(program: Command, does: Does): void {
  program.commandsGroup('Start:');
  program
    .command('demo')
    .description('local paid network: stream a file over three hops, show who was paid, stop')
    .option('--size <bytes>', 'how much to stream', wholeNumber(1, 10_000_000_000), 105_000_000)
    .option('--window <cells>', 'cells paid for at a time, or auto', windowCells, 'auto' as const)
    .addOption(schemeOption('how relays are paid: bitcoin-channel, payword, p2p-netpay, ppay, …'))
    .option('--variant <name>', "one of the scheme's ways, such as prepaid or credit")
    .addOption(bitcoindOption())
    .action(does(async () => (await import('./demo.ts')).demo));
  program
    .command('doctor')
    .description('check this machine, or a torrc or document of Tor; say what to fix')
    .argument('[files...]', 'torrc, descriptors, consensus, certificates: what would C tor refuse?')
    .addOption(bitcoindOption())
    .action(does(async () => (await import('./doctor.ts')).doctor));
  program
    .command('version')
    .description('print versions of naulon, Node and the machine')
    .action(does(async () => (await import('./doctor.ts')).version));
}

function addNet(program: Command, does: Does): void {
  program.commandsGroup('Network:');
  program
    .command('up')
    .description('start authority, relays, client and a regtest chain; print its SOCKS and control addresses')
    .argument('[net.yaml]', 'what to start; three relays otherwise')
    .option('--relays <number>', 'how many relays, the last one an exit', wholeNumber(1, 200))
    .addOption(schemeOption('how relays are paid, whatever net.yaml says'))
    .option(
      '--exit-to <host:port>',
      'a server on this machine that exits may reach (repeatable)',
      collected,
      [],
    )
    .option('-d, --detach', 'return once the network is ready, leaving it running')
    .addOption(new Option('--supervise', 'be the process that a detached network is owned by').hideHelp())
    .addOption(bitcoindOption())
    .action(does(async () => (await import('./network-commands.ts')).up));
  program
    .command('status')
    .description('nodes, what they are and whether they run')
    .action(does(async () => (await import('./network-commands.ts')).status));
  program
    .command('verify')
    .description('stream random bytes through every relay, compare hashes')
    .option('--size <bytes>', 'bytes through each circuit', wholeNumber(1, 1_000_000_000), 1_000_000)
    .action(does(async () => (await import('./verify.ts')).verify));
  program
    .command('add')
    .description('add a relay to the running network: one of ours, or the real C tor')
    .argument('<kind>', 'relay or tor')
    .option('--exit', 'let streams leave the network there')
    .option('--nickname <name>', 'what it is called; relay1, tor1, … otherwise')
    .option('--price <price>', 'of a relay: as "100000 sat/GiB", or 0')
    .action(does(async () => (await import('./add-command.ts')).add));
  program
    .command('export')
    .description('hand the running network to other tools')
    .command('torrc')
    .description('print a torrc that takes any C tor to the running network')
    .argument('[folder]', 'where that tor keeps its data')
    .action(does(async () => (await import('./export-torrc.ts')).exportTorrc));
  program
    .command('logs')
    .description('print what a node has logged')
    .argument('[node]', 'one node; every node otherwise')
    .option('-n, --lines <number>', 'the last so many lines of each', wholeNumber(1, 1_000_000), 20)
    .action(does(async () => (await import('./network-commands.ts')).logs));
  program
    .command('down')
    .description('stop everything, keep data and results')
    .action(does(async () => (await import('./network-commands.ts')).down));
}

function addNode(program: Command, does: Does): void {
  program.commandsGroup('Node:');
  const node = (name: string, description: string) =>
    program
      .command(name)
      .description(description)
      .requiredOption('-f, --torrc <file>', "configuration, in C tor's option names");
  node(
    'relay',
    'run one relay in the foreground; where torrc has a SocksPort, a client too, which spends what it earns',
  )
    .option('--pay <file>', 'pay.yaml: price, scheme, chain')
    .addOption(schemeOption('what it is paid by, whatever pay.yaml says'))
    .action(does(async () => (await import('./node-commands.ts')).relay));
  node('dirauth', 'run one directory authority in the foreground')
    .option('--pay <file>', 'pay.yaml: the broker that it runs beside')
    .action(does(async () => (await import('./node-commands.ts')).dirauth));
  node('client', 'run one client in the foreground: SOCKS5 proxy, control port and control socket')
    .option('--pay <file>', 'pay.yaml: schemes, chain, limits')
    .addOption(schemeOption('what it pays by, whatever pay.yaml says'))
    .action(does(async () => (await import('./node-commands.ts')).client));
}

function addUse(program: Command, does: Does): void {
  program.commandsGroup('Use:');
  const withCircuit = (command: Command) =>
    command
      .option('--path <relays>', 'relays by nickname, first hop first, with commas between', names)
      .option('--hops <number>', 'how many relays, when none are named', wholeNumber(1, 8))
      .option('--window <cells>', 'cells paid for at a time, or auto', windowCells)
      .option('--max-spend <sat>', 'what the circuit may cost at most', wholeNumber(1, 100_000_000_000))
      .addOption(controlOption());
  withCircuit(
    program
      .command('get')
      .description('fetch a URL over a paid circuit of its own')
      .argument('<url>')
      .option('-o, --output <file>', 'where the body goes; standard output otherwise'),
  ).action(does(async () => (await import('./use-commands.ts')).get));
  withCircuit(
    program
      .command('stream')
      .description('standard input and output over a paid circuit, like nc')
      .argument('<host:port>'),
  ).action(does(async () => (await import('./use-commands.ts')).stream));
}

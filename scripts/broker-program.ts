import { type Command, Option } from 'commander';
import { type Does, schemeOption, wholeNumber, withExamples } from './cli-parts.ts';

/** Commands of payment systems that a broker stands behind: the broker, accounts at it, and proofs of cheating. */
export function addBroker(program: Command, does: Does): void {
  program.commandsGroup('Broker:');
  const brokerDir = () =>
    new Option('--dir <datadir>', "the broker's data directory; broker/ in --data-dir otherwise");
  const brokerFile = () =>
    new Option('-f, --file <file>', "the broker's broker.yaml, where its records are in PostgreSQL");
  const broker = program
    .command('broker')
    .description('run one broker in the foreground: accounts, e-coins, bitcoins in and out')
    .requiredOption('-f, --file <file>', 'broker.yaml')
    .action(does(async () => (await import('./node-commands.ts')).broker));
  withExamples(
    program
      .command('books')
      .description("hold a broker's books against each scheme's records and bitcoind, to the satoshi")
      .addOption(brokerDir())
      .addOption(brokerFile())
      .option('--pay <file>', 'pay.yaml that names the bitcoind; that of broker.yaml or --data-dir otherwise')
      .action(does(async () => (await import('./broker-commands.ts')).check)),
    'naulon books',
    'naulon books -f broker.yaml',
  );
  withExamples(broker, 'naulon broker -f broker.yaml');
  addAccount(program.command('account').description("a node's account at the broker"), does);
  const pay = program.command('pay').description('evidence of cheating');
  withExamples(
    pay
      .command('proof')
      .description('say whom a proof of cheating convicts; nobody is asked')
      .argument('<file>', 'as naulon pay evidence writes it')
      .addOption(schemeOption('whose rules were broken, where it is none of ours'))
      .action(does(async () => (await import('./pay-commands.ts')).proof)),
    'naulon pay proof 1f00c0de.proof.json',
  );
  withExamples(
    pay
      .command('evidence')
      .description('write the proofs that a broker has on file, one file each')
      .addOption(brokerDir())
      .addOption(brokerFile())
      .option('-o, --output <folder>', 'where they go; here otherwise')
      .action(does(async () => (await import('./broker-commands.ts')).proofs)),
    'naulon pay evidence -o evidence',
  );
}

function addAccount(account: Command, does: Does): void {
  const asked = (command: Command) =>
    command
      .addOption(
        new Option(
          '--dir <datadir>',
          "data directory of the account's node; client/ in --data-dir otherwise",
        ),
      )
      .option('--broker <host:port>', 'where the broker is asked; that of the running network otherwise');
  withExamples(
    asked(account.command('balance').description('what it has')).action(
      does(async () => (await import('./account-commands.ts')).balance),
    ),
    'naulon account balance --dir .naulon/exit1',
  );
  withExamples(
    asked(account.command('address').description('where to pay bitcoins into it')).action(
      does(async () => (await import('./account-commands.ts')).address),
    ),
    'naulon account address',
  );
  withExamples(
    asked(
      account
        .command('withdraw')
        .description('pay bitcoins out of it')
        .argument('<address>')
        .argument('<sat>', 'how much; the fee comes on top', wholeNumber(294, 2_100_000_000_000_000)),
    ).action(does(async () => (await import('./account-commands.ts')).withdraw)),
    'naulon account withdraw bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080 50000',
  );
}

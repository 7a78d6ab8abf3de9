import type { TopLevelSpec } from 'vega-lite';
import { barPlot } from '../bar-plot.ts';
import type { Series } from '../trials.ts';
import { coloursOf } from './colours.ts';
import { schemeMeasures } from './measures.ts';

/** Bars for each payment system: what a payment costs, and how the broker's part grows with peers, and with peers that are away. */
export function schemesPlot(series: readonly Series[], crowd: number): TopLevelSpec {
  const costs = ({ factors }: Series): boolean => Object.keys(factors).length === 1;
  const over =
    (factor: string) =>
    ({ factors }: Series): boolean =>
      factor in factors;
  return barPlot({
    title: 'Payment systems compared',
    subtitle: [
      'bytes and CPU: a client, three relays and a broker, simulated; per payment, purchase and handing in included',
      'all else: simulated peers and a broker, without circuits',
    ],
    by: 'scheme',
    columns: 3,
    coloursOf,
    measures: schemeMeasures,
    series,
    panels: [
      { measure: 'payment bytes', title: 'Bytes of REDEEM and RECEIPT cells', where: costs },
      { measure: 'CPU, payer', title: 'CPU of the payer', where: costs },
      { measure: 'CPU, payee', title: 'CPU of the payee', where: costs },
      { measure: 'CPU, broker', title: 'CPU of the broker', where: costs },
      {
        measure: 'requests to the broker',
        title: 'Requests to the broker, as peers grow',
        along: 'peers',
        where: over('peers'),
      },
      {
        measure: 'requests to the broker',
        title: `Requests to the broker, ${crowd} peers`,
        along: 'away',
        alongTitle: '% of peers away',
        where: over('away'),
      },
      {
        measure: 'requests to the busiest peer',
        title: 'Requests to the busiest peer',
        along: 'peers',
        where: over('peers'),
      },
      {
        measure: 'payments made',
        title: 'Payments made',
        along: 'away',
        alongTitle: '% of peers away',
        where: over('away'),
      },
      { measure: 'lost of what was credited', title: 'Lost to a double spend by a buyer', where: costs },
    ],
  });
}

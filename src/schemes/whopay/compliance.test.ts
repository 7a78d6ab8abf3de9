import { schemeCompliance } from '../../payment/compliance.ts';
import { brokeredWorld } from '../brokered-world.fixture.ts';
import { whopay } from './index.ts';

for (const variant of whopay.variants)
  schemeCompliance(`whopay, ${variant}`, () => brokeredWorld({ scheme: whopay, variant }));
